package peers

import (
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tool"
)

// TestStatements: every statement on a tenant's table looks at its tenant_id, and both engines understand all of them.
func TestStatements(t *testing.T) {
	dbtest.Lint(t)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if err := d.Prepare(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestSpecs: models and those who decide get tools that can be used, with the effects that the gate goes by.
func TestSpecs(t *testing.T) {
	effects := map[string]tool.Effect{NameList: tool.Reads, NameHistory: tool.Reads, NameSend: tool.Sends, NameSpawn: tool.Writes}
	for _, one := range New(Options{}) {
		s := one.Spec()
		if err := tool.CheckName(s.Name); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if err := tool.CheckSchema(s.Parameters); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if !strings.Contains(string(s.Parameters), `"additionalProperties": false`) {
			t.Errorf("%s takes arguments that it does not know", s.Name)
		}
		if s.Effect != effects[s.Name] || s.Source != tool.BuiltIn || len(s.Description) < 200 || len(s.Description) > 1024 {
			t.Errorf("%s: effect %s, source %s, %d bytes of description", s.Name, s.Effect, s.Source, len(s.Description))
		}
		delete(effects, s.Name)
	}
	if len(effects) != 0 {
		t.Errorf("missing: %v", effects)
	}
}

// world is sessions of every relation to one another.
type world struct {
	byName map[string]sessions.Session
	names  map[string]string // by id
}

func newWorld(r *rig) world {
	w := world{map[string]sessions.Session{}, map[string]string{}}
	visitor, another := ids.New(ids.Visitor), ids.New(ids.Visitor)
	for _, one := range []struct{ name, tenant, user, parent string }{
		{"root", r.a, "u1", ""}, {"child", r.a, "u1", "root"}, {"grandchild", r.a, "u1", "child"}, {"sibling", r.a, "u1", "root"}, {"apart", r.a, "u1", ""},
		{"other user", r.a, "u2", ""}, {"nobody's", r.a, "", ""}, {"nobody's child", r.a, "", "nobody's"}, {"nobody's other", r.a, "", ""},
		{"visitor", r.a, visitor, ""}, {"visitor's child", r.a, visitor, "visitor"}, {"visitor's other", r.a, visitor, ""}, {"another visitor", r.a, another, ""},
		{"stray", r.a, "u1", "visitor"}, // should not exist, and must not matter
		{"foreign", r.b, "u1", ""}, {"foreign child", r.b, "u1", "root"},
	} {
		s := r.session(func(s *sessions.Session) {
			s.TenantID, s.EndUser, s.Title = one.tenant, one.user, one.name
			s.ParentID = w.byName[one.parent].ID
		})
		w.byName[one.name], w.names[s.ID] = s, one.name
	}
	return w
}

// TestVisibility holds every setting against every relation, for all tools: what one shows the others reach, and what is not visible answers as what does not exist.
func TestVisibility(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		w := newWorld(r)
		var all []string
		for name, s := range w.byName {
			if s.TenantID == r.a {
				all = append(all, name)
			}
		}
		tree := []string{"root", "child", "grandchild", "sibling"}
		u1 := append([]string{"apart", "stray"}, tree...)
		visitors := []string{"visitor", "visitor's child", "visitor's other"}
		for _, one := range []struct {
			who  string
			sees map[string][]string
		}{
			{"child", map[string][]string{Self: {"child", "grandchild"}, Tree: tree, User: u1, Everyone: all}},
			{"root", map[string][]string{Self: {"root", "child", "sibling"}, Tree: tree, User: u1, Everyone: all}},
			{"apart", map[string][]string{Self: {"apart"}, Tree: {"apart"}, User: u1, Everyone: all}},
			{"nobody's", map[string][]string{Self: {"nobody's", "nobody's child"}, Tree: {"nobody's", "nobody's child"}, User: {"nobody's", "nobody's child", "nobody's other"}, Everyone: all}},
			{"visitor", map[string][]string{Self: {"visitor", "visitor's child"}, Tree: {"visitor", "visitor's child"}, User: visitors, Everyone: visitors}},
			{"visitor's child", map[string][]string{Self: {"visitor's child"}, Tree: {"visitor", "visitor's child"}, User: visitors, Everyone: visitors}},
			{"foreign", map[string][]string{Self: {"foreign"}, Tree: {"foreign"}, User: {"foreign", "foreign child"}, Everyone: {"foreign", "foreign child"}}},
		} {
			for setting, sees := range one.sees {
				t.Run(one.who+" "+setting, func(t *testing.T) {
					r.setting = setting
					checkSight(t, r.in(t), w, w.byName[one.who], sees)
				})
			}
			for _, setting := range []string{"", "all", "TENANT"} { // what nobody knows is the narrowest
				r.setting = setting
				checkSight(t, r, w, w.byName[one.who], one.sees[Self])
			}
		}
	})
}

