package pages

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Server serves one of the two sites.
type Server struct {
	site     http.Handler
	beside   func(ctx context.Context) // what runs with it and ends with it; may be nil
	listener net.Listener
	log      *slog.Logger
}

// listen opens host:port. With preferred, an address that is taken is replaced by any free port of 127.0.0.1.
func listen(addr string, preferred bool) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil && preferred {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	return l, err
}

// Addr is host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close gives the address back; for a server that is not run.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx ends; requests under way and open streams end with it.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	beside := make(chan struct{})
	go func() {
		defer close(beside)
		if s.beside != nil {
			s.beside(ctx)
		}
	}()
	defer func() { cancel(); <-beside }()
	srv := &http.Server{
		Handler: s.guarded(s.site), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx }, // so that streams end
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(s.listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the demo's pages: %w", err)
	case <-ctx.Done():
	}
	wait, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	if srv.Shutdown(wait) != nil {
		_ = srv.Close() // what is still under way is cut off
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the demo's pages: %w", err)
	}
	return nil
}

// nonceKey carries the nonce of a response's inline style and script.
type nonceKey struct{}

// guarded lets nothing be loaded or run but the page's own style and script, takes forms from its own pages only, and answers on loopback under loopback's
// names only: a web page that had its own name resolve to 127.0.0.1 would come with that name in Host.
func (s *Server) guarded(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	own, ok := s.listener.Addr().(*net.TCPAddr)
	loopback := ok && own.IP.IsLoopback()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if loopback && !isLoopback(r.Host) {
			http.Error(w, "this page is open on loopback only: ask for "+s.Addr(), http.StatusForbidden)
			return
		}
		random := make([]byte, 16)
		_, _ = rand.Read(random) // never fails
		nonce := hex.EncodeToString(random)
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'nonce-"+nonce+"'; script-src 'nonce-"+nonce+"'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce)))
	})
}

func isLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip, _ := netip.ParseAddr(name)
	return name == "localhost" || ip.IsLoopback()
}

// frame is around each page's own data.
type frame struct {
	Nonce, Title string
	// Live is the path of the page's stream of events; "" if nothing on it moves.
	Live string
	// Again lets the page load itself once more after a while, when there is no stream.
	Again bool
	Data  any
}

// show renders a page in memory first, so that a template's error is not half a page.
func show(w http.ResponseWriter, r *http.Request, code int, name string, f frame) {
	f.Nonce, _ = r.Context().Value(nonceKey{}).(string)
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, f); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes())
}
