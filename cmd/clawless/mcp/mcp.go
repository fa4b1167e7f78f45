// Package mcp is `clawless mcp`: the MCP servers whose tools models may use, one approved tool at a time.
package mcp

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// New returns the command with its verbs.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:   "mcp",
		Short: "Add MCP servers, and approve their tools one by one",
		Long: "Add MCP servers, and approve their tools one by one. A tool is used only in the form in which it was approved: when its server changes the description or the schema, it waits for another look.\n" +
			"Models see an approved tool as SERVER_TOOL, once the tenant's settings allow it: clawless tenant update NAME --server-tool \"SERVER_*\"",
		Example: "clawless mcp add docs https://mcp.example.com/mcp\nclawless mcp tools docs\nclawless mcp approve docs search",
	}.Command(newAdd(env), newList(env), newShow(env), newRefresh(env), newDelete(env), newTools(env), newApprove(env), newDisable(env))
}

var view = cli.View[sdk.MCPServer]{
	ID:    func(s sdk.MCPServer) string { return s.ID },
	Empty: "no MCP servers yet; try: clawless mcp add NAME URL",
	Columns: []cli.Column[sdk.MCPServer]{
		{Head: "NAME", Cell: func(s sdk.MCPServer) any { return s.Name }},
		{Head: "ID", Cell: func(s sdk.MCPServer) any { return s.ID }, Fixed: true},
		{Head: "STATUS", Cell: func(s sdk.MCPServer) any { return string(s.Status) }, Fixed: true},
		{Head: "URL", Cell: func(s sdk.MCPServer) any { return s.URL }},
		{Head: "SECRET", Cell: secret, Detail: true},
		{Head: "ERROR", Cell: func(s sdk.MCPServer) any { return s.Error }},
		{Head: "CHECKED", Cell: func(s sdk.MCPServer) any { return s.CheckedAt }},
	},
}

func secret(s sdk.MCPServer) any {
	switch {
	case !s.HasSecret:
		return "none"
	case s.SecretLast4 != "":
		return string(s.Auth) + ", ending in " + s.SecretLast4
	}
	return string(s.Auth)
}

var toolView = cli.View[sdk.MCPTool]{
	ID:    func(t sdk.MCPTool) string { return t.Name },
	Empty: "the server offers no tools",
	Columns: []cli.Column[sdk.MCPTool]{
		{Head: "NAME", Cell: func(t sdk.MCPTool) any { return t.Name }},
		{Head: "OFFERED AS", Cell: func(t sdk.MCPTool) any { return t.OfferedAs }, Fixed: true},
		{Head: "STATUS", Cell: func(t sdk.MCPTool) any { return string(t.Status) }, Fixed: true},
		{Head: "EFFECT", Cell: func(t sdk.MCPTool) any { return string(t.Effect) }, Fixed: true},
		{Head: "DESCRIPTION", Cell: func(t sdk.MCPTool) any { return t.Description }},
		{Head: "PARAMETERS", Cell: func(t sdk.MCPTool) any { return text(t.Parameters) }, Detail: true},
		{Head: "ITS HINTS", Cell: func(t sdk.MCPTool) any { return text(t.Annotations) }, Detail: true},
		{Head: "HASH", Cell: func(t sdk.MCPTool) any { return t.Hash }, Detail: true},
		{Head: "APPROVED HASH", Cell: func(t sdk.MCPTool) any { return t.ApprovedHash }, Detail: true},
		{Head: "PROBLEM", Cell: func(t sdk.MCPTool) any { return t.Problem }},
	},
}

// text is a value of the API as JSON; nothing is empty.
func text(v any) string {
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil { // it was JSON a moment ago
		return ""
	}
	return string(b)
}

func newTools(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "tools SERVER",
		Short:    "List the tools of an MCP server, and which of them are approved",
		Example:  "clawless mcp tools docs\nclawless mcp tools docs -o json",
		Complete: names(env),
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			list, err := c.ListMcpTools(ctx, args[0])
			if err != nil {
				return err
			}
			return toolView.List(env.Printer(), list.Data)
		},
	}.Command()
}

// names completes the names of servers.
func names(env *cli.Env) func(context.Context, []string) []string {
	return func(ctx context.Context, args []string) []string {
		c, err := env.API()
		if err != nil || len(args) > 0 {
			return nil
		}
		list, err := cli.Collect(c.ListMcpServersAll(ctx, nil), 200)
		if err != nil {
			return nil
		}
		out := make([]string, len(list))
		for i, s := range list {
			out[i] = s.Name
		}
		return out
	}
}

// pick finds a tool of a server by its name or by the one under which models see it.
func pick(list []sdk.MCPTool, name string) (sdk.MCPTool, error) {
	for _, t := range list {
		if t.Name == name || t.OfferedAs == name {
			return t, nil
		}
	}
	return sdk.MCPTool{}, cli.WithCode(fmt.Errorf("the server has no tool %q", name), cli.ExitNotFound)
}