func checkSight(t *testing.T, r *rig, w world, from sessions.Session, sees []string) {
	t.Helper()
	var l wireList
	r.must(NameList, r.call(from, args{"limit": 200}), &l)
	var got []string
	for _, s := range l.Sessions {
		got = append(got, w.names[s.ID])
	}
	slices.Sort(got)
	if want := slices.Sorted(slices.Values(sees)); !slices.Equal(got, want) || l.Truncated || l.Omitted != 0 {
		t.Errorf("listed %q, want %q; truncated %v, omitted %d", got, want, l.Truncated, l.Omitted)
	}
	missing := sessions.New(r.a, r.at).ID
	noHistory := r.refused(NameHistory, r.call(from, args{"session_id": missing}), fault.NotFound)
	noSend := r.refused(NameSend, r.call(from, args{"session_id": missing, "message": "hello"}), fault.NotFound)
	for name, other := range w.byName {
		if slices.Contains(sees, name) {
			var h wireHistory
			if r.must(NameHistory, r.call(from, args{"session_id": other.ID}), &h); h.SessionID != other.ID {
				t.Errorf("history of %s is that of %s", name, w.names[h.SessionID])
			}
			if other.ID != from.ID {
				r.must(NameSend, r.call(from, args{"session_id": other.ID, "message": "hello"}), new(wireOutcome))
			}
			continue
		}
		if got := r.refused(NameHistory, r.call(from, args{"session_id": other.ID}), fault.NotFound); got != noHistory {
			t.Errorf("history of %s: %q, and of one that does not exist: %q", name, got, noHistory)
		}
		before := r.count()
		if got := r.refused(NameSend, r.call(from, args{"session_id": other.ID, "message": "hello"}), fault.NotFound); got != noSend || r.count() != before {
			t.Errorf("send to %s: %q, and to one that does not exist: %q; %d turns", name, got, noSend, r.count()-before)
		}
	}
}

// TestVisitorByToken: a turn that a visitor's token started is narrowed too, whatever the form of the end user's id.
func TestVisitorByToken(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		w := newWorld(r)
		r.setting = Everyone
		ctx := auth.With(t.Context(), auth.Principal{Kind: auth.Visitor, TenantID: r.a, VisitorID: "u1"})
		var l wireList
		if _, err := r.do(ctx, NameList, r.call(w.byName["root"], args{"limit": 200}), &l); err != nil {
			t.Fatal(err)
		}
		if len(l.Sessions) != 6 {
			t.Errorf("listed %d, want the 6 of the end user: %+v", len(l.Sessions), l)
		}
		if _, err := r.do(ctx, NameHistory, r.call(w.byName["root"], args{"session_id": w.byName["other user"].ID}), new(any)); !fault.Is(err, fault.NotFound) {
			t.Errorf("another user's session: %v", err)
		}
		if _, err := r.do(ctx, NameList, r.call(w.byName["nobody's"], args{}), new(any)); !fault.Is(err, fault.NotFound) {
			t.Errorf("a visitor in a session of nobody: %v", err)
		}
	})
}

// TestListed: whom a session belongs to is not shown to another end user's; relations, parents and states are right.
func TestListed(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		w := newWorld(r)
		r.setting = Everyone
		var l wireList
		text := r.must(NameList, r.call(w.byName["child"], args{"limit": 200}), &l).Text
		for _, name := range []string{"other user", "visitor", "another visitor"} {
			if user := w.byName[name].EndUser; strings.Contains(text, `"`+user+`"`) {
				t.Errorf("the id of the end user of %q is shown to another's session", name)
			}
		}
		relations := map[string]string{"child": "self", "grandchild": "child", "root": "parent", "sibling": "other", "apart": "other"}
		for _, s := range l.Sessions {
			name := w.names[s.ID]
			if want := relations[name]; want != "" && (s.Relation != want || s.User != "u1" || s.ParentID != w.byName[name].ParentID) {
				t.Errorf("%s: %+v", name, s)
			}
		}
		if text = r.must(NameList, r.call(w.byName["nobody's"], args{"limit": 200}), &l).Text; !strings.Contains(text, `"u2"`) {
			t.Error("a session of the tenant itself does not see whose the others are")
		}
		r.setting = Self
		r.run(w.byName["child"], "")
		r.write(func(q db.Querier) error {
			archived := true
			_, err := sessions.Update(t.Context(), q, db.TenantOf(r.a), "", w.byName["sibling"].ID, sessions.Change{Archived: &archived}, r.at)
			return err
		})
		r.must(NameList, r.call(w.byName["root"], args{}), &l)
		if len(l.Sessions) != 2 || !l.Sessions[0].Running || l.Sessions[1].Running {
			t.Errorf("root sees %+v", l.Sessions)
		}
		r.must(NameList, r.call(w.byName["root"], args{"archived": true}), &l)
		if len(l.Sessions) != 3 || !slices.ContainsFunc(l.Sessions, func(s wireSession) bool {
			return w.names[s.ID] == "sibling" && s.Archived
		}) {
			t.Errorf("with archived ones root sees %+v", l.Sessions)
		}
		r.must(NameList, r.call(w.byName["grandchild"], args{}), &l)
		if len(l.Sessions) != 1 || l.Sessions[0].ParentID != "" {
			t.Errorf("grandchild sees %+v: the parent is not visible", l.Sessions)
		}
		r.must(NameList, r.call(w.byName["root"], args{"active_minutes": 5}), &l)
		if len(l.Sessions) != 0 { // all of the world is from 2023
			t.Errorf("used in the last five minutes: %+v", l.Sessions)
		}
	})
}
