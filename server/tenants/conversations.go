package tenants

import (
	"fmt"
	"path"
	"time"
)

// Conversations are a tenant's settings of its sessions and of the tools that the server runs for them. Empty fields take the server's default.
type Conversations struct {
	ServerTools       []string `json:"server_tools,omitempty"`       // names or patterns of tools that the server may run for its sessions; empty is none
	WidgetTools       []string `json:"widget_tools,omitempty"`       // of those, the ones for a widget's visitors; empty is none
	Approvals         string   `json:"approvals,omitempty"`          // Ask or Refuse; empty is Ask
	SessionVisibility string   `json:"session_visibility,omitempty"` // what a session's tools see of other sessions: self, tree, user or tenant; empty is self
	RetentionDays     *int64   `json:"retention_days,omitempty"`     // after which a session without a turn is deleted; 0 is never, absent the server's
	ResetIdleMinutes  int64    `json:"reset_idle_minutes,omitempty"` // a turn after so long a pause starts a new epoch; 0 is never
	ResetDaily        string   `json:"reset_daily,omitempty"`        // time of the day, UTC, as 04:00, after which the first turn starts a new epoch; empty is never
	CarrySummary      bool     `json:"carry_summary,omitempty"`      // a new epoch by pause or time begins with a summary of the one before
	TitleModel        string   `json:"title_model,omitempty"`        // that gives a session its title after the first answer: a model, or auto for the cheap one; empty keeps the first words
	SummaryModel      string   `json:"summary_model,omitempty"`      // that summarises what a model's window has no room for: a model, Off, or empty for the cheap one
	FilesBytes        *int64   `json:"files_bytes,omitempty"`        // that an end user's files may take; absent is the server's
	TurnSteps         int64    `json:"turn_steps,omitempty"`         // calls of the model that a turn with tools may take; 0 is DefaultSteps
	TurnSeconds       int64    `json:"turn_seconds,omitempty"`       // that a turn with tools may take; 0 is DefaultSeconds
	TurnCostMicros    int64    `json:"turn_cost_micros,omitempty"`   // that a turn may cost, its spawned sessions included; 0 is no limit but the month's
	TurnTokens        int64    `json:"turn_tokens,omitempty"`        // that a turn may take, its spawned sessions included; 0 is no limit but the month's
}

// What a setting of Conversations can be, and what it is when it is empty.
const (
	Ask    = "ask"    // a tool call that needs an approval waits for one
	Refuse = "refuse" // it is refused at once
	Off    = "off"    // no model summarises

	DefaultSteps   = 10
	DefaultSeconds = 300
	maxSteps       = 50
	maxSeconds     = 840 // a little less than any turn may take
	maxDays        = 36_500
	maxIdleMinutes = 525_600
	maxFiles       = 1 << 40
)

// Steps is how many calls of the model a turn with tools may take.
func (c Conversations) Steps() int {
	if c.TurnSteps == 0 {
		return DefaultSteps
	}
	return int(c.TurnSteps)
}

// Patience is how long a turn with tools may take.
func (c Conversations) Patience() time.Duration {
	if c.TurnSeconds == 0 {
		return DefaultSeconds * time.Second
	}
	return time.Duration(c.TurnSeconds) * time.Second
}

// ResetDue says why a turn at now starts a new epoch, as sessions name it; empty when it does not. last is when the session was last used.
func (c Conversations) ResetDue(last, now time.Time) string {
	if last.IsZero() {
		return ""
	}
	if c.ResetIdleMinutes > 0 && now.Sub(last) >= time.Duration(c.ResetIdleMinutes)*time.Minute {
		return "idle"
	}
	at, err := time.Parse("15:04", c.ResetDaily)
	if c.ResetDaily == "" || err != nil {
		return ""
	}
	now = now.UTC()
	turn := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC)
	if turn.After(now) {
		turn = turn.AddDate(0, 0, -1)
	}
	if last.Before(turn) {
		return "daily"
	}
	return ""
}

// Matches reports whether a name is one of the names or fits one of the patterns.
func Matches(patterns []string, name string) bool {
	return len(patterns) > 0 && matchesAny(patterns, name)
}

