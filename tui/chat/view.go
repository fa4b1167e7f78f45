package chat

import (
	"slices"
	"strings"

	"github.com/clawless/clawless/tui/kit"
)

// View is what is live on the screen, never more lines than the screen has: the open part of the answer, the input
// and the status line; in the full screen the conversation too.
func (p *Page) View() []string {
	if p.leaving {
		return nil
	}
	bottom := p.bottom()
	room := max(0, p.height-len(bottom))
	var body []string
	if p.isFull {
		body = p.window(room)
	} else {
		body = p.openLines()
		if n := len(body); n > room {
			body = body[n-room:]
		}
	}
	lines := append(body[:len(body):len(body)], bottom...)
	if n := len(lines); n > p.height {
		lines = lines[n-p.height:]
	}
	return lines
}

// openLines is what is not settled: the tail of the answer, or a sign that one is being waited for.
func (p *Page) openLines() []string {
	switch {
	case p.open != nil:
		return p.open.Stream.Tail()
	case p.turn != nil && len(p.turn.Calls) > 0:
		return append([]string{""}, p.callLines()...)
	case p.turn != nil:
		return []string{"", p.waiting()}
	}
	return nil
}

func (p *Page) waiting() string {
	text := "waiting for an answer"
	if p.thoughts > 0 {
		text = "thinking: " + kit.Line(p.thinking)
		// The end of a thought says more than its beginning.
		for r := []rune(text); kit.Width(text) > p.textWidth()-2 && len(r) > 12; {
			r = append(r[:10:10], r[12:]...)
			text = string(r)
		}
	}
	return p.th.Style(kit.Accent, p.spinner()) + " " + p.th.Style(kit.Muted, p.th.Cut(text, p.textWidth()-2))
}

