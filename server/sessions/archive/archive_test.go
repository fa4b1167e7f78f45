package archive_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/sessions/archive"
)

func TestStatementsAreScoped(t *testing.T) { dbtest.Lint(t) }

// unnamed is an export without what is another's in every session: ids, and the times of the session itself.
func unnamed(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var x map[string]any
	if err := json.Unmarshal(raw, &x); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	delete(x, "exported_at")
	drop := func(v any, names ...string) {
		for _, n := range names {
			delete(v.(map[string]any), n)
		}
	}
	drop(x["session"], "id", "external_id", "updated_at", "version")
	for _, list := range []string{"messages", "summaries"} {
		for _, v := range x[list].([]any) {
			drop(v, "id", "run_id")
		}
	}
	return x
}

// TestExportAndImport: what is taken in again gives the same export, and is searched, continued and kept as any other.
func TestExportAndImport(t *testing.T) {
	each(t, func(r *rig) {
		s := r.tangled("u1")
		first := r.do(200, r.key(), "GET", "/v1/sessions/"+s.ID+"/export", nil)
		r.do(409, r.key(), "POST", "/v1/sessions/import", first) // its external_id is taken
		var made struct {
			ID        string
			Epoch     int64
			Head      int64
			UpdatedAt time.Time `json:"updated_at"`
		}
		r.do(201, "key:"+r.b, "POST", "/v1/sessions/import", first)
		free := bytes.Replace(first, []byte(`"external_id":"ext-u1"`), []byte(`"external_id":"other"`), 1)
		if err := json.Unmarshal(r.do(201, r.key(), "POST", "/v1/sessions/import", free), &made); err != nil {
			r.Fatal(err)
		}
		second := r.do(200, r.key(), "GET", "/v1/sessions/"+made.ID+"/export", nil)
		if want, got := unnamed(r.T, first), unnamed(r.T, second); !reflect.DeepEqual(want, got) {
			r.Errorf("exported again:\n%v, want\n%v", got, want)
		}
		if made.ID == s.ID || made.Epoch != 2 || made.Head != 6 || time.Since(made.UpdatedAt) > time.Minute {
			r.Errorf("made %+v", made)
		}
		for path, want := range map[string]int{"/v1/sessions?q=canary": 2, "/v1/sessions?q=LEFT+bran": 2, "/v1/sessions?external_id=other": 1} {
			var page struct{ Data []any }
			if err := json.Unmarshal(r.do(200, r.key(), "GET", path, nil), &page); err != nil || len(page.Data) != want {
				r.Errorf("%s: %d sessions, want %d", path, len(page.Data), want)
			}
		}
		r.do(200, r.key(), "POST", "/v1/sessions/"+made.ID+"/undo", nil)
		r.do(404, "key:"+r.b, "GET", "/v1/sessions/"+s.ID+"/export", nil)
		r.do(404, "visitor:"+r.a+":u2", "GET", "/v1/sessions/"+s.ID+"/export", nil)
		own := r.do(200, "visitor:"+r.a+":u1", "GET", "/v1/sessions/"+s.ID+"/export", nil)
		for _, hidden := range []string{"be kind", "pondering", "lab/w", "ext-u1", "x*", `"cost_micros":5`} {
			if bytes.Contains(own, []byte(hidden)) {
				r.Errorf("a visitor is shown %q: %s", hidden, own)
			}
		}
		r.do(403, "visitor:"+r.a+":u1", "POST", "/v1/sessions/import", first)
	})
}

// TestMarkdown: the branch that is continued, with calls and results folded and without what a model thought.
func TestMarkdown(t *testing.T) {
	each(t, func(r *rig) {
		s := r.tangled("u1")
		got := string(r.do(200, r.key(), "GET", "/v1/sessions/"+s.ID+"/export?format=markdown", nil))
		rest := got
		for _, want := range []string{"# canary question <script>\n", "## User\n\ncanary question", "## Assistant (lab/m)\n", "<details><summary>Call of look</summary>\n\n```json\n{\"a\":\"<b>\"}\n```",
			"<details><summary>Result</summary>\n\n````\nfound ```it```\n````\n", "the answer", "*Epoch 2 (reset)*", "## Session ses_other\n\nnew epoch\n\n*(image_url)*"} {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				r.Fatalf("%q is not where it belongs in\n%s", want, got)
			}
			rest = after
		}
		for _, hidden := range []string{"secret thought", "left branch", "be kind"} {
			if strings.Contains(got, hidden) {
				r.Errorf("it tells %q", hidden)
			}
		}
	})
}

