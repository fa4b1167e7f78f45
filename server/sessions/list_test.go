package sessions_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/sessions"
)

// TestListUnderChange: while the pages are read, sessions are added, used, archived and deleted. Nobody is listed twice, and of those that were left alone nobody is missed.
func TestListUnderChange(t *testing.T) {
	each(t, func(r *rig) {
		for seed := range uint64(4) {
			for _, search := range []string{"", "topic"} {
				r.walk(rand.New(rand.NewPCG(seed, 9)), fmt.Sprintf("seed%d%s", seed, search), search)
			}
		}
	})
}

func (r *rig) walk(random *rand.Rand, user, search string) {
	r.Helper()
	var made []string
	add := func() {
		s := r.session(func(s *sessions.Session) { s.EndUser, s.Title = user, "A topic" })
		made = append(made, s.ID)
	}
	for range 40 {
		add()
	}
	before := slices.Clone(made)
	slices.Reverse(before)
	touched, seen := map[string]bool{}, []string{}
	by := sessions.Query{EndUser: user, Search: search, Limit: 7}
	for {
		var page []sessions.Found
		r.read(func(q db.Querier) (err error) { page, err = sessions.List(r.ctx(), q, r.t, by); return err })
		if len(page) == 0 {
			break
		}
		for _, f := range page {
			seen = append(seen, f.ID)
		}
		by.At, by.ID = page[len(page)-1].UpdatedAt.Time, page[len(page)-1].ID
		for range 3 {
			add()
			id := made[random.IntN(len(made))]
			touched[id] = true
			switch random.IntN(3) {
			case 0:
				r.say(id, "more of the topic")
			case 1:
				isPinned := true
				r.write(func(q db.Querier) error {
					_, err := sessions.Update(r.ctx(), q, r.t, "", id, sessions.Change{Pinned: &isPinned}, r.tick())
					return err
				})
			default:
				r.write(func(q db.Querier) error { return sessions.Delete(r.ctx(), q, r.t, "", id) })
				made = slices.DeleteFunc(made, func(other string) bool { return other == id })
			}
		}
	}
	for i, id := range seen {
		if slices.Contains(seen[:i], id) {
			r.Errorf("%s is listed twice", id)
		}
	}
	alone := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(id string) bool { return touched[id] || !slices.Contains(before, id) })
	}
	if got, want := alone(seen), alone(before); !slices.Equal(got, want) || len(want) < 10 {
		r.Errorf("those left alone: listed %d of %d, or in another order", len(got), len(want))
	}
}

// TestListFilters: each filter gives what a plain look at the sessions gives.
func TestListFilters(t *testing.T) {
	each(t, func(r *rig) {
		random := rand.New(rand.NewPCG(3, 3))
		isSet, isNot := true, false
		var made []sessions.Session
		for i := range 60 {
			s := r.session(func(s *sessions.Session) {
				s.EndUser, s.Model, s.ParentID = []string{"", "u1", "u2"}[random.IntN(3)], []string{"", "lab/a", "lab/b"}[random.IntN(3)], []string{"", "ses_p"}[random.IntN(2)]
				s.ExternalID, s.Pinned, s.Title = fmt.Sprint("e", i), random.IntN(2) == 0, "topic"
			})
			if random.IntN(3) == 0 {
				r.write(func(q db.Querier) (err error) {
					s, err = sessions.Update(r.ctx(), q, r.t, "", s.ID, sessions.Change{Archived: &isSet}, r.tick())
					return err
				})
			}
			made = append(made, s)
		}
		slices.Reverse(made)
		for range 200 {
			pick := func(list ...string) string { return list[random.IntN(len(list))] }
			by := sessions.Query{Limit: 100, EndUser: pick("", "u1", "u2", "u3"), Model: pick("", "lab/a"), Parent: pick("", "ses_p"), ExternalID: pick("", "", "", "e7", "e8", "none"),
				Archived: pick("", sessions.NotArchived, sessions.OnlyArchived, sessions.AnyArchived), Search: pick("", "topic"), Pinned: []*bool{nil, &isSet, &isNot}[random.IntN(3)]}
			if random.IntN(2) == 0 {
				by.UpdatedAfter = made[random.IntN(len(made))].UpdatedAt.Time
			}
			if random.IntN(2) == 0 {
				by.UpdatedBefore = made[random.IntN(len(made))].UpdatedAt.Time
			}
			var want, got []string
			for _, s := range made {
				if fits(by, s) {
					want = append(want, s.ID)
				}
			}
			r.read(func(q db.Querier) error {
				list, err := sessions.List(r.ctx(), q, r.t, by)
				for _, f := range list {
					got = append(got, f.ID)
				}
				return err
			})
			if !slices.Equal(got, want) {
				r.Fatalf("%+v lists %d sessions, want %d", by, len(got), len(want))
			}
		}
	})
}

func fits(by sessions.Query, s sessions.Session) bool {
	isArchived := !s.ArchivedAt.IsZero()
	return (by.EndUser == "" || by.EndUser == s.EndUser) && (by.Model == "" || by.Model == s.Model) && (by.Parent == "" || by.Parent == s.ParentID) &&
		(by.ExternalID == "" || by.ExternalID == s.ExternalID) && (by.Pinned == nil || *by.Pinned == s.Pinned) &&
		(by.Archived == sessions.AnyArchived || isArchived == (by.Archived == sessions.OnlyArchived)) &&
		(by.UpdatedAfter.IsZero() || s.UpdatedAt.After(by.UpdatedAfter)) && (by.UpdatedBefore.IsZero() || s.UpdatedAt.Before(by.UpdatedBefore))
}

// TestExternalID: no two sessions of a tenant have the same, and another tenant may.
func TestExternalID(t *testing.T) {
	each(t, func(r *rig) {
		set := func(s *sessions.Session) { s.ExternalID = "mine" }
		r.session(set)
		newRig(r.T, r.d).session(set)
		r.session(nil)
		r.session(nil)
		s := sessions.New(r.t.ID(), r.tick())
		set(&s)
		if err := r.d.Write(r.ctx(), func(q db.Querier) error { return sessions.Insert(r.ctx(), q, s) }); !fault.Is(err, fault.Conflict) {
			r.Errorf("taken twice: %v", err)
		}
	})
}

// TestPins: a setting that is not named stays, and each can be taken back.
func TestPins(t *testing.T) {
	each(t, func(r *rig) {
		s := r.session(func(s *sessions.Session) { s.Tools = &sessions.Narrowing{Deny: []string{"a"}} })
		yes, no := true, false
		for i, c := range []sessions.Change{{Pinned: &yes}, {Archived: &yes}, {Archived: &yes}, {Pinned: &no}, {Archived: &no}, {Tools: &sessions.Narrowing{}}} {
			var got sessions.Session
			r.write(func(q db.Querier) (err error) {
				got, err = sessions.Update(r.ctx(), q, r.t, "", s.ID, c, r.tick())
				return err
			})
			want := []string{"true false true", "true true true", "true true true", "false true true", "false false true", "false false false"}[i]
			if is := fmt.Sprint(got.Pinned, !got.ArchivedAt.IsZero(), got.Tools != nil); is != want || got.Version != int64(i)+2 {
				r.Errorf("change %d: %s, want %s; version %d", i, is, want, got.Version)
			}
		}
	})
}
