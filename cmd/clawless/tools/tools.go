// Package tools is `clawless tool`: what the server may do for a model in a turn, your own HTTP tools, and the log of what was done.
package tools

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// New returns the command with its verbs.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "tool",
		Aliases: []string{"tools"},
		Short:   "Define the tools that the server runs in a turn, try them, and read their log",
		Long: "Define the tools that the server runs in a turn, try them, and read their log.\n" +
			"A tool is offered to models when the tenant's settings allow it (clawless tenant update NAME --server-tool TOOL) and neither the key, the session nor the request takes it away.",
		Example: "clawless tool list\nclawless tool create weather --url https://api.example.com/weather/{city} --method GET --effect read --description \"The weather in a city\"\nclawless tool log --limit 20",
	}.Command(newList(env), newShow(env), newCreate(env), newUpdate(env), newDelete(env), newTest(env), newLog(env))
}

var view = cli.View[sdk.ServerTool]{
	ID:    func(t sdk.ServerTool) string { return t.Name },
	Empty: "no tools",
	Columns: []cli.Column[sdk.ServerTool]{
		{Head: "NAME", Cell: func(t sdk.ServerTool) any { return t.Name }},
		{Head: "ID", Cell: func(t sdk.ServerTool) any { return t.ID }, Detail: true},
		{Head: "SOURCE", Cell: from, Fixed: true},
		{Head: "EFFECT", Cell: func(t sdk.ServerTool) any { return string(t.Effect) }, Fixed: true},
		{Head: "STATUS", Cell: func(t sdk.ServerTool) any { return string(t.Status) }, Fixed: true},
		{Head: "OFFERED", Cell: func(t sdk.ServerTool) any { return t.Offered }, Fixed: true},
		{Head: "DESCRIPTION", Cell: func(t sdk.ServerTool) any { return t.Description }},
		{Head: "PARAMETERS", Cell: func(t sdk.ServerTool) any { return text(t.Parameters) }, Detail: true},
		{Head: "CALLS", Cell: endpoint, Detail: true},
		{Head: "SECRET", Cell: secret, Detail: true},
		{Head: "LIMITS", Cell: limits, Detail: true},
	},
}

func from(t sdk.ServerTool) any {
	if t.McpServer != "" {
		return "mcp " + t.McpServer
	}
	return string(t.Source)
}

func endpoint(t sdk.ServerTool) any {
	if t.HTTP == nil {
		return nil
	}
	return string(t.HTTP.Method) + " " + t.HTTP.URL
}

func secret(t sdk.ServerTool) any {
	switch {
	case t.HTTP == nil:
		return nil
	case !t.HTTP.HasSecret:
		return "none"
	case t.HTTP.SecretLast4 != "":
		return string(t.HTTP.Auth) + ", ending in " + t.HTTP.SecretLast4
	}
	return string(t.HTTP.Auth)
}

func limits(t sdk.ServerTool) any {
	if t.HTTP == nil {
		return nil
	}
	return fmt.Sprintf("%d ms, %d bytes", t.HTTP.TimeoutMs, t.HTTP.MaxBytes)
}

// text is a value of the API as JSON.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // it was JSON a moment ago
		return ""
	}
	return string(b)
}
