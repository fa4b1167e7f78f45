package tenants

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// conversationFlags are the settings of a tenant's sessions, its tools and its turns.
type conversationFlags struct {
	serverTools, widgetTools []string
	approvals, visibility    string
	retention, idle          int64
	daily                    string
	carry                    bool
	titles, summaries        string
	files                    int64
	steps, seconds, tokens   int64
	cost                     dollars
}

func (s *conversationFlags) add(fs *pflag.FlagSet) {
	fs.StringSliceVar(&s.serverTools, "server-tool", nil, "`NAME` of a tool, or a pattern with *, that the server may run for its sessions; repeat it for more (default: none)")
	fs.StringSliceVar(&s.widgetTools, "widget-tool", nil, "`NAME` of one of those that also a widget's visitors get; repeat it for more (default: none)")
	fs.StringVar(&s.approvals, "approvals", "", "`WHAT` becomes of a call that writes or sends after the turn has read what a stranger wrote: ask or refuse (default: ask)")
	fs.StringVar(&s.visibility, "session-visibility", "", "`WHICH` other sessions a session's tools see: self, tree, user or tenant (default: self)")
	fs.Int64Var(&s.retention, "retention-days", 0, "delete sessions that nobody has used for `N` days; 0 is never (default: the server's)")
	fs.Int64Var(&s.idle, "reset-idle-minutes", 0, "start with an empty context after a pause of `N` minutes; 0 is never")
	fs.StringVar(&s.daily, "reset-daily", "", "start with an empty context after this `TIME` of the day in UTC, such as 04:00; \"\" is never")
	fs.BoolVar(&s.carry, "carry-summary", false, "start such a context with a summary of what was before")
	fs.StringVar(&s.titles, "title-model", "", "`MODEL` that gives sessions their titles, or auto for the cheap one; \"\" keeps the first words")
	fs.StringVar(&s.summaries, "summary-model", "", "`MODEL` that summarises what has no room in a model's window, or off; \"\" takes the cheap one")
	fs.Int64Var(&s.files, "files-bytes", 0, "`N` bytes that an end user's files may take (default: the server's)")
	fs.Int64Var(&s.steps, "turn-steps", 0, "`N` calls of the model at most in a turn with tools; 0 is 10")
	fs.Int64Var(&s.seconds, "turn-seconds", 0, "`N` seconds at most for a turn with tools; 0 is 300")
	fs.Var(&s.cost, "turn-cost", "`DOLLARS` that a turn may cost, such as 0.50; 0 is no limit but the month's")
	fs.Int64Var(&s.tokens, "turn-tokens", 0, "`N` tokens that a turn may take; 0 is no limit but the month's")
}

// takes are the ways of the flags' values into the request.
func (s *conversationFlags) takes(in *sdk.TenantSettingsInput) map[string]func() {
	return map[string]func(){
		"server-tool":        func() { in.ServerTools = nonEmpty(s.serverTools) },
		"widget-tool":        func() { in.WidgetTools = nonEmpty(s.widgetTools) },
		"approvals":          func() { in.Approvals = &s.approvals },
		"session-visibility": func() { in.SessionVisibility = &s.visibility },
		"retention-days":     func() { in.RetentionDays = &s.retention },
		"reset-idle-minutes": func() { in.ResetIdleMinutes = &s.idle },
		"reset-daily":        func() { in.ResetDaily = &s.daily },
		"carry-summary":      func() { in.CarrySummary = &s.carry },
		"title-model":        func() { in.TitleModel = &s.titles },
		"summary-model":      func() { in.SummaryModel = &s.summaries },
		"files-bytes":        func() { in.FilesBytes = &s.files },
		"turn-steps":         func() { in.TurnSteps = &s.steps },
		"turn-seconds":       func() { in.TurnSeconds = &s.seconds },
		"turn-cost":          func() { in.TurnCostMicros = (*int64)(&s.cost) },
		"turn-tokens":        func() { in.TurnTokens = &s.tokens },
	}
}

// conversationColumns show them.
func conversationColumns() []cli.Column[sdk.Tenant] {
	return []cli.Column[sdk.Tenant]{
		{Head: "SERVER TOOLS", Cell: func(t sdk.Tenant) any { return t.Settings.ServerTools }, Detail: true},
		{Head: "WIDGET TOOLS", Cell: func(t sdk.Tenant) any { return t.Settings.WidgetTools }, Detail: true},
		{Head: "APPROVALS", Cell: func(t sdk.Tenant) any { return string(t.Settings.Approvals) }, Detail: true},
		{Head: "SESSION VISIBILITY", Cell: func(t sdk.Tenant) any { return string(t.Settings.SessionVisibility) }, Detail: true},
		{Head: "RETENTION", Cell: func(t sdk.Tenant) any { return kept(t.Settings.RetentionDays) }, Detail: true},
		{Head: "RESETS", Cell: func(t sdk.Tenant) any { return resets(t.Settings) }, Detail: true},
		{Head: "TITLE MODEL", Cell: func(t sdk.Tenant) any { return cmp.Or(t.Settings.TitleModel, "none: the first words") }, Detail: true},
		{Head: "SUMMARY MODEL", Cell: func(t sdk.Tenant) any { return cmp.Or(t.Settings.SummaryModel, "the cheap one") }, Detail: true},
		{Head: "FILES", Cell: func(t sdk.Tenant) any { return bytesOf(t.Settings.FilesBytes) }, Detail: true},
		{Head: "A TURN", Cell: func(t sdk.Tenant) any { return turn(t.Settings) }, Detail: true},
	}
}

func kept(days *int64) string {
	switch {
	case days == nil:
		return "the server's"
	case *days == 0:
		return "kept for good"
	}
	return fmt.Sprintf("%d days", *days)
}

func bytesOf(n *int64) string {
	if n == nil {
		return "the server's"
	}
	return fmt.Sprintf("%d bytes", *n)
}

func resets(s sdk.TenantSettings) string {
	text := ""
	if s.ResetIdleMinutes > 0 {
		text = "after " + (time.Duration(s.ResetIdleMinutes) * time.Minute).String() + " of silence"
	}
	if s.ResetDaily != "" {
		if text != "" {
			text += ", and "
		}
		text += "daily at " + s.ResetDaily + " UTC"
	}
	if text != "" && s.CarrySummary {
		text += ", with a summary"
	}
	return cmp.Or(text, "only by hand")
}

func turn(s sdk.TenantSettings) string {
	text := fmt.Sprintf("%d steps, %d seconds", cmp.Or(s.TurnSteps, 10), cmp.Or(s.TurnSeconds, 300))
	if s.TurnTokens > 0 {
		text += fmt.Sprintf(", %d tokens", s.TurnTokens)
	}
	if s.TurnCostMicros > 0 {
		text += ", " + money(s.TurnCostMicros)
	}
	return text + " at most"
}
