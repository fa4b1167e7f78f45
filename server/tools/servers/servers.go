// Package servers keeps the tenants' MCP servers and which of their tools a person has approved, by the hash of what the person saw.
package servers

import (
	"regexp"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/tool"
)

// Server is an MCP server of a tenant.
type Server struct {
	ID        string
	TenantID  string
	Name      string // the prefix of its tools' names
	URL       string
	Auth      string // a kind of credential
	AuthName  string
	Sealed    string  // the secret; empty when there is none
	Status    string  // Connected, Failing or Unknown
	Error     string  // why it is failing
	CheckedAt db.Time // when its tools were last listed, or tried to be
	CreatedAt db.Time
	UpdatedAt db.Time
}

// The states of a server.
const (
	Connected = "connected"
	Failing   = "failing"
	Unknown   = "unknown" // nobody has asked it yet
)

// Tool is a tool of such a server, as it was last listed.
type Tool struct {
	TenantID     string
	ServerID     string
	ServerName   string
	Name         string // in the server's words
	Description  string
	Parameters   []byte      // a JSON schema
	Annotations  []byte      // the server's own hints; null when it has none
	Problem      string      // why it is Unusable
	Effect       tool.Effect // that the tenant says it has
	Hash         string      // of what the server says about it
	ApprovedHash string      // of what a person approved
	Status       string      // Pending, Approved, Changed, Disabled, Gone or Unusable
	SeenAt       db.Time
}

// The states of a tool. Only an approved one is offered.
const (
	Pending  = "pending"
	Approved = "approved"
	Changed  = "changed"  // since it was approved
	Disabled = "disabled" // by the tenant
	Gone     = "gone"     // its server lists it no more
	Unusable = "unusable" // its name or its schema is not one that models take
)

// Offered is the name under which models see the tool.
func (t Tool) Offered() string { return offeredName(t.ServerName, t.Name) }

// May reports whether sessions may use the tool: a person approved what it is now.
func (t Tool) May() bool { return t.Status == Approved && t.Hash == t.ApprovedHash && t.Hash != "" }

var (
	namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$`)
	strange     = regexp.MustCompile(`[^A-Za-z0-9_-]`)
)

// offeredName joins a server's name and its tool's. Server names have no underscore, so no two servers can give one name.
func offeredName(server, name string) string {
	return server + "_" + strange.ReplaceAllString(name, "_")
}

const (
	maxServers = 20 // a tenant
	maxOffered = 64 // characters that models take in a name
)

func notFound() error { return fault.New(fault.NotFound, "no such MCP server") }

func toolNotFound() error { return fault.New(fault.NotFound, "this MCP server has no such tool") }
