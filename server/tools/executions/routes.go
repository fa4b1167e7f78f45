package executions

import (
	"context"
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/tool"
)

// Routes shows a tenant what its tools did.
type Routes struct {
	DB *db.DB
}

// ToolExecutionBody is the wire form of an execution.
type ToolExecutionBody struct {
	ID          string          `json:"id"`
	RunID       string          `json:"run_id,omitempty" doc:"Empty for a trial"`
	SessionID   string          `json:"session_id,omitempty" doc:"Empty for a trial"`
	CallID      string          `json:"call_id,omitempty" doc:"The model's id of the call"`
	Tool        string          `json:"tool"`
	Arguments   json.RawMessage `json:"arguments" doc:"Without credentials; a long one is cut and then a text"`
	Decision    string          `json:"decision" enum:"allowed,denied,approved,refused,expired"`
	Layer       string          `json:"layer,omitempty" doc:"What decided against it: key_scope, tenant, session, request, taint, arguments, address or endpoint"`
	Status      string          `json:"status" enum:"done,failed,skipped"`
	Error       string          `json:"error,omitempty"`
	Taint       []tool.Taint    `json:"taint" nullable:"false" doc:"Where the content of its result is from"`
	ResultBytes int64           `json:"result_bytes"`
	DurationMS  int64           `json:"duration_ms"`
	CostMicros  int64           `json:"cost_micros" doc:"Micro-dollars, apart from the model's"`
	CreatedAt   time.Time       `json:"created_at"`
}

type (
	listIn struct {
		api.PageParams
		Session string `query:"session" maxLength:"64" doc:"Only this session's"`
		Run     string `query:"run" maxLength:"64" doc:"Only this run's"`
	}
	listOut struct {
		Body api.Page[ToolExecutionBody]
	}
)

// Register adds the operation.
func (r Routes) Register(a *api.API) {
	api.Handle(a, api.KeyWith(auth.ScopeToolsRead), huma.Operation{OperationID: "list-tool-executions", Method: "GET", Path: "/v1/tool-executions",
		Summary: "List what server-side tools did, newest first", Tags: []string{"tools"}}, r.list)
}

func (r Routes) list(ctx context.Context, in *listIn) (*listOut, error) {
	at, id, err := api.ParseTimeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []Execution
	err = r.DB.Read(ctx, func(q db.Querier) error {
		rows, err = List(ctx, q, db.TenantOf(auth.From(ctx).TenantID), Filter{in.Session, in.Run}, at, id, in.Limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &listOut{Body: api.PageOf(rows, in.Limit, Wire, func(e Execution) string { return api.TimeCursor(e.CreatedAt.Time, e.ID) })}, nil
}

// Wire is the execution as the API shows it.
func Wire(e Execution) ToolExecutionBody {
	b := ToolExecutionBody{ID: e.ID, RunID: e.RunID, SessionID: e.SessionID, CallID: e.CallID, Tool: e.Tool, Arguments: e.Arguments, Decision: string(e.Decision), Layer: e.Layer,
		Status: string(e.Status), Error: e.Error, Taint: e.Taints, ResultBytes: e.ResultBytes, DurationMS: e.Duration.Milliseconds(), CostMicros: e.CostMicros, CreatedAt: e.CreatedAt.Time}
	if b.Taint == nil {
		b.Taint = []tool.Taint{}
	}
	return b
}
