package server

import (
	"maps"
)

// page is a widget with the origin of its page.
type page struct {
	ID, Key string
	Origin  string
}

func (p page) origin() map[string]string { return map[string]string{"Origin": p.Origin} }

// widget makes a widget of the tenant for one page.
func (r *rig) widget(c customer) page {
	r.t.Helper()
	p := page{Origin: "https://shop.example.com"}
	var w struct {
		ID  string
		Key string `json:"publishable_key"`
	}
	r.want(201, request{Method: "POST", Path: "/admin/tenants/" + c.ID + "/widgets", Key: r.admin, Body: map[string]any{"origins": []string{p.Origin}}}, &w)
	p.ID, p.Key = w.ID, r.log.secret(w.Key)
	return p
}

// guest is a visitor of a page.
type guest struct {
	page    page
	Token   string  `json:"token"`
	ID      string  `json:"visitor_id"`
	Secret  string  `json:"visitor_secret"`
	Session *string `json:"session_id"`
}

// visitor opens a page as a new visitor, or as the one that body names.
func (r *rig) visitor(p page, body map[string]any) guest {
	r.t.Helper()
	g := guest{page: p}
	r.want(200, request{Method: "POST", Path: "/v1/widget/session", Key: p.Key, Header: p.origin(), Body: mapOr(body)}, &g)
	r.log.secret(g.Token)
	if g.Secret != "" {
		r.log.secret(g.Secret)
	}
	return g
}

// as makes the request the visitor's.
func (g guest) as(q request) request {
	q.Key = g.Token
	h := g.page.origin()
	maps.Copy(h, q.Header)
	q.Header = h
	return q
}
