package sessions_test

import (
	"context"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
)

var addTenant = db.System("test.tenant", `INSERT INTO tenants (id, name, tier, status, created_at, updated_at) VALUES (:id, :id, 'free', 'active', 1, 1)`)

// rig is a tenant on a database.
type rig struct {
	*testing.T
	d   *db.DB
	t   db.Tenant
	now time.Time
}

func each(t *testing.T, test func(r *rig)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { test(newRig(t, d)) })
}

func newRig(t *testing.T, d *db.DB) *rig {
	t.Helper()
	r := &rig{T: t, d: d, t: db.TenantOf(ids.New(ids.Tenant)), now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	r.write(func(q db.Querier) error {
		_, err := addTenant.Exec(t.Context(), q, db.Args{"id": r.t.ID()})
		return err
	})
	return r
}

func (r *rig) ctx() context.Context { return r.Context() }

// tick is a moment later than any before.
func (r *rig) tick() time.Time {
	r.now = r.now.Add(time.Second)
	return r.now
}

func (r *rig) write(fn func(q db.Querier) error) {
	r.Helper()
	if err := r.d.Write(r.ctx(), fn); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) read(fn func(q db.Querier) error) {
	r.Helper()
	if err := r.d.Read(r.ctx(), fn); err != nil {
		r.Fatal(err)
	}
}

// session makes a session that set has changed before it is stored.
func (r *rig) session(set func(s *sessions.Session)) sessions.Session {
	r.Helper()
	s := sessions.New(r.t.ID(), r.tick())
	if set != nil {
		set(&s)
	}
	r.write(func(q db.Querier) error { return sessions.Insert(r.ctx(), q, s) })
	return s
}

// say appends texts in turn as user and assistant.
func (r *rig) say(sessionID string, texts ...string) (out []sessions.Message) {
	r.Helper()
	r.write(func(q db.Querier) error {
		out = nil
		for i, text := range texts {
			m := sessions.Message{ID: ids.New(ids.Message), SessionID: sessionID, Role: []string{"user", "assistant"}[i%2], Content: llm.Text(text)}
			if err := sessions.Append(r.ctx(), q, r.t, &m, r.tick()); err != nil {
				return err
			}
			out = append(out, m)
		}
		return nil
	})
	return out
}

func (r *rig) get(id string) (s sessions.Session) {
	r.Helper()
	r.read(func(q db.Querier) (err error) {
		s, err = sessions.Get(r.ctx(), q, r.t, "", id)
		return err
	})
	return s
}

// all reads every message there is.
func (r *rig) all(id string) (out []sessions.Message) {
	r.Helper()
	r.read(func(q db.Querier) error {
		out = nil
		for more, at := true, int64(0); more; {
			rows, next, err := sessions.Messages(r.ctx(), q, r.t, id, at, 50)
			if err != nil {
				return err
			}
			if out, more = append(out, rows...), next; more {
				at = rows[len(rows)-1].Sequence
			}
		}
		return nil
	})
	return out
}
