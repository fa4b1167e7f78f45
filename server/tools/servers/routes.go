package servers

import (
	"context"
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
)

// Routes lets a tenant add MCP servers and approve their tools.
type Routes struct {
	Keeper *Keeper
}

// MCPServerBody is the wire form of an MCP server. Its secret is never shown again.
type MCPServerBody struct {
	ID          string     `json:"id"`
	Name        string     `json:"name" doc:"The prefix of its tools' names"`
	URL         string     `json:"url"`
	Auth        string     `json:"auth" enum:"none,bearer,header,query,basic"`
	AuthName    string     `json:"auth_name,omitempty" doc:"Of the header or the query parameter"`
	HasSecret   bool       `json:"has_secret"`
	SecretLast4 string     `json:"secret_last4,omitempty" doc:"There when the secret is long enough"`
	Status      string     `json:"status" enum:"connected,failing,unknown"`
	Error       string     `json:"error,omitempty" doc:"Why it is failing"`
	CheckedAt   *time.Time `json:"checked_at,omitempty" doc:"When it was last asked for its tools"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
}

// CreateMCPServerRequest adds a server.
type CreateMCPServerRequest struct {
	Name     string `json:"name" minLength:"1" maxLength:"24" doc:"The prefix of its tools' names: lower-case letters, digits and hyphens; unique"`
	URL      string `json:"url" minLength:"1" maxLength:"2000" doc:"Of its endpoint for streamable HTTP, https"`
	Auth     string `json:"auth,omitempty" enum:"none,bearer,header,query,basic" default:"none"`
	AuthName string `json:"auth_name,omitempty" maxLength:"100" doc:"Of the header or the query parameter"`
	Secret   string `json:"secret,omitempty" maxLength:"4096" doc:"Stored encrypted, sent to this server alone and never shown again; name:password for basic"`
}

// MCPToolBody is the wire form of a tool of an MCP server.
type MCPToolBody struct {
	Name         string          `json:"name" doc:"In the server's words"`
	Offered      string          `json:"offered_as" doc:"The name under which models see it"`
	Description  string          `json:"description"`
	Parameters   json.RawMessage `json:"parameters" doc:"The JSON schema of its arguments"`
	Annotations  json.RawMessage `json:"annotations" doc:"The server's own hints, such as readOnlyHint: its word and no more; null when it gives none"`
	Effect       string          `json:"effect" enum:"read,write,send" doc:"What the tenant says that a call can do"`
	Hash         string          `json:"hash" doc:"Of the name, the description, the schema and the annotations: what an approval is for"`
	ApprovedHash string          `json:"approved_hash,omitempty"`
	Status       string          `json:"status" enum:"pending,approved,changed,disabled,gone,unusable"`
	Problem      string          `json:"problem,omitempty" doc:"Why it is unusable"`
	SeenAt       time.Time       `json:"seen_at" doc:"When the server last listed it"`
}

// MCPToolList is what a server listed last, by name.
type MCPToolList struct {
	Data []MCPToolBody `json:"data" nullable:"false"`
}

// ApproveMCPToolRequest approves what a tool is now.
type ApproveMCPToolRequest struct {
	Hash   string `json:"hash" minLength:"1" maxLength:"100" doc:"That you have looked at; another one now is a conflict"`
	Effect string `json:"effect,omitempty" enum:"read,write,send" default:"send" doc:"The worst that a call can do; the server's own word on it is only a hint"`
}

// ServerPath names a server.
type ServerPath struct {
	Server string `path:"server" maxLength:"64" doc:"The server's id or name"`
}

// ToolPath names a tool of a server.
type ToolPath struct {
	ServerPath
	Name string `path:"name" maxLength:"128" doc:"The tool's name in the server's words"`
}

type (
	createIn struct {
		api.Idempotent
		Body CreateMCPServerRequest
	}
	refreshIn struct {
		ServerPath
		api.Idempotent
	}
	approveIn struct {
		ToolPath
		api.Idempotent
		Body ApproveMCPToolRequest
	}
	disableIn struct {
		ToolPath
		api.Idempotent
	}
	serverOut struct{ Body MCPServerBody }
	listOut   struct{ Body api.Page[MCPServerBody] }
	toolOut   struct{ Body MCPToolBody }
	toolsOut  struct{ Body MCPToolList }
	none      struct{}
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/v1/mcp-servers" + path, Summary: summary, DefaultStatus: status, Tags: []string{"tools"}}
	}
	read, write := api.KeyWith(auth.ScopeToolsRead), api.KeyWith(auth.ScopeToolsWrite)
	api.Handle(a, write, op("create-mcp-server", "POST", "", "Add an MCP server and list its tools; none is offered before it is approved", 201), r.create)
	api.Handle(a, read, op("list-mcp-servers", "GET", "", "List the MCP servers, newest first", 200), r.list)
	api.Handle(a, read, op("get-mcp-server", "GET", "/{server}", "Read how an MCP server stands", 200), r.get)
	api.Handle(a, write, op("delete-mcp-server", "DELETE", "/{server}", "Remove an MCP server with its tools", 204), r.delete)
	api.Handle(a, write, op("refresh-mcp-server", "POST", "/{server}/refresh", "Connect again and list the tools; what changed since its approval is disabled", 200), r.refresh)
	api.Handle(a, read, op("list-mcp-tools", "GET", "/{server}/tools", "List an MCP server's tools with their hashes", 200), r.tools)
	api.Handle(a, write, op("approve-mcp-tool", "POST", "/{server}/tools/{name}/approve", "Offer a tool to the sessions, as what its hash says it is", 200), r.approve)
	api.Handle(a, write, op("disable-mcp-tool", "POST", "/{server}/tools/{name}/disable", "Offer a tool no more", 200), r.disable)
}

func (r Routes) create(ctx context.Context, in *createIn) (*serverOut, error) {
	b := in.Body
	c := credential.Credential{Kind: credential.Kind(b.Auth), Name: b.AuthName, Secret: b.Secret}
	s, err := r.Keeper.Add(ctx, auth.From(ctx).TenantID, b.Name, b.URL, c)
	return r.answer(s, err)
}

func (r Routes) list(ctx context.Context, in *api.PageParams) (*listOut, error) {
	at, id, err := api.ParseTimeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := r.Keeper.list(ctx, auth.From(ctx).TenantID, at, id, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &listOut{Body: api.PageOf(rows, in.Limit, r.wire, func(s Server) string { return api.TimeCursor(s.CreatedAt.Time, s.ID) })}, nil
}

func (r Routes) get(ctx context.Context, in *ServerPath) (*serverOut, error) {
	s, err := r.Keeper.get(ctx, auth.From(ctx).TenantID, in.Server)
	return r.answer(s, err)
}

func (r Routes) delete(ctx context.Context, in *ServerPath) (*none, error) {
	return nil, r.Keeper.Remove(ctx, auth.From(ctx).TenantID, in.Server)
}

func (r Routes) refresh(ctx context.Context, in *refreshIn) (*serverOut, error) {
	s, err := r.Keeper.Refresh(ctx, auth.From(ctx).TenantID, in.Server)
	return r.answer(s, err)
}

func (r Routes) tools(ctx context.Context, in *ServerPath) (*toolsOut, error) {
	rows, err := r.Keeper.tools(ctx, auth.From(ctx).TenantID, in.Server)
	if err != nil {
		return nil, err
	}
	out := MCPToolList{Data: make([]MCPToolBody, len(rows))}
	for i, t := range rows {
		out.Data[i] = wireTool(t)
	}
	return &toolsOut{Body: out}, nil
}

func (r Routes) approve(ctx context.Context, in *approveIn) (*toolOut, error) {
	t, err := r.Keeper.Approve(ctx, auth.From(ctx).TenantID, in.Server, in.Name, in.Body.Hash, tool.Effect(in.Body.Effect))
	if err != nil {
		return nil, err
	}
	return &toolOut{Body: wireTool(t)}, nil
}

func (r Routes) disable(ctx context.Context, in *disableIn) (*toolOut, error) {
	t, err := r.Keeper.Disable(ctx, auth.From(ctx).TenantID, in.Server, in.Name)
	if err != nil {
		return nil, err
	}
	return &toolOut{Body: wireTool(t)}, nil
}

func (r Routes) answer(s Server, err error) (*serverOut, error) {
	if err != nil {
		return nil, err
	}
	return &serverOut{Body: r.wire(s)}, nil
}

func (r Routes) wire(s Server) MCPServerBody {
	b := MCPServerBody{ID: s.ID, Name: s.Name, URL: s.URL, Auth: s.Auth, AuthName: s.AuthName, HasSecret: s.Sealed != "", SecretLast4: r.Keeper.last4(s), Status: s.Status,
		Error: s.Error, CreatedAt: s.CreatedAt.Time, UpdatedAt: s.UpdatedAt.Time}
	if !s.CheckedAt.IsZero() {
		b.CheckedAt = &s.CheckedAt.Time
	}
	return b
}

func wireTool(t Tool) MCPToolBody {
	return MCPToolBody{Name: t.Name, Offered: t.Offered(), Description: t.Description, Parameters: t.Parameters, Annotations: t.Annotations, Effect: string(t.Effect), Hash: t.Hash,
		Problem: t.Problem, ApprovedHash: t.ApprovedHash, Status: t.Status, SeenAt: t.SeenAt.Time}
}
