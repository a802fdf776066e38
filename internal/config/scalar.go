package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Duration is how long something takes; in a configuration it may have days: "7d", "36h", "1d12h".
type Duration = time.Duration

// ParseDuration reads Go's notation with days before it.
func ParseDuration(text string) (time.Duration, error) {
	var days time.Duration
	rest := text
	if before, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.Atoi(before)
		if err != nil || n < 0 || n > 100_000 {
			return 0, fmt.Errorf("%q is not a duration", text)
		}
		if days = time.Duration(n) * 24 * time.Hour; after == "" {
			return days, nil
		}
		rest = after
	}
	d, err := time.ParseDuration(rest)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration", text)
	}
	return days + d, nil
}

// FormatDuration writes what ParseDuration reads, with days where they come out even.
func FormatDuration(d time.Duration) string {
	if d > 0 && d%(24*time.Hour) == 0 {
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// scalar reads one plain value.
func (d *decoder) scalar(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, path, "wants "+wanted(v.Type())+", and there is "+describe(n), "")
		return
	}
	if isNull(n) {
		return
	}
	if v.Type() == durationType {
		dur, err := ParseDuration(n.Value)
		if err != nil || dur < 0 {
			d.fail(n, path, "wants a duration, and there is "+describe(n), "write it with its unit: 500ms, 30s, 5m, 36h, 7d")
			return
		}
		v.SetInt(int64(dur))
		return
	}
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		if err := u.UnmarshalText([]byte(n.Value)); err != nil {
			d.fail(n, path, err.Error(), "")
		}
		return
	}
	if !d.plain(n, v) {
		fix := ""
		if n.ShortTag() == "!!str" && v.Kind() != reflect.String {
			fix = "write it without quotes and without a unit"
		}
		if v.Kind() == reflect.Bool {
			fix = "write true or false"
		}
		d.fail(n, path, "wants "+wanted(v.Type())+", and there is "+describe(n), fix)
	}
}

// plain sets a text, truth value or number; false if the node does not hold one that fits.
func (d *decoder) plain(n *yaml.Node, v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
		return true
	case reflect.Bool:
		b, err := strconv.ParseBool(n.Value)
		if err != nil || n.ShortTag() != "!!bool" {
			return false
		}
		v.SetBool(b)
		return true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil || n.ShortTag() != "!!int" || v.OverflowInt(i) {
			return false
		}
		v.SetInt(i)
		return true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, err := strconv.ParseUint(n.Value, 10, 64)
		if err != nil || n.ShortTag() != "!!int" || v.OverflowUint(i) {
			return false
		}
		v.SetUint(i)
		return true
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			return false
		}
		v.SetFloat(f)
		return true
	default:
		return false
	}
}

// wanted says in words what a type takes.
func wanted(t reflect.Type) string {
	if t == durationType {
		return "a duration"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a text"
	}
}
