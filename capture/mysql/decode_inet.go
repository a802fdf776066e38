package mysql

import (
	"encoding/binary"
	"strconv"
)

// appendInet writes the address of an INET4 or INET6 column as MariaDB prints it (plugin/type_inet): the first of the longest runs of zeros, a run
// of one included, becomes "::"; addresses that hold one of IPv4 end in its form.
func appendInet(dst, b []byte) ([]byte, error) {
	if len(b) == 4 {
		return appendIPv4(dst, b), nil
	}
	if len(b) != 16 {
		return dst, malformed("address", b)
	}
	var words [8]uint16
	gap, longest := -1, 0
	for i, run := 0, 0; i < 8; i++ {
		words[i] = binary.BigEndian.Uint16(b[2*i:])
		run++
		if words[i] != 0 {
			run = 0
		}
		if run > longest {
			gap, longest = i-run+1, run
		}
	}
	for i := 0; i < 8; i++ {
		switch {
		case i == gap:
			if i == 0 {
				dst = append(dst, ':')
			}
			dst = append(dst, ':')
			i += longest - 1
		case i == 6 && gap == 0 && (longest == 6 || longest == 5 && words[5] == 0xffff):
			return appendIPv4(dst, b[12:]), nil
		default:
			dst = strconv.AppendUint(dst, uint64(words[i]), 16)
			if i < 7 {
				dst = append(dst, ':')
			}
		}
	}
	return dst, nil
}

func appendIPv4(dst, b []byte) []byte {
	for i, c := range b {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendUint(dst, uint64(c), 10)
	}
	return dst
}
