package markdown

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/tui/kit"
)

var rich = kit.Theme{SGR: true, Color: true, Rich: true}

// documents are the sources of the golden files.
func documents(t testing.TB) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.md")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	docs := map[string]string{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		docs[filepath.Base(p)] = string(b)
	}
	return docs
}

// snippets are what random documents are made of: every block, and the beginnings of blocks that change their meaning.
var snippets = []string{
	"word ", "two words", "\n", "\n\n", "# Title\n", "## ", "- ", "- item\n", "* star\n", "1. one\n", "2. two\n", "7) seven\n", "10. ten\n",
	"  - nested\n", "    four\n", "   three\n", "```go\n", "```\n", "~~~\n", "~~~~ x y\n", "``", "`", "`code`", "**bold**", "*", "**", "_", "~~",
	"> quote\n", ">\n", "> > deep\n", "---\n", "===\n", "***\n", "| a | b |\n", "|---|:-:|\n", "| 1 | long cell text |\n", "|", "[x](http://e.x/y)",
	"[x]", "![i](u)", "<http://a.b>", "<b>", "<br>", "&amp;", "&#27;", "\\", "\\*", "- [ ] task\n", "- [x] done\n", "-\n", "- a\n\n  b\n",
	"1.\n", "\t", "\ttab\n", "漢字かな交じり文。", "한국어 ", "👩‍👩‍👧 ", "e\u0301", "🇫🇷", "\x1b[31m", "\x07", "\r", "\r\n", "\u202e", "\x9b", "\xff", "0\n-:\n-\n",
	"https://example.com/a/very/long/path/that/does/not/fit/in/any/line/of/a/small/terminal?q=1 ", "    code\n", " ", "   - x\n", "+ plus\n", "text\n```\n",
}

func randomDocument(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(24) {
		b.WriteString(snippets[r.IntN(len(snippets))])
	}
	return b.String()
}

// checkSplit streams a text in the given pieces and compares what is seen at every step with the whole.
func checkSplit(t *testing.T, md string, pieces []string, width int) {
	t.Helper()
	s := NewStream(rich, width)
	whole := NewPainter(rich, width)
	var settled []string
	sofar := ""
	for _, piece := range pieces {
		settled = append(settled, s.Write(piece)...)
		sofar += piece
		if kit.Unfinished(sofar) > 0 {
			continue
		}
		now := append(slices.Clone(settled), s.Tail()...)
		if want := whole.Paint(sofar); !slices.Equal(now, want) {
			t.Fatalf("width %d, after %q (last piece %q):\nstream %q\nwhole  %q", width, sofar, piece, now, want)
		}
	}
	settled = append(settled, s.Close()...)
	if want := whole.Paint(md); !slices.Equal(settled, want) {
		t.Fatalf("width %d, closed %q:\nstream %q\nwhole  %q", width, md, settled, want)
	}
}

func pieces(r *rand.Rand, s string, longest int) (out []string) {
	for s != "" {
		n := min(len(s), 1+r.IntN(longest))
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

func TestStreamEqualsTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, md := range documents(t) {
		t.Run(name, func(t *testing.T) {
			checkSplit(t, md, pieces(r, md, 7), 60)
			checkSplit(t, md, pieces(r, md, 90), 33)
		})
	}
	n := 3000
	if testing.Short() {
		n = 300
	}
	for range n {
		md := randomDocument(r)
		checkSplit(t, md, pieces(r, md, 1+r.IntN(12)), 10+r.IntN(80))
	}
}

// TestStreamSettles keeps the promise that makes a long answer cheap: what is complete leaves the tail.
func TestStreamSettles(t *testing.T) {
	s := NewStream(rich, 40)
	for _, step := range []struct {
		write   string
		settled []string
		tail    int
	}{
		{"One\n", nil, 1},
		{"\n", []string{"One"}, 0},
		{"Two\n", nil, 2},
		{"\n```go\na := 1\nb", []string{"", "Two", "", "\x1b[2m╷ go\x1b[m", "\x1b[2m│\x1b[m a := 1"}, 1},
		{" := 2\n", []string{"\x1b[2m│\x1b[m b := 2"}, 0},
		{"```\n", nil, 0},
		{"1. x\n1. y\n", []string{"", "\x1b[36m1.\x1b[m x"}, 1},
		{"1. z\n", []string{"\x1b[36m2.\x1b[m y"}, 1},
		{"\nEnd", nil, 3},
		{".\n", []string{"\x1b[36m3.\x1b[m z"}, 2},
	} {
		got := s.Write(step.write)
		if !slices.Equal(got, step.settled) {
			t.Errorf("after %q settled %q, want %q", step.write, got, step.settled)
		}
		if n := len(s.Tail()); n != step.tail {
			t.Errorf("after %q the tail has %d lines, want %d: %q", step.write, n, step.tail, s.Tail())
		}
	}
}

func TestStreamResizesItsTailOnly(t *testing.T) {
	s := NewStream(rich, 80)
	s.Write("A paragraph that is done.\n\nAnother one that is still open and longer than the new width")
	s.Resize(20)
	for _, line := range s.Tail() {
		if kit.Width(line) > 20 {
			t.Errorf("%q is wider than 20", line)
		}
	}
}

func FuzzStream(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f.Add(randomDocument(r), uint16(20), uint16(3))
	}
	f.Fuzz(func(t *testing.T, md string, width, longest uint16) {
		if len(md) > 4<<10 {
			return
		}
		r := rand.New(rand.NewPCG(uint64(width), uint64(longest)))
		checkSplit(t, md, pieces(r, md, 1+int(longest%50)), int(width%200))
		checkLines(t, md, max(10, int(width%200)))
	})
}