func (c Conversations) check(wrong func(field, message string)) {
	for field, patterns := range map[string][]string{"server_tools": c.ServerTools, "widget_tools": c.WidgetTools} {
		for _, p := range patterns {
			if _, err := path.Match(p, ""); err != nil || p == "" {
				wrong(field, "not a name or a pattern with *")
			}
		}
	}
	if c.Approvals != "" && c.Approvals != Ask && c.Approvals != Refuse {
		wrong("approvals", "must be ask or refuse")
	}
	switch c.SessionVisibility {
	case "", "self", "tree", "user", "tenant":
	default:
		wrong("session_visibility", "must be self, tree, user or tenant")
	}
	if c.ResetDaily != "" {
		if _, err := time.Parse("15:04", c.ResetDaily); err != nil {
			wrong("reset_daily", "must be a time of the day in UTC, such as 04:00, or empty")
		}
	}
	if m := c.TitleModel; m != "" && m != "auto" && !namesModel(m) {
		wrong("title_model", "must be a model, auto for the cheap one, or empty")
	}
	if m := c.SummaryModel; m != "" && m != Off && !namesModel(m) {
		wrong("summary_model", "must be a model, off, or empty for the cheap one")
	}
	for _, n := range []struct {
		field string
		value int64
		most  int64
	}{{"retention_days", orZero(c.RetentionDays), maxDays}, {"reset_idle_minutes", c.ResetIdleMinutes, maxIdleMinutes}, {"files_bytes", orZero(c.FilesBytes), maxFiles},
		{"turn_steps", c.TurnSteps, maxSteps}, {"turn_seconds", c.TurnSeconds, maxSeconds}, {"turn_cost_micros", c.TurnCostMicros, maxMicros}, {"turn_tokens", c.TurnTokens, maxMicros}} {
		if n.value < 0 || n.value > n.most {
			wrong(n.field, fmt.Sprintf("must be from 0 to %d", n.most))
		}
	}
}

