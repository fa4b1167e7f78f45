package markdown

import (
	"bytes"
	"sync"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// The dialect is GitHub's without HTML and without reference links. A terminal shows HTML as what was written,
// and with both left out nothing that follows a finished top-level block can change it: the Stream rests on that.
var dialect = sync.OnceValue(func() parser.Parser {
	at := util.Prioritized
	return parser.NewParser(
		parser.WithBlockParsers(
			at(parser.NewSetextHeadingParser(), 100),
			at(noted{parser.NewThematicBreakParser()}, 200),
			at(noted{parser.NewListParser()}, 300),
			at(noted{parser.NewListItemParser()}, 400),
			at(noted{parser.NewCodeBlockParser()}, 500),
			at(noted{parser.NewATXHeadingParser()}, 600),
			at(noted{parser.NewFencedCodeBlockParser()}, 700),
			at(noted{parser.NewBlockquoteParser()}, 800),
			at(noted{parser.NewParagraphParser()}, 1000),
		),
		parser.WithInlineParsers(
			at(extension.NewTaskCheckBoxParser(), 0),
			at(parser.NewCodeSpanParser(), 100),
			at(parser.NewLinkParser(), 200),
			at(parser.NewAutoLinkParser(), 300),
			at(parser.NewEmphasisParser(), 500),
			at(extension.NewStrikethroughParser(), 500),
		),
		parser.WithParagraphTransformers(at(extension.NewTableParagraphTransformer(), 200)),
		parser.WithASTTransformers(at(extension.NewTableASTTransformer(), 0)),
	)
})

// noted notes where the outermost blocks and the items of the outermost lists begin, which the tree does not
// say. An underlined heading is not noted: it begins where its paragraph did.
type noted struct{ parser.BlockParser }

var startsKey = parser.NewContextKey()

// starts are the places of the last parse.
type starts struct {
	at   map[ast.Node]int
	last int  // the line where the last outermost block, or item of one at the left margin, begins
	item bool // last is an item that is not its list's first
}

// Open opens the block and notes its place.
func (n noted) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	item := parent.Kind() == ast.KindList
	outer := parent
	if item {
		outer = parent.Parent()
	}
	if outer == nil || outer.Kind() != ast.KindDocument {
		return n.BlockParser.Open(parent, reader, pc)
	}
	_, seg := reader.PeekLine()
	node, state := n.BlockParser.Open(parent, reader, pc)
	if node == nil {
		return node, state
	}
	src := reader.Source()
	s := pc.Get(startsKey).(*starts)
	at := bytes.LastIndexByte(src[:seg.Start], '\n') + 1
	s.at[node] = at
	switch {
	case !item:
		s.last, s.item = at, false
	case at > s.last && src[at] != ' ' && src[at] != '\t':
		s.last, s.item = at, true
	}
	return node, state
}

// parse reads src, which has passed Visible.
func parse(src []byte) (ast.Node, *starts) {
	s := &starts{at: map[ast.Node]int{}}
	pc := parser.NewContext()
	pc.Set(startsKey, s)
	return dialect().Parse(text.NewReader(src), parser.WithContext(pc)), s
}

// blankBefore reports whether the line before the offset is blank.
func blankBefore(src []byte, at int) bool {
	if at < 1 {
		return false
	}
	begin := bytes.LastIndexByte(src[:at-1], '\n') + 1
	return len(bytes.TrimSpace(src[begin:at])) == 0
}
