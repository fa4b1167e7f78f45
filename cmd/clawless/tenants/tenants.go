// Package tenants is `clawless tenant`: the operator's customers.
package tenants

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// New returns the command with its verbs.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "tenant",
		Aliases: []string{"tenants"},
		Short:   "Manage tenants, the customers whose assistants the server runs",
		Example: "clawless tenant create acme\nclawless tenant list",
		Group:   "operator",
	}.Command(newCreate(env), newList(env), newGet(env), newUpdate(env), newUsage(env), newSuspend(env), newActivate(env), newExport(env), newErase(env), newDelete(env))
}

var view = cli.View[sdk.Tenant]{
	ID:    func(t sdk.Tenant) string { return t.ID },
	Empty: "no tenants yet; try: clawless tenant create NAME",
	Columns: slices.Concat([]cli.Column[sdk.Tenant]{
		{Head: "NAME", Cell: func(t sdk.Tenant) any { return t.Name }},
		{Head: "ID", Cell: func(t sdk.Tenant) any { return t.ID }, Fixed: true},
		{Head: "TIER", Cell: func(t sdk.Tenant) any { return string(t.Tier) }},
		{Head: "STATUS", Cell: func(t sdk.Tenant) any { return string(t.Status) }},
		{Head: "MONTHLY TOKENS", Cell: func(t sdk.Tenant) any { return limit(t.Settings.MonthlyTokens) }},
		{Head: "MONTHLY COST", Cell: func(t sdk.Tenant) any { return limitDollars(t.Settings.MonthlyCostMicros) }},
		{Head: "DEFAULT MODEL", Cell: func(t sdk.Tenant) any { return t.Settings.DefaultModel }},
		{Head: "ALLOWED MODELS", Cell: func(t sdk.Tenant) any { return t.Settings.AllowedModels }, Detail: true},
		{Head: "ALLOWED TOOLS", Cell: func(t sdk.Tenant) any { return t.Settings.AllowedTools }, Detail: true},
		{Head: "WEAK MODEL", Cell: func(t sdk.Tenant) any { return orServers(t.Settings.WeakModel) }, Detail: true},
		{Head: "STRONG MODEL", Cell: func(t sdk.Tenant) any { return orServers(t.Settings.StrongModel) }, Detail: true},
		{Head: "STRONG SHARE", Cell: func(t sdk.Tenant) any { return share(t.Settings.StrongShare) }, Detail: true},
		{Head: "FALLBACK MODELS", Cell: func(t sdk.Tenant) any { return t.Settings.FallbackModels }, Detail: true},
		{Head: "THINKING", Cell: func(t sdk.Tenant) any { return cmp.Or(t.Settings.Thinking, "the model's own") }, Detail: true},
		{Head: "THINKING IN WIDGET", Cell: func(t sdk.Tenant) any { return t.Settings.ThinkingInWidget }, Detail: true},
		{Head: "ANSWER CACHE", Cell: func(t sdk.Tenant) any { return (*seconds)(&t.Settings.AnswerCacheSeconds).String() }, Detail: true},
		{Head: "SYSTEM PROMPT", Cell: func(t sdk.Tenant) any { return t.Settings.SystemPrompt }, Detail: true},
	}, conversationColumns(), []cli.Column[sdk.Tenant]{
		{Head: "CREATED", Cell: func(t sdk.Tenant) any { return t.CreatedAt }},
	}),
}

func limit(tokens int64) string {
	if tokens == 0 {
		return "no limit"
	}
	return fmt.Sprint(tokens)
}

func limitDollars(micros int64) string {
	if micros == 0 {
		return "no limit"
	}
	return money(micros)
}

func orServers(model string) string { return cmp.Or(model, "the server's") }

func share(s *float64) string {
	if s == nil {
		return "the server's"
	}
	return fmt.Sprint(*s)
}
