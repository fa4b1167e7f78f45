package plain

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clawless/clawless/tui/kit"
	"github.com/clawless/clawless/tui/kit/markdown"
)

func (c *chat) command(ctx context.Context, text string) {
	name, arg, _ := strings.Cut(text, " ")
	arg = strings.TrimSpace(arg)
	switch name {
	case "/help":
		c.print("/new begins a new session.", "/sessions lists the sessions; /sessions 2 opens the second one.",
			"/model lists the models; /model NAME chooses one, and /model auto lets the server choose for each question.",
			"/thinking LEVEL chooses how much it thinks: "+strings.Join(kit.ThinkingLevels, ", ")+"; /thinking default takes that back.",
			"/receipt says why this model answered, and what the answer cost.", "/regenerate answers the last message again; /edit TEXT replaces it.",
			"/reset goes on without what was said so far, /undo takes that back, and /fork goes on in a copy of the session.",
			"/retry asks again after a failure or a stop.", "/quit leaves.", "When a tool waits for your word, y allows and n denies it.")
	case "/new":
		c.SessionID, c.spent, c.receipt = "", kit.Spent{}, nil
		c.asked, c.before, c.undone, c.taken = "", "", false, false
		c.print("A new session begins.")
	case "/sessions":
		c.sessions(ctx, arg)
	case "/model":
		c.model(ctx, arg)
	case "/thinking":
		c.think(arg)
	case "/receipt":
		if len(c.receipt) == 0 {
			c.print("There is no answer with a receipt yet.")
		}
		for _, line := range c.receipt {
			c.print(kit.Line(line))
		}
	case "/retry":
		if !c.undone {
			c.print("The last answer is complete; there is nothing to ask again.")
			return
		}
		if c.taken {
			c.again(ctx)
			return
		}
		c.ask(ctx, kit.Ask{Text: c.asked})
	case "/regenerate":
		c.again(ctx)
	case "/edit":
		c.edit(ctx, arg)
	case "/reset":
		c.change(ctx, kit.Reset)
	case "/undo":
		c.change(ctx, kit.Undo)
	case "/fork":
		c.change(ctx, kit.Fork)
	default:
		c.print("No command " + kit.Line(name) + ". /help lists them.")
	}
}

func (c *chat) sessions(ctx context.Context, arg string) {
	if n, err := strconv.Atoi(arg); err == nil && n >= 1 && n <= len(c.listed) {
		c.show(ctx, c.listed[n-1])
		return
	}
	page, err := c.Backend.Sessions(ctx, "")
	if err != nil {
		c.fail(err, "/sessions tries again.")
		return
	}
	c.listed = page.Sessions
	for i, s := range c.listed {
		title := s.Title
		if title == "" {
			title = s.ID
		}
		line := fmt.Sprintf("%d. %s, %s", i+1, kit.Line(title), kit.Plural(s.Messages, "message"))
		if ago := kit.Ago(s.UpdatedAt, c.Now()); ago != "" {
			line += ", " + ago
		}
		c.print(line)
	}
	if len(c.listed) == 0 {
		c.print("There are no sessions yet.")
		return
	}
	c.print("/sessions 1 opens the first one.")
}

// show continues a session and prints the end of it.
func (c *chat) show(ctx context.Context, s kit.Session) {
	page, err := c.Backend.Messages(ctx, s.ID, "")
	if err != nil {
		c.fail(err, "/sessions lists what there is.")
		return
	}
	c.SessionID, c.spent, c.receipt = s.ID, kit.Spent{}, nil
	c.asked, c.before, c.undone, c.taken = "", "", false, false
	if len(page.Messages) > 0 {
		c.spent.Add(kit.Cost{}) // what was said before cost what nobody says
	}
	p := markdown.NewPainter(kit.Theme{}, width)
	for _, m := range page.Messages[max(0, len(page.Messages)-10):] {
		switch m.Role {
		case "user":
			c.print("You: " + kit.Untab(kit.Visible(m.Text)))
			c.asked, c.taken = m.Text, true
		case "assistant":
			c.print("Assistant: " + strings.Join(p.Paint(m.Text), "\n"))
		}
	}
}

// think sets the level for the messages from now on.
func (c *chat) think(level string) {
	switch {
	case slices.Contains(kit.ThinkingLevels, level):
		c.Thinking = level
		c.print("The model now thinks at the level " + level + ".")
	case level == "default":
		c.Thinking = ""
		c.print("The model now thinks as the session has it.")
	default:
		c.print("The levels are " + strings.Join(kit.ThinkingLevels, ", ") + "; /thinking default takes the session's own.")
	}
}

func (c *chat) model(ctx context.Context, name string) {
	if name != "" {
		c.Model = name
		c.print("The model is now " + kit.Line(name) + ".")
		return
	}
	list, err := c.Backend.Models(ctx)
	if err != nil {
		c.fail(err, "/model tries again.")
		return
	}
	for _, m := range list {
		c.print(strings.TrimSpace(kit.Line(m.ID + " " + m.Note)))
	}
}
