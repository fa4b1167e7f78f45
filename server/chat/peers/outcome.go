package peers

import (
	"context"
	"strings"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
)

// readRun is what became of a run that a message of this text began. Its message shows that it was this text.
func (s *sending) readRun(ctx context.Context, q db.Querier, id string) (Sent, error) {
	t := db.TenantOf(s.call.TenantID)
	run, err := runs.Get(ctx, q, t, "", id)
	if err != nil {
		return Sent{}, err
	}
	list, err := sessions.OfRun(ctx, q, t, s.SessionID, id)
	if err != nil {
		return Sent{}, err
	}
	asked := false
	var answer strings.Builder
	for _, m := range list {
		said := llm.TextOf(m.Content)
		switch {
		case m.Role == "user" && !asked:
			asked = true
			if said != s.text {
				return Sent{}, otherMessage()
			}
		case m.Role == "assistant" && said != "":
			if answer.Len() > 0 && !strings.HasSuffix(answer.String(), "\n") {
				answer.WriteString("\n\n") // as a turn of several steps is shown
			}
			answer.WriteString(said)
		}
	}
	if !asked {
		return Sent{}, fault.New(fault.RunExpired, "this message was sent before, and what became of it is no longer kept")
	}
	out := Sent{RunID: id, Status: string(run.Status), Text: answer.String()}
	if run.Status != runs.Completed {
		out.Text = run.ErrorMessage
	}
	return out, nil
}
