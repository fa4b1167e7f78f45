// Package compare asks several models the same in one session, so that their answers stand side by side.
package compare

import (
	"context"
	"encoding/json"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/turns"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
)

// comparison is one model's answer to a question that several were asked.
type comparison struct {
	Model     string // as the caller named it
	RunID     string
	MessageID string
	Content   string
	Receipt   *dialect.Receipt
	Err       error // why there is no answer
}

// comparer asks on behalf of one call.
type comparer struct{ *turns.Turns }

// compare asks the same question of several models, one after the other, in the same session: their answers are siblings, and the first that there is goes on being the
// conversation. It fails only when the question could not be asked at all.
func (c comparer) compare(ctx context.Context, session string, models []string, content json.RawMessage, effort llm.Effort) (question string, answers []comparison, err error) {
	// Each turn is a request of its own: the caller's id and Idempotency-Key count for the comparison.
	own, cancel := context.WithCancel(auth.With(context.Background(), auth.From(ctx)))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	chosen := ""
	for _, model := range models {
		r := &dialect.Request{SessionID: session, Model: model, Effort: effort, Params: map[string]json.RawMessage{}}
		if question == "" {
			r.Messages = []llm.Message{{Role: "user", Content: content}}
		} else {
			r.Regenerate = question
		}
		live, err := c.Start(own, r)
		if err != nil {
			if question == "" && len(answers) == len(models)-1 {
				return "", nil, err
			}
			answers = append(answers, comparison{Model: model, Err: err})
			continue
		}
		one := comparison{Model: model, RunID: live.Run.ID}
		c.await(own, live, &one)
		asked, answered, err := c.said(own, session, live.Run.ID)
		if err != nil {
			return "", nil, err
		}
		if question == "" {
			question = asked
		}
		if one.MessageID = answered; chosen == "" && one.Err == nil {
			chosen = answered
		}
		answers = append(answers, one)
	}
	if chosen != "" {
		err = c.choose(own, session, chosen)
	}
	return question, answers, err
}

// await reads a run to its end. When its reader leaves, the run is cancelled: nobody asked for it by itself.
func (c comparer) await(ctx context.Context, live *runs.Live, out *comparison) {
	for e, err := range live.Log.Read(ctx, 0) {
		switch {
		case err != nil:
			stop, done := context.WithTimeout(context.WithoutCancel(ctx), runs.LastWait)
			_ = live.Cancel(stop)
			done()
			out.Err = err
		case e.Kind == runs.Failure:
			out.Err = e.Err
		case e.Kind == runs.Answer:
			var body dialect.ChatCompletion
			if json.Unmarshal(e.Data, &body) == nil && len(body.Choices) > 0 {
				out.Receipt = body.Clawless
				if text := body.Choices[0].Message.Content; text != nil {
					out.Content = *text
				}
			}
		}
	}
}

// said finds the question and the last answer of a run.
func (c comparer) said(ctx context.Context, session, run string) (asked, answered string, err error) {
	err = c.DB.Read(ctx, func(q db.Querier) error {
		list, err := sessions.OfRun(ctx, q, db.TenantOf(auth.From(ctx).TenantID), session, run)
		for _, m := range list {
			switch m.Role {
			case "user":
				asked = m.ID
			case "assistant":
				answered = m.ID
			}
		}
		return err
	})
	return asked, answered, err
}

// choose makes an answer the one that the conversation goes on with.
func (c comparer) choose(ctx context.Context, session, message string) error {
	who := auth.From(ctx)
	err := c.DB.Write(ctx, func(q db.Querier) error {
		_, err := sessions.Select(ctx, q, db.TenantOf(who.TenantID), who.VisitorID, session, message, time.Now())
		return err
	})
	c.ForgetSession(who.TenantID, session)
	return err
}
