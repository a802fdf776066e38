package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"shelfstream/internal/fault"
)

// checkWithin is how long one system may take to answer.
const checkWithin = 20 * time.Second

func checkCommand() command {
	return command{
		name: "check", summary: "find every fault of the configuration and, with -connect, of the systems it names",
		help: `
Without -connect nothing but files is looked at. With it the brokers, the registry, every source and every sink are asked for what they need
to have, and views and rules are checked against the tables' real columns; all faults are listed at once, each with its remedy. Nothing is
changed in any of them: what a run would make itself is not missing.`,
		setup: func(p *program, flags *flag.FlagSet) func(context.Context, []string) error {
			var c common
			var connect, show bool
			c.flags(p, flags)
			flags.BoolVar(&connect, "connect", false, "also ask every system")
			flags.BoolVar(&show, "print", false, "print the configuration as it works: with defaults, without secrets")
			return func(ctx context.Context, args []string) error {
				if err := noArguments("check", args); err != nil {
					return err
				}
				return check(ctx, p, &c, connect, show)
			}
		},
	}
}

func check(ctx context.Context, p *program, c *common, connect, show bool) error {
	cfg, log, err := c.load(p)
	if cfg != nil && show {
		if _, werr := io.WriteString(p.stdout, cfg.String()); werr != nil {
			return werr
		}
	}
	if err != nil {
		return err
	}
	k := &checker{cfg: cfg, out: p.stdout, within: checkWithin, broken: map[string]bool{}}
	k.say("configuration " + cfg.File)
	for i := range cfg.Views {
		if _, err := cfg.readRules(&cfg.Views[i].Value); err != nil {
			k.say("rules of view "+cfg.Views[i].Name, err)
		}
	}
	if connect {
		k.systems(ctx, cfg, log)
	}
	return k.faults.Err()
}

// checker collects what is wrong and says what is right.
type checker struct {
	cfg    *pipeline
	out    io.Writer
	within time.Duration // one system's time to answer
	faults fault.List
	broken map[string]bool // views that cannot be compiled
}

// say notes the outcome of looking at one thing; true if it is in order.
func (k *checker) say(what string, errs ...error) bool {
	faults := k.cfg.placed("", asList(what, errs...))
	if len(faults) == 0 {
		_, _ = fmt.Fprintln(k.out, "ok      "+what) // a closed stdout does not change what is wrong
		return true
	}
	_, _ = fmt.Fprintln(k.out, "fault   "+what)
	k.faults = append(k.faults, faults...)
	return false
}

// later notes what cannot be looked at before something else is there.
func (k *checker) later(what, why string) {
	_, _ = fmt.Fprintln(k.out, "later   "+what+": "+why)
}

// embedded looks at what 'run' will need for its own log, without starting it. It gives the registry that is there to be asked.
func (k *checker) embedded(ctx context.Context, cfg *pipeline) (registryURL string) {
	if e, ok := readEndpoints(ctx, cfg); ok {
		k.say("log: the pipeline runs, its embedded log is at " + e.Broker)
		return e.Registry
	}
	k.say("log: folder "+cfg.LogDir(), writableDir("log.data_dir", cfg.LogDir()))
	k.say("log: address "+cfg.Log.Listen, freeAddress("log.listen", cfg.Log.Listen))
	if cfg.Log.Registry.URL == "" {
		k.say("registry: address "+cfg.Log.Registry.Listen, freeAddress("log.registry.listen", cfg.Log.Registry.Listen))
	}
	if !cfg.Admin.Off() {
		k.say("admin port: address "+cfg.Admin.Listen, freeAddress("admin.listen", cfg.Admin.Listen))
	}
	return cfg.Log.Registry.URL
}

// writableDir makes a file in a folder, or in the nearest one above it that exists, and removes it again.
func writableDir(key, dir string) error {
	f := &fault.Fault{Class: fault.Environment, Cause: fault.DiskUnusable, Where: key, What: "the folder " + dir + " cannot be written", Fix: "give it to the user that runs shelfstream, or set " + key + " to another"}
	for _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir); _, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
	}
	file, err := os.CreateTemp(dir, ".check-*")
	if err != nil {
		f.Err = err
		return f
	}
	if f.Err = errors.Join(file.Close(), os.Remove(file.Name())); f.Err != nil {
		return f
	}
	return nil
}

func freeAddress(key, addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return &fault.Fault{Class: fault.Environment, Cause: fault.AddressTaken, Where: key, What: addr + " cannot be listened on", Err: err, Fix: "end the program that has it, or set " + key + " to another address; port 0 takes any free one"}
	}
	return l.Close()
}
