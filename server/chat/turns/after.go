package turns

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/chat/aside"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
)

const titleWait = 30 * time.Second

// after does what a finished turn leaves to be done, beside whatever comes next: a title by a model, where the tenant wants one and nobody gave a better.
func (c *Turns) after(ctx context.Context, k *call) {
	model := k.Tenant.Settings.TitleModel
	if model == "" || k.session.Titled != "" || k.asked.Role != "user" {
		return
	}
	work, leave, err := c.Enter(context.WithoutCancel(ctx), k.Tenant, k.Who)
	if err != nil {
		return // the server ends; the first words stay
	}
	go func() {
		defer leave()
		work, cancel := context.WithTimeout(work, titleWait)
		defer cancel()
		if err := c.title(work, k, model); err != nil && work.Err() == nil {
			c.Log.Warn("no title by a model", "run", k.RunID, "request_id", k.RequestID, "error", err.Error())
		}
	}()
}

func (c *Turns) title(ctx context.Context, k *call, model string) error {
	said, err := c.aside.Ask(ctx, aside.Question{Tenant: k.Tenant, Who: k.Who, RequestID: k.RequestID + "/title", RunID: k.RunID, SessionID: k.SessionID, User: k.User, Model: model,
		Messages: aside.TitleQuestion(llm.TextOf(k.asked.Content), k.turn.Said()), MaxTokens: aside.TitleTokens})
	title := aside.Title(said.Text)
	if err != nil || title == "" {
		return err
	}
	defer c.ForgetSession(k.Tenant.ID, k.SessionID)
	return c.DB.Write(ctx, func(q db.Querier) error {
		_, err := sessions.Title(ctx, q, db.TenantOf(k.Tenant.ID), k.SessionID, title, sessions.ByModel)
		return err
	})
}
