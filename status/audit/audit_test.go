package audit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
)

// TestTrail: what is added on one process shows on another, newest first, bounded, also after a restart.
func TestTrail(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	broker, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	client, err := kafka.Open(kafka.Config{Brokers: []string{broker.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	cfg := Config{Client: client, Topic: "moestue.audit", Keep: 3}
	writer, reader := NewTrail(cfg), NewTrail(cfg)
	run, end := context.WithCancel(ctx)
	ended := make(chan error, 2)
	go func() { ended <- reader.Run(run) }()
	for i := range 9 {
		if err := writer.Add(ctx, Entry{At: time.Now(), Who: "anna", Action: "acknowledge", Target: fmt.Sprint(i), Outcome: Done}); err != nil {
			t.Fatal(err)
		}
	}
	await := func(trail *Trail) {
		t.Helper()
		for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
			if l := trail.Last(10); len(l) == 3 && l[0].Target == "8" && l[2].Target == "6" {
				return
			}
			if ctx.Err() != nil {
				t.Fatalf("the trail shows %+v", trail.Last(10))
			}
		}
	}
	await(reader)
	late := NewTrail(cfg)
	go func() { ended <- late.Run(run) }()
	await(late)
	if len(late.Last(1)) != 1 || len(late.Last(-1)) != 0 {
		t.Error("Last gives another number of entries than asked")
	}
	settings, err := client.TopicSettings(ctx, "cleanup.policy", cfg.Topic)
	if err != nil || settings[cfg.Topic] != "delete" {
		t.Errorf("the topic is cleaned by %v, %v", settings, err)
	}
	end()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
