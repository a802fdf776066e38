package transform

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
	"shelfstream/transform/rules"
)

// reader is where the evaluation reads from: the store, or a snapshot of it that no task changes.
func (e *evaluation) reader() pebble.Reader {
	if e.snapshot != nil {
		return e.snapshot
	}
	return e.t.store.db
}

// inspect gives the view as the running tasks have it; where none run, as its configuration and the registry say. It makes, registers and
// writes nothing, and waits for nothing.
func (r *Runner) inspect(ctx context.Context) (*bound, error) {
	r.mu.Lock()
	b := r.bound
	r.mu.Unlock()
	if b != nil {
		return b, nil
	}
	l, err := r.layoutNow(ctx, r.cfg.View)
	if err != nil {
		return nil, err
	}
	b = &bound{layout: l, decoders: newDecoders(r.cfg.Registry)}
	if b.program, err = rules.Compile(r.cfg.Rules, environment(l, r.cfg.Zone)); err != nil {
		return nil, err
	}
	if b.codec, err = r.shape(b.program); err != nil {
		return nil, err
	}
	if b.viewID, err = r.viewNumber(); err != nil {
		return nil, err
	}
	gs, err := bindGuards(r.cfg.View, r.cfg.Guards, b.program.Output())
	if err != nil {
		return nil, err
	}
	b.kept, err = newKept(b.program, gs, b.codec, 0, r.cfg.Registry)
	return b, err
}

// layoutNow binds a view to the shapes that its tables have in the registry now.
func (r *Runner) layoutNow(ctx context.Context, v View) (*layout, error) {
	shapes := map[string]*schemas.Table{}
	var faults fault.List
	for _, topic := range v.topics() {
		table, err := r.cfg.Registry.Table(ctx, topic)
		if errors.Is(err, registry.ErrNotFound) {
			faults.Add(&fault.Fault{
				Class: fault.Environment, Where: "view " + v.Name, What: "nothing was ever written to " + topic + ": the registry has no schema of it",
				Fix: "let the pipeline run until it has captured the table", Err: err,
			})
			continue
		}
		if err != nil {
			return nil, err
		}
		shapes[topic] = table
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return bind(v, func(topic string) *schemas.Table { return shapes[topic] })
}

// shape is the codec of a program's products.
func (r *Runner) shape(p *rules.Program) (*schemas.Codec, error) {
	out := *p.Output()
	out.Name = r.topic
	codec, err := schemas.Compile(&out)
	if err != nil {
		return nil, fmt.Errorf("shape of the products: %w", err)
	}
	return codec, nil
}

// viewNumber is the view's number in the store, which is not changed for it.
func (r *Runner) viewNumber() (uint16, error) {
	s := r.cfg.Store
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.findView(r.topic)
	if err == nil && n == 0 {
		err = &fault.Fault{Class: fault.Environment, Where: "state.dir " + s.dir, What: "the state holds nothing of view " + r.cfg.View.Name, Fix: "start the pipeline and let the view catch up first"}
	}
	return n, err
}

// look makes an evaluation of one partition that only reads, from a snapshot. The caller closes the snapshot.
func (r *Runner) look(b *bound, partition int32, snapshot *pebble.Snapshot) (*evaluation, error) {
	t := r.newTask(b, partition)
	t.dirty, t.owners = newDirtySet(t.dirtyLimit), map[string][]byte{}
	if t.kept != nil {
		// What is kept under another shape cannot be read.
		shape, err := readOne(snapshot, t.prefix.meta(nil, metaKept))
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(shape, t.kept.shape) {
			t.kept = nil
		}
	}
	t.eval = newEvaluation(t)
	t.eval.snapshot = snapshot
	var err error
	t.eval.iter, err = snapshot.NewIter(&pebble.IterOptions{LowerBound: t.prefix.key(nil, kindProduct), UpperBound: t.prefix.key(nil, kindProduct+1)})
	if err != nil {
		return nil, fmt.Errorf("read the state store: %w", err)
	}
	return t.eval, nil
}

// readOne reads one value; nil if it is not there.
func readOne(from pebble.Reader, key []byte) ([]byte, error) {
	v, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state store: %w", err)
	}
	return append([]byte{}, v...), closer.Close()
}

// partitionsIn lists the partitions of a view that the state has.
func partitionsIn(from pebble.Reader, viewID uint16, n int) ([]int32, error) {
	var out []int32
	for p := range int32(n) {
		layout, err := readOne(from, makePrefix(viewID, p).meta(nil, metaLayout))
		if err != nil {
			return nil, err
		}
		if layout != nil {
			out = append(out, p)
		}
	}
	return out, nil
}

// keyText writes a product's name for people: the parts of a composite key have a slash between, and a slash or backslash within a part has a
// backslash before it.
func keyText(product []byte) string {
	if !bytes.ContainsRune(product, joinSeparator) {
		return string(product)
	}
	parts := strings.Split(string(product), string(rune(joinSeparator)))
	for i := range parts {
		parts[i] = strings.NewReplacer(`\`, `\\`, `/`, `\/`).Replace(parts[i])
	}
	return strings.Join(parts, "/")
}

// SplitKey takes a product's key apart that has n parts, as explain writes it: with a slash between, and a backslash before a slash or backslash that
// belongs to a part. A key of one part is taken as it is, and in the last part a slash needs no backslash. ok is false unless there are n parts.
func SplitKey(text string, n int) (parts []string, ok bool) {
	if n == 1 {
		return []string{text}, true
	}
	var part strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && (text[i+1] == '/' || text[i+1] == '\\'):
			i++
			part.WriteByte(text[i])
		case c == '/' && len(parts) < n-1:
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteByte(c)
		}
	}
	parts = append(parts, part.String())
	return parts, len(parts) == n
}

// evaluatedWith says whether the state of a partition was evaluated with these rules. A partition that was never evaluated has none.
func evaluatedWith(from pebble.Reader, t *task) (bool, error) {
	have, err := readOne(from, t.prefix.meta(nil, metaRules))
	return err == nil && (have == nil || bytes.Equal(have, t.evaluationHash())), err
}

// aliveAt is how long ago a partition had read all its inputs, as instant; zero if it never had.
func aliveAt(from pebble.Reader, p prefix) (ms int64, err error) {
	v, err := readOne(from, p.meta(nil, metaAlive))
	if err != nil || len(v) != 8 {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(v)), nil
}
