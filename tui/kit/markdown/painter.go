// Package markdown paints markdown as lines for a terminal, whole or while it streams in.
package markdown

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"

	"github.com/clawless/clawless/tui/kit"
)

// minText is how many columns text keeps when nesting would leave it less.
const minText = 8

// Painter turns markdown into lines for a terminal. It is not safe for concurrent use.
type Painter struct {
	th    kit.Theme
	width int

	src   []byte
	at    *starts
	out   []string
	rest  string // what stands before every line: quote bars and indentation
	lead  string // what stands before the next line instead: a bullet
	leads bool
	prefW int
	depth int // of lists with bullets
	flow  kit.Flow
}

// NewPainter paints for a width in columns; widths under ten count as ten.
func NewPainter(th kit.Theme, width int) *Painter {
	return &Painter{th: th, width: max(width, 10)}
}

// Paint returns the lines of a whole text. No line is wider than the width, holds a line feed, or holds a
// sequence that the text brought along.
func (p *Painter) Paint(md string) []string {
	src := []byte(kit.Visible(md))
	root, at := parse(src)
	p.paint(src, root, at, beginning)
	return p.out
}

// join says how a text joins the one before it.
type join struct {
	prev  ast.NodeKind // the last outermost block before it; KindDocument for none
	item  int          // the number of its first item if it continues a list, else -1
	blank bool         // whether a blank line stands between them
}

var beginning = join{prev: ast.KindDocument, item: -1}

// paint fills out with the lines of a parsed text.
func (p *Painter) paint(src []byte, root ast.Node, at *starts, j join) {
	p.at = at
	p.src, p.out, p.rest, p.leads, p.prefW, p.depth = src, nil, "", false, 0, 0
	for n := root.FirstChild(); n != nil; n = n.NextSibling() {
		blank := j.blank || blankBefore(src, at.of(n))
		if j.item >= 0 && blank || j.item < 0 && j.prev != ast.KindDocument && (blank || apart(j.prev, n.Kind())) {
			p.emit("")
		}
		if list, ok := n.(*ast.List); ok {
			p.list(list, j.item)
		} else {
			p.block(n)
		}
		j = join{prev: n.Kind(), item: -1}
	}
}

// apart reports the pairs of blocks that always get an empty line between them.
func apart(prev, next ast.NodeKind) bool {
	for _, kind := range [...]ast.NodeKind{prev, next} {
		switch kind {
		case ast.KindFencedCodeBlock, ast.KindCodeBlock, extast.KindTable, ast.KindBlockquote, ast.KindThematicBreak:
			return true
		}
	}
	return next == ast.KindHeading || prev == ast.KindParagraph && next == ast.KindParagraph ||
		prev == ast.KindList && next != ast.KindList
}

func (p *Painter) emit(s string) {
	prefix := p.rest
	if p.leads {
		prefix, p.leads = p.lead, false
	}
	s = prefix + s
	if strings.HasSuffix(s, " ") {
		s = strings.TrimRight(s, " ")
	}
	p.out = append(p.out, s)
}

func (p *Painter) room() int { return p.width - p.prefW }

// under runs f with a prefix of w columns before its lines, first before the first of them. Nesting too deep
// for the width is flattened.
func (p *Painter) under(first, rest string, w int, f func()) {
	if p.room()-w < minText {
		first, rest, w = "", "", 0
	}
	oldRest := p.rest
	lead := p.rest
	if p.leads {
		lead = p.lead
	}
	p.lead, p.leads = lead+first, true
	p.rest += rest
	p.prefW += w
	f()
	if p.leads {
		p.emit("")
	}
	p.rest = oldRest
	p.prefW -= w
}

// blocks paints the children of a container.
func (p *Painter) blocks(parent ast.Node) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		// A heading may have been moved behind a table that stood in its paragraph: what is in the container's first
		// line has nothing of the container before it.
		start := lineOf(p.src, p.at.of(n))
		set := n.Kind() == extast.KindTable || start > p.at.of(parent) && blankBefore(p.src, start)
		if n.PreviousSibling() != nil && set {
			p.emit("")
		}
		if list, ok := n.(*ast.List); ok {
			p.list(list, -1)
		} else {
			p.block(n)
		}
	}
}

func (p *Painter) block(n ast.Node) {
	switch n := n.(type) {
	case *ast.Heading:
		look := kit.Heading
		switch {
		case n.Level == 1:
			look |= kit.Underline
		case n.Level > 3:
			look = kit.Bold
		}
		if !p.th.SGR {
			mark := strings.Repeat("#", n.Level) + " "
			p.under(mark, mark, len(mark), func() { p.text(n, look) })
			return
		}
		p.text(n, look)
	case *ast.Blockquote:
		bar := p.th.Style(kit.Muted, p.th.Sign("▌", ">")) + " "
		p.under(bar, bar, 2, func() { p.blocks(n) })
	case *ast.FencedCodeBlock:
		info := ""
		if n.Info != nil {
			info = string(n.Info.Segment.Value(p.src))
		}
		p.codeLabel(info)
		p.code(n)
	case *ast.CodeBlock:
		p.code(n)
	case *ast.ThematicBreak:
		p.emit(p.th.Rule(min(p.room(), 40)))
	case *extast.Table:
		p.table(n)
	default:
		p.text(n, 0)
	}
}

// code paints the lines of a code block.
func (p *Painter) code(n ast.Node) {
	for i := range n.Lines().Len() {
		seg := n.Lines().At(i)
		p.codeLine(string(bytes.TrimSuffix(seg.Value(p.src), []byte{'\n'})))
	}
}