// TestImportRefuses: everything that no session could be is refused with the place of the mistake, and leaves nothing.
func TestImportRefuses(t *testing.T) {
	each(t, func(r *rig) {
		s := r.tangled("u1")
		good := r.do(200, r.key(), "GET", "/v1/sessions/"+s.ID+"/export", nil)
		change := func(fn func(x map[string]any)) []byte { return r.changedExport(good, fn) }
		message := func(i int, name string, v any) func(map[string]any) {
			return func(x map[string]any) { x["messages"].([]any)[i].(map[string]any)[name] = v }
		}
		setting := func(name string, v any) func(map[string]any) {
			return func(x map[string]any) { x["session"].(map[string]any)[name] = v }
		}
		for name, fn := range map[string]func(map[string]any){
			"session.epoch":            setting("epoch", 3),
			"session.titled":           setting("titled", "me"),
			"session.thinking":         setting("thinking", "much"),
			"tools.deny":               setting("tools", map[string]any{"deny": []string{"["}}),
			"metadata":                 setting("metadata", map[string]string{strings.Repeat("k", 65): ""}),
			"messages[1].sequence":     message(1, "sequence", 7),
			"messages[2].parent":       message(2, "parent", 5),
			"messages[5].parent":       message(5, "parent", 5), // of another epoch
			"messages[2].active":       message(1, "active", true),
			"messages[0].role":         message(0, "role", "system"),
			"messages[3].tool_call_id": message(3, "tool_call_id", ""),
			"messages[0].content":      message(0, "content", map[string]any{"a": 1}),
			"messages[0].tool_calls":   message(0, "tool_calls", []any{map[string]any{"id": "c", "type": "function", "function": map[string]string{"name": "f", "arguments": "{}"}}}),
			"summaries[0].up_to":       func(x map[string]any) { x["summaries"].([]any)[0].(map[string]any)["up_to"] = 6 },
			"epochs[1].previous":       func(x map[string]any) { x["epochs"].([]any)[1].(map[string]any)["previous"] = 2 },
			"format":                   func(x map[string]any) { x["format"] = "clawless.session/2" },
		} {
			got := r.do(422, r.key(), "POST", "/v1/sessions/import", change(fn))
			if !bytes.Contains(got, []byte(name)) {
				r.Errorf("%s is not named: %s", name, got)
			}
		}
		r.do(400, r.key(), "POST", "/v1/sessions/import", []byte(`{"format":"x","format":"y"}`))
		r.do(422, r.key(), "POST", "/v1/sessions/import", []byte(`[1]`))
		// A text that no database takes comes to light after some messages are written already.
		r.do(400, r.key(), "POST", "/v1/sessions/import", change(func(x map[string]any) {
			last := x["messages"].([]any)[5].(map[string]any)
			for i := range 400 {
				m := maps.Clone(last)
				m["sequence"], m["parent"] = i+7, i+6
				x["messages"] = append(x["messages"].([]any), m)
			}
			x["messages"].([]any)[405].(map[string]any)["finish_reason"] = "a\u0000b"
		}))
		if got := r.rows("sessions"); len(got) != 1 {
			r.Errorf("%d sessions are left", len(got))
		}
		r.do(201, r.key(), "POST", "/v1/sessions/import", change(func(map[string]any) {}))
	})
}

// changedExport is an export with another word in it, and without the external id, which is taken.
func (r *rig) changedExport(raw []byte, fn func(x map[string]any)) []byte {
	r.Helper()
	var x map[string]any
	if err := json.Unmarshal(raw, &x); err != nil {
		r.Fatal(err)
	}
	x["session"].(map[string]any)["external_id"] = ""
	fn(x)
	b, err := json.Marshal(x)
	if err != nil {
		r.Fatal(err)
	}
	return b
}

// TestExportLines: an export of a user or a tenant has each session once, a line each, and nobody else's.
func TestExportLines(t *testing.T) {
	each(t, func(r *rig) {
		var want []string
		for i := range 130 {
			s := sessions.New(r.a, time.Now())
			s.EndUser = []string{"u1", "u 2/é"}[i%2]
			r.write(func(q db.Querier) error { return sessions.Insert(r.Context(), q, s) })
			want = append(want, s.ID)
		}
		r.write(func(q db.Querier) error { return sessions.Insert(r.Context(), q, sessions.New(r.b, time.Now())) })
		read := func(who, path string) (got []string) {
			for line := range strings.Lines(string(r.do(200, who, "GET", path, nil))) {
				var x archive.SessionExport
				if err := json.Unmarshal([]byte(line), &x); err != nil || x.Format != archive.Format {
					r.Fatalf("%v: %s", err, line)
				}
				got = append(got, x.Session.ID)
			}
			return got
		}
		if got := read(r.key(), "/v1/export"); !slices.Equal(got, want) {
			r.Errorf("%d sessions, want %d", len(got), len(want))
		}
		if got := read("operator", "/admin/tenants/acme/export"); !slices.Equal(got, want) {
			r.Errorf("for the operator %d sessions", len(got))
		}
		if got := read(r.key(), "/v1/users/u%202%2F%C3%A9/export"); len(got) != 65 {
			r.Errorf("of a user %d sessions", len(got))
		}
		if got := read("key:"+r.b, "/v1/users/u1/export"); got != nil {
			r.Errorf("another tenant's user: %v", got)
		}
		r.do(404, "operator", "GET", "/admin/tenants/nobody/export", nil)
		r.do(403, "visitor:"+r.a+":u1", "GET", "/v1/export", nil)
	})
}

