package runs

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

// Routes lets those who may see a run read it, follow it and stop it.
type Routes struct {
	DB  *db.DB
	Hub *Hub
	// Tools lists what the server's tools did in a run, oldest first; nil where there are none.
	Tools func(ctx context.Context, q db.Querier, t db.Tenant, runID string) ([]RunTool, error)
	// WriteTimeout is how long one event may take to be written before its reader is given up.
	WriteTimeout time.Duration
}

// RunBody is the wire form of a run.
type RunBody struct {
	ID           string     `json:"id"`
	SessionID    string     `json:"session_id"`
	Status       string     `json:"status" enum:"running,completed,failed,cancelled,interrupted"`
	Model        string     `json:"model" doc:"provider/model"`
	FinishReason string     `json:"finish_reason,omitempty"`
	Error        *RunError  `json:"error,omitempty"`
	Usage        *RunUsage  `json:"usage,omitempty" doc:"There when the run is over"`
	Clawless     RunReceipt `json:"clawless,omitempty" doc:"The answer's receipt, there when the run is over; never shown to widget visitors"`
	Steps        int        `json:"steps" doc:"How often a model was asked; 0 while it runs"`
	ParentRunID  string     `json:"parent_run_id,omitempty" doc:"The run whose tool sent the message, when a session did and no person"`
	Tools        []RunTool  `json:"tools,omitempty" doc:"What the server's tools did, oldest first; never shown to widget visitors"`
	StartedAt    time.Time  `json:"started_at"`
	FinishedAt   *time.Time `json:"finished_at,omitempty"`
}

// RunTool is one call of a tool that the server made.
type RunTool struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Status       string    `json:"status" doc:"done, failed, denied or waiting"`
	Decision     string    `json:"decision" doc:"allowed, denied, approved, refused or expired"`
	Layer        string    `json:"layer,omitempty" doc:"What decided against it: key_scope, tenant, session, request or taint"`
	Error        string    `json:"error,omitempty"`
	Milliseconds int64     `json:"ms"`
	ResultBytes  int64     `json:"result_bytes"`
	CostMicros   int64     `json:"cost_micros"`
	CreatedAt    time.Time `json:"created_at"`
}

// RunError says why a run ended without an answer.
type RunError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// RunUsage counts a run's tokens.
type RunUsage struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
	CachedTokens int64 `json:"cached_tokens"`
}

// RunReceipt is the answer's receipt as it was written when the run ended.
type RunReceipt json.RawMessage

// MarshalJSON gives the bytes back.
func (r RunReceipt) MarshalJSON() ([]byte, error) { return r, nil }

// Schema names the receipt that an answer carries, which is described there.
func (RunReceipt) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Ref: "#/components/schemas/Receipt"}
}

// RunPath names a run.
type RunPath struct {
	Run string `path:"run" maxLength:"64" doc:"The run's id, from the Clawless-Run-Id header"`
}

type (
	streamIn struct {
		RunPath
		LastEventID string `header:"Last-Event-ID" maxLength:"32" doc:"Continue after this event; empty starts at the first"`
	}
	runOut    struct{ Body RunBody }
	streamOut struct{ Body func(huma.Context) }
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	may := api.KeyOrVisitor(auth.ScopeChat)
	api.Handle(a, may, huma.Operation{OperationID: "get-run", Method: "GET", Path: "/v1/runs/{run}", Summary: "Read how a run stands", Tags: []string{"runs"}}, r.get)
	api.Handle(a, may, huma.Operation{OperationID: "cancel-run", Method: "POST", Path: "/v1/runs/{run}/cancel", Tags: []string{"runs"},
		Summary: "Stop a run and the provider's work; what was answered is kept and billed"}, r.cancel)
	stream := huma.Operation{OperationID: "stream-run", Method: "GET", Path: "/v1/runs/{run}/stream", Summary: "Follow a run's events, live or finished", Tags: []string{"runs"},
		Description: "The same frames as POST /v1/chat/completions, each with an id; a connection that was cut goes on with Last-Event-ID. Chunks with an empty delta and no id are signs of life.",
		Responses: map[string]*huma.Response{"200": {Description: "Events until data: [DONE] or one error frame.", Content: map[string]*huma.MediaType{
			"text/event-stream": {Schema: &huma.Schema{Type: "string", Extensions: map[string]any{"x-sse-event": "ChatChunk"}}}}}}}
	api.Handle(a, may, stream, r.stream)
}

