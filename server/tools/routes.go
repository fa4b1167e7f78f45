package tools

import (
	"context"
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tools/approvals"
	"github.com/clawless/clawless/server/tools/executions"
	"github.com/clawless/clawless/server/tools/servers"
)

// Routes lets a tenant see the tools of its sessions, define its own, add MCP servers, look at what tools did, and decide what runs wait for.
type Routes struct {
	DB  *db.DB
	Set *Set
	// BuiltIn are the tools of every tenant, by name. It may be nil.
	BuiltIn func() []tool.Tool
	// Offers says whether the tenant's settings let its sessions use a tool. It may be nil, and then no tool is shown as offered.
	Offers func(ctx context.Context, tenantID string) (func(name string) bool, error)
	// Decided is told after an approval was decided, so that the run goes on. It may be nil.
	Decided func(tenantID, runID, approvalID string)
}

// ServerToolBody is the wire form of a tool that the server runs.
type ServerToolBody struct {
	ID          string          `json:"id,omitempty" doc:"Of a tool that the tenant defined; the others go by their names"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Source      string          `json:"source" enum:"builtin,http,mcp"`
	Effect      string          `json:"effect" enum:"read,write,send" doc:"The worst that a call can do"`
	Status      string          `json:"status" enum:"active,disabled,pending,changed,gone,unusable" doc:"Only an active one is used"`
	Offered     bool            `json:"offered" doc:"Whether it is active and the tenant's settings let its sessions use it"`
	Parameters  json.RawMessage `json:"parameters" doc:"The JSON schema of its arguments"`
	MCPServer   string          `json:"mcp_server,omitempty" doc:"The name of the MCP server it is from"`
	HTTP        *HTTPToolBody   `json:"http,omitempty" doc:"The endpoint of a tool that the tenant defined"`
	CreatedAt   *time.Time      `json:"created_at,omitempty"`
	UpdatedAt   *time.Time      `json:"updated_at,omitempty"`
}

// HTTPToolBody is the wire form of a tool's endpoint. Its secret is never shown again.
type HTTPToolBody struct {
	Method      string `json:"method" enum:"GET,POST,PUT,PATCH,DELETE"`
	URL         string `json:"url"`
	Auth        string `json:"auth" enum:"none,bearer,header,query,basic"`
	AuthName    string `json:"auth_name,omitempty" doc:"Of the header or the query parameter"`
	HasSecret   bool   `json:"has_secret"`
	SecretLast4 string `json:"secret_last4,omitempty" doc:"There when the secret is long enough"`
	TimeoutMS   int64  `json:"timeout_ms"`
	MaxBytes    int64  `json:"max_bytes" doc:"Of the result that the model gets"`
}

// CreateToolRequest defines a tool: an HTTP endpoint of the tenant.
type CreateToolRequest struct {
	Name        string          `json:"name" minLength:"1" maxLength:"64" doc:"Letters, digits, _ and -; no other tool of the tenant, of its MCP servers or of the server may have it"`
	Description string          `json:"description" minLength:"1" maxLength:"4000" doc:"What it does and when to use it, for the model"`
	Parameters  json.RawMessage `json:"parameters,omitempty" doc:"JSON schema of an object: the arguments; none when left out"`
	Method      string          `json:"method,omitempty" enum:"GET,POST,PUT,PATCH,DELETE" default:"POST"`
	URL         string          `json:"url" minLength:"1" maxLength:"2000" doc:"https, with {name} in the path where an argument belongs; the other arguments go into the query of GET and DELETE, and into a JSON body else"`
	Auth        string          `json:"auth,omitempty" enum:"none,bearer,header,query,basic" default:"none"`
	AuthName    string          `json:"auth_name,omitempty" maxLength:"100" doc:"Of the header or the query parameter"`
	Secret      string          `json:"secret,omitempty" maxLength:"4096" doc:"Stored encrypted, sent to the URL's host alone and never shown again; name:password for basic"`
	Effect      string          `json:"effect,omitempty" enum:"read,write,send" default:"send" doc:"The worst that a call can do; only read needs no approval in a turn that has read what a stranger wrote"`
	TimeoutMS   int64           `json:"timeout_ms,omitempty" minimum:"100" maximum:"120000" default:"30000"`
	MaxBytes    int64           `json:"max_bytes,omitempty" minimum:"256" maximum:"262144" default:"65536" doc:"Of the result that the model gets"`
	Status      string          `json:"status,omitempty" enum:"active,disabled" default:"active"`
}

// UpdateToolRequest changes a tool: a field that is left out stays as it is. Another host or another kind of auth needs the secret again.
type UpdateToolRequest struct {
	Name        *string          `json:"name,omitempty" minLength:"1" maxLength:"64"`
	Description *string          `json:"description,omitempty" minLength:"1" maxLength:"4000"`
	Parameters  *json.RawMessage `json:"parameters,omitempty" doc:"JSON schema of an object: the arguments"`
	Method      *string          `json:"method,omitempty" enum:"GET,POST,PUT,PATCH,DELETE"`
	URL         *string          `json:"url,omitempty" minLength:"1" maxLength:"2000"`
	Auth        *string          `json:"auth,omitempty" enum:"none,bearer,header,query,basic"`
	AuthName    *string          `json:"auth_name,omitempty" maxLength:"100"`
	Secret      *string          `json:"secret,omitempty" maxLength:"4096" doc:"Replaces the one that is stored"`
	Effect      *string          `json:"effect,omitempty" enum:"read,write,send"`
	TimeoutMS   *int64           `json:"timeout_ms,omitempty" minimum:"100" maximum:"120000"`
	MaxBytes    *int64           `json:"max_bytes,omitempty" minimum:"256" maximum:"262144"`
	Status      *string          `json:"status,omitempty" enum:"active,disabled"`
}

// TestToolRequest tries a tool.
type TestToolRequest struct {
	Arguments json.RawMessage `json:"arguments,omitempty" doc:"An object; empty when left out"`
}

// ToolTrialBody says how a trial of a tool went.
type ToolTrialBody struct {
	ExecutionID string       `json:"execution_id"`
	Tool        string       `json:"tool"`
	Status      string       `json:"status" enum:"done,failed,refused"`
	Layer       string       `json:"layer,omitempty" doc:"What refused it: arguments (the schema), address (a network that tools may not reach, or another host than the tool's) or approval (of an MCP tool)"`
	HTTPStatus  int          `json:"http_status,omitempty" doc:"What the endpoint answered"`
	DurationMS  int64        `json:"duration_ms"`
	Result      string       `json:"result,omitempty" doc:"As the model would get it"`
	ResultBytes int64        `json:"result_bytes"`
	Error       string       `json:"error,omitempty" doc:"As the model would get it"`
	Taint       []tool.Taint `json:"taint" nullable:"false" doc:"What a turn would be marked with"`
	Offered     bool         `json:"offered" doc:"Whether the tool is active and the tenant's settings let its sessions use it"`
}

// ToolPath names a tool.
type ToolPath struct {
	Tool string `path:"tool" maxLength:"64" doc:"The tool's id or name"`
}

type (
	listIn struct {
		api.PageParams
		Source string `query:"source" enum:"builtin,http,mcp" doc:"Only those from there"`
	}
	createIn struct {
		api.Idempotent
		Body CreateToolRequest
	}
	updateIn struct {
		ToolPath
		IfMatch string `header:"If-Match" doc:"The ETag of the version to change"`
		Body    UpdateToolRequest
	}
	testIn struct {
		ToolPath
		api.Idempotent
		Body *TestToolRequest `required:"false"`
	}
	toolOut struct {
		ETag string `header:"ETag"`
		Body ServerToolBody
	}
	listOut  struct{ Body api.Page[ServerToolBody] }
	trialOut struct{ Body ToolTrialBody }
	none     struct{}
)

// Register adds the operations, also those of MCP servers, executions and approvals.
func (r Routes) Register(a *api.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/v1/tools" + path, Summary: summary, DefaultStatus: status, Tags: []string{"tools"}}
	}
	read, write := api.KeyWith(auth.ScopeToolsRead), api.KeyWith(auth.ScopeToolsWrite)
	api.Handle(a, read, op("list-tools", "GET", "", "List the tools that the server can run, by name", 200), r.list)
	api.Handle(a, write, op("create-tool", "POST", "", "Define a tool: an HTTP endpoint of yours", 201), r.create)
	api.Handle(a, read, op("get-tool", "GET", "/{tool}", "Read a tool", 200), r.get)
	api.Handle(a, write, op("update-tool", "PATCH", "/{tool}", "Change a tool that you defined", 200), r.update)
	api.Handle(a, write, op("delete-tool", "DELETE", "/{tool}", "Delete a tool that you defined", 204), r.delete)
	api.Handle(a, write, op("test-tool", "POST", "/{tool}/test", "Run a tool once, outside any session, and show what came of it", 200), r.test)
	servers.Routes{Keeper: r.Set.servers}.Register(a)
	executions.Routes{DB: r.DB}.Register(a)
	approvals.Routes{DB: r.DB, Decided: r.Decided}.Register(a)
}

func (r Routes) create(ctx context.Context, in *createIn) (*toolOut, error) {
	t, err := r.Set.Create(ctx, auth.From(ctx).TenantID, in.Body)
	return r.answer(ctx, t, err)
}

func (r Routes) update(ctx context.Context, in *updateIn) (*toolOut, error) {
	t, err := r.Set.Update(ctx, auth.From(ctx).TenantID, in.Tool, in.IfMatch, in.Body)
	return r.answer(ctx, t, err)
}

func (r Routes) delete(ctx context.Context, in *ToolPath) (*none, error) {
	return nil, r.Set.Delete(ctx, auth.From(ctx).TenantID, in.Tool)
}

func (r Routes) answer(ctx context.Context, t Tool, err error) (*toolOut, error) {
	if err != nil {
		return nil, err
	}
	offers, err := r.offers(ctx)
	if err != nil {
		return nil, err
	}
	return &toolOut{ETag: t.etag(), Body: r.wire(t, offers)}, nil
}
