// Package readable makes readable text of HTML, in time that grows with the page and no faster, whatever is in it.
package readable

import (
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// The bounds of a page's tree: what lies beyond them stays as plain text.
const (
	maxDepth = 64     // elements in each other
	maxInset = 8      // lists and quotations in each other, each of which puts signs before every line
	maxCells = 20_000 // of a table, once every row is as wide as the widest
	maxLink  = 1_000  // characters of an address
	maxTitle = 300
)

// Text makes Markdown of a page: what people read of it, without what browsers need.
func Text(text string, address *url.URL) (title, markdown string, err error) {
	doc := tree(text)
	if doc == nil {
		title, markdown = plain(text)
		return title, markdown, nil
	}
	s := sieve{base: address}
	s.sift(doc, 0, 0)
	conv := converter.NewConverter(converter.WithEscapeMode(converter.EscapeModeDisabled), // signs as they are read better, and looking for those to escape takes hours on hostile pages
		converter.WithPlugins(base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(), table.NewTablePlugin(table.WithCellPaddingBehavior(table.CellPaddingBehaviorMinimal))))
	conv.Register.TextTransformer(func(_ converter.Context, text string) string { return hide.Replace(text) }, converter.PriorityEarly)
	out, err := conv.ConvertNode(doc)
	if err != nil {
		return "", "", errors.New("its HTML cannot be turned into text")
	}
	return s.title, strings.TrimSpace(blank.ReplaceAllString(show.Replace(string(out)), "\n\n")), nil
}

// hide keeps < and > of a page's text as they are, which the converter would write as &lt; and &gt;. The signs in their place are for private use, so no text has them.
var (
	hide = strings.NewReplacer("<", "\uE0F1", ">", "\uE0F2")
	show = strings.NewReplacer("\uE0F1", "<", "\uE0F2", ">")
)

// tree reads a page; nil when it has too many elements for that, or they are nested deeper than the parser goes.
func tree(text string) *html.Node {
	if isHuge(text) {
		return nil
	}
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return nil
	}
	return doc
}

var blank = regexp.MustCompile(`\n[ \t]*\n(?:[ \t]*\n)+`)

// sieve takes out of a tree what people do not read.
type sieve struct {
	base  *url.URL
	title string
}

// unread are elements without text for people.
var unread = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Noscript: true, atom.Template: true, atom.Iframe: true, atom.Object: true, atom.Embed: true, atom.Svg: true, atom.Canvas: true, atom.Audio: true, atom.Video: true,
	atom.Nav: true, atom.Button: true, atom.Input: true, atom.Select: true, atom.Textarea: true, atom.Datalist: true, atom.Link: true, atom.Meta: true, atom.Map: true, atom.Frameset: true, atom.Menu: true,
}

var inset = map[atom.Atom]bool{atom.Ul: true, atom.Ol: true, atom.Li: true, atom.Blockquote: true, atom.Dl: true, atom.Dd: true}

// sift goes through the children of a node.
func (s *sieve) sift(n *html.Node, depth, insets int) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		switch {
		case c.Type == html.CommentNode, c.Type == html.ElementNode && s.isUnread(c):
			n.RemoveChild(c)
		case c.Type == html.ElementNode && depth > maxDepth:
			replace(n, c, textOf(c))
		case c.Type == html.ElementNode:
			s.element(n, c, depth, insets)
		}
		c = next
	}
}

func (s *sieve) element(parent, c *html.Node, depth, insets int) {
	switch {
	case c.DataAtom == atom.Title && c.Namespace == "":
		if s.title == "" {
			s.title = oneLine(textOf(c), maxTitle)
		}
		parent.RemoveChild(c)
		return
	case c.DataAtom == atom.Base:
		if u, err := s.base.Parse(attribute(c, "href")); err == nil && u.Host != "" {
			s.base = u
		}
		parent.RemoveChild(c)
		return
	case c.DataAtom == atom.Img:
		alt := oneLine(attribute(c, "alt"), maxTitle)
		if alt != "" {
			alt = "[image: " + alt + "]"
		}
		replace(parent, c, alt)
		return
	case c.DataAtom == atom.A:
		s.link(c)
	case c.DataAtom == atom.Table && (tooWide(c) || within(c, atom.Table)):
		flatten(c)
	case inset[c.DataAtom]:
		if insets++; insets > 2*maxInset { // an item is one beside its list
			rename(c, atom.Div)
		}
	}
	s.sift(c, depth+1, insets)
}

