package transform

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/fault"
)

// ErrNoSuchProduct is what a NoSuchProduct is.
var ErrNoSuchProduct = errors.New("the state holds nothing of this key")

// NoSuchProduct says that the state holds nothing of a key, and which keys are near.
type NoSuchProduct struct{ Near []string }

func (n *NoSuchProduct) Error() string { return ErrNoSuchProduct.Error() }

// Is makes errors.Is(err, ErrNoSuchProduct) true.
func (n *NoSuchProduct) Is(target error) bool { return target == ErrNoSuchProduct }

// How many keys of a partition are looked at for near ones, and how many are named.
const (
	nearLooked = 20_000
	nearAround = 8
	nearNamed  = 3
)

func (r *Runner) noSuchProduct(b *bound, from pebble.Reader, key string) error {
	f := &fault.Fault{Where: fmt.Sprintf("view %s, key %s", r.cfg.View.Name, key), What: "no such product in the state", Fix: "check the key; a product of another worker's partition is explained by that worker"}
	near, err := r.nearKeys(b, from, key)
	if err != nil {
		return err
	}
	if len(near) > 0 {
		f.Fix += "; there are " + strings.Join(near, ", ")
	}
	f.Err = &NoSuchProduct{Near: near}
	return f
}

// nearKeys finds the keys that are most like one: among the first of each partition, and among those that begin as it does.
func (r *Runner) nearKeys(b *bound, from pebble.Reader, key string) ([]string, error) {
	seen := map[string]int{}
	wanted := strings.ToLower(key)
	for p := range int32(r.cfg.Partitions) {
		pre := makePrefix(b.viewID, p)
		it, err := from.NewIter(&pebble.IterOptions{LowerBound: pre.key(nil, kindProduct), UpperBound: pre.key(nil, kindProduct+1)})
		if err != nil {
			return nil, fmt.Errorf("read the state store: %w", err)
		}
		take := func(ok bool, n int) {
			var product []byte
			for ; ok && n > 0; n-- {
				var whole bool
				if product, _, whole = cutPart(product, it.Key()[5:]); !whole {
					return
				}
				text := keyText(product)
				if _, done := seen[text]; !done {
					if d := editDistance(wanted, strings.ToLower(text)); len(seen) < nearNamed || d <= max(2, len(key)/3) {
						seen[text] = d
					}
				}
				ok = it.SeekGE(upperBound(pre.product(nil, product)))
			}
		}
		take(it.First(), nearLooked)
		for cut := range min(3, len(key)) {
			take(it.SeekGE(append(pre.key(nil, kindProduct), key[:len(key)-cut]...)), nearAround)
		}
		if err := it.Close(); err != nil {
			return nil, fmt.Errorf("read the state store: %w", err)
		}
	}
	out := make([]string, 0, len(seen))
	for k := range seen {
		out = append(out, k)
	}
	slices.SortFunc(out, func(x, y string) int { return cmp.Or(cmp.Compare(seen[x], seen[y]), strings.Compare(x, y)) })
	return out[:min(nearNamed, len(out))], nil
}

// editDistance is how many bytes have to be put in, taken out or changed to make one text the other.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above+1, row[j]+1, diagonal+cost)
			diagonal = above
		}
	}
	return row[len(b)]
}
