package pages

import (
	"context"
	"errors"
	"net/http"

	"shelfstream/internal/demo"
)

// buy places an order for one bottle, and shows it.
func (s *shop) buy(w http.ResponseWriter, r *http.Request) {
	no, ok := number(w, r)
	if !ok {
		return
	}
	order, err := s.orders.Place(r.Context(), no, 1)
	switch {
	case errors.Is(err, demo.ErrNotForSale):
		http.Redirect(w, r, "/wine/"+r.PathValue("no"), http.StatusSeeOther) // its page says what it is instead
	case err != nil:
		http.Error(w, "the order could not be placed: "+err.Error(), http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/order/"+order, http.StatusSeeOther)
	}
}

func (s *shop) orderPage(w http.ResponseWriter, r *http.Request) {
	o, ok := s.orders.Order(r.PathValue("no"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	show(w, r, http.StatusOK, "order.html", frame{Title: "Order " + o.No, Live: r.URL.Path + "/live", Data: o})
}

// orderLive follows an order until the ERP has it.
func (s *shop) orderLive(w http.ResponseWriter, r *http.Request) {
	no := r.PathValue("no")
	if _, ok := s.orders.Order(no); !ok {
		http.NotFound(w, r)
		return
	}
	stream(w, r, following, "order", func(ctx context.Context) (any, error) {
		o, _ := s.orders.Order(no)
		return o, ctx.Err()
	})
}