// isUnread tells elements without text for people, those that are hidden from them among them: they are where pages speak to models behind people's backs.
func (s *sieve) isUnread(n *html.Node) bool {
	if unread[n.DataAtom] {
		return true
	}
	for _, a := range n.Attr {
		v := strings.ToLower(strings.TrimSpace(a.Val))
		switch a.Key {
		case "hidden":
			return v != "false"
		case "aria-hidden":
			if v == "true" {
				return true
			}
		case "role":
			if v == "navigation" || v == "menu" || v == "menubar" {
				return true
			}
		case "style":
			if hides.MatchString(v) {
				return true
			}
		}
	}
	return false
}

var hides = regexp.MustCompile(`(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0(?:\.0*)?\s*(?:;|!|$)|font-size\s*:\s*0[a-z%]*\s*(?:;|!|$))`)

// link makes an address absolute, and drops those that lead to no page.
func (s *sieve) link(n *html.Node) {
	href := strings.TrimSpace(attribute(n, "href"))
	u, err := s.base.Parse(href)
	if err != nil || href == "" || strings.HasPrefix(href, "#") || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "mailto" || len(href) > maxLink {
		rename(n, atom.Span)
		return
	}
	n.Attr = []html.Attribute{{Key: "href", Val: u.String()}}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key && a.Namespace == "" {
			return a.Val
		}
	}
	return ""
}

func rename(n *html.Node, to atom.Atom) { n.DataAtom, n.Data, n.Attr = to, to.String(), nil }

func replace(parent, n *html.Node, text string) {
	if text != "" {
		parent.InsertBefore(&html.Node{Type: html.TextNode, Data: text}, n)
	}
	parent.RemoveChild(n)
}

// textOf is the text in an element, without elements that nobody reads. The tree is at most 512 deep, as the parser sees to.
func textOf(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.Type == html.ElementNode && unread[n.DataAtom]:
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(n)
	return b.String()
}

func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// within reports whether a node is inside an element of this kind.
func within(n *html.Node, kind atom.Atom) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.DataAtom == kind {
			return true
		}
	}
	return false
}

// tooWide reports whether a table has too many cells, and keeps those that span others from making more.
func tooWide(n *html.Node) bool {
	rows, widest := 0, 1
	eachOf(n, func(row *html.Node) {
		rows++
		width := 0
		for c := row.FirstChild; c != nil; c = c.NextSibling {
			if c.Type == html.ElementNode {
				width += spans(c)
			}
		}
		widest = max(widest, width)
	}, atom.Tr)
	return rows*widest > maxCells
}

const maxSpan = 10

// spans bounds how far a cell reaches, and returns over how many columns.
func spans(cell *html.Node) int {
	columns := 1
	for i, a := range cell.Attr {
		if a.Key != "colspan" && a.Key != "rowspan" {
			continue
		}
		v, err := strconv.Atoi(strings.TrimSpace(a.Val))
		if err != nil || v < 1 {
			v = 1
		}
		v = min(v, maxSpan)
		cell.Attr[i].Val = strconv.Itoa(v)
		if a.Key == "colspan" {
			columns = v
		}
	}
	return columns
}

// flatten makes a line of each row.
func flatten(n *html.Node) {
	eachOf(n, func(c *html.Node) {
		if c.DataAtom == atom.Td || c.DataAtom == atom.Th {
			rename(c, atom.Span)
			c.AppendChild(&html.Node{Type: html.TextNode, Data: " "})
			return
		}
		rename(c, atom.Div)
	}, atom.Tr, atom.Td, atom.Th, atom.Tbody, atom.Thead, atom.Tfoot)
	rename(n, atom.Div)
}

// eachOf calls do for the elements of these kinds in n, not for those of tables in it.
func eachOf(n *html.Node, do func(*html.Node), kinds ...atom.Atom) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode || c.DataAtom == atom.Table {
			continue
		}
		eachOf(c, do, kinds...)
		for _, k := range kinds {
			if c.DataAtom == k {
				do(c)
				break
			}
		}
	}
}