func (r Routes) get(ctx context.Context, in *RunPath) (*runOut, error) {
	p := auth.From(ctx)
	var run Run
	var made []RunTool
	err := r.DB.Read(ctx, func(q db.Querier) (err error) {
		t := db.TenantOf(p.TenantID)
		if run, err = Get(ctx, q, t, p.VisitorID, in.Run); err == nil && r.Tools != nil && p.Kind != auth.Visitor {
			made, err = r.Tools(ctx, q, t, run.ID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	body := wire(ctx, run)
	body.Tools = made
	return &runOut{Body: body}, nil
}

func (r Routes) read(ctx context.Context, id string) (run Run, err error) {
	p := auth.From(ctx)
	err = r.DB.Read(ctx, func(q db.Querier) error {
		run, err = Get(ctx, q, db.TenantOf(p.TenantID), p.VisitorID, id)
		return err
	})
	return run, err
}

// cancel waits until the run has settled, so that its answer shows the final state and what it cost.
func (r Routes) cancel(ctx context.Context, in *RunPath) (*runOut, error) {
	p := auth.From(ctx)
	if l, ok := r.Hub.Get(p.TenantID, p.VisitorID, in.Run); ok {
		if err := l.Cancel(ctx); err != nil {
			return nil, err
		}
	}
	run, err := r.read(ctx, in.Run)
	if err == nil && run.Status == Running {
		r.Hub.Stop(run)
		run, err = r.cancelElsewhere(ctx, run)
	}
	if err != nil {
		return nil, err
	}
	return &runOut{Body: wire(ctx, run)}, nil
}

const (
	elsewhere = 10 * time.Second       // for another server to stop a run
	lookAgain = 200 * time.Millisecond // at most; at first it is asked sooner
)

// cancelElsewhere waits for the server that has the run, which was told through the bus, and is asked through the row in case that it did not hear.
func (r Routes) cancelElsewhere(ctx context.Context, run Run) (Run, error) {
	err := r.DB.Write(ctx, func(q db.Querier) error { return Ask(ctx, q, db.TenantOf(run.TenantID), run.ID) })
	if err != nil {
		return run, err
	}
	wait := lookAgain / 16
	for patience := time.Now().Add(elsewhere); time.Now().Before(patience); wait = min(2*wait, lookAgain) {
		if pause(ctx, wait); ctx.Err() != nil {
			return run, ctx.Err()
		}
		if run, err = r.read(ctx, run.ID); err != nil || run.Status != Running {
			return run, err
		}
	}
	return run, fault.New(fault.Conflict, "the server that has this run was asked to stop it and has not done so yet; look at the run again in a moment").WithRetryAfter(time.Second)
}

func (r Routes) stream(ctx context.Context, in *streamIn) (*streamOut, error) {
	after := int64(0)
	if in.LastEventID != "" {
		n, err := strconv.ParseInt(in.LastEventID, 10, 64)
		if err != nil || n < 0 {
			return nil, fault.New(fault.InvalidRequest, "Last-Event-ID must be the number of an event of this run").WithParam("Last-Event-ID")
		}
		after = n
	}
	run, err := r.read(ctx, in.Run) // also of a run that is held here: its session may have been deleted
	if err != nil {
		return nil, err
	}
	l, err := r.Hub.Find(ctx, run)
	if err != nil {
		return nil, err
	}
	if !l.Log.IsFar() && after > l.Log.Len() {
		return nil, fault.New(fault.InvalidRequest, "Last-Event-ID is not the number of an event of this run").WithParam("Last-Event-ID")
	}
	api.SetHeader(ctx, "Clawless-Run-Id", l.Run.ID)
	return &streamOut{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		Follow(ctx, w, l, after, r.WriteTimeout, true, true)
	}}, nil
}

func wire(ctx context.Context, r Run) RunBody {
	b := RunBody{ID: r.ID, SessionID: r.SessionID, Status: string(r.Status), Model: r.Model, FinishReason: r.FinishReason, Steps: r.Steps, ParentRunID: r.ParentRunID, StartedAt: r.StartedAt.Time}
	if r.ErrorCode != "" && r.Status != Running {
		b.Error = &RunError{Code: r.ErrorCode, Message: r.ErrorMessage}
	}
	if r.Status != Running {
		b.Usage = &RunUsage{r.Usage.Input, r.Usage.Output, r.Usage.Cached}
	}
	if !r.FinishedAt.IsZero() {
		b.FinishedAt = &r.FinishedAt.Time
	}
	if r.Status != Running && auth.From(ctx).Kind != auth.Visitor { // what the tenant pays is not for its visitors
		b.Clawless = RunReceipt(r.Receipt)
	}
	return b
}
