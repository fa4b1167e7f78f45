// Package tool is what a tool is to the server: its description, one call of it and its result, whoever made it.
package tool

import (
	"context"
	"encoding/json"
	"time"
)

// Tool is something the server does for a model. Call may run beside other calls of the same turn; it ends when ctx does, and its error is what went wrong in words for
// the model: it never holds a secret. Arguments have been validated against the schema of Spec before.
type Tool interface {
	Spec() Spec
	Call(ctx context.Context, c Call) (Result, error)
}

// Spec describes a tool to the model and to those who decide whether it may run.
type Spec struct {
	Name        string          // letters, digits, _ and -, at most 64
	Description string          // for the model
	Parameters  json.RawMessage // a JSON schema of an object
	Effect      Effect
	Source      Source
	Taints      Kind          // what the content of its results is; empty when nobody outside wrote it
	Timeout     time.Duration // zero takes DefaultTimeout
	MaxResult   int           // bytes of the result that the model gets; zero takes DefaultResult
}

// The bounds of a tool that sets none.
const (
	DefaultTimeout = 30 * time.Second
	DefaultResult  = 64 << 10
)

// Effect is the worst that a call can do.
type Effect string

// The effects. What writes or sends needs somebody's approval in a turn that has read what a stranger wrote.
const (
	Reads  Effect = "read"  // changes nothing
	Writes Effect = "write" // changes what the tenant keeps here
	Sends  Effect = "send"  // reaches others: another session, another server
)

// Source is where a tool comes from.
type Source string

// The sources.
const (
	BuiltIn Source = "builtin"
	HTTP    Source = "http" // an endpoint of the tenant
	MCP     Source = "mcp"  // a server of the tenant that speaks the Model Context Protocol
	Client  Source = "client"
)

// Kind says what sort of stranger wrote a content.
type Kind string

// The kinds of content that nobody in the conversation wrote.
const (
	FromWeb     Kind = "web"
	FromFile    Kind = "file"
	FromWebhook Kind = "webhook" // a tenant's endpoint, or an MCP server
	FromSession Kind = "session"
)

// Taint says where a content is from: the source is a URL without its query, a file's path, a tool's name or a session's id.
type Taint struct {
	Kind   Kind   `json:"kind" enum:"web,file,webhook,session" doc:"What sort of stranger wrote it"`
	Source string `json:"source" doc:"A URL without its query, a file's path, a tool's name or a session's id"`
}

// Call is one call of a tool in a turn.
type Call struct {
	ID        string // the model's id of the call; with the run's it names the call once and for all
	TenantID  string
	SessionID string
	RunID     string
	RequestID string
	KeyID     string
	EndUser   string // whom the session belongs to; empty for the tenant itself
	Depth     int    // of the session: 0 for one that people started, one more for each spawn
	Hops      int    // sends from session to session that led to this turn
	Arguments json.RawMessage
}

// Result is what a call gave.
type Result struct {
	Text       string  // for the model
	Taints     []Taint // where its content is from; nil takes the spec's kind with the tool's name, an empty list says that nobody outside wrote it
	CostMicros int64   // what it cost beside the model, in micro-dollars
}
