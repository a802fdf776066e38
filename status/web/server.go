package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"shelfstream/internal/fault"
	"shelfstream/status/login"
)

// Server is the admin port: the status page, the same as JSON, metrics, health, readiness, and profiling on loopback.
type Server struct {
	cfg      Config
	listener net.Listener
	started  time.Time
	loopback bool
	planning sync.Mutex

	desk    *login.Desk
	pages   map[string]maker
	history *history
	news    *news
	streams streams
	grace   time.Duration // for requests under way at the end
	closing chan struct{} // closed when Run ends: open pages are let go
	moments cache[*moment]
	helds   reading[[]Held]
	parks   parks
	reads   sync.WaitGroup // of what is read beside requests
	wait    time.Duration  // for how long a page waits for it
}

// NewServer listens at once, so that Addr is known and an address in use is a fault before any work begins.
func NewServer(cfg Config) (*Server, error) {
	s := newServer(cfg)
	var err error
	if s.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, &fault.Fault{
			Class: fault.Environment, Cause: fault.AddressTaken, Where: "admin.listen", What: "the admin port " + cfg.Listen + " cannot be opened", Err: err,
			Fix: "end the program that has it, or set admin.listen to another address; 127.0.0.1:0 takes any free port, off opens none",
		}
	}
	if a, ok := s.listener.Addr().(*net.TCPAddr); ok {
		s.onLoopbackOnly(a.IP.IsLoopback())
	}
	return s, nil
}

// onLoopbackOnly says whether nobody but this machine reaches the port.
func (s *Server) onLoopbackOnly(yes bool) {
	s.loopback = yes
	s.desk = login.NewDesk(login.Config{Users: s.cfg.Users, Proxy: s.cfg.Proxy, Open: s.cfg.Open, Loopback: yes, Now: s.cfg.Now})
}

func newServer(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Redact == nil {
		cfg.Redact = func(s string) string { return s }
	}
	s := &Server{cfg: cfg, started: cfg.Now(), history: newHistory(), news: newNews(), grace: time.Second, closing: make(chan struct{}), wait: soon}
	s.pages = s.makers()
	s.onLoopbackOnly(false)
	return s
}

// Addr is the address that is listened on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx ends; then requests under way have a second to finish.
func (s *Server) Run(ctx context.Context) error {
	srv := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	beside, end := context.WithCancel(ctx)
	defer s.reads.Wait() // after what may begin one
	var wait sync.WaitGroup
	defer wait.Wait()
	defer end()
	wait.Go(func() { s.keepHistory(beside) })
	for _, changed := range s.cfg.Changed {
		wait.Go(func() { s.news.pass(beside, changed) })
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(s.listener) }()
	select {
	case err := <-ended:
		close(s.closing)
		return fmt.Errorf("serve the admin port: %w", err)
	case <-ctx.Done():
	}
	close(s.closing)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		_ = srv.Close() // requests that are still under way (a long profile) are cut off
	}
	if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the admin port: %w", err)
	}
	return nil
}

// Handler answers the admin port's requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	// What machines ask is open: it tells states and numbers, and no names of products.
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	if s.cfg.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Gatherer, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	}
	for path := range s.pages {
		pattern := "GET " + path
		if path == "/" {
			pattern += "{$}"
		}
		if path == "/explain" || path == "/parked" || path == "/audit" {
			continue
		}
		mux.HandleFunc(pattern, s.page(path))
	}
	mux.HandleFunc("GET /explain", s.looking(s.explain))
	mux.HandleFunc("GET /parked", s.looking(s.parked))
	mux.HandleFunc("GET /audit", s.named(s.page("/audit")))
	mux.HandleFunc("GET /live", s.looking(s.live))
	mux.HandleFunc("GET /status.json", s.looking(s.statusJSON))
	mux.HandleFunc("GET /incidents.json", s.looking(s.incidentsJSON))
	mux.HandleFunc("POST /plan", s.looking(s.plan))
	mux.HandleFunc("GET /login", s.loginForm)
	mux.HandleFunc("POST /login", s.logIn)
	mux.HandleFunc("POST /logout", s.logOut)
	for path, a := range s.actions() {
		mux.HandleFunc("POST "+path, s.acting(a))
	}
	if s.cfg.VerifyAck != nil && s.cfg.Ack != nil {
		mux.HandleFunc("GET /ack", s.signed)
		mux.HandleFunc("POST /ack", s.ackSigned)
	}
	mux.HandleFunc("/debug/pprof/", s.onLoopback(pprof.Index))
	mux.HandleFunc("/debug/pprof/cmdline", s.onLoopback(pprof.Cmdline))
	mux.HandleFunc("/debug/pprof/profile", s.onLoopback(pprof.Profile))
	mux.HandleFunc("/debug/pprof/symbol", s.onLoopback(pprof.Symbol))
	mux.HandleFunc("/debug/pprof/trace", s.onLoopback(pprof.Trace))
	return s.secured(mux)
}

// nonceKey carries the nonce of a response's inline style and script.
type nonceKey struct{}

// secured sets headers that keep anything from being loaded or run but the page's own style and script.
func (s *Server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		random := make([]byte, 16)
		_, _ = rand.Read(random) // never fails
		nonce := hex.EncodeToString(random)
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; script-src 'nonce-"+nonce+"'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // with none at all browsers would send forms without their Origin
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce)))
	})
}

// onLoopback answers only when the port is open on loopback alone and the caller addressed it as that.
func (s *Server) onLoopback(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.loopback || !login.Local(r) {
			http.Error(w, "profiling is open on loopback only: set admin.listen to 127.0.0.1:8480 and ask from this machine", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}
