package plain

import (
	"context"
	"strings"

	"github.com/clawless/clawless/tui/kit"
)

// call prints what became of a call, and asks about one that waits.
func (c *chat) call(ctx context.Context, call kit.Call, run string) {
	if c.calls.Update(call) {
		c.print("Tool: " + call.Line())
	}
	if call.Status == kit.CallWaiting {
		c.decide(ctx, call, run)
	}
}

// decide asks whether a call may be made. Where nobody can be asked it is denied, or waits for somebody elsewhere.
func (c *chat) decide(ctx context.Context, call kit.Call, run string) {
	c.print("Tool: " + kit.Line(call.Name) + " waits for your word.")
	c.print(call.Question()...)
	allow := false
	switch elsewhere := "clawless run approve " + kit.Line(run+" "+call.ApprovalID); {
	case c.Echo && c.Waits:
		c.print("To decide: " + elsewhere)
		return
	case c.Echo:
		c.print("Denied, because nobody can be asked here. With --approvals wait it waits for: " + elsewhere)
	default:
		var ok bool
		if allow, ok = c.yes(ctx, "May "+kit.Line(call.Name)+" run? y or n: "); !ok {
			return
		}
	}
	kind := kit.Deny
	if allow {
		kind = kit.Approve
	}
	if _, err := c.Backend.Do(ctx, kit.Action{Kind: kind, RunID: run, ApprovalID: call.ApprovalID}); err != nil && ctx.Err() == nil {
		c.print("Note: the server did not take your word: " + kit.Line(err.Error()))
	}
}

// yes reads a line that says y or n; not ok when the answer is stopped first. An end of the input is a no.
func (c *chat) yes(ctx context.Context, question string) (allow, ok bool) {
	for {
		c.write(question)
		select {
		case line, open := <-c.lines:
			switch strings.ToLower(strings.TrimSpace(line)) {
			case "y", "yes":
				return true, true
			case "n", "no":
				return false, true
			}
			if !open {
				return false, true
			}
		case <-ctx.Done():
			c.print("")
			return false, false
		}
	}
}

// change resets, undoes or forks the session.
func (c *chat) change(ctx context.Context, kind kit.ActionKind) {
	if c.SessionID == "" {
		c.print("There is no conversation yet.")
		return
	}
	s, err := c.Backend.Do(ctx, kit.Action{Kind: kind, SessionID: c.SessionID})
	switch {
	case err != nil:
		c.fail(err, "Nothing was changed.")
	case kind == kit.Reset:
		c.before, c.asked, c.taken, c.undone = c.asked, "", false, false
		c.print("The model no longer sees what was said so far. /undo takes that back.")
	case kind == kit.Undo:
		c.asked, c.taken = c.before, c.before != ""
		c.print("The conversation before the reset goes on.")
	case kind == kit.Fork:
		c.SessionID = s.ID
		c.print("A copy goes on from here. /sessions has the other one.")
	}
}

// again has the last message answered again.
func (c *chat) again(ctx context.Context) {
	if c.SessionID == "" || c.asked == "" {
		c.print("There is no message to answer again.")
		return
	}
	c.ask(ctx, kit.Ask{Text: c.asked, Again: true})
}

// edit puts a text in the place of the last message.
func (c *chat) edit(ctx context.Context, text string) {
	switch {
	case c.SessionID == "" || !c.taken:
		c.print("There is no message to edit.")
	case text == "":
		c.print("Your last message is: "+kit.Line(c.asked), "/edit TEXT puts TEXT in its place.")
	default:
		c.ask(ctx, kit.Ask{Text: text, Edit: true})
	}
}
