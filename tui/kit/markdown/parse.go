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
		parser.WithParagraphTransformers(at(tables{extension.NewTableParagraphTransformer()}, 200)),
		parser.WithASTTransformers(at(extension.NewTableASTTransformer(), 0)),
	)
})

// noted notes where blocks begin, which the tree does not say. An underlined heading is not noted: it begins where
// its paragraph did.
type noted struct{ parser.BlockParser }

var startsKey = parser.NewContextKey()

// starts are the places of the last parse.
type starts struct {
	at   map[ast.Node]int // the beginning of the line where a block begins
	last int              // where the last outermost block, or item of one at the left margin, begins
	item bool             // last is an item that is not its list's first
}

// of is a place in the first line of a block. That of a table is not known.
func (s *starts) of(n ast.Node) int {
	if at, ok := s.at[n]; ok || n.Type() != ast.TypeBlock || n.Lines() == nil || n.Lines().Len() == 0 {
		return at
	}
	return n.Lines().At(0).Start
}

// Open opens the block and notes its place.
func (n noted) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	_, seg := reader.PeekLine()
	node, state := n.BlockParser.Open(parent, reader, pc)
	if node == nil {
		return node, state
	}
	src := reader.Source()
	s := pc.Get(startsKey).(*starts)
	at := lineOf(src, seg.Start)
	s.at[node] = at
	switch above := parent.Parent(); {
	case above == nil:
		s.last, s.item = at, false
	case parent.Kind() != ast.KindList || above.Kind() != ast.KindDocument:
	case at > s.last && src[at] != ' ' && src[at] != '\t':
		s.last, s.item = at, true
	}
	return node, state
}

// tables finds tables in paragraphs that hold a bar at all. Indentation goes first: whether the parser has removed
// it by now depends on what follows the paragraph, and must not.
type tables struct{ parser.ParagraphTransformer }

// Transform turns the paragraph into a table if it is one.
func (t tables) Transform(node *ast.Paragraph, reader text.Reader, pc parser.Context) {
	lines, bar := node.Lines(), false
	for i := range lines.Len() {
		seg := lines.At(i)
		seg = seg.TrimLeftSpace(reader.Source())
		lines.Set(i, seg)
		bar = bar || bytes.IndexByte(seg.Value(reader.Source()), '|') >= 0
	}
	if bar {
		t.ParagraphTransformer.Transform(node, reader, pc)
	}
}

// parse reads src, which has passed Visible.
func parse(src []byte) (ast.Node, *starts) {
	s := &starts{at: map[ast.Node]int{}}
	pc := parser.NewContext()
	pc.Set(startsKey, s)
	return dialect().Parse(text.NewReader(src), parser.WithContext(pc)), s
}

// lineOf is the beginning of the line that the offset is in.
func lineOf(src []byte, at int) int { return bytes.LastIndexByte(src[:at], '\n') + 1 }

// blankBefore reports whether the line before the one that the offset is in is blank but for quote marks.
func blankBefore(src []byte, at int) bool { return onlyBefore(src, at, " \t\n>") }

// onlyBefore reports whether there is a line before the one that the offset is in, with no other characters than these.
func onlyBefore(src []byte, at int, chars string) bool {
	at = lineOf(src, at)
	return at > 0 && len(bytes.Trim(src[lineOf(src, at-1):at], chars)) == 0
}

// CodeBlocks are the contents of the fenced and indented code blocks of a text, in order and as written.
func CodeBlocks(md string) (blocks []string) {
	src := []byte(md)
	root, _ := parse(src)
	_ = ast.Walk(root, func(n ast.Node, enter bool) (ast.WalkStatus, error) {
		if enter && (n.Kind() == ast.KindFencedCodeBlock || n.Kind() == ast.KindCodeBlock) {
			blocks = append(blocks, string(n.Lines().Value(src)))
		}
		return ast.WalkContinue, nil
	})
	return blocks
}
