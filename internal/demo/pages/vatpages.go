package pages

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// vatData is what the VAT table's page shows.
type vatData struct {
	Rates   []vatRate
	Missing int64 // articles whose code has no rate at all
	Code    string
	Rate    string
	Wrong   map[string]string
	Changes []change
}

func (e *erp) vatPage(w http.ResponseWriter, r *http.Request) {
	if id, err := strconv.ParseInt(r.FormValue("change"), 10, 64); err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		e.ledger.settled(ctx, id)
		cancel()
	}
	e.showRates(w, r, &vatData{Code: r.FormValue("code")})
}

func (e *erp) showRates(w http.ResponseWriter, r *http.Request, d *vatData) {
	err := e.with(r.Context(), func(c *pgx.Conn) (err error) {
		d.Rates, err = rates(r.Context(), c)
		return err
	})
	if err != nil {
		e.down(w, r, err)
		return
	}
	for _, v := range d.Rates {
		if v.Rate == "" {
			d.Missing += v.Articles
		}
	}
	code := http.StatusOK
	if len(d.Wrong) > 0 {
		code = http.StatusUnprocessableEntity
	}
	d.Changes = e.ledger.newest(0, perLedger)
	show(w, r, code, "vat.html", frame{Title: "VAT table", Live: "/vat/live", Data: d})
}

func (e *erp) saveRate(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	d := &vatData{Code: strings.TrimSpace(r.PostFormValue("code")), Rate: strings.TrimSpace(r.PostFormValue("rate")), Wrong: map[string]string{}}
	code, err := strconv.ParseInt(d.Code, 10, 16)
	if err != nil || code < 0 {
		d.Wrong["code"] = "a VAT code is a number from 0 to 32767"
	}
	rate := strings.Replace(d.Rate, ",", ".", 1)
	if !percentage.MatchString(rate) {
		d.Wrong["rate"] = "a rate is a percentage from 0 to 99.99"
	}
	if len(d.Wrong) > 0 {
		e.showRates(w, r, d)
		return
	}
	var before, after *article
	var at time.Time
	err = e.with(r.Context(), func(c *pgx.Conn) (err error) {
		before, after, at, err = addRate(r.Context(), c, int16(code), rate)
		return err
	})
	if err != nil {
		e.down(w, r, err)
		return
	}
	http.Redirect(w, r, "/vat?"+url.Values{"code": {d.Code}}.Encode()+"&"+e.note(before, after, at), http.StatusSeeOther)
}
