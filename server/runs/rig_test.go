package runs

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/runs/events"
)

var (
	makeTenant  = db.System("test.tenant", `INSERT INTO tenants (id, name, tier, status, created_at, updated_at) VALUES (:id, :id, 'pro', 'active', 0, 0)`)
	makeSession = db.Scoped("test.session", `INSERT INTO sessions (tenant_id, id, status, created_at, updated_at) VALUES (:tenant_id, :id, 'active', 0, 0)`)
	dropSession = db.Scoped("test.session.drop", `DELETE FROM sessions WHERE tenant_id = :tenant_id AND id = :id`)
	countEvents = db.System("test.events", `SELECT COUNT(*) FROM run_events`)
	ageEvents   = db.System("test.events.age", `UPDATE run_events SET expires_at = 1`)
	ageRuns     = db.System("test.runs.age", `UPDATE runs SET finished_at = 1 WHERE finished_at IS NOT NULL`)
)

// write runs statements and fails the test when they fail.
func write(t testing.TB, d *db.DB, fn func(ctx context.Context, q db.Querier) error) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if err := d.Write(ctx, func(q db.Querier) error { return fn(ctx, q) }); err != nil {
		t.Fatal(err)
	}
}

// tenants makes tenants, each with a session named after it.
func tenants(t testing.TB, d *db.DB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		write(t, d, func(ctx context.Context, q db.Querier) error {
			_, err := makeTenant.Exec(ctx, q, db.Args{"id": id})
			return err
		})
		session(t, d, id, "ses_"+id)
	}
}

func session(t testing.TB, d *db.DB, tenant, id string) {
	t.Helper()
	write(t, d, func(ctx context.Context, q db.Querier) error {
		_, err := makeSession.Exec(ctx, q, db.TenantOf(tenant), db.Args{"id": id})
		return err
	})
}

// begin stores a run and starts it in the hub; fn fills its log, and what it returns is its end.
func begin(t testing.TB, h *Hub, d *db.DB, r Run, fn func(ctx context.Context, l *Log) error) *Live {
	t.Helper()
	r.RequestID, r.Model, r.Provider, r.StartedAt = "req_"+r.ID, "mock/echo", "mock", db.At(time.Now())
	write(t, d, func(ctx context.Context, q db.Querier) error { return Insert(ctx, q, r, "node_"+t.Name()) })
	l, err := h.Start(t.Context(), r, func(ctx context.Context, l *Live) {
		failure := fn(ctx, l.Log)
		end := r
		end.Status, end.Steps, end.FinishedAt = Completed, 1, db.At(time.Now())
		if failure != nil {
			f := fault.From(failure)
			end.Status, end.ErrorCode, end.ErrorMessage = Failed, string(f.Code), f.Message
			if f.Code == fault.RunCancelled {
				end.Status = Cancelled
			}
		}
		if err := d.Write(context.WithoutCancel(ctx), func(q db.Querier) error { return Finish(context.WithoutCancel(ctx), q, end) }); err != nil {
			t.Error(err)
		}
		if failure != nil {
			l.Log.Fail(failure, api.ErrorJSON(failure, r.RequestID))
			return
		}
		l.Log.Append(Done, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// says appends an answer of n frames, about size bytes each, and its usage.
func says(l *Log, n, size int) {
	for i := range n {
		l.Append(Frame, fmt.Appendf(nil, `{"id":"chatcmpl-x","created":7,"model":"mock/echo","n":%d,"text":"é\u2028%s"}`, i, strings.Repeat("x", size)))
	}
	l.Append(Usage, []byte(`{"usage":{}}`))
	l.Append(Answer, []byte(`{"whole":true}`))
}

// read is a run's row as its tenant reads it.
func read(t testing.TB, d *db.DB, tenant, id string) (r Run) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	err := d.Read(ctx, func(q db.Querier) (err error) {
		r, err = Get(ctx, q, db.TenantOf(tenant), "", id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func number(t testing.TB, d *db.DB, s interface {
	Get(context.Context, db.Querier, any, db.Args) error
}) (n int) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if err := d.Read(ctx, func(q db.Querier) error { return s.Get(ctx, q, &n, nil) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// rest reads the events after a sequence to the end.
func rest(t testing.TB, l *Live, after int64) (out []Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for e, err := range l.Log.Read(ctx, after) {
		if err != nil {
			t.Fatalf("after %d events: %v", len(out), err)
		}
		out = append(out, e)
	}
	return out
}

// same demands that two readers got the same events.
func same(t testing.TB, got, want []Event) {
	t.Helper()
	if len(got) != len(want) || len(got) == 0 {
		t.Errorf("%d events, want %d", len(got), len(want))
		return
	}
	for i := range got {
		if got[i].Sequence != want[i].Sequence || got[i].Kind != want[i].Kind || string(got[i].Data) != string(want[i].Data) || (got[i].Err == nil) != (want[i].Err == nil) {
			t.Errorf("event %d is %+v, want %+v", i, got[i], want[i])
			return
		}
	}
	if g, w := got[len(got)-1], want[len(want)-1]; g.Kind == events.Failure && fault.From(g.Err).Code != fault.From(w.Err).Code {
		t.Errorf("failed with %v, want %v", g.Err, w.Err)
	}
}

// until polls for at most thirty seconds.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}
