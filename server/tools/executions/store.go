package executions

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/tool"
)

const columns = `id, tenant_id, run_id, COALESCE(session_id, '') AS session_id, call_id, tool, arguments, decision, layer, status, COALESCE(error, '') AS error, taint,
	result_bytes, duration_ms, cost_micros, created_at`

var (
	insert = db.Scoped("executions.insert", `INSERT INTO tool_executions (tenant_id, id, run_id, session_id, call_id, tool, arguments, decision, layer, status, error, taint,
		result_bytes, duration_ms, cost_micros, created_at)
		VALUES (:tenant_id, :id, :run_id, :session_id, :call_id, :tool, :arguments, :decision, :layer, :status, :error, :taint, :result_bytes, :duration_ms, :cost_micros, :created_at)`)
	list = db.Scoped("executions.list", `SELECT `+columns+` FROM tool_executions
		WHERE tenant_id = :tenant_id AND (created_at < :at OR (created_at = :at AND id < :id)) ORDER BY created_at DESC, id DESC LIMIT :limit`)
	listOfSession = db.Scoped("executions.list_of_session", `SELECT `+columns+` FROM tool_executions
		WHERE tenant_id = :tenant_id AND session_id = :session_id AND (:run_id = '' OR run_id = :run_id) AND (created_at < :at OR (created_at = :at AND id < :id))
		ORDER BY created_at DESC, id DESC LIMIT :limit`)
	listOfRun = db.Scoped("executions.list_of_run", `SELECT `+columns+` FROM tool_executions
		WHERE tenant_id = :tenant_id AND run_id = :run_id AND (created_at < :at OR (created_at = :at AND id < :id)) ORDER BY created_at DESC, id DESC LIMIT :limit`)
	ofRun = db.Scoped("executions.of_run", `SELECT `+columns+` FROM tool_executions WHERE tenant_id = :tenant_id AND run_id = :run_id ORDER BY created_at, id LIMIT :limit`)
)

type row struct {
	ID          string  `db:"id"`
	TenantID    string  `db:"tenant_id"`
	RunID       string  `db:"run_id"`
	SessionID   string  `db:"session_id"`
	CallID      string  `db:"call_id"`
	Tool        string  `db:"tool"`
	Arguments   string  `db:"arguments"`
	Decision    string  `db:"decision"`
	Layer       string  `db:"layer"`
	Status      string  `db:"status"`
	Error       string  `db:"error"`
	Taint       string  `db:"taint"`
	ResultBytes int64   `db:"result_bytes"`
	DurationMS  int64   `db:"duration_ms"`
	CostMicros  int64   `db:"cost_micros"`
	CreatedAt   db.Time `db:"created_at"`
}

func (r row) execution() (Execution, error) {
	e := Execution{ID: r.ID, TenantID: r.TenantID, RunID: r.RunID, SessionID: r.SessionID, CallID: r.CallID, Tool: r.Tool, Arguments: json.RawMessage(r.Arguments),
		Decision: Decision(r.Decision), Layer: r.Layer, Status: Status(r.Status), Error: r.Error, ResultBytes: r.ResultBytes,
		Duration: time.Duration(r.DurationMS) * time.Millisecond, CostMicros: r.CostMicros, CreatedAt: r.CreatedAt}
	if r.Taint == "" {
		return e, nil
	}
	if err := json.Unmarshal([]byte(r.Taint), &e.Taints); err != nil {
		return Execution{}, fmt.Errorf("taint of execution %s: %w", r.ID, err)
	}
	return e, nil
}

func executions(rows []row) ([]Execution, error) {
	out := make([]Execution, len(rows))
	for i, r := range rows {
		e, err := r.execution()
		if err != nil {
			return nil, err
		}
		out[i] = e
	}
	return out, nil
}

// Insert stores an execution: its arguments without credentials, and at most 8 KiB of them.
func Insert(ctx context.Context, q db.Querier, e Execution) error {
	taint, err := marshalTaints(e.Taints)
	if err != nil {
		return err
	}
	_, err = insert.Exec(ctx, q, db.TenantOf(e.TenantID), db.Args{"id": e.ID, "run_id": e.RunID, "session_id": db.OrNull(e.SessionID), "call_id": e.CallID, "tool": e.Tool,
		"arguments": Stored(e.Arguments, maxArguments), "decision": string(e.Decision), "layer": e.Layer, "status": string(e.Status), "error": db.OrNull(tool.Trim(tool.Clean(e.Error), maxError)), "taint": taint,
		"result_bytes": e.ResultBytes, "duration_ms": e.Duration.Milliseconds(), "cost_micros": e.CostMicros, "created_at": e.CreatedAt})
	return err
}

func marshalTaints(list []tool.Taint) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	b, err := json.Marshal(list)
	return string(b), err
}

// Filter narrows a list; empty fields do not.
type Filter struct{ SessionID, RunID string }

// List reads up to limit executions of the tenant that come after the position, newest first.
func List(ctx context.Context, q db.Querier, t db.Tenant, f Filter, at time.Time, id string, limit int) ([]Execution, error) {
	args := db.Args{"at": db.At(at), "id": id, "limit": limit}
	stmt := list
	switch {
	case f.SessionID != "":
		stmt = listOfSession
		args["session_id"], args["run_id"] = f.SessionID, f.RunID
	case f.RunID != "":
		stmt = listOfRun
		args["run_id"] = f.RunID
	}
	var rows []row
	if err := stmt.Select(ctx, q, t, &rows, args); err != nil {
		return nil, err
	}
	return executions(rows)
}

// maxOfRun bounds what is read of one run, whose steps are bounded.
const maxOfRun = 1_000

// OfRun reads a run's executions, oldest first.
func OfRun(ctx context.Context, q db.Querier, t db.Tenant, runID string) ([]Execution, error) {
	var rows []row
	if err := ofRun.Select(ctx, q, t, &rows, db.Args{"run_id": runID, "limit": maxOfRun}); err != nil {
		return nil, err
	}
	return executions(rows)
}
