package markdown

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clawless/clawless/tui/kit"
)

var update = flag.Bool("update", false, "write the golden files")

func TestGolden(t *testing.T) {
	for name, md := range documents(t) {
		for _, look := range []struct {
			suffix string
			th     kit.Theme
			width  int
		}{{"80", rich, 80}, {"36", rich, 36}, {"plain", kit.Theme{}, 60}, {"nocolor", kit.Theme{SGR: true, Rich: true}, 60}} {
			t.Run(name+"/"+look.suffix, func(t *testing.T) {
				got := strings.Join(NewPainter(look.th, look.width).Paint(md), "\n") + "\n"
				got = strings.ReplaceAll(got, "\x1b", "^")
				path := "testdata/" + strings.TrimSuffix(name, ".md") + "." + look.suffix + ".golden"
				if *update {
					if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("%s differs (run with -update to accept):\n%s\nwant:\n%s", path, got, want)
				}
			})
		}
	}
}

var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// checkLines holds the lines of a text to what Paint promises.
func checkLines(t *testing.T, md string, width int) {
	t.Helper()
	for _, th := range []kit.Theme{rich, {}} {
		for _, line := range NewPainter(th, width).Paint(md) {
			if w := kit.Width(line); w > width {
				t.Fatalf("%d columns in width %d: %q of %q", w, width, line, md)
			}
			rest := line
			if th.SGR {
				rest = sgr.ReplaceAllString(line, "")
			}
			for _, r := range rest {
				if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e {
					t.Fatalf("control %U in %q of %q", r, line, md)
				}
			}
			if !utf8.ValidString(line) {
				t.Fatalf("invalid UTF-8 in %q", line)
			}
			if strings.Count(line, "\x1b[m") > strings.Count(line, "\x1b[")-strings.Count(line, "\x1b[m") {
				t.Fatalf("more ends than beginnings of looks in %q", line)
			}
			if all := sgr.FindAllString(line, -1); len(all) > 0 && all[len(all)-1] != "\x1b[m" {
				t.Fatalf("a look leaves its line: %q", line)
			}
		}
	}
}

func TestLinesKeepTheirPromises(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	n := 5000
	if testing.Short() {
		n = 500
	}
	for range n {
		checkLines(t, randomDocument(r), 10+r.IntN(60))
	}
	for name, md := range documents(t) {
		for w := 10; w < 130; w += 7 {
			t.Run(fmt.Sprint(name, w), func(t *testing.T) { checkLines(t, md, w) })
		}
	}
}

func TestWidthsUnderTenCountAsTen(t *testing.T) {
	for _, line := range NewPainter(rich, 1).Paint("> - 漢字 and a_very_long_word_without_spaces") {
		if w := kit.Width(line); w > 10 {
			t.Errorf("%d columns: %q", w, line)
		}
	}
}

func TestWhatAModelCannotDo(t *testing.T) {
	for md, want := range map[string]string{
		"\x1b]52;c;AAAA\x07":          "␛]52;c;AAAA␇",
		"a\x1bc":                      "a␛c",
		"&#27;[2J &#x9b;2J &#x202e;":  "␛[2J ‹U+009B›2J ‹U+202E›",
		"[a\x1bb](http://x/\x1b]8;;)": "a␛b (http://x/␛]8;;)",
		"`\x1b[H`":                    "`␛[H`",
		"a\rb":                        "a␍b",
		"\u009b31m":                   "‹U+009B›31m",
		"a\u2028b":                    "a‹U+2028›b",
	} {
		got := strings.Join(NewPainter(kit.Theme{}, 80).Paint(md), "|")
		if got != want {
			t.Errorf("%q is painted as %q, want %q", md, got, want)
		}
	}
}

// answer is a text of the kind that models write.
func answer(kb int) string {
	const part = "## Section\n\nThe **quick** brown fox jumps over the `lazy` dog, and [a link](https://example.com/x) follows; " +
		"then some more words so that the paragraph wraps over a few lines of the terminal.\n\n" +
		"1. First, *do this* with `code`.\n2. Then do that.\n   - a nested item\n   - and another one\n3. Done.\n\n" +
		"```go\nfunc main() {\n\tfmt.Println(\"hello\")\n}\n```\n\n| name | value |\n|---|---:|\n| a | 1 |\n| b | 22 |\n\n> A quote to end with.\n\n"
	return strings.Repeat(part, kb*1024/len(part)+1)[:kb*1024]
}

func BenchmarkPaint(b *testing.B) {
	for _, kb := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("%dKB", kb), func(b *testing.B) {
			md := answer(kb)
			p := NewPainter(rich, 80)
			b.SetBytes(int64(len(md)))
			for b.Loop() {
				p.Paint(md)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(kb), "ns/KB")
		})
	}
}

// BenchmarkStream is a whole answer in tokens of four bytes, painted after every seventh: 200 tokens a second at
// 30 frames a second.
func BenchmarkStream(b *testing.B) {
	md := answer(16)
	for b.Loop() {
		s := NewStream(rich, 80)
		for i := 0; i < len(md); i += 4 {
			s.Write(md[i:min(i+4, len(md))])
			if i/4%7 == 0 {
				s.Tail()
			}
		}
		s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/16, "ns/KB")
}
