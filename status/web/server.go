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
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"shelfstream/internal/fault"
	"shelfstream/status"
)

// Server is the admin port: the status page, the same as JSON, metrics, health, readiness, and profiling on loopback.
type Server struct {
	cfg      Config
	listener net.Listener
	started  time.Time
	loopback bool
	planning sync.Mutex
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
		s.loopback = a.IP.IsLoopback()
	}
	return s, nil
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
	return &Server{cfg: cfg, started: cfg.Now()}
}

// Addr is the address that is listened on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx ends; then requests under way have a second to finish.
func (s *Server) Run(ctx context.Context) error {
	srv := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(s.listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the admin port: %w", err)
	case <-ctx.Done():
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := srv.Shutdown(wait); err != nil {
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
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /status.json", s.statusJSON)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /explain", s.explain)
	mux.HandleFunc("GET /parked", s.parked)
	mux.HandleFunc("POST /plan", s.plan)
	if s.cfg.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Gatherer, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
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
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; script-src 'nonce-"+nonce+"'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce)))
	})
}

// onLoopback answers only when the port is open on loopback alone and the caller addressed it as that: a web page that had
// its own name resolve to 127.0.0.1 would come with that name in Host.
func (s *Server) onLoopback(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		remote, err := netip.ParseAddrPort(r.RemoteAddr)
		host, _, splitErr := net.SplitHostPort(r.Host)
		if splitErr != nil {
			host = r.Host
		}
		ip, _ := netip.ParseAddr(host)
		if !s.loopback || err != nil || !remote.Addr().Unmap().IsLoopback() || host != "localhost" && !ip.IsLoopback() {
			http.Error(w, "profiling is open on loopback only: set admin.listen to 127.0.0.1:8480 and ask from this machine", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}