// codeLabel names the language of a code block.
func (p *Painter) codeLabel(info string) {
	if lang, _, _ := strings.Cut(info, " "); lang != "" {
		p.emit(p.th.Style(kit.Muted, p.th.Sign("╷ ", "| ")+p.th.Cut(kit.Untab(lang), p.room()-2)))
	}
}

func (p *Painter) codeLine(s string) {
	bar := p.th.Style(kit.Muted, p.th.Sign("│", "|")) + " "
	s, w := kit.Untab(s), p.room()-2
	for kit.Width(s) > w {
		n, col := 0, 0
		for n < len(s) {
			c, cw := kit.Cluster(s[n:])
			if col+cw > w {
				break
			}
			n, col = n+len(c), col+cw
		}
		p.emit(bar + s[:n])
		s = s[n:]
	}
	p.emit(bar + s)
}

// list paints a list. A number of zero or more stands in for the list's own first number.
func (p *Painter) list(list *ast.List, number int) {
	if number < 0 {
		number = list.Start
	}
	bullet := p.th.Sign([...]string{"•", "◦", "▪"}[p.depth%3], "-")
	if !list.IsOrdered() {
		p.depth++
		defer func() { p.depth-- }()
	}
	for n := list.FirstChild(); n != nil; n = n.NextSibling() {
		if n != list.FirstChild() && blankBefore(p.src, p.at.of(n)) {
			p.emit("")
		}
		mark := bullet
		if list.IsOrdered() {
			mark = strconv.Itoa(number) + string(list.Marker)
			number++
		}
		w := kit.Width(mark) + 1
		p.under(p.th.Style(kit.Accent, mark)+" ", strings.Repeat(" ", w), w, func() { p.blocks(n) })
	}
}

// text paints the inline content of a block.
func (p *Painter) text(n ast.Node, look kit.Attr) {
	p.flow.Reset()
	p.inline(n, look)
	p.flow.Layout(p.th, p.room(), func(s string, _ int) { p.emit(s) })
}

// inline collects the children of n.
func (p *Painter) inline(n ast.Node, look kit.Attr) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			p.words(c.Segment.Value(p.src), look)
			if c.HardLineBreak() || c.SoftLineBreak() {
				p.flow.Break()
			}
		case *ast.Emphasis:
			p.inline(c, look|[...]kit.Attr{kit.Italic, kit.Bold}[min(c.Level, 2)-1])
		case *extast.Strikethrough:
			p.inline(c, look|kit.Strike)
		case *ast.CodeSpan:
			p.codeSpan(c, look)
		case *ast.Link:
			p.inline(c, look|kit.LinkText)
			p.target(c, c.Destination, look)
		case *ast.Image:
			p.flow.Add("[image:", look|kit.Muted)
			p.flow.Add(" ", look)
			p.inline(c, look)
			p.flow.Add("]", look|kit.Muted)
			p.target(c, c.Destination, look)
		case *ast.AutoLink:
			p.flow.Add(string(c.Label(p.src)), look|kit.LinkText)
		case *extast.TaskCheckBox:
			p.checkBox(c.IsChecked)
		default:
			p.inline(c, look)
		}
	}
}

func (p *Painter) codeSpan(c ast.Node, look kit.Attr) {
	var b strings.Builder
	for t := c.FirstChild(); t != nil; t = t.NextSibling() {
		if t, ok := t.(*ast.Text); ok {
			b.Write(t.Segment.Value(p.src))
		}
	}
	s := strings.ReplaceAll(kit.Untab(b.String()), "\n", " ")
	if !p.th.Color {
		s = "`" + s + "`"
	}
	p.flow.Add(s, look|kit.CodeText|kit.Verbatim)
}

// target names the address of a link unless its text already does.
func (p *Painter) target(n ast.Node, dest []byte, look kit.Attr) {
	url := kit.Line(string(unescape(dest)))
	if url == "" || url == string(n.Text(p.src)) { //nolint:staticcheck // the plain text is what is wanted here
		return
	}
	p.flow.Add(" ", look)
	p.flow.Add("("+url+")", look&^kit.LinkText|kit.Muted)
}

func (p *Painter) checkBox(done bool) {
	box, look := "[ ]", kit.Muted
	if done {
		box, look = "[x]", kit.Green
	}
	p.flow.Add(box, look)
	p.flow.Add(" ", 0)
}

// words adds text with its escapes and entities resolved. What an entity hides is made visible again, and <br>,
// which models write in tables, breaks the line.
func (p *Painter) words(raw []byte, look kit.Attr) {
	for {
		i := bytes.Index(raw, []byte("<br"))
		if i < 0 {
			break
		}
		end := bytes.IndexByte(raw[i:], '>')
		if end < 0 || len(bytes.Trim(raw[i+3:i+end], " /")) > 0 {
			break
		}
		p.plain(raw[:i], look)
		p.flow.Break()
		raw = raw[i+end+1:]
	}
	p.plain(raw, look)
}

func (p *Painter) plain(raw []byte, look kit.Attr) {
	if bytes.IndexByte(raw, '\\') < 0 && bytes.IndexByte(raw, '&') < 0 {
		p.flow.Add(kit.Untab(string(raw)), look)
		return
	}
	p.flow.Add(kit.Untab(strings.ReplaceAll(kit.Visible(string(unescape(raw))), "\n", "␊")), look)
}
