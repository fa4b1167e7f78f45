package turns

import (
	"time"

	"github.com/clawless/clawless/server/chat/window"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tenants"
)

// due says why a turn at now starts a new epoch, by the tenant's rules; empty when it does not. last is when the session was last used.
func due(c tenants.Conversations, last, now time.Time) string {
	if last.IsZero() {
		return ""
	}
	if c.ResetIdleMinutes > 0 && now.Sub(last) >= time.Duration(c.ResetIdleMinutes)*time.Minute {
		return sessions.Idle
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
		return sessions.Daily
	}
	return ""
}

// restart lets the turn begin a new epoch. What was before is kept for a summary, where the tenant wants one.
func (c *Turns) restart(k *call, p *past, reason string) place {
	if k.Tenant.Settings.CarrySummary {
		k.carried = window.Summarise(p.summary.Content, p.messages, 0)
		k.carriedTaint = p.summary.Taint
	}
	p.messages, p.summary, p.model = nil, sessions.Summary{}, ""
	return place{epoch: reason}
}
