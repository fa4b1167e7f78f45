package server

import (
	"context"
	"regexp"
	"strings"

	"github.com/clawless/clawless/server/db"
)

// What must hold after every test, whatever it did.
var (
	allPeriods = db.System("test.periods", `SELECT p.tenant_id, p.period, p.used_tokens, p.reserved_tokens, p.used_micros, p.reserved_micros, p.requests,
		COALESCE((SELECT SUM(l.input_tokens + l.output_tokens) FROM usage_ledger l WHERE l.tenant_id = p.tenant_id AND l.period = p.period), 0) AS ledger,
		COALESCE((SELECT COUNT(*) FROM usage_ledger l WHERE l.tenant_id = p.tenant_id AND l.period = p.period), 0) AS lines,
		COALESCE((SELECT SUM(l.cost_micros) FROM usage_ledger l WHERE l.tenant_id = p.tenant_id AND l.period = p.period), 0) AS ledger_micros,
		COALESCE((SELECT SUM(r.tokens) FROM reservations r WHERE r.tenant_id = p.tenant_id AND r.period = p.period), 0) AS held,
		COALESCE((SELECT SUM(r.micros) FROM reservations r WHERE r.tenant_id = p.tenant_id AND r.period = p.period), 0) AS held_micros
		FROM usage_periods p`)
	allGaps = db.System("test.gaps", `SELECT s.id, s.last_sequence, COUNT(m.id) AS messages, COALESCE(MAX(m.sequence), 0) AS newest, COALESCE(MIN(m.sequence), 1) AS oldest
		FROM sessions s LEFT JOIN messages m ON m.tenant_id = s.tenant_id AND m.session_id = s.id GROUP BY s.id, s.last_sequence`)
	runningRuns = db.System("test.running", `SELECT COUNT(*) FROM runs WHERE status = 'running'`)
)

type periodRow struct {
	TenantID string `db:"tenant_id"`
	Period   string `db:"period"`
	Used     int64  `db:"used_tokens"`
	Reserved int64  `db:"reserved_tokens"`
	Requests int64  `db:"requests"`
	Ledger   int64  `db:"ledger"`
	Lines    int64  `db:"lines"`
	Held     int64  `db:"held"`

	UsedMicros     int64 `db:"used_micros"`
	ReservedMicros int64 `db:"reserved_micros"`
	LedgerMicros   int64 `db:"ledger_micros"`
	HeldMicros     int64 `db:"held_micros"`
}

func (r *rig) read(fn func(ctx context.Context, q db.Querier) error) {
	r.t.Helper()
	ctx := context.Background()
	if err := r.db.Read(ctx, func(q db.Querier) error { return fn(ctx, q) }); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) write(fn func(ctx context.Context, q db.Querier) error) {
	r.t.Helper()
	ctx := context.Background()
	if err := r.db.Write(ctx, func(q db.Querier) error { return fn(ctx, q) }); err != nil {
		r.t.Fatal(err)
	}
}

// periods reads the totals of every tenant's months beside what the ledger and the reservations say.
func (r *rig) periods() []periodRow {
	r.t.Helper()
	var rows []periodRow
	r.read(func(ctx context.Context, q db.Querier) error { return allPeriods.Select(ctx, q, &rows, nil) })
	return rows
}

var tokenShape = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.`)

// check is what holds after every test: totals equal their ledger, sequences have no gaps, nothing secret was logged.
func (r *rig) check() {
	r.t.Helper()
	for _, p := range r.periods() {
		if p.Used != p.Ledger || p.Requests != p.Lines {
			r.t.Errorf("tenant %s, %s: used %d in %d requests, the ledger says %d in %d", p.TenantID, p.Period, p.Used, p.Requests, p.Ledger, p.Lines)
		}
		if p.Reserved != p.Held {
			r.t.Errorf("tenant %s, %s: reserved %d, the reservations say %d", p.TenantID, p.Period, p.Reserved, p.Held)
		}
		if p.UsedMicros != p.LedgerMicros || p.ReservedMicros != p.HeldMicros {
			r.t.Errorf("tenant %s, %s: micro-dollars: %+v", p.TenantID, p.Period, p)
		}
	}
	var gaps []struct {
		ID       string `db:"id"`
		Last     int64  `db:"last_sequence"`
		Messages int64  `db:"messages"`
		Newest   int64  `db:"newest"`
		Oldest   int64  `db:"oldest"`
	}
	r.read(func(ctx context.Context, q db.Querier) error { return allGaps.Select(ctx, q, &gaps, nil) })
	for _, g := range gaps {
		if g.Messages != g.Last || g.Newest != g.Last || g.Oldest != 1 {
			r.t.Errorf("session %s: %d messages from %d to %d, last_sequence %d", g.ID, g.Messages, g.Oldest, g.Newest, g.Last)
		}
	}
	var running int
	r.read(func(ctx context.Context, q db.Querier) error { return runningRuns.Get(ctx, q, &running, nil) })
	for _, p := range r.periods() {
		if (p.Reserved != 0 || p.ReservedMicros != 0) && !r.dirty {
			r.t.Errorf("tenant %s: %d tokens and %d micro-dollars are still reserved after the drain", p.TenantID, p.Reserved, p.ReservedMicros)
		}
	}
	if running != 0 && !r.dirty {
		r.t.Errorf("%d runs are still running after the drain", running)
	}
	eventually(r.t, patience, "the upstream is left", func() bool { return r.up.busy() == 0 })
	log := r.log.String()
	for _, secret := range r.log.secrets {
		if i := strings.Index(log, secret); i >= 0 {
			r.t.Errorf("the log holds a secret: …%s…", log[max(0, i-200):min(len(log), i+40)])
		}
	}
	if m := tokenShape.FindString(log); m != "" {
		r.t.Errorf("the log holds a visitor token: %s", m)
	}
}
