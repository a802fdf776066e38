package pages

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"shelfstream/internal/demo"
)

// ShopConfig says what the shop reads. Required: DB.
type ShopConfig struct {
	// DB is the shop's database, whose tables product and product_image the sink writes.
	DB *sql.DB
	// Orders takes orders; nil: nothing can be bought.
	Orders *demo.Orders
	// Listen is host:port. With Preferred, any free port of 127.0.0.1 is taken when that one is in use.
	Listen    string
	Preferred bool
	Logger    *slog.Logger
}

type shop struct {
	db     *sql.DB
	orders *demo.Orders
}

// following is how often an open page of the shop reads the database again.
const following = 100 * time.Millisecond

// OpenShop listens; serve it with Run.
func OpenShop(cfg ShopConfig) (*Server, error) {
	l, err := listen(cfg.Listen, cfg.Preferred)
	if err != nil {
		return nil, taken("the shop", cfg.Listen, "-shop", err)
	}
	s := &shop{db: cfg.DB, orders: cfg.Orders}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.shelfPage)
	mux.HandleFunc("GET /live", s.shelfLive)
	mux.HandleFunc("GET /wine/{no}", s.winePage)
	mux.HandleFunc("GET /wine/{no}/live", s.wineLive)
	if s.orders != nil {
		mux.HandleFunc("POST /wine/{no}/buy", s.buy)
		mux.HandleFunc("GET /order/{no}", s.orderPage)
		mux.HandleFunc("GET /order/{no}/live", s.orderLive)
	}
	return &Server{site: mux, listener: l, log: logger(cfg.Logger)}, nil
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

// shelfData is what the list of wines shows.
type shelfData struct {
	shelf
	Wines              []wine
	Total, From, To    int
	Before, After      string // URLs of the pages before and after; "" if there is none
	Chips              []chip
	Closed, StillEmpty bool
}

type chip struct {
	Name, URL string
	Here      bool
}

func shelfOf(r *http.Request) shelf {
	page, err := strconv.Atoi(r.FormValue("page"))
	if err != nil || page < 1 || page > 1_000_000 {
		page = 1
	}
	return shelf{Search: r.FormValue("q"), Show: r.FormValue("show"), Page: page}
}

// Searched is what was typed into the search.
func (q shelf) Searched() string { return q.Search }

// URL is the address of another page of what is shown.
func (q shelf) URL(path, show string, page int) string {
	v := url.Values{}
	if q.Search != "" {
		v.Set("q", q.Search)
	}
	if show != "" {
		v.Set("show", show)
	}
	if page > 1 {
		v.Set("page", strconv.Itoa(page))
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

func (s *shop) shelfData(ctx context.Context, q shelf) (*shelfData, error) {
	d := &shelfData{shelf: q}
	for _, sh := range shelves {
		d.Chips = append(d.Chips, chip{sh.Name, q.URL("/", sh.Key, 1), sh.Key == q.Show})
	}
	var err error
	if d.Wines, d.Total, err = s.list(ctx, q); err != nil {
		d.Closed, d.StillEmpty = true, errors.Is(err, errEmpty)
		return d, err
	}
	d.From, d.To = (q.Page-1)*perPage+1, (q.Page-1)*perPage+len(d.Wines)
	if q.Page > 1 {
		d.Before = q.URL("/", q.Show, q.Page-1)
	}
	if d.To < d.Total {
		d.After = q.URL("/", q.Show, q.Page+1)
	}
	return d, nil
}

func (s *shop) shelfPage(w http.ResponseWriter, r *http.Request) {
	q := shelfOf(r)
	d, err := s.shelfData(r.Context(), q)
	code := http.StatusOK
	if err != nil {
		code = http.StatusServiceUnavailable
	}
	show(w, r, code, "shelf.html", frame{Title: "Wine merchant", Live: q.URL("/live", q.Show, q.Page), Again: err != nil, Data: d})
}

// shelfLive follows the list at a calm pace: a page that changes all the time cannot be read.
func (s *shop) shelfLive(w http.ResponseWriter, r *http.Request) {
	q := shelfOf(r)
	stream(w, r, 10*following, "wines", func(ctx context.Context) (any, error) {
		d, err := s.shelfData(ctx, q)
		if ctx.Err() != nil {
			return nil, err
		}
		return d, nil
	})
}

// wineData is what a wine's page shows.
type wineData struct {
	No     int64
	Wine   *wine // nil: not there, or the shop is closed
	Closed bool
	Sells  bool
}

func (s *shop) wineData(ctx context.Context, no int64) (*wineData, int) {
	w, err := s.wine(ctx, no)
	switch {
	case errors.Is(err, errNoWine):
		return &wineData{No: no}, http.StatusNotFound
	case err != nil:
		return &wineData{No: no, Closed: true}, http.StatusServiceUnavailable
	}
	return &wineData{No: no, Wine: w, Sells: s.orders != nil && w.Buyable()}, http.StatusOK
}

func (s *shop) winePage(w http.ResponseWriter, r *http.Request) {
	no, ok := number(w, r)
	if !ok {
		return
	}
	d, code := s.wineData(r.Context(), no)
	title := "Wine " + strconv.FormatInt(no, 10)
	if d.Wine != nil {
		title = d.Wine.Name
	}
	show(w, r, code, "wine.html", frame{Title: title, Live: r.URL.Path + "/live", Again: d.Closed, Data: d})
}

func (s *shop) wineLive(w http.ResponseWriter, r *http.Request) {
	no, ok := number(w, r)
	if !ok {
		return
	}
	stream(w, r, following, "wine", func(ctx context.Context) (any, error) {
		d, _ := s.wineData(ctx, no)
		return d, ctx.Err()
	})
}

// number is the product of the path; the answer is written if there is none.
func number(w http.ResponseWriter, r *http.Request) (int64, bool) {
	no, err := strconv.ParseInt(r.PathValue("no"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
	}
	return no, err == nil
}
