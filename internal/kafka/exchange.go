package kafka

import (
	"context"
	"fmt"
	"io"
	"time"

	kgo "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
)

const (
	// requestTimeout bounds an ordinary request, so that a connection that went silent cannot hold anything up for ever.
	requestTimeout = 15 * time.Second
	// correlation is the id on every request. A connection carries one request at a time, so it only has to be constant.
	correlation = 1
)

// exchange is one request to exactly the broker it is sent to. It goes through the Transport's connections (TLS, SASL, versions), but as
// a raw exchange: the Transport routes messages of known types by its own cached layout, which cannot be refreshed on demand and so
// keeps sending to a leader that is gone.
//
// When the caller's context ends first, the connection's goroutine may still be busy with the exchange; the caller must not touch its
// request's bytes again, and never sees the answer.
type exchange struct {
	req      protocol.Message
	clientID string
	version  int16
	// decode reads the answer's body; nil leaves it to kafka-go.
	decode func(version int16, r *frameReader) error
	resp   protocol.Message
}

// ApiKey is the request's.
func (x *exchange) ApiKey() protocol.ApiKey { return x.req.ApiKey() }

// Required takes the negotiated version and asks for the raw exchange.
func (x *exchange) Required(versions map[protocol.ApiKey]int16) bool {
	x.version = versions[x.req.ApiKey()]
	return true
}

// RawExchange writes the request and reads the answer.
func (x *exchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if err := protocol.WriteRequest(rw, x.version, correlation, x.clientID, x.req); err != nil {
		return nil, err
	}
	if x.decode != nil {
		return x, x.readRaw(rw)
	}
	id, resp, err := protocol.ReadResponse(rw, x.req.ApiKey(), x.version)
	if err != nil {
		return nil, err
	}
	if id != correlation {
		return nil, fmt.Errorf("%s: answer to another request (%d)", x.req.ApiKey(), id)
	}
	x.resp = resp
	return x, nil
}

func (x *exchange) readRaw(r io.Reader) error {
	fr := &frameReader{r: r, left: 8}
	size := int(fr.int32())
	if fr.err == nil && (size < 4 || size > maxFrame) {
		return fmt.Errorf("%s: answer of %d bytes", x.req.ApiKey(), size)
	}
	if id := fr.int32(); fr.err == nil && id != correlation {
		return fmt.Errorf("%s: answer to another request (%d)", x.req.ApiKey(), id)
	}
	if fr.err != nil {
		return fr.err
	}
	fr.left = size - 4
	if err := x.decode(x.version, fr); err != nil {
		return err
	}
	fr.skip(fr.left)
	return fr.err
}

// send performs one request against the broker at addr within timeout.
func (c *Client) send(ctx context.Context, addr string, timeout time.Duration, x *exchange) (protocol.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	x.clientID = c.cfg.ClientID
	r, err := c.transport.RoundTrip(ctx, kgo.TCP(addr), x)
	if err != nil {
		return nil, fmt.Errorf("%s to %s: %w", x.req.ApiKey(), addr, err)
	}
	return r.(*exchange).resp, nil
}

// ask sends a request that kafka-go decodes.
func (c *Client) ask(ctx context.Context, addr string, req protocol.Message) (protocol.Message, error) {
	return c.send(ctx, addr, requestTimeout, &exchange{req: req})
}

// probe asks one broker for its versions, the cheapest question there is.
func (c *Client) probe(ctx context.Context, addr string) error {
	_, err := c.ask(ctx, addr, &apiversions.Request{})
	return err
}
