package routes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/policy"
)

// prefix begins the id of a decision.
const prefix = "rte_"

const columns = `tenant_id, id, COALESCE(session_id, '') AS session_id, used, ask, input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens,
	cost_micros, price_version, created_at`

var (
	insert = db.Scoped("routes.insert", `INSERT INTO route_decisions (tenant_id, id, request_id, run_id, session_id, asked, used, reason, ask, candidates,
		input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micros, price_version, outcome, created_at)
		VALUES (:tenant_id, :id, :request_id, :run_id, :session_id, :asked, :used, :reason, :ask, :candidates,
		:input, :output, :cached, :cache_write, :reasoning, :micros, :price_version, :outcome, :created_at)`)

	// A replay reads pages in the order of time, from the oldest of the newest that it may read.
	mine = db.Scoped("routes.mine", `SELECT `+columns+` FROM route_decisions
		WHERE tenant_id = :tenant_id AND created_at >= :at AND (created_at, id) > (:at, :id) AND created_at < :until
		ORDER BY created_at, id LIMIT :limit`)
	myStart = db.Scoped("routes.my_start", `SELECT created_at, tenant_id, id FROM route_decisions
		WHERE tenant_id = :tenant_id AND created_at >= :since AND created_at < :until
		ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET :kept`)
	all = db.System("routes.all", `SELECT `+columns+` FROM route_decisions
		WHERE created_at >= :at AND (created_at, tenant_id, id) > (:at, :tenant, :id) AND created_at < :until
		ORDER BY created_at, tenant_id, id LIMIT :limit`)
	start = db.System("routes.start", `SELECT created_at, tenant_id, id FROM route_decisions
		WHERE created_at >= :since AND created_at < :until
		ORDER BY created_at DESC, tenant_id DESC, id DESC LIMIT 1 OFFSET :kept`)

	prune = db.System("routes.prune", `DELETE FROM route_decisions WHERE (tenant_id, id) IN
		(SELECT tenant_id, id FROM route_decisions WHERE created_at < :before ORDER BY created_at LIMIT :limit)`)
)

// Insert stores a record. Its candidates are kept with it, so that a choice can be looked at long after.
func Insert(ctx context.Context, q db.Querier, r Record) error {
	ask, err := json.Marshal(formOf(r.Ask))
	if err != nil {
		return fmt.Errorf("the ask of a decision: %w", err)
	}
	if r.Candidates == nil {
		r.Candidates = []policy.Candidate{}
	}
	candidates, err := json.Marshal(r.Candidates)
	if err != nil {
		return fmt.Errorf("the candidates of a decision: %w", err)
	}
	if r.ID == "" {
		r.ID = ids.New(prefix)
	}
	_, err = insert.Exec(ctx, q, db.TenantOf(r.TenantID), db.Args{"id": r.ID, "request_id": r.RequestID, "run_id": db.OrNull(r.RunID), "session_id": db.OrNull(r.SessionID),
		"asked": r.Asked, "used": r.Used, "reason": string(r.Reason), "ask": string(ask), "candidates": string(candidates), "input": r.Usage.Input, "output": r.Usage.Output,
		"cached": r.Usage.Cached, "cache_write": r.Usage.CacheWrite, "reasoning": r.Usage.Reasoning, "micros": r.Micros, "price_version": r.PriceVersion,
		"outcome": r.Outcome, "created_at": r.CreatedAt})
	return err
}

// Prune drops up to limit records that are older than before, the oldest first, and returns how many it dropped.
func Prune(ctx context.Context, q db.Querier, before time.Time, limit int) (int64, error) {
	return prune.Exec(ctx, q, db.Args{"before": db.At(before), "limit": limit})
}

// span is whose decisions of which time are meant.
type span struct {
	tenantID     string // empty: everybody's
	since, until time.Time
}

// position is that of a decision in the order of time.
type position struct {
	CreatedAt db.Time `db:"created_at"`
	TenantID  string  `db:"tenant_id"`
	ID        string  `db:"id"`
}

// row is what a replay reads of a decision.
type row struct {
	position
	SessionID    string `db:"session_id"`
	Used         string `db:"used"`
	Ask          string `db:"ask"`
	Input        int64  `db:"input_tokens"`
	Output       int64  `db:"output_tokens"`
	Cached       int64  `db:"cached_tokens"`
	CacheWrite   int64  `db:"cache_write_tokens"`
	Reasoning    int64  `db:"reasoning_tokens"`
	Micros       int64  `db:"cost_micros"`
	PriceVersion string `db:"price_version"`
}

func (r row) usage() llm.Usage {
	return llm.Usage{Input: r.Input, Output: r.Output, Cached: r.Cached, CacheWrite: r.CacheWrite, Reasoning: r.Reasoning}
}

func (r row) ask() (policy.Ask, error) {
	var f askForm
	if err := json.Unmarshal([]byte(r.Ask), &f); err != nil {
		return policy.Ask{}, fmt.Errorf("the ask of decision %s: %w", r.ID, err)
	}
	return f.ask(), nil
}

// begin is the position after which the newest kept decisions of the span lie, and whether there are older ones in it.
func begin(ctx context.Context, q db.Querier, s span, kept int) (at position, more bool, err error) {
	args := db.Args{"since": db.At(s.since), "until": db.At(s.until), "kept": kept}
	if s.tenantID == "" {
		err = start.Get(ctx, q, &at, args)
	} else {
		err = myStart.Get(ctx, q, db.TenantOf(s.tenantID), &at, args)
	}
	if fault.Is(err, fault.NotFound) {
		return position{CreatedAt: db.At(s.since)}, false, nil
	}
	return at, true, err
}

// page reads up to limit decisions of the span that come after the position, the oldest first.
func page(ctx context.Context, q db.Querier, s span, at position, limit int) (rows []row, err error) {
	args := db.Args{"at": at.CreatedAt, "id": at.ID, "until": db.At(s.until), "limit": limit}
	if s.tenantID == "" {
		args["tenant"] = at.TenantID
		err = all.Select(ctx, q, &rows, args)
	} else {
		err = mine.Select(ctx, q, db.TenantOf(s.tenantID), &rows, args)
	}
	return rows, err
}
