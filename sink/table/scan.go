package table

import (
	"bytes"
	"fmt"
	"strconv"
)

func scanOne(v []byte, dest any) error {
	switch d := dest.(type) {
	case *string:
		*d = string(v)
	case **string:
		*d = nil
		if v != nil {
			s := string(v)
			*d = &s
		}
	case *[]byte:
		*d = bytes.Clone(v)
	case *bool:
		*d = len(v) > 0 && v[0] != 'f' && v[0] != '0'
	case *int, *int32, *int64:
		n, err := int64(0), error(nil)
		if v != nil {
			n, err = strconv.ParseInt(string(v), 10, 64)
		}
		switch d := dest.(type) {
		case *int:
			*d = int(n)
		case *int32:
			*d = int32(n)
		case *int64:
			*d = n
		}
		return err
	default:
		return fmt.Errorf("cannot scan into %T", dest)
	}
	return nil
}
