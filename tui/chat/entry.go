package chat

import (
	"strings"

	"github.com/clawless/clawless/tui/kit"
	"github.com/clawless/clawless/tui/kit/markdown"
)

// entry is one part of the conversation: a question, an answer, or a remark of the program.
type entry struct {
	text   strings.Builder
	answer bool
	note   bool // a remark of the program, which stands close to other remarks
	gap    bool // an empty line sets it off from what is before it
	// paint paints a complete entry.
	paint func(e *entry, th kit.Theme, width int) []string

	// stream paints an answer as it comes in; nil when the answer is complete.
	stream *markdown.Stream
	// wide is the paint for the full screen: of the whole entry, or of the settled part of an open answer.
	wide      []string
	wideWidth int
	wideOpen  *markdown.Stream
}

func newQuestion(text string) *entry {
	e := &entry{gap: true, paint: func(e *entry, th kit.Theme, width int) []string {
		lines := kit.Wrap(th, kit.Visible(e.text.String()), kit.Bold, max(width-2, 8))
		for i, line := range lines {
			lead := "  "
			if i == 0 {
				lead = th.Style(kit.Prompt, th.Sign("❯", ">")) + " "
			}
			lines[i] = strings.TrimRight(lead+line, " ")
		}
		return lines
	}}
	e.text.WriteString(text)
	return e
}

func newAnswer(text string) *entry {
	e := &entry{gap: true, answer: true, paint: func(e *entry, th kit.Theme, width int) []string {
		return markdown.NewPainter(th, width).Paint(e.text.String())
	}}
	e.text.WriteString(text)
	return e
}

// newNote is a remark in the look.
func newNote(text string, look kit.Attr) *entry {
	e := &entry{note: true, gap: true, paint: func(e *entry, th kit.Theme, width int) []string {
		return kit.Wrap(th, kit.Visible(e.text.String()), look, width)
	}}
	e.text.WriteString(text)
	return e
}

// newFailure is an error with what to do next.
func newFailure(err error, next string) *entry {
	return &entry{gap: true, paint: func(_ *entry, th kit.Theme, width int) []string {
		return append(kit.Failed(th, err, width), th.Style(kit.Muted, th.Cut("  "+next, width)))
	}}
}

func newDivider(title string) *entry {
	return &entry{gap: true, paint: func(_ *entry, th kit.Theme, width int) []string {
		title := th.Cut(kit.Line(title), max(width-8, 4))
		rest := max(0, min(width, 60)-kit.Width(title)-4)
		return []string{th.Rule(2) + " " + title + " " + th.Rule(rest)}
	}}
}

// lines paints a complete entry.
func (e *entry) lines(th kit.Theme, width int) []string {
	lines := e.paint(e, th, width)
	if e.gap {
		return append([]string{""}, lines...)
	}
	return lines
}

// full is the entry for the full screen; what is complete is painted once for a width.
func (e *entry) full(th kit.Theme, width int) []string {
	if e.stream != nil {
		if e.wideOpen == nil || e.wideWidth != width {
			e.wideOpen, e.wideWidth = markdown.NewStream(th, width), width
			e.wide = append([]string{""}, e.wideOpen.Write(e.text.String())...)
		}
		return append(e.wide[:len(e.wide):len(e.wide)], e.wideOpen.Tail()...)
	}
	if e.wide == nil || e.wideOpen != nil || e.wideWidth != width {
		e.wide, e.wideWidth, e.wideOpen = e.lines(th, width), width, nil
	}
	return e.wide
}

// write adds a piece to an open answer and returns the lines it settled.
func (e *entry) write(piece string) []string {
	e.text.WriteString(piece)
	if e.wideOpen != nil {
		e.wide = append(e.wide, e.wideOpen.Write(piece)...)
	}
	return e.stream.Write(piece)
}

// close ends an open answer and returns the lines that were still open.
func (e *entry) close() []string {
	lines := e.stream.Close()
	e.stream = nil
	return lines
}
