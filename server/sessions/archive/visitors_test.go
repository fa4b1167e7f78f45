package archive_test

import (
	"encoding/json"
	"strings"
	"testing"
)

type try struct {
	status             int
	method, path, body string
}

// tries are what a visitor may do with a session, in this order, and what they may not.
func tries(path, message string) []try {
	return []try{
		{403, "POST", "/v1/sessions", `{"external_id":"x"}`}, {403, "POST", "/v1/sessions", `{"tools":{}}`}, {403, "POST", "/v1/sessions", `{"user":"x"}`}, {403, "POST", "/v1/sessions", `{"system_prompt":"x"}`},
		{403, "PATCH", path, `{"tools":{"allow":[]}}`}, {403, "PATCH", path, `{"model":"x"}`}, {403, "POST", path + "/fork", `{"external_id":"x"}`},
		{403, "GET", "/v1/export", ""}, {403, "GET", "/v1/users/vis_1/export", ""}, {403, "DELETE", "/v1/users/vis_1", ""}, {403, "GET", "/v1/retention", ""}, {403, "POST", "/v1/retention/run", ""},
		{200, "PATCH", path, `{"archived":true,"pinned":true,"title":"mine"}`}, {409, "POST", path + "/messages/" + message + "/select", ""},
		{200, "POST", path + "/undo", ""}, {200, "POST", path + "/messages/" + message + "/select", ""}, {409, "POST", path + "/undo", ""},
		{200, "POST", path + "/reset", `{"summary":"so far"}`}, {201, "POST", path + "/fork", `{"sequence":2}`}, {404, "POST", path + "/fork", `{"sequence":99}`},
		{400, "POST", path + "/fork", `{"sequence":2,"message_id":"x"}`}, {400, "GET", "/v1/sessions?q=%22*", ""},
	}
}

// TestVisitors: a visitor archives, pins, resets, forks, chooses and exports what is theirs, chooses nothing that is the tenant's to choose, and sees nobody else's.
func TestVisitors(t *testing.T) {
	each(t, func(r *rig) {
		s := r.tangled("vis_1")
		me, other := "visitor:"+r.a+":vis_1", "visitor:"+r.a+":vis_2"
		var page struct{ Data []struct{ ID string } }
		read := func(path string) []struct{ ID string } {
			r.Helper()
			page.Data = nil
			if err := json.Unmarshal(r.do(200, me, "GET", path, nil), &page); err != nil {
				r.Fatal(err)
			}
			return page.Data
		}
		messages := read("/v1/sessions/" + s.ID + "/messages?branch=all&epoch=1")
		if len(messages) != 5 || len(read("/v1/sessions/"+s.ID+"/messages")) != 5 || len(read("/v1/sessions/"+s.ID+"/messages?epoch=1&after=1&order=desc")) != 3 {
			r.Errorf("%d messages in the first epoch", len(messages))
		}
		if len(read("/v1/sessions/"+s.ID+"/epochs")) != 2 || len(read("/v1/sessions/"+s.ID+"/summaries")) != 2 || len(read("/v1/sessions/"+s.ID+"/summaries?limit=1")) != 1 {
			r.Error("the parts are not all there")
		}
		path := "/v1/sessions/" + s.ID
		for _, c := range tries(path, messages[1].ID) {
			var body any
			if c.body != "" {
				body = []byte(c.body)
			}
			r.do(c.status, me, c.method, c.path, body)
			if strings.HasPrefix(c.path, path) && c.status < 300 {
				r.do(404, other, c.method, c.path, body)
				r.do(404, "key:"+r.b, c.method, c.path, body)
			}
		}
		var got struct {
			Epoch, Head      int64
			Archived, Pinned bool
			Titled           string
		}
		if err := json.Unmarshal(r.do(200, me, "GET", path, nil), &got); err != nil || got.Epoch != 3 || got.Head != 0 || !got.Archived || !got.Pinned || got.Titled != "caller" {
			r.Errorf("%+v", got)
		}
		for query, want := range map[string]int{"": 1, "?archived=any": 2, "?archived=true&pinned=true": 1, "?q=branch&archived=any": 2, "?user=vis_2": 1, "?parent=ses_x": 0,
			"?updated_after=2050-01-01T00:00:00Z": 0, "?pinned=false": 1} {
			if n := len(read("/v1/sessions" + query)); n != want {
				r.Errorf("%q lists %d, want %d", query, n, want)
			}
		}
		if err := json.Unmarshal(r.do(200, other, "GET", "/v1/sessions?archived=any&user=vis_1&q=canary", nil), &page); err != nil || len(page.Data) != 0 {
			r.Errorf("another visitor lists %v", page.Data)
		}
		if !strings.Contains(string(r.do(200, r.key(), "GET", "/v1/sessions?q=left+bra&archived=true", nil)), `"match":{"sequence":2,"snippet":"left branch"}`) {
			r.Error("the match is not told")
		}
		r.do(204, me, "DELETE", path, nil)
		if len(r.deleted) != 1 || r.deleted[0] != s.ID || len(r.changed) != 4 {
			r.Errorf("told of %v deleted and %v changed", r.deleted, r.changed)
		}
	})
}

// TestTools: what a session narrows its tools to is kept as it was said, an empty list apart from none.
func TestTools(t *testing.T) {
	each(t, func(r *rig) {
		var s struct {
			ID    string
			Tools json.RawMessage
		}
		set := func(method, path, body, want string) {
			r.Helper()
			s.Tools = nil
			status := 200
			if method == "POST" {
				status = 201
			}
			if err := json.Unmarshal(r.do(status, r.key(), method, path, []byte(body)), &s); err != nil || string(s.Tools) != want {
				r.Errorf("%s: tools %s, want %s", body, s.Tools, want)
			}
		}
		set("POST", "/v1/sessions", `{"tools":{"allow":[]}}`, `{"allow":[]}`)
		path := "/v1/sessions/" + s.ID
		set("PATCH", path, `{"title":"x"}`, `{"allow":[]}`)
		set("PATCH", path, `{"tools":{"allow":["a*"],"deny":["ab"]}}`, `{"allow":["a*"],"deny":["ab"]}`)
		set("PATCH", path, `{"tools":{}}`, "")
		r.do(422, r.key(), "PATCH", path, []byte(`{"tools":{"deny":["[a"]}}`))
	})
}
