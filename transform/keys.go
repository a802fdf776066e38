package transform

import (
	"encoding/binary"

	"shelfstream/schemas"
)

// The keys of one task in the store. Every key begins with the task's prefix (2 bytes view, 2 bytes partition), then one letter:
//
//	p <product> <slot> <row key>          row of an input (slot = input index), or what is known of the product (slots from 0xf0)
//	c <input> <row key>                   the product that a child row belongs to, where its key does not tell
//	l <lookup> <join value> <row key>     lookup row
//	k <lookup> <row key>                  join value of a lookup row, where its key does not tell
//	r <lookup> <join value> <product>     products that look a value up, whether a row is there or not
//	d <product>                           the product waits to be evaluated
//	q <product>                           the product is parked
//	h <product>                           a change of the product is held by a guard
//	w <instant, 8 bytes> <product>        the product changes by itself at the instant
//	o <input> <partition, 2 bytes>        next offset of an input
//	m <name>                              facts about the task
//
// Variable parts are canonical texts, escaped so that they end unambiguously and sort as their bytes do. All rows of a product
// are neighbours, so that one seek reads it whole.
const (
	kindProduct    = 'p'
	kindChildOwner = 'c'
	kindLookup     = 'l'
	kindLookupJoin = 'k'
	kindReverse    = 'r'
	kindDirty      = 'd'
	kindWake       = 'w'
	kindOffset     = 'o'
	kindMeta       = 'm'
	kindParked     = 'q'
	kindHeld       = 'h'
)

// Slots of a product that are not rows.
const (
	slotFirstFact = 0xf0
	slotEmitted   = 0xf0 // emitted
	slotParked    = 0xf1 // parked, or held by a guard
	slotWake      = 0xf2 // 8 bytes instant
	slotJoins     = 0xf3 // the join values under which the product stands in the reverse index
	slotKept      = 0xf4 // fields of what was emitted, see kept
)

type prefix [4]byte

func makePrefix(view uint16, partition int32) prefix {
	var p prefix
	binary.BigEndian.PutUint16(p[:], view)
	binary.BigEndian.PutUint16(p[2:], uint16(partition))
	return p
}

// end is the first key after the prefix.
func (p prefix) end() []byte {
	n := binary.BigEndian.Uint32(p[:]) + 1
	return binary.BigEndian.AppendUint32(nil, n)
}

func (p prefix) key(dst []byte, kind byte) []byte { return append(append(dst[:0], p[:]...), kind) }

// appendPart adds a variable part that ends unambiguously: 0x00 becomes 0x00 0xff, the end is 0x00 0x01.
func appendPart(dst, part []byte) []byte {
	for _, b := range part {
		dst = append(dst, b)
		if b == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 1)
}

// cutPart reads one part off key; ok is false if it does not end.
func cutPart(dst, key []byte) (part, rest []byte, ok bool) {
	dst = dst[:0]
	for i := 0; i < len(key); i++ {
		if key[i] != 0 {
			dst = append(dst, key[i])
			continue
		}
		if i+1 >= len(key) {
			return dst, nil, false
		}
		if key[i+1] == 1 {
			return dst, key[i+2:], true
		}
		dst = append(dst, 0)
		i++
	}
	return dst, nil, false
}

// joinSeparator stands between the canonical texts of several values.
const joinSeparator = 0x1f

// appendValues adds the canonical texts of the values at idx, as the product's name or a join value. null says
// whether one of them was null: nothing joins with null.
func appendValues(dst []byte, row []schemas.Value, idx []int) (out []byte, null bool) {
	for i, c := range idx {
		if i > 0 {
			dst = append(dst, joinSeparator)
		}
		if row[c].IsNull() {
			null = true
			continue
		}
		dst = schemas.AppendCanonical(dst, row[c])
	}
	return dst, null
}

func (p prefix) product(dst, product []byte) []byte {
	return appendPart(p.key(dst, kindProduct), product)
}

func (p prefix) dirty(dst, product []byte) []byte {
	return append(p.key(dst, kindDirty), product...)
}

func (p prefix) wake(dst []byte, instantUS int64, product []byte) []byte {
	dst = binary.BigEndian.AppendUint64(p.key(dst, kindWake), uint64(instantUS)^(1<<63))
	return append(dst, product...)
}

func wakeInstant(key []byte) int64 {
	return int64(binary.BigEndian.Uint64(key[5:]) ^ (1 << 63))
}

func (p prefix) offset(dst []byte, in int, partition int32) []byte {
	return binary.BigEndian.AppendUint16(append(p.key(dst, kindOffset), byte(in)), uint16(partition))
}

func (p prefix) meta(dst []byte, name string) []byte {
	return append(p.key(dst, kindMeta), name...)
}

// indexed begins a key of kind c, l, k or r for one input.
func (p prefix) indexed(dst []byte, kind byte, in int) []byte {
	return append(p.key(dst, kind), byte(in))
}