func (p *Page) spinner() string {
	frames := []rune(p.th.Sign("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", `|/-\`))
	return string(frames[p.spin%len(frames)])
}

// bottom is the input with its rule, its menu and the status line.
func (p *Page) bottom() []string {
	var lines []string
	if p.height >= 10 {
		lines = append(lines, "")
	}
	if p.height >= 5 {
		lines = append(lines, p.th.Rule(p.width))
	}
	for i, q := range p.queue {
		if i < 3 {
			lines = append(lines, p.th.Style(kit.Muted, p.th.Cut("  next: "+kit.Line(q), p.width)))
		}
	}
	lines = append(lines, p.input.View(p.th, p.width, max(1, min(8, p.height/3)))...)
	lines = append(lines, p.menuLines()...)
	return append(lines, p.status())
}

func (p *Page) menuLines() []string {
	room := max(1, min(6, p.height/4))
	top := max(0, min(p.menu.at-room+1, len(p.menu.items)-room))
	if p.menu.at < top {
		top = p.menu.at
	}
	wide := 0
	for _, it := range p.menu.items {
		wide = max(wide, kit.Width(it.name))
	}
	var lines []string
	for i := top; i < len(p.menu.items) && len(lines) < room; i++ {
		it, look := p.menu.items[i], kit.Muted
		if i == p.menu.at {
			look = kit.Accent
		}
		text := "  " + it.name + strings.Repeat(" ", wide-kit.Width(it.name)+2) + it.help
		lines = append(lines, p.th.Style(look, p.th.Cut(text, p.width)))
	}
	return lines
}

// status names the model, what the last turn and the conversation cost, and what is going on at the left, and the
// tokens of the last turn at the right. It leaves the last column free: erasing what is below a full last line would
// take that line's last character with it.
func (p *Page) status() string {
	width := p.width - 1
	dot := " " + p.th.Sign("·", "-") + " "
	right, look := "/help", kit.Muted
	switch {
	case p.loading:
		right = "loading" + p.th.Sign("…", "...")
	case p.armed:
		right, look = "ctrl+c again quits", kit.Warning
	case p.flash != "":
		right, look = p.flash, kit.Warning
	case p.fresh > 0:
		right = kit.Plural(p.fresh, "new line") + dot + "ctrl+end"
	case p.promptID != "" && p.turn != nil:
		right, look = "y or n", kit.Warning
	case p.turn != nil:
		right = "esc stops"
	case p.editing:
		right = "editing" + dot + "esc leaves it"
	case p.usage != kit.Usage{}:
		right = kit.Count(p.usage.Input) + " in" + dot + kit.Count(p.usage.Output) + " out"
		if kit.Width(p.lefts(dot)[0])+kit.Width(right)+2 > width {
			right = "" // money goes before tokens
		}
	}
	if right == "" {
		return p.th.Style(kit.Muted, p.left(dot, width))
	}
	left := p.left(dot, width-kit.Width(right)-2)
	if left == "" {
		return p.th.Style(look, p.th.Cut(right, width))
	}
	return p.th.Status(p.th.Style(kit.Muted, left), p.th.Style(look, right), width)
}

// left is the longest left end that fits; empty when there is no room for one.
func (p *Page) left(dot string, room int) string {
	all := p.lefts(dot)
	for _, text := range all {
		if kit.Width(text) <= room {
			return text
		}
	}
	if last := all[len(all)-1]; room >= 10 {
		return p.th.Cut(last, room)
	}
	return ""
}

// lefts are left ends from the longest to the shortest: what a person can do without goes first.
func (p *Page) lefts(dot string) []string {
	join := func(parts ...string) string {
		return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), dot)
	}
	name, short, effort := p.modelName(), kit.Line(p.served), ""
	if short == "" {
		short = name
	}
	if p.turn != nil {
		return []string{p.spinner() + " " + name + " " + p.elapsed(), p.spinner() + " " + short}
	}
	if p.effort != "" {
		effort = "thinking " + p.effort
	}
	cost, total := p.cost.String(), p.spent.String()
	sum := strings.Replace(total, "total", p.th.Sign("Σ", "sum"), 1)
	return []string{join(name, effort, cost, total), join(short, effort, cost, total), join(short, cost, total), join(short, cost, sum), join(short, cost), short}
}

func (p *Page) modelName() string {
	name := p.model
	if name == "" {
		name = "default"
	}
	if p.served != "" && p.served != name {
		if name == "default" {
			return p.served
		}
		return name + p.th.Sign(" → ", " > ") + p.served
	}
	return kit.Line(name)
}

// bodyRoom is the number of lines above the input.
func (p *Page) bodyRoom() int { return max(0, p.height-len(p.bottom())) }

// window is the part of the conversation that the full screen shows: only what is visible is laid out.
func (p *Page) window(room int) []string {
	lines := p.fromEnd(room + p.scroll)
	end := max(0, len(lines)-p.scroll)
	lines = lines[max(0, end-room):end]
	if pad := room - len(lines); pad > 0 { // the input stays at the foot of the screen
		lines = append(make([]string, pad), lines...)
	}
	return lines
}

// fromEnd is at least the last n lines of the conversation, or all of it.
func (p *Page) fromEnd(n int) []string {
	var parts [][]string
	count := 0
	if p.turn != nil && p.open == nil {
		parts = append(parts, p.openLines())
		count = len(parts[0])
	}
	for i := len(p.entries) - 1; i >= 0 && count < n; i-- {
		part := p.entries[i].Full(p.th, p.textWidth())
		parts = append(parts, part)
		count += len(part)
	}
	lines := make([]string, 0, count)
	for i := len(parts) - 1; i >= 0; i-- {
		lines = append(lines, parts[i]...)
	}
	return lines
}

// clampScroll keeps the window inside the conversation and reports whether it is at the top.
func (p *Page) clampScroll() bool {
	room := p.bodyRoom()
	have := len(p.fromEnd(room + p.scroll))
	if p.scroll > have-room {
		p.scroll = max(0, have-room)
		return true
	}
	return false
}

// holding runs f, which adds to the conversation, and keeps a window that is scrolled back where it is.
func (p *Page) holding(f func()) {
	if !p.isFull || p.scroll == 0 {
		f()
		return
	}
	from := max(0, len(p.entries)-1)
	count := func() (n int) {
		for _, e := range p.entries[from:] {
			n += len(e.Full(p.th, p.textWidth()))
		}
		return n
	}
	before := count()
	f()
	more := count() - before
	p.scroll += more
	p.fresh = max(0, p.fresh+more)
}
