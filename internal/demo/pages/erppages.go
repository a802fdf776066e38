package pages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ERPConfig says what the ERP form works on. Required: DSN, Shop.
type ERPConfig struct {
	// DSN is the ERP's PostgreSQL.
	DSN string
	// Shop is the shop's database, which is asked when it shows a change.
	Shop *sql.DB
	// ShopURL is the address of the shop's pages, to link to; "" = no links.
	ShopURL string
	// Listen and Preferred are as for the shop.
	Listen    string
	Preferred bool
	Logger    *slog.Logger
}

type erp struct {
	dsn     string
	shop    *shop
	shopURL string
	ledger  *ledger
	log     *slog.Logger
}

// OpenERP listens; serve it with Run.
func OpenERP(cfg ERPConfig) (*Server, error) {
	l, err := listen(cfg.Listen, cfg.Preferred)
	if err != nil {
		return nil, taken("the ERP form", cfg.Listen, "-erp", err)
	}
	e := &erp{dsn: cfg.DSN, shop: &shop{db: cfg.Shop}, shopURL: cfg.ShopURL, ledger: newLedger(cfg.Shop), log: logger(cfg.Logger)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", e.listPage)
	mux.HandleFunc("GET /live", e.listLive)
	mux.HandleFunc("GET /article/{no}", e.articlePage)
	mux.HandleFunc("GET /article/{no}/live", e.articleLive)
	mux.HandleFunc("POST /article/{no}", e.saveArticle)
	mux.HandleFunc("GET /vat", e.vatPage)
	mux.HandleFunc("GET /vat/live", e.listLive)
	mux.HandleFunc("POST /vat", e.saveRate)
	return &Server{site: mux, listener: l, log: e.log, beside: e.ledger.run}, nil
}

// perList is how many articles a page of the ERP shows, perLedger how many changes.
const (
	perList   = 25
	perLedger = 8
)

// listData is what the ERP's first page shows.
type listData struct {
	shelf
	Articles      []article
	Total         int
	Before, After string
	Changes       []change
	Down          bool
}

func (e *erp) listPage(w http.ResponseWriter, r *http.Request) {
	d := &listData{shelf: shelfOf(r), Changes: e.ledger.newest(0, perLedger)}
	err := e.with(r.Context(), func(c *pgx.Conn) (err error) {
		d.Articles, d.Total, err = search(r.Context(), c, d.Search, perList, (d.Page-1)*perList)
		return err
	})
	if err != nil {
		e.down(w, r, err)
		return
	}
	if d.Page > 1 {
		d.Before = d.URL("/", "", d.Page-1)
	}
	if d.Page*perList < d.Total {
		d.After = d.URL("/", "", d.Page+1)
	}
	show(w, r, http.StatusOK, "articles.html", frame{Title: "Articles", Live: "/live", Data: d})
}

func (e *erp) listLive(w http.ResponseWriter, r *http.Request) {
	stream(w, r, following, "changes", func(context.Context) (any, error) { return e.ledger.newest(0, perLedger), nil })
}

// articleData is what an article's page shows.
type articleData struct {
	Article *article
	Form    form
	Wrong   map[string]string
	Codes   []vatRate // with a rate that holds today, and the article's own
	Saved   bool
	Same    bool // saved, but nothing was changed
	Shown   shownData
}

// shownData is the shop's side of the page.
type shownData struct {
	No      int64
	Shop    *wine // nil: the shop does not have it
	Closed  bool
	URL     string
	Changes []change
}

func (e *erp) shown(ctx context.Context, no int64) shownData {
	d := shownData{No: no, Changes: e.ledger.newest(no, perLedger)}
	if e.shopURL != "" {
		d.URL = e.shopURL + "/wine/" + strconv.FormatInt(no, 10)
	}
	// The shop may hang where the ERP does not.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var err error
	if d.Shop, err = e.shop.wine(ctx, no); err != nil {
		d.Shop, d.Closed = nil, !errors.Is(err, errNoWine) && !errors.Is(err, errEmpty)
	}
	return d
}

// patience is how long the page that follows a change waits for the shop, so that it mostly has the time already when it comes.
const patience = 400 * time.Millisecond

func (e *erp) articlePage(w http.ResponseWriter, r *http.Request) {
	no, ok := number(w, r)
	if !ok {
		return
	}
	d := &articleData{Saved: r.FormValue("change") != "", Same: r.FormValue("same") != ""}
	if id, err := strconv.ParseInt(r.FormValue("change"), 10, 64); err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		e.ledger.settled(ctx, id)
		cancel()
	}
	e.showArticle(w, r, no, d)
}

