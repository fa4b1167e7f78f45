package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
)

// writeMarkdown writes the branch that is continued, of every epoch, for people to read: tool calls and results are folded, and what a model thought is left out.
func (s *source) writeMarkdown(ctx context.Context, w *paced) error {
	title := line(s.session.Title)
	if title == "" {
		title = s.session.ID
	}
	_, _ = fmt.Fprintf(w, "# %s\n\n%s, %s\n", title, s.session.ID, s.session.CreatedAt.Format("2006-01-02 15:04 MST")) // a bufio.Writer keeps its first failure
	reasons := map[int64]string{}
	for _, e := range s.epochs {
		reasons[e.Epoch] = e.Reason
	}
	epoch := int64(1)
	return s.messages(ctx, func(m sessions.Message) error {
		if !m.Active {
			return nil
		}
		if m.Epoch != epoch {
			epoch = m.Epoch
			_, _ = fmt.Fprintf(w, "\n---\n\n*Epoch %d (%s)*\n", epoch, reasons[epoch])
		}
		_, err := w.WriteString(markdown(m))
		return err
	})
}

// line is a text as one line of Markdown.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }

func markdown(m sessions.Message) string {
	var b strings.Builder
	text := readable(m.Content)
	if m.Role == "tool" {
		b.WriteString(folded("Result", text, ""))
		return b.String()
	}
	who := "User"
	switch {
	case m.Role == "assistant" && m.Model != "":
		who = "Assistant (" + line(m.Model) + ")"
	case m.Role == "assistant":
		who = "Assistant"
	case m.Origin != "":
		who = "Session " + line(m.Origin)
	}
	fmt.Fprintf(&b, "\n## %s\n", who)
	if text != "" {
		fmt.Fprintf(&b, "\n%s\n", text)
	}
	for _, c := range m.ToolCalls {
		b.WriteString(folded("Call of "+line(c.Function.Name), c.Function.Arguments, "json"))
	}
	return b.String()
}

// folded hides a text behind its title, in a fence that is longer than any in the text.
func folded(title, text, language string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	title = strings.NewReplacer("<", "&lt;", "&", "&amp;").Replace(title)
	return fmt.Sprintf("\n<details><summary>%s</summary>\n\n%s%s\n%s\n%s\n\n</details>\n", title, fence, language, text, fence)
}

// readable is a content's text, with a word for each part that is none.
func readable(content json.RawMessage) string {
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(content, &parts) != nil {
		return llm.TextOf(content)
	}
	var out []string
	for _, p := range parts {
		if p.Type == "text" {
			out = append(out, p.Text)
		} else {
			out = append(out, "*("+line(p.Type)+")*")
		}
	}
	return strings.Join(out, "\n\n")
}
