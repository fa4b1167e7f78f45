package markdown

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"

	"github.com/clawless/clawless/tui/kit"
)

// minColumn is how narrow a column may become before a table is painted as records.
const minColumn = 5

// cell is a table's cell, laid out.
type cell struct {
	lines  []string
	widths []int
}

// table paints a grid if its columns keep a readable width, else one record per row.
func (p *Painter) table(t *extast.Table) {
	cols := len(t.Alignments)
	if cols == 0 {
		return
	}
	natural := make([]int, cols)
	for row := t.FirstChild(); row != nil; row = row.NextSibling() {
		i := 0
		for c := row.FirstChild(); c != nil && i < cols; c = c.NextSibling() {
			for _, w := range p.cell(c, header(row), 1<<20).widths {
				natural[i] = max(natural[i], w)
			}
			i++
		}
	}
	widths := fit(natural, p.room()-3*(cols-1))
	if widths == nil {
		p.records(t)
		return
	}
	p.grid(t, widths)
}

func header(row ast.Node) kit.Attr {
	if row.Kind() == extast.KindTableHeader {
		return kit.Bold
	}
	return 0
}

// cell lays out the content of a cell.
func (p *Painter) cell(n ast.Node, look kit.Attr, width int) cell {
	var c cell
	p.flow.Reset()
	p.inline(n, look)
	p.flow.Layout(p.th, width, func(s string, w int) {
		c.lines, c.widths = append(c.lines, s), append(c.widths, w)
	})
	return c
}

// fit shares room among columns: narrow ones get what they need, wide ones an equal share of the rest. It is nil
// if some column would become too narrow to read.
func fit(natural []int, room int) []int {
	out := make([]int, len(natural))
	left, open := room, len(natural)
	for settled := true; settled && open > 0; {
		settled = false
		for i, n := range natural {
			if out[i] == 0 && n <= left/open {
				out[i] = max(n, 1)
				left, open, settled = left-out[i], open-1, true
				if open == 0 {
					break
				}
			}
		}
	}
	for i := range out {
		if out[i] == 0 {
			out[i] = left / open
			left, open = left-out[i], open-1
			if out[i] < minColumn {
				return nil
			}
		}
	}
	if left < 0 {
		return nil
	}
	return out
}

func (p *Painter) grid(t *extast.Table, widths []int) {
	bar := " " + p.th.Style(kit.Muted, p.th.Sign("│", "|")) + " "
	var rows [][]cell
	tall := false
	for row := t.FirstChild(); row != nil; row = row.NextSibling() {
		cells := make([]cell, len(widths))
		i := 0
		for c := row.FirstChild(); c != nil && i < len(widths); c = c.NextSibling() {
			cells[i] = p.cell(c, header(row), widths[i])
			tall = tall || len(cells[i].lines) > 1 && header(row) == 0
			i++
		}
		rows = append(rows, cells)
	}
	for r, cells := range rows {
		if r == 1 || r > 1 && tall {
			p.emit(p.gridRule(widths))
		}
		p.gridRow(t, cells, widths, bar)
	}
	if len(rows) == 1 {
		p.emit(p.gridRule(widths))
	}
}

func (p *Painter) gridRow(t *extast.Table, cells []cell, widths []int, bar string) {
	height := 1
	for _, c := range cells {
		height = max(height, len(c.lines))
	}
	for y := range height {
		var b strings.Builder
		for i, c := range cells {
			if i > 0 {
				b.WriteString(bar)
			}
			text, pad := "", widths[i]
			if y < len(c.lines) {
				text, pad = c.lines[y], widths[i]-c.widths[y]
			}
			before := 0
			switch t.Alignments[i] {
			case extast.AlignRight:
				before = pad
			case extast.AlignCenter:
				before = pad / 2
			}
			b.WriteString(strings.Repeat(" ", before) + text + strings.Repeat(" ", pad-before))
		}
		p.emit(b.String())
	}
}

func (p *Painter) gridRule(widths []int) string {
	var b strings.Builder
	for i, w := range widths {
		if i > 0 {
			b.WriteString(p.th.Sign("─┼─", "-+-"))
		}
		b.WriteString(strings.Repeat(p.th.Sign("─", "-"), w))
	}
	return p.th.Style(kit.Muted, b.String())
}

// records paints a table that is too wide as one block of "header: value" lines per row.
func (p *Painter) records(t *extast.Table) {
	head := t.FirstChild()
	for row := head.NextSibling(); row != nil; row = row.NextSibling() {
		if row != head.NextSibling() {
			p.emit(p.th.Rule(min(p.room(), 20)))
		}
		name := head.FirstChild()
		for c := row.FirstChild(); c != nil && name != nil; c, name = c.NextSibling(), name.NextSibling() {
			p.flow.Reset()
			p.inline(name, kit.Bold)
			p.flow.Add(":", kit.Bold)
			p.flow.Add(" ", 0)
			p.inline(c, 0)
			p.flow.Layout(p.th, p.room(), func(s string, _ int) { p.emit(s) })
		}
	}
	if head.NextSibling() == nil {
		for c := head.FirstChild(); c != nil; c = c.NextSibling() {
			p.text(c, kit.Bold)
		}
	}
}