// showArticle shows the page; what was typed and could not be taken is shown again.
func (e *erp) showArticle(w http.ResponseWriter, r *http.Request, no int64, d *articleData) {
	err := e.with(r.Context(), func(c *pgx.Conn) (err error) {
		if d.Article, err = one(r.Context(), c, no); err != nil {
			return err
		}
		all, err := rates(r.Context(), c)
		d.Codes = choices(all, d.Article)
		return err
	})
	if err != nil {
		e.down(w, r, err)
		return
	}
	code := http.StatusOK
	if len(d.Wrong) > 0 {
		code = http.StatusUnprocessableEntity
	} else {
		a := d.Article
		d.Form = form{Name: a.Name, Net: plainNet(a.Net), VATCode: a.VATCode, OnHand: map[string]int64{}}
		for _, s := range a.Stock {
			d.Form.OnHand[s.Warehouse] = s.OnHand
		}
	}
	d.Shown = e.shown(r.Context(), no)
	show(w, r, code, "article.html", frame{Title: fmt.Sprintf("Article %d", no), Live: r.URL.Path + "/live", Data: d})
}

// plainNet is a price as people type it: two digits at least.
func plainNet(net string) string {
	if net == "" {
		return ""
	}
	whole, part, _ := strings.Cut(plain(net), ".")
	for len(part) < 2 {
		part += "0"
	}
	return whole + "." + part
}

// choices are the VAT codes that somebody can choose: one line for each code, with the rate of today if it has one.
func choices(all []vatRate, a *article) []vatRate {
	now := time.Now().Format(time.DateOnly)
	var out []vatRate
	add := func(v vatRate) {
		for i := range out {
			if out[i].Code == v.Code {
				if out[i].Rate == "" {
					out[i] = v
				}
				return
			}
		}
		out = append(out, v)
	}
	for _, v := range all {
		if v.Rate != "" && (v.From > now || v.To != "" && v.To < now) {
			v.Rate = ""
		}
		add(v)
	}
	add(vatRate{Code: a.VATCode})
	add(vatRate{Code: unknownCode})
	return out
}

// unknownCode is a code to play with that the VAT table does not have.
const unknownCode = 42

func (e *erp) articleLive(w http.ResponseWriter, r *http.Request) {
	no, ok := number(w, r)
	if !ok {
		return
	}
	stream(w, r, following, "shown", func(ctx context.Context) (any, error) {
		d := e.shown(ctx, no)
		return d, ctx.Err()
	})
}

// formBytes is how long a form may be.
const formBytes = 64 << 10

func (e *erp) saveArticle(w http.ResponseWriter, r *http.Request) {
	no, ok := number(w, r)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	f, wrong := parseForm(r.PostForm)
	if len(wrong) > 0 {
		e.showArticle(w, r, no, &articleData{Form: f, Wrong: wrong})
		return
	}
	var before, after *article
	var at time.Time
	err := e.with(r.Context(), func(c *pgx.Conn) (err error) {
		before, after, at, err = save(r.Context(), c, no, f)
		return err
	})
	if err != nil {
		e.down(w, r, err)
		return
	}
	http.Redirect(w, r, fmt.Sprintf("/article/%d?%s", no, e.note(before, after, at)), http.StatusSeeOther)
}

// note puts a commit into the ledger and gives the query of the page that follows.
func (e *erp) note(before, after *article, at time.Time) string {
	if before == nil || after == nil {
		return "saved=1"
	}
	c := changeOf(before, after, at)
	if c == nil {
		return "same=1"
	}
	return "change=" + strconv.FormatInt(e.ledger.add(c), 10)
}

// down answers for an article that does not exist, and for an ERP that does not answer.
func (e *erp) down(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNoArticle) {
		show(w, r, http.StatusNotFound, "down.html", frame{Title: "No such article", Data: "There is no article with this number."})
		return
	}
	if r.Context().Err() == nil {
		e.log.Warn("the ERP form cannot reach its database", "error", err)
	}
	show(w, r, http.StatusServiceUnavailable, "down.html", frame{Title: "The ERP does not answer", Again: r.Method == http.MethodGet, Data: "Its database cannot be reached just now. Look again in a moment."})
}
