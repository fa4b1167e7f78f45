package turns

import (
	"slices"
	"time"

	"github.com/clawless/clawless/server/sessions"
)

const (
	hotBytes = 64 << 20 // of the conversations that are kept in memory between their turns
	hotTopic = "sessions"
)

// weight is about how many bytes a conversation takes.
func (p past) weight() int {
	n := 1024 + len(p.summary.Content) + len(p.session.SystemPrompt)
	for _, m := range p.messages {
		n += 256 + len(m.Content)
		for _, call := range m.ToolCalls {
			n += 64 + len(call.Function.Arguments)
		}
	}
	return n
}

// ForgetSession drops what this and the other servers keep in memory of a session, after a change.
func (c *Turns) ForgetSession(tenantID, sessionID string) {
	if c.hot != nil {
		c.hot.Delete(lane(tenantID, sessionID))
		c.Bus.Publish(hotTopic, lane(tenantID, sessionID))
	}
}

// drop is what another server's change does here; an empty key stands for all.
func (c *Turns) drop(key string) {
	if key == "" {
		c.hot.Clear()
		return
	}
	c.hot.Delete(key)
}

// Hot is the share of turns whose conversation was found in memory, 0 to 1.
func (c *Turns) Hot() float64 {
	if c.hot == nil {
		return 0
	}
	return c.hot.HitRatio()
}

// known is what is kept of a session, if its caller may see it.
func (c *Turns) known(k *call) (p past, ok bool) {
	if c.hot == nil {
		return p, false
	}
	if p, ok = c.hot.Get(lane(k.Tenant.ID, k.SessionID)); !ok || k.Who.VisitorID != "" && p.session.EndUser != k.Who.VisitorID {
		return past{}, false
	}
	p.messages = slices.Clip(p.messages)
	return p, true
}

// warm keeps the conversation as the turn left it for the next one. Nothing wrong can come of an old one: the session's version is looked at when a turn begins.
func (c *Turns) warm(k *call, s sessions.Session) {
	if c.hot == nil {
		return
	}
	m := k.memory
	p := past{session: s, version: s.Version, summary: m.summary, messages: slices.Clip(m.history), model: k.Target.ID, last: time.Now()}
	if extra := len(p.messages) - historyMessages; extra > 0 {
		p.messages = slices.Clone(p.messages[extra:])
	}
	c.hot.Set(lane(k.Tenant.ID, s.ID), p)
}