// TestExportIsOneMoment: a long session that goes on and changes its branch while it is exported is exported as it was.
func TestExportIsOneMoment(t *testing.T) {
	each(t, func(r *rig) {
		s := sessions.New(r.a, time.Now())
		tenant := db.TenantOf(r.a)
		say := func(q db.Querier) error {
			return sessions.Append(r.Context(), q, tenant, &sessions.Message{ID: ids.New(ids.Message), SessionID: s.ID, Role: "user", Content: llm.Text(strings.Repeat("x", 3000))}, time.Now())
		}
		r.write(func(q db.Querier) error {
			err := sessions.Insert(r.Context(), q, s)
			for i := 0; i < 200 && err == nil; i++ {
				err = say(q)
			}
			return err
		})
		w := &slow{header: map[string][]string{}, at: 2, then: func() {
			r.write(func(q db.Querier) error {
				if _, err := sessions.Rewind(r.Context(), q, tenant, s.ID, 10, time.Now()); err != nil {
					return err
				}
				return say(q)
			})
		}}
		r.api.ServeHTTP(w, r.request("GET", "/v1/sessions/"+s.ID+"/export"))
		var x archive.SessionExport
		if err := json.Unmarshal(w.body.Bytes(), &x); err != nil {
			r.Fatal(err)
		}
		if w.writes < 5 || len(x.Messages) != 200 || x.Session.Head != 200 {
			r.Errorf("%d messages in %d pieces, head %d", len(x.Messages), w.writes, x.Session.Head)
		}
		for i, m := range x.Messages {
			if m.Sequence != int64(i)+1 || !m.Active {
				r.Fatalf("message %d: %d, active %v", i+1, m.Sequence, m.Active)
			}
		}
		r.do(201, "key:"+r.b, "POST", "/v1/sessions/import", w.body.Bytes())
	})
}

// aged makes sessions that nobody has used for 40 days, and gives those of them that a retention of 30 days keeps: the pinned, another tenant's, some that were used since and
// those whose run is under way.
func (r *rig) aged(n int) map[string]bool {
	r.Helper()
	old := time.Now().Add(-40 * 24 * time.Hour)
	kept := map[string]bool{}
	for i := range n {
		s := sessions.New(r.a, old.Add(time.Duration(i)*time.Second))
		switch i % 10 {
		case 0:
			s.Pinned = true
		case 1:
			s.TenantID = r.b
		case 2:
			s.UpdatedAt = db.At(time.Now())
		}
		r.write(func(q db.Querier) error {
			if err := sessions.Insert(r.Context(), q, s); err != nil {
				return err
			}
			if i%10 != 3 && i%10 != 4 {
				return nil
			}
			_, err := addRun.Exec(r.Context(), q, db.Args{"tenant": r.a, "id": fmt.Sprint("run_", i), "session": s.ID, "user": nil, "status": []string{"running", "completed"}[i%10-3]})
			return err
		})
		if i%10 < 4 {
			kept[s.ID] = true
		}
	}
	return kept
}

// TestRetention: a dry run counts what a run deletes. Pinned sessions, those with a run under way and those of others stay.
func TestRetention(t *testing.T) {
	each(t, func(r *rig) {
		kept := r.aged(140)
		get := func(who string, want string) {
			r.Helper()
			if got := string(r.do(200, who, "GET", "/v1/retention", nil)); !strings.Contains(got, want) {
				r.Errorf("retention %s, want %s", got, want)
			}
		}
		run := func(body any, want string) {
			r.Helper()
			if got := string(r.do(200, r.key(), "POST", "/v1/retention/run", body)); !strings.Contains(got, want) {
				r.Errorf("ran %s, want %s", got, want)
			}
		}
		get(r.key(), `"days":30,"would_delete":84,"oldest":"`)
		run(map[string]bool{"dry_run": true}, `"dry_run":true,"sessions":84`)
		if got := r.rows("sessions"); len(got) != 140 {
			r.Fatalf("a dry run deleted: %d sessions are left", len(got))
		}
		run(nil, `"dry_run":false,"sessions":84`)
		get(r.key(), `"would_delete":0`)
		left := r.rows("sessions")
		for id := range kept {
			if !slices.ContainsFunc(left, func(row string) bool { return strings.Contains(row, id) }) {
				r.Errorf("%s was deleted", id)
			}
		}
		if len(left) != len(kept) || len(r.deleted) != 84 || len(r.audited) != 84 || !strings.HasPrefix(r.audited[0], "session.expire ses_") {
			r.Errorf("%d left, want %d; told of %d; recorded %d", len(left), len(kept), len(r.deleted), len(r.audited))
		}
		r.days = 0
		get("key:"+r.b, `"days":0,"would_delete":0`)
		run(nil, `"sessions":0`)
		if got := r.rows("sessions"); len(got) != len(kept) {
			r.Error("without a retention something was deleted")
		}
	})
}
