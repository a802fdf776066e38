package transform

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// Guard watches one kind of change of a view's products: those that leave the view, a field that becomes one of some values, a number that
// moves far, or rows that are lost. Single changes go out. When more of them than usual come within a while, they are held: the shop keeps what it has
// of these products until they are put right in the source or somebody applies them.
//
// Where several processes share a view, each counts for itself. A share is of the products of its partitions. Count and AtLeast-1 are divided among the
// partitions, so that all processes together let out what one would; but each at least one change (unless AtLeast is 1), and with many more processes than
// that they let out more.
type Guard struct {
	// Name is what messages and commands call it.
	Name string
	// Removed counts products that leave the view.
	Removed bool
	// Field is the field that is looked at, with Becomes or MovesPercent.
	Field string
	// Becomes counts products whose Field becomes one of these, e.g. draft.
	Becomes []string
	// MovesPercent counts products whose Field moves by more than so many percent of what it was, or is lost.
	MovesPercent float64
	// Loses names a child or a lookup: counts products that had rows of it when they were published and have none now, or with RowsPercent fewer by more
	// than that share. Their root row is still there: of a product that is deleted nobody asks for its rows.
	Loses       string
	RowsPercent float64
	// Share is how many percent of the products that this process holds may change within Window; 0: any.
	Share float64
	// Count is how many products may change within Window; 0: any. Of Share and Count at least one must be set, and both must hold.
	Count int
	// AtLeast is the number of changes below which nothing is held; 0 means 20, or one more than a Count that is less.
	AtLeast int
	// Window is the time within which changes count together; 0 means 10 minutes.
	Window time.Duration
}

const (
	guardAtLeast = 20
	guardWindow  = 10 * time.Minute
	// maxGuards is how many guards a view may have: sets of them are bits.
	maxGuards = 32
	// allGuards is what commands call every guard of a view.
	allGuards = "all"
)

// guard is a guard bound to the products' shape.
type guard struct {
	Guard
	column  int // of the products; -1 for Removed and Loses
	input   int // of the view, after the root, for Loses; else -1
	kept    int // where it stands in what is kept: among the fields, or among the numbers of rows
	percent schemas.Value
}

type guards []guard

// CheckGuards checks guards against a view and the shape of its products (of Compile): what `check` does. The error is a fault.List of class Config.
func CheckGuards(v View, gs []Guard, products *schemas.Table) error {
	_, err := bindGuards(v, gs, products)
	return err
}

