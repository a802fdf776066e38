package rest

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// authorizer puts the proof into requests. Several goroutines may use it.
type authorizer struct {
	cfg    *Auth
	client *http.Client
	said   func(begun time.Time, err error) // told of each request for a token

	asking sync.Mutex // held while a token is asked for, so that one is for all
	mu     sync.Mutex
	token  *oauth2.Token
	tokens []string // that were used, the newest few; to be masked
}

const keptTokens = 4

// authorize adds the header. The error is that of a token endpoint.
func (a *authorizer) authorize(ctx context.Context, req *http.Request) error {
	switch {
	case a.cfg == nil:
	case a.cfg.OAuth2 != nil:
		t, err := a.current(ctx)
		if err != nil {
			return err
		}
		t.SetAuthHeader(req)
	case a.cfg.Token != "":
		req.Header.Set("Authorization", "Bearer "+a.cfg.Token)
	default:
		req.SetBasicAuth(a.cfg.User, a.cfg.Password)
	}
	return nil
}

// current is the token, renewed shortly before it expires.
func (a *authorizer) current(ctx context.Context) (*oauth2.Token, error) {
	a.asking.Lock()
	defer a.asking.Unlock()
	a.mu.Lock()
	t := a.token
	a.mu.Unlock()
	if t.Valid() {
		return t, nil
	}
	o := a.cfg.OAuth2
	cfg := clientcredentials.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret, TokenURL: o.TokenURL, Scopes: o.Scopes}
	if len(o.Params) > 0 {
		cfg.EndpointParams = map[string][]string{}
		for k, v := range o.Params {
			cfg.EndpointParams.Set(k, v)
		}
	}
	begun := time.Now()
	t, err := cfg.Token(context.WithValue(ctx, oauth2.HTTPClient, a.client))
	a.said(begun, err)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = t
	a.tokens = append(a.tokens, t.AccessToken)
	if len(a.tokens) > keptTokens {
		a.tokens = a.tokens[1:]
	}
	return t, nil
}

// refused says that a request was not let in, and tells whether another try with a new token is worth it. The token that the request had is
// not used again; if somebody has renewed it already, that one is taken.
func (a *authorizer) refused(req *http.Request) bool {
	if a.cfg == nil || a.cfg.OAuth2 == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != nil && req.Header.Get("Authorization") == a.token.Type()+" "+a.token.AccessToken {
		a.token = nil
	}
	return true
}

// secrets are what must not be shown, should the other side repeat it.
func (a *authorizer) secrets() []string {
	if a.cfg == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	out := append([]string{a.cfg.Token, a.cfg.Password}, a.tokens...)
	if a.cfg.OAuth2 != nil {
		out = append(out, a.cfg.OAuth2.ClientSecret)
	}
	return out
}
