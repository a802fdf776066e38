package testenv

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy stands between a client and a server on 127.0.0.1 and breaks the connection on request. It knows nothing of what it
// carries, so a Kafka client must be given it by a broker that advertises it.
type Proxy struct {
	target string
	addr   string

	mu       sync.Mutex
	gate     *sync.Cond // signalled when mode changes
	mode     proxyMode
	listener net.Listener // nil while cut
	conns    map[net.Conn]struct{}
	wg       sync.WaitGroup
	carried  atomic.Int64
}

type proxyMode uint8

const (
	proxyOpen proxyMode = iota
	proxyStalled
	proxyCut
	proxyClosed
)

// NewProxy listens on a port of 127.0.0.1 and carries every connection to target (host:port).
func NewProxy(target string) (*Proxy, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	return NewProxyAt(hostPort(port), target)
}

// NewProxyAt is NewProxy on a given address.
func NewProxyAt(addr, target string) (*Proxy, error) {
	p := &Proxy{target: target, addr: addr, mode: proxyCut, conns: map[net.Conn]struct{}{}}
	p.gate = sync.NewCond(&p.mu)
	if err := p.Heal(); err != nil {
		return nil, err
	}
	return p, nil
}

// Addr is where clients connect to.
func (p *Proxy) Addr() string { return p.addr }

// Carried is how many bytes went through so far, in both directions.
func (p *Proxy) Carried() int64 { return p.carried.Load() }

// Cut resets every connection (the peers see RST, not an orderly end) and refuses new ones until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == proxyClosed {
		return
	}
	p.stopListening()
	p.setMode(proxyCut)
	p.reset()
}

// Stall keeps connections open and accepts new ones, but forwards nothing until Heal, as a network that drops packets does.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == proxyOpen {
		p.setMode(proxyStalled)
	}
}

// Heal forwards again what was stalled, and accepts connections again after Cut.
func (p *Proxy) Heal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == proxyClosed {
		return net.ErrClosed
	}
	if p.listener == nil {
		l, err := net.Listen("tcp", p.addr)
		if err != nil {
			return fmt.Errorf("proxy to %s: %w", p.target, err)
		}
		p.listener = l
		p.wg.Go(func() { p.accept(l) })
	}
	p.setMode(proxyOpen)
	return nil
}

// Close ends everything and waits for it.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.stopListening()
	p.setMode(proxyClosed)
	p.reset()
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *Proxy) setMode(m proxyMode) {
	p.mode = m
	p.gate.Broadcast()
}

func (p *Proxy) stopListening() {
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

// reset drops every connection with unsent data thrown away, which makes the kernel send RST.
func (p *Proxy) reset() {
	for c := range p.conns {
		if t, ok := c.(*net.TCPConn); ok {
			t.SetLinger(0) //nolint:errcheck // the connection may have ended already, and it is dropped anyway
		}
		c.Close()
	}
	clear(p.conns)
}

func (p *Proxy) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		p.wg.Go(func() { p.carry(c) })
	}
}

// enter notes a connection, unless the proxy was cut meanwhile: then it is dropped.
func (p *Proxy) enter(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == proxyCut || p.mode == proxyClosed {
		c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) leave(cs ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range cs {
		c.Close()
		delete(p.conns, c)
	}
}

// pass blocks while the proxy is stalled; false means that the connection is over.
func (p *Proxy) pass() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.mode == proxyStalled {
		p.gate.Wait()
	}
	return p.mode == proxyOpen
}

func (p *Proxy) carry(client net.Conn) {
	if !p.enter(client) {
		return
	}
	defer p.leave(client)
	if !p.pass() {
		return
	}
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second) //nolint:noctx // Cut and Close end it by the timeout
	if err != nil {
		return
	}
	if !p.enter(server) {
		return
	}
	defer p.leave(server)
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client) })
	both.Go(func() { p.copy(client, server) })
	both.Wait()
}

// copy moves bytes one way; the end of one direction is handed on as such, and a failure ends both.
func (p *Proxy) copy(to, from net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !p.pass() {
				p.leave(to, from)
				return
			}
			p.carried.Add(int64(n)) // before whoever gets them can ask
			if _, werr := to.Write(buf[:n]); werr != nil {
				p.leave(to, from)
				return
			}
		}
		if err != nil {
			half, ok := to.(*net.TCPConn)
			if !errors.Is(err, io.EOF) || !ok || half.CloseWrite() != nil {
				p.leave(to, from)
			}
			return
		}
	}
}