func bindGuards(v View, gs []Guard, products *schemas.Table) (guards, error) {
	var faults fault.List
	out := make(guards, 0, len(gs))
	for i, g := range gs {
		bad := func(what, fix string) {
			faults.Add(&fault.Fault{Class: fault.Config, Where: fmt.Sprintf("view %s, guard %s", v.Name, g.Name), What: what, Fix: fix})
		}
		if g.Name == "" || g.Name == allGuards || slices.ContainsFunc(gs[:i], func(o Guard) bool { return o.Name == g.Name }) {
			bad("a guard needs a name of its own, other than "+allGuards, "give it one, such as removals")
		}
		if i == maxGuards {
			bad(fmt.Sprintf("a view has at most %d guards", maxGuards), "leave some out")
			break
		}
		b := guard{Guard: g, column: -1, input: -1}
		ways := 0
		for _, set := range []bool{g.Removed, len(g.Becomes) > 0, g.MovesPercent != 0, g.Loses != ""} {
			if set {
				ways++
			}
		}
		switch ofField := len(g.Becomes) > 0 || g.MovesPercent != 0; {
		case ways != 1 || ofField == (g.Field == ""):
			bad("it must say what it counts", "write removed: true, or a field with becomes: [draft], or a field with moves: 30%, or loses: a child")
		case ofField:
			b.column = b.find(products, bad)
		case g.Loses != "":
			b.input = b.findInput(v, bad)
		}
		if g.RowsPercent != 0 && (g.Loses == "" || g.RowsPercent < 0 || g.RowsPercent >= 100) {
			bad("rows is the share of the rows of loses that is one too many to lose, below 100%", "write rows: 50%, or leave it out to count products that lose all of them")
		}
		if g.Share < 0 || g.Share > 100 || g.Count < 0 || g.AtLeast < 0 || g.Window < 0 || g.Share == 0 && g.Count == 0 {
			bad("it must say how many changes may go out", "write share: 5%, or count: 200, or both")
		}
		if b.Window == 0 {
			b.Window = guardWindow
		}
		if b.AtLeast == 0 {
			if b.AtLeast = guardAtLeast; b.Count > 0 {
				b.AtLeast = min(b.AtLeast, b.Count+1)
			}
		}
		out = append(out, b)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// find is the field's column; -1 after a fault.
func (g *guard) find(products *schemas.Table, bad func(what, fix string)) int {
	c := products.Column(g.Field)
	if c < 0 {
		var known []string
		for _, col := range products.Columns {
			known = append(known, col.Name)
		}
		bad("the products have no field "+g.Field, "name one of "+strings.Join(known, ", "))
		return -1
	}
	if g.MovesPercent == 0 {
		return c
	}
	var err error
	if g.percent, err = schemas.ParseDecimal(strconv.FormatFloat(g.MovesPercent, 'f', -1, 64)); err != nil || g.MovesPercent < 0 {
		bad("moves must be a share above 0", "write moves: 30%")
	}
	if k := products.Columns[c].Type.Kind; k != schemas.KindInt && k != schemas.KindDecimal {
		bad(fmt.Sprintf("field %s is no number that can move", g.Field), "name a whole number or a decimal, or write becomes: [a value]")
	}
	return c
}

// allowed is how many changes may go out within the window, of so many products. part gives the process's part of a number that all processes divide.
func (g *guard) allowed(products int64, part func(n int) int) int {
	n := -1
	if g.Share > 0 {
		n = int(float64(products) * g.Share / 100)
	}
	if c := part(g.Count); g.Count > 0 && (n < 0 || c < n) {
		n = c
	}
	return max(n, part(g.AtLeast-1))
}

// partOf is the part of n that falls to some of so many partitions. The parts of all partitions add up to n; but nobody who has any gets none of what is
// there, so processes that have less than one each may exceed it together.
func partOf(n int, partitions iter.Seq[int32], of int) int {
	sum, none := 0, true
	for p := range partitions {
		sum, none = sum+n*(int(p)+1)/of-n*int(p)/of, false
	}
	switch {
	case none:
		return n
	case n > 0:
		return max(sum, 1)
	}
	return sum
}

// change is what a product would go through.
type change struct {
	// published are the kept fields of what the shop has, was the kept numbers of rows that it was made of (-1: unknown); nil if nothing is known.
	published []schemas.Value
	was       []int
	// row is what the shop would get; nil if the product leaves the view. is are the numbers of rows now, by input after the root; nil if the root row is gone.
	row []schemas.Value
	is  []int
}

// hits says which guards count a change, as a set of bits.
func (gs guards) hits(c *change) uint64 {
	var set uint64
	for i := range gs {
		if gs[i].hit(c) {
			set |= 1 << i
		}
	}
	return set
}

func (g *guard) hit(c *change) bool {
	switch {
	case g.Removed:
		return c.row == nil
	case g.input >= 0:
		return c.is != nil && c.was != nil && g.lost(c.was[g.kept], c.is[g.input])
	case c.row == nil || c.published == nil:
		return false
	case g.MovesPercent != 0:
		return moves(c.published[g.kept], c.row[g.column], g.percent)
	default:
		return g.named(c.row[g.column]) && !g.named(c.published[g.kept])
	}
}

// named says whether a value is one that Becomes names.
func (g *guard) named(v schemas.Value) bool {
	return !v.IsNull() && slices.Contains(g.Becomes, v.String())
}

// moves says whether a number goes further than percent of what it was. A number that comes where there was none moves nowhere; one that is lost does.
func moves(was, is, percent schemas.Value) bool {
	if was.IsNull() || schemas.Equal(was, is) {
		return false
	}
	if is.IsNull() {
		return true
	}
	by, err := schemas.SubDec(is, was)
	if err != nil {
		return true
	}
	far, err := schemas.MulDec(magnitude(by), schemas.Int(100))
	if err != nil {
		return true
	}
	near, err := schemas.MulDec(magnitude(was), percent)
	return err != nil || schemas.Compare(far, near) > 0
}

func magnitude(v schemas.Value) schemas.Value {
	if v.Sign() >= 0 {
		return v
	}
	n, err := schemas.NegDec(v)
	if err != nil {
		return v
	}
	return n
}

// mask is the set of the guards of these names; a name that no guard has is left out.
func (gs guards) mask(names []string) uint64 {
	var set uint64
	for _, n := range names {
		if i := slices.IndexFunc(gs, func(g guard) bool { return g.Name == n }); i >= 0 {
			set |= 1 << i
		}
	}
	return set
}

func (gs guards) names(set uint64) []string {
	var out []string
	for i := range gs {
		if set&(1<<i) != 0 {
			out = append(out, gs[i].Name)
		}
	}
	return out
}

// describe is what a guard counts, for messages: "products would leave the view".
func (g *guard) describe() string {
	switch {
	case g.Removed:
		return "products would leave the view"
	case g.MovesPercent != 0:
		return fmt.Sprintf("products would move their %s by more than %s %%", g.Field, strconv.FormatFloat(g.MovesPercent, 'f', -1, 64))
	case g.Loses != "" && g.RowsPercent != 0:
		return fmt.Sprintf("products would lose more than %s %% of their rows of %s", strconv.FormatFloat(g.RowsPercent, 'f', -1, 64), g.Loses)
	case g.Loses != "":
		return fmt.Sprintf("products would lose all their rows of %s", g.Loses)
	default:
		return fmt.Sprintf("products would get the %s %s", g.Field, strings.Join(g.Becomes, " or "))
	}
}

// texts are what a change looks like to people: what is counted, before and after.
func (g *guard) texts(c *change) (before, after string) {
	switch {
	case g.input >= 0:
		if c.was == nil || c.is == nil {
			return "", ""
		}
		return fmt.Sprintf("%s: %d", g.Loses, c.was[g.kept]), strconv.Itoa(c.is[g.input]) + " rows"
	case c.row == nil:
		return "in the view", "removed"
	case c.published == nil || g.column < 0:
		return "", ""
	default:
		return g.Field + " " + c.published[g.kept].String(), c.row[g.column].String()
	}
}
