package turns

import (
	"github.com/clawless/clawless/server/chat/window"
	"github.com/clawless/clawless/server/sessions"
)

// restart lets the turn begin a new epoch. What was before is kept for a summary, where the tenant wants one.
func (c *Turns) restart(k *call, p *past, reason string) place {
	if k.Tenant.Settings.CarrySummary {
		k.carried = window.Summarise(p.summary.Content, p.messages, 0)
		k.carriedTaint = p.summary.Taint
	}
	p.messages, p.summary, p.model = nil, sessions.Summary{}, ""
	return place{epoch: reason}
}