func orZero(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

// ConversationSettings is the wire form of Conversations.
type ConversationSettings struct {
	ServerTools       []string `json:"server_tools" nullable:"false" doc:"Names or patterns of tools that the server may run for the tenant's sessions; empty is none"`
	WidgetTools       []string `json:"widget_tools" nullable:"false" doc:"Of those, the ones for a widget's visitors; empty is none"`
	Approvals         string   `json:"approvals" enum:"ask,refuse" doc:"What becomes of a tool call that writes or sends in a turn that has read what a stranger wrote: wait for an approval, or refuse it"`
	SessionVisibility string   `json:"session_visibility" enum:"self,tree,user,tenant" doc:"What a session's tools see of other sessions"`
	RetentionDays     *int64   `json:"retention_days,omitempty" doc:"Days after which a session without a turn is deleted; 0 is never, absent takes the server's"`
	ResetIdleMinutes  int64    `json:"reset_idle_minutes" doc:"A turn after so long a pause starts with an empty context; 0 is never"`
	ResetDaily        string   `json:"reset_daily" doc:"Time of the day (UTC), such as 04:00, after which the first turn starts with an empty context; empty is never"`
	CarrySummary      bool     `json:"carry_summary" doc:"Such a turn starts with a summary of what was before"`
	TitleModel        string   `json:"title_model" doc:"Model that gives a session its title after the first answer, or auto for the cheap one; empty keeps the first words"`
	SummaryModel      string   `json:"summary_model" doc:"Model that summarises what has no room in a model's window, or off; empty takes the cheap one"`
	FilesBytes        *int64   `json:"files_bytes,omitempty" doc:"Bytes that an end user's files may take; absent takes the server's"`
	TurnSteps         int64    `json:"turn_steps" doc:"Calls of the model that a turn with tools may take; 0 is 10"`
	TurnSeconds       int64    `json:"turn_seconds" doc:"Seconds that a turn with tools may take; 0 is 300"`
	TurnCostMicros    int64    `json:"turn_cost_micros" doc:"Micro-dollars that a turn may cost, spawned sessions included; 0 is no limit but the month's"`
	TurnTokens        int64    `json:"turn_tokens" doc:"Tokens that a turn may take, spawned sessions included; 0 is no limit but the month's"`
}

// ConversationSettingsInput is a change of them: a field that is left out stays as it is.
type ConversationSettingsInput struct {
	ServerTools       *[]string `json:"server_tools,omitempty" maxItems:"200" doc:"Names or patterns of tools that the server may run for the tenant's sessions; empty is none"`
	WidgetTools       *[]string `json:"widget_tools,omitempty" maxItems:"200" doc:"Of those, the ones for a widget's visitors; empty is none"`
	Approvals         *string   `json:"approvals,omitempty" maxLength:"20" doc:"ask or refuse"`
	SessionVisibility *string   `json:"session_visibility,omitempty" maxLength:"20" doc:"self, tree, user or tenant"`
	RetentionDays     *int64    `json:"retention_days,omitempty" doc:"Days after which a session without a turn is deleted; 0 is never"`
	ResetIdleMinutes  *int64    `json:"reset_idle_minutes,omitempty" doc:"A turn after so long a pause starts with an empty context; 0 is never"`
	ResetDaily        *string   `json:"reset_daily,omitempty" maxLength:"5" doc:"Time of the day (UTC), such as 04:00; empty is never"`
	CarrySummary      *bool     `json:"carry_summary,omitempty" doc:"Such a turn starts with a summary of what was before"`
	TitleModel        *string   `json:"title_model,omitempty" maxLength:"200" doc:"A model, auto for the cheap one, or empty"`
	SummaryModel      *string   `json:"summary_model,omitempty" maxLength:"200" doc:"A model, off, or empty for the cheap one"`
	FilesBytes        *int64    `json:"files_bytes,omitempty" doc:"Bytes that an end user's files may take"`
	TurnSteps         *int64    `json:"turn_steps,omitempty" doc:"Calls of the model that a turn with tools may take; 0 is 10"`
	TurnSeconds       *int64    `json:"turn_seconds,omitempty" doc:"Seconds that a turn with tools may take; 0 is 300"`
	TurnCostMicros    *int64    `json:"turn_cost_micros,omitempty" doc:"Micro-dollars that a turn may cost; 0 is no limit but the month's"`
	TurnTokens        *int64    `json:"turn_tokens,omitempty" doc:"Tokens that a turn may take; 0 is no limit but the month's"`
}

func (in ConversationSettingsInput) apply(c *Conversations) {
	set(&c.ServerTools, in.ServerTools)
	set(&c.WidgetTools, in.WidgetTools)
	set(&c.Approvals, in.Approvals)
	set(&c.SessionVisibility, in.SessionVisibility)
	set(&c.ResetIdleMinutes, in.ResetIdleMinutes)
	set(&c.ResetDaily, in.ResetDaily)
	set(&c.CarrySummary, in.CarrySummary)
	set(&c.TitleModel, in.TitleModel)
	set(&c.SummaryModel, in.SummaryModel)
	set(&c.TurnSteps, in.TurnSteps)
	set(&c.TurnSeconds, in.TurnSeconds)
	set(&c.TurnCostMicros, in.TurnCostMicros)
	set(&c.TurnTokens, in.TurnTokens)
	if in.RetentionDays != nil {
		c.RetentionDays = in.RetentionDays
	}
	if in.FilesBytes != nil {
		c.FilesBytes = in.FilesBytes
	}
}

func (c Conversations) wire() ConversationSettings {
	w := ConversationSettings{ServerTools: orEmpty(c.ServerTools), WidgetTools: orEmpty(c.WidgetTools), Approvals: c.Approvals, SessionVisibility: c.SessionVisibility,
		RetentionDays: c.RetentionDays, ResetIdleMinutes: c.ResetIdleMinutes, ResetDaily: c.ResetDaily, CarrySummary: c.CarrySummary, TitleModel: c.TitleModel,
		SummaryModel: c.SummaryModel, FilesBytes: c.FilesBytes, TurnSteps: c.TurnSteps, TurnSeconds: c.TurnSeconds, TurnCostMicros: c.TurnCostMicros, TurnTokens: c.TurnTokens}
	if w.Approvals == "" {
		w.Approvals = Ask
	}
	if w.SessionVisibility == "" {
		w.SessionVisibility = "self"
	}
	return w
}
