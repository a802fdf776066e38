package kafka

// BatchSize is how many bytes the record takes in a batch of its own as this producer sends it, compressed: what a topic's max.message.bytes
// limits, as a batch that is too large is taken apart. It does the work of compressing, so it is for the few records that are large.
func (p *Producer) BatchSize(r Record) (int, error) {
	if r.TimestampMS == 0 {
		r.TimestampMS = 1 // the first of a batch, whose timestamp takes the same room whatever it is
	}
	b := &pbatch{}
	size := b.raw.size(&r)
	b.raw.buf = p.c.pool.get(sizePrefix + headerBytes + size)[:sizePrefix+headerBytes]
	b.raw.add(&r)
	enc, err := p.encoded(b, identity{})
	if err != nil {
		return 0, err
	}
	p.c.pool.put(enc)
	return len(enc) - sizePrefix, nil
}

// PlainSize is BatchSize before compression, which costs nothing to know and is hardly ever exceeded by it.
func PlainSize(r *Record) int {
	var b builder
	return headerBytes + b.size(r)
}
