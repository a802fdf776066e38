package pages

import (
	"fmt"
	"time"
)

// change is one commit in the ERP, and when the shop showed it.
type change struct {
	ID        int64
	No        int64
	Name      string
	What      []string // "net price 129.00 → 139.00"
	Committed time.Time
	Seen      time.Time // zero until the shop showed it
	Given     bool      // up: a later change came first, or it was waited for long enough
	Why       string    // why the shop cannot show it, as far as the ERP knows

	expect []expectation
}

// expectation is one column of the shop's row as it must come to be.
type expectation struct{ column, value string }

// shopColumns are what the shop is asked for when a change is waited for.
var shopColumns = []string{"name", "net_price", "vat_rate", "stock"}

// changeOf says what a commit changed of that which the shop shows; nil if nothing.
func changeOf(before, after *article, at time.Time) *change {
	c := &change{No: after.No, Name: after.Name, Committed: at}
	note := func(column, what, was, is, shown string) {
		c.What = append(c.What, what+" "+was+" → "+is)
		c.expect = append(c.expect, expectation{column, shown})
	}
	if before.Name != after.Name {
		note("name", "name", "“"+before.Name+"”", "“"+after.Name+"”", after.Name)
	}
	if before.Net != after.Net {
		note("net_price", "net price", price(before.Net), price(after.Net), after.Net)
	}
	rate := after.Rate
	if after.Net == "" {
		rate = "" // without a price the shop needs no VAT
	}
	switch {
	case before.Rate != after.Rate && before.VATCode == after.VATCode:
		note("vat_rate", fmt.Sprintf("VAT code %d:", after.VATCode), percent(before.Rate), percent(after.Rate), rate)
	case before.VATCode != after.VATCode:
		note("vat_rate", "VAT code", fmt.Sprint(before.VATCode), fmt.Sprint(after.VATCode), rate)
	}
	if before.Total != after.Total {
		note("stock", "stock", fmt.Sprint(before.Total), fmt.Sprint(after.Total), fmt.Sprint(after.Total))
	}
	if len(c.What) == 0 {
		return nil
	}
	switch {
	case after.Discontinued:
		c.Why = "the article is discontinued, so the shop does not get it"
	case after.Rate == "" && after.Net != "":
		c.Why = fmt.Sprintf("the VAT table has no rate for code %d, so the product is held back", after.VATCode)
	}
	return c
}

func price(net string) string {
	if net == "" {
		return "none"
	}
	return money(plain(net))
}

func percent(rate string) string {
	if rate == "" {
		return "no rate"
	}
	return plain(rate) + " %"
}

// shown says whether a row of the shop, by column, has all that the change made.
func (c *change) shown(row map[string]string) bool {
	for _, e := range c.expect {
		if v, ok := row[e.column]; !ok || v != e.value {
			return false
		}
	}
	return true
}

// Took is the time from the commit until the shop showed it.
func (c *change) Took() time.Duration { return c.Seen.Sub(c.Committed) }

// overtakes says whether a later change has made an earlier one's state one that the shop need never show.
func (c *change) overtakes(earlier *change) bool {
	if c.No != earlier.No {
		return false
	}
	for _, e := range c.expect {
		for _, before := range earlier.expect {
			if e.column == before.column {
				return true
			}
		}
	}
	return false
}

// Pending says whether the shop may still show it.
func (c *change) Pending() bool { return c.Seen.IsZero() && !c.Given }
