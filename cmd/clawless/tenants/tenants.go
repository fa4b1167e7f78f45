// Package tenants is `clawless tenant`: the operator's customers.
package tenants

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	}.Command(newCreate(env), newList(env), newGet(env), newUpdate(env), newUsage(env), newSuspend(env), newActivate(env), newDelete(env))
}

var view = cli.View[sdk.Tenant]{
	ID:    func(t sdk.Tenant) string { return t.ID },
	Empty: "no tenants yet; try: clawless tenant create NAME",
	Columns: []cli.Column[sdk.Tenant]{
		{Head: "NAME", Cell: func(t sdk.Tenant) any { return t.Name }},
		{Head: "ID", Cell: func(t sdk.Tenant) any { return t.ID }, Fixed: true},
		{Head: "TIER", Cell: func(t sdk.Tenant) any { return string(t.Tier) }},
		{Head: "STATUS", Cell: func(t sdk.Tenant) any { return string(t.Status) }},
		{Head: "MONTHLY TOKENS", Cell: func(t sdk.Tenant) any { return limit(t.Settings.MonthlyTokens) }},
		{Head: "DEFAULT MODEL", Cell: func(t sdk.Tenant) any { return t.Settings.DefaultModel }},
		{Head: "ALLOWED MODELS", Cell: func(t sdk.Tenant) any { return t.Settings.AllowedModels }, Detail: true},
		{Head: "ALLOWED TOOLS", Cell: func(t sdk.Tenant) any { return t.Settings.AllowedTools }, Detail: true},
		{Head: "SYSTEM PROMPT", Cell: func(t sdk.Tenant) any { return t.Settings.SystemPrompt }, Detail: true},
		{Head: "CREATED", Cell: func(t sdk.Tenant) any { return t.CreatedAt }},
	},
}

func limit(tokens int64) string {
	if tokens == 0 {
		return "no limit"
	}
	return fmt.Sprint(tokens)
}

// settingsFlags are the settings of a tenant as flags; only those that were given are sent.
type settingsFlags struct {
	set          *pflag.FlagSet
	model        string
	prompt       string
	models       []string
	tools        []string
	monthlyToken int64
}

func (s *settingsFlags) add(fs *pflag.FlagSet) {
	s.set = fs
	fs.StringVar(&s.model, "default-model", "", "`MODEL` of requests that name none, as provider/model")
	fs.StringVar(&s.prompt, "system-prompt", "", "`TEXT` put before every conversation")
	fs.StringSliceVar(&s.models, "allow-model", nil, "`MODEL` that may be used, such as openai/*; repeat it for more (default: all)")
	fs.StringSliceVar(&s.tools, "allow-tool", nil, "`NAME` of a tool that may be offered; repeat it for more (default: all)")
	fs.Int64Var(&s.monthlyToken, "monthly-tokens", 0, "budget of `N` tokens a calendar month; 0 is no limit (default: the tier's)")
}

// input returns what was given, or nil when nothing was.
func (s *settingsFlags) input() *sdk.TenantSettingsInput {
	in, given := sdk.TenantSettingsInput{}, false
	changed := func(name string) bool {
		given = given || s.set.Changed(name)
		return s.set.Changed(name)
	}
	if changed("default-model") {
		in.DefaultModel = &s.model
	}
	if changed("system-prompt") {
		in.SystemPrompt = &s.prompt
	}
	if changed("allow-model") {
		in.AllowedModels = nonEmpty(s.models)
	}
	if changed("allow-tool") {
		in.AllowedTools = nonEmpty(s.tools)
	}
	if changed("monthly-tokens") {
		in.MonthlyTokens = &s.monthlyToken
	}
	if !given {
		return nil
	}
	return &in
}

// nonEmpty makes --allow-model "" mean the empty list, which allows all again.
func nonEmpty(list []string) []string {
	out := []string{}
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
