// Package tools keeps the tools that a tenant defines, as HTTP endpoints or MCP servers, and gathers what a turn may use of them.
package tools

import (
	"strconv"
	"strings"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/seal"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
	"github.com/clawless/clawless/server/tool/httptool"
)

// Tool is an HTTP endpoint that a tenant made a tool of.
type Tool struct {
	ID          string
	TenantID    string
	Name        string
	Description string
	Parameters  []byte // a JSON schema
	Effect      tool.Effect
	Method      string
	URL         string // with {placeholders} in the path
	Auth        credential.Kind
	AuthName    string
	Sealed      string // the secret; empty when there is none
	Timeout     time.Duration
	MaxBytes    int    // of its result
	Status      string // Active or Disabled
	Version     int64
	CreatedAt   db.Time
	UpdatedAt   db.Time
}

// The states of a tool.
const (
	Active   = "active"
	Disabled = "disabled"
)

// MaxTools is how many tools a tenant may define. The bounds of single fields are in the wire types.
const MaxTools = 100

// etag names the version of a tool that a change may be bound to.
func (t Tool) etag() string {
	return `"` + strings.TrimPrefix(t.ID, ids.Tool) + "-" + strconv.FormatInt(t.Version, 10) + `"`
}

// bound ties the tool's secret to its row.
func (t Tool) bound() string { return seal.Context("tenant_tools", t.TenantID, t.ID) }

// definition is what runs the tool, without its secret.
func (t Tool) definition() httptool.Definition {
	return httptool.Definition{Name: t.Name, Description: t.Description, Parameters: t.Parameters, Effect: t.Effect, Method: t.Method, URL: t.URL, Timeout: t.Timeout, MaxBytes: t.MaxBytes}
}

func notFound() error { return fault.New(fault.NotFound, "no such tool") }

func stale() error {
	return fault.New(fault.StaleVersion, "the tool changed since it was read; read it again and repeat with its new ETag").WithParam("If-Match")
}
