package mysql

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// charsets maps the ids of collations to the names of their character sets, as the server tells them (catalog.go).
type charsets map[uint16]string

// charset is how a column's bytes become UTF-8. The log has them as they are stored; for a snapshot the server converts them itself.
type charset struct {
	widest int // most bytes of a character
	// single holds what bytes from 0x80 on (or, if all, any byte) become; nil for Unicode's.
	single *[256]string
	wide   func(dst, b []byte) ([]byte, error) // UCS-2, UTF-16, UTF-32
}

// of finds the character set of a collation.
func (s charsets) of(collation uint16) (*charset, error) {
	name, known := s[collation]
	if !known {
		return nil, fmt.Errorf("its collation has the unknown number %d", collation)
	}
	if c := charsetNamed(name); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("its character set %s is not supported; CONVERT it TO CHARACTER SET utf8mb4", name)
}

// utf8Of gives text of a collation as UTF-8.
func (s charsets) utf8Of(collation uint16, b []byte) (string, error) {
	if collation == binaryCollation {
		return string(b), nil
	}
	c, err := s.of(collation)
	if err != nil {
		return "", err
	}
	u, err := c.append(nil, b)
	return string(u), err
}

func charsetNamed(name string) *charset {
	switch name {
	case "utf8mb4":
		return &charset{widest: 4}
	case "utf8", "utf8mb3":
		return &charset{widest: 3}
	case "ascii":
		return &charset{widest: 1}
	case "ucs2":
		return &charset{widest: 2, wide: fromUTF16(binary.BigEndian)}
	case "utf16":
		return &charset{widest: 4, wide: fromUTF16(binary.BigEndian)}
	case "utf16le":
		return &charset{widest: 4, wide: fromUTF16(binary.LittleEndian)}
	case "utf32":
		return &charset{widest: 4, wide: fromUTF32}
	}
	upper, known := singleByte[name]
	if !known {
		return nil
	}
	c := &charset{widest: 1, single: new([256]string)}
	for i := range 128 {
		c.single[i] = string(rune(i))
	}
	if name == "swe7" { // the one set that replaces letters of ASCII
		for i, r := range swe7 {
			c.single[i] = string(r)
		}
	}
	i := 128
	for _, r := range upper {
		c.single[i] = string(r)
		i++
	}
	return c
}

// same says whether b is UTF-8 as it is.
func (c *charset) same(b []byte) bool {
	if c.wide != nil {
		return false
	}
	if c.single == nil {
		return true
	}
	for _, x := range b {
		if s := c.single[x]; len(s) != 1 || s[0] != x {
			return false
		}
	}
	return true
}

// append appends b as UTF-8.
func (c *charset) append(dst, b []byte) ([]byte, error) {
	switch {
	case c.wide != nil:
		return c.wide(dst, b)
	case c.single == nil:
		return append(dst, b...), nil
	}
	for _, x := range b {
		dst = append(dst, c.single[x]...)
	}
	return dst, nil
}

func fromUTF16(order binary.ByteOrder) func(dst, b []byte) ([]byte, error) {
	return func(dst, b []byte) ([]byte, error) {
		if len(b)%2 != 0 {
			return dst, malformed("text of two bytes a character", b)
		}
		for ; len(b) > 0; b = b[2:] {
			r := rune(order.Uint16(b))
			if utf16.IsSurrogate(r) && len(b) >= 4 {
				if pair := utf16.DecodeRune(r, rune(order.Uint16(b[2:]))); pair != utf8.RuneError {
					r, b = pair, b[2:]
				}
			}
			dst = utf8.AppendRune(dst, r)
		}
		return dst, nil
	}
}

func fromUTF32(dst, b []byte) ([]byte, error) {
	if len(b)%4 != 0 {
		return dst, malformed("text of four bytes a character", b)
	}
	for ; len(b) > 0; b = b[4:] {
		dst = utf8.AppendRune(dst, rune(binary.BigEndian.Uint32(b)))
	}
	return dst, nil
}
