package readable

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxTags bounds the elements of a page that is read as a tree: some pages are made to take minutes there.
const maxTags = 60_000

// isHuge reports whether a page has more tags than are read as a tree.
func isHuge(text string) bool {
	if strings.Count(text, "<") <= maxTags {
		return false
	}
	z, tags := html.NewTokenizer(strings.NewReader(text)), 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return false
		case html.StartTagToken, html.SelfClosingTagToken:
			if tags++; tags > maxTags {
				return true
			}
		}
	}
}

// plain takes the text out of a page without making a tree of it: one way through, whatever the page is like.
func plain(text string) (title, words string) {
	var out, head strings.Builder
	z := html.NewTokenizer(strings.NewReader(text))
	var skipped atom.Atom // the element whose content nobody reads
	deep := 0             // of its kind in each other
	inTitle := false
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return oneLine(head.String(), maxTitle), tidy(out.String())
		}
		name, _ := z.TagName()
		tag := atom.Lookup(name)
		switch {
		case kind == html.TextToken && inTitle:
			head.Write(z.Text())
		case kind == html.TextToken && skipped == 0:
			out.WriteString(html.UnescapeString(string(z.Text())))
		case kind == html.StartTagToken && tag == skipped && tag != 0:
			deep++
		case kind == html.EndTagToken && tag == skipped && tag != 0:
			if deep--; deep == 0 {
				skipped = 0
			}
		case kind == html.StartTagToken && skipped == 0 && unread[tag] && !isVoid(tag):
			skipped, deep = tag, 1
		case kind == html.StartTagToken || kind == html.EndTagToken || kind == html.SelfClosingTagToken:
			inTitle = kind == html.StartTagToken && tag == atom.Title
			if skipped == 0 && !inline[tag] {
				out.WriteByte('\n')
			}
		}
	}
}

func isVoid(tag atom.Atom) bool {
	return tag == atom.Input || tag == atom.Link || tag == atom.Meta || tag == atom.Embed
}

// inline are elements that do not end a line.
var inline = map[atom.Atom]bool{atom.A: true, atom.B: true, atom.I: true, atom.Em: true, atom.Strong: true, atom.Span: true, atom.Code: true, atom.Small: true, atom.Sub: true, atom.Sup: true, atom.U: true,
	atom.Font: true, atom.Abbr: true, atom.Mark: true, atom.Q: true, atom.S: true, atom.Label: true, atom.Time: true, atom.Cite: true, atom.Img: true, atom.Wbr: true}

// tidy leaves one space between words and one empty line between paragraphs.
func tidy(s string) string {
	var out strings.Builder
	empty := true
	for line := range strings.Lines(s) {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" && empty {
			continue
		}
		empty = line == ""
		out.WriteString(line)
		out.WriteByte('\n')
	}
	return strings.TrimSpace(out.String())
}
