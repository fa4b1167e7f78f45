// Package entries paints the parts of a conversation: questions, answers and remarks.
package entries

import (
	"strings"

	"github.com/clawless/clawless/tui/kit"
	"github.com/clawless/clawless/tui/kit/markdown"
)

// Entry is one part of the conversation: a question, an answer, or a remark of the program.
type Entry struct {
	Text   strings.Builder
	Answer bool
	Note   bool // a remark of the program, which stands close to other remarks
	Gap    bool // an empty line sets it off from what is before it
	// Paint paints a complete entry.
	Paint func(e *Entry, th kit.Theme, width int) []string

	// Stream paints an answer as it comes in; nil when the answer is complete.
	Stream *markdown.Stream
	// wide is the paint for the full screen: of the whole entry, or of the settled part of an open answer.
	wide      []string
	wideWidth int
	wideOpen  *markdown.Stream
}

// Question is what the person asked.
func Question(text string) *Entry {
	e := &Entry{Gap: true, Paint: func(e *Entry, th kit.Theme, width int) []string {
		lines := kit.Wrap(th, kit.Visible(e.Text.String()), kit.Bold, max(width-2, 8))
		for i, line := range lines {
			lead := "  "
			if i == 0 {
				lead = th.Style(kit.Prompt, th.Sign("❯", ">")) + " "
			}
			lines[i] = strings.TrimRight(lead+line, " ")
		}
		return lines
	}}
	e.Text.WriteString(text)
	return e
}

// Answer is a complete answer in markdown.
func Answer(text string) *Entry {
	e := &Entry{Gap: true, Answer: true, Paint: func(e *Entry, th kit.Theme, width int) []string {
		return markdown.NewPainter(th, width).Paint(e.Text.String())
	}}
	e.Text.WriteString(text)
	return e
}

// Note is a remark in the look.
func Note(text string, look kit.Attr) *Entry {
	e := &Entry{Note: true, Gap: true, Paint: func(e *Entry, th kit.Theme, width int) []string {
		return kit.Wrap(th, kit.Visible(e.Text.String()), look, width)
	}}
	e.Text.WriteString(text)
	return e
}

// Failure is an error with what to do next.
func Failure(err error, next string) *Entry {
	return &Entry{Gap: true, Paint: func(_ *Entry, th kit.Theme, width int) []string {
		return append(kit.Failed(th, err, width), th.Style(kit.Muted, th.Cut("  "+next, width)))
	}}
}

// Divider is a line with a title.
func Divider(title string) *Entry {
	return &Entry{Gap: true, Paint: func(_ *Entry, th kit.Theme, width int) []string {
		title := th.Cut(kit.Line(title), max(width-8, 4))
		rest := max(0, min(width, 60)-kit.Width(title)-4)
		return []string{th.Rule(2) + " " + title + " " + th.Rule(rest)}
	}}
}

// Lines paints a complete entry.
func (e *Entry) Lines(th kit.Theme, width int) []string {
	lines := e.Paint(e, th, width)
	if e.Gap {
		return append([]string{""}, lines...)
	}
	return lines
}

// Full is the entry for the full screen; what is complete is painted once for a width.
func (e *Entry) Full(th kit.Theme, width int) []string {
	if e.Stream != nil {
		if e.wideOpen == nil || e.wideWidth != width {
			e.wideOpen, e.wideWidth = markdown.NewStream(th, width), width
			e.wide = append([]string{""}, e.wideOpen.Write(e.Text.String())...)
		}
		return append(e.wide[:len(e.wide):len(e.wide)], e.wideOpen.Tail()...)
	}
	if e.wide == nil || e.wideOpen != nil || e.wideWidth != width {
		e.wide, e.wideWidth, e.wideOpen = e.Lines(th, width), width, nil
	}
	return e.wide
}

// Write adds a piece to an open answer and returns the lines it settled.
func (e *Entry) Write(piece string) []string {
	e.Text.WriteString(piece)
	if e.wideOpen != nil {
		e.wide = append(e.wide, e.wideOpen.Write(piece)...)
	}
	return e.Stream.Write(piece)
}

// Close ends an open answer and returns the lines that were still open.
func (e *Entry) Close() []string {
	lines := e.Stream.Close()
	e.Stream = nil
	return lines
}
