package kafka

import "sync"

// bufPool lends byte slices in a few sizes. Sizes double, so that a topic with little traffic does not hold a buffer of a megabyte.
type bufPool struct {
	class [11]sync.Pool // 4 KiB … 4 MiB, *[]byte
}

func classSize(i int) int { return 4 << 10 << i }

// get returns a slice of length 0 with capacity for n bytes.
func (p *bufPool) get(n int) []byte {
	for i := range p.class {
		if n <= classSize(i) {
			if b, ok := p.class[i].Get().(*[]byte); ok {
				return (*b)[:0]
			}
			return make([]byte, 0, classSize(i))
		}
	}
	return make([]byte, 0, n)
}

// put gives a slice back; the caller must not use it again. Slices of a size the pool does not lend are left to the collector.
func (p *bufPool) put(b []byte) {
	for i := range p.class {
		if cap(b) == classSize(i) {
			b = b[:0]
			p.class[i].Put(&b)
			return
		}
	}
}

// grow returns b with capacity for n bytes, moving it to a larger slice if it must.
func (p *bufPool) grow(b []byte, n int) []byte {
	if n <= cap(b) {
		return b
	}
	g := append(p.get(n), b...)
	p.put(b)
	return g
}
