package readable

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

const maxBody = 2 << 20 // of the pages that tools read

// TestHostilePages reads pages that are made to fill the memory or to take for ever.
func TestHostilePages(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, maxBody/len(s)) }
	base, _ := url.Parse("https://example.com/")
	few := func(s string) string { return strings.Repeat(s, maxTags/strings.Count(s, "<")) }
	for name, body := range map[string]string{
		"deep divs": fill("<div>"), "deep quotes": strings.Repeat("<blockquote>", 500) + fill("a<br>"), "deep lists": strings.Repeat("<ul><li>", 250) + strings.Repeat("a<br>", 100_000), "many links": fill("<a href=x>y"), "formatting": fill("<b><i><a>"),
		"wide table":     "<table><tr>" + strings.Repeat("<td>x", 100_000) + "</tr>" + strings.Repeat("<tr><td>y</tr>", 100_000) + "</table>",
		"spanning table": "<table>" + strings.Repeat("<tr><td colspan=1000000 rowspan=1000000>x</tr>", 10_000) + "</table>", "deep tables": fill("<table><tr><td>"),
		"long cell": "<table><tr><td>" + strings.Repeat("x", 500_000) + "</td></tr>" + strings.Repeat("<tr><td>y</td></tr>", 15_000) + "</table>", "entities": fill("&amp;"), "text": fill("a "), "comments": fill("<!-- a -->"), "stars": fill("*_`["), "unclosed": fill("<"),
		"paragraphs": fill("<p>a"), "breaks": fill("<br>"), "lists": fill("<li>a"), "attributes": "<p " + fill("a=b "), "nested formatting": fill("<p><b>"), "ruby": fill("<svg><p>"), "headings": fill("<h1>a</h1>"), "pre": "<pre>" + fill("`\n"), "code": fill("<code>`</code>"),
		"few paragraphs": few("<p>a"), "few nested formatting": few("<p><b>"), "few lists": few("<li>a"), "few links": few("<a href=x>y"), "few divs": few("<div>a"), "few headings": few("<h1>a"), "few anchors": few("<a><p>x"),
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, out, err := Text(body, base)
			took := time.Since(began)
			t.Logf("%d bytes of Markdown in %s, %v", len(out), took.Round(time.Millisecond), err)
			if len(out) > 64*maxBody || took > time.Minute {
				t.Errorf("%d bytes of Markdown in %s", len(out), took)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	title, text := plain(`<title>A &amp; B</title><style>x{}</style><nav>menu<nav>inner</nav>more</nav><p>one <b>bold</b> &lt;word&gt;</p><input><p>two<br>three</p><script>if (a < b) {}</script><svg><text>no</text></svg>end`)
	if title != "A & B" || text != "one bold <word>\n\ntwo\nthree\nend" {
		t.Errorf("%q, %q", title, text)
	}
	base, _ := url.Parse("https://example.com/")
	for _, body := range []string{"<title>T</title>" + strings.Repeat("<div>", 600) + "words", "<title>T</title><script>no</script>" + strings.Repeat("<i></i>", maxTags) + "words"} {
		if title, text, err := Text(body, base); title != "T" || text != "words" || err != nil {
			t.Errorf("%q, %.100q, %v", title, text, err)
		}
	}
}
