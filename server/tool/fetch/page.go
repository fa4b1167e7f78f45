package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/readable"
)

// page is what came back from an address.
type page struct {
	kind    string // the header's type at first, the plain one afterwards
	body    []byte
	cut     bool // there was more of the body
	address *url.URL

	title, text string
}

// read makes the text. Its error completes a sentence.
func (p *page) read() error {
	header := p.kind
	kind, _, err := mime.ParseMediaType(header)
	if err != nil || kind == "application/octet-stream" {
		header = http.DetectContentType(p.body)
		kind, _, _ = mime.ParseMediaType(header) // what it detects it writes well
	}
	p.kind = kind
	isPage := kind == "text/html" || kind == "application/xhtml+xml"
	if !isPage && !isText(kind) {
		return fmt.Errorf("with %s, which is not text that can be read here", tool.Trim(kind, 100))
	}
	text := decode(p.body, header)
	if strings.IndexByte(text[:min(len(text), 4096)], 0) >= 0 {
		return errors.New("with binary data, which is not text that can be read here")
	}
	if !isPage {
		p.text = strings.TrimSpace(text)
		return nil
	}
	p.title, p.text, err = readable.Text(text, p.address)
	return err
}

func isText(kind string) bool {
	switch kind {
	case "application/json", "application/xml", "application/yaml", "application/x-yaml", "application/toml", "application/x-ndjson", "application/jsonl", "application/javascript", "application/x-javascript",
		"application/ecmascript", "application/sql", "application/graphql", "application/x-sh":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml") && kind != "image/svg+xml" || strings.HasSuffix(kind, "+yaml")
}

// decode makes UTF-8 of a body: by its mark, its header or its own word, and where nothing says otherwise it is UTF-8 when it can be.
func decode(body []byte, header string) string {
	encoding, name, certain := charset.DetermineEncoding(body, header)
	if !certain && (name == "windows-1252" || name == "utf-8") && utf8.Valid(whole(body)) {
		return string(whole(body))
	}
	out, err := encoding.NewDecoder().Bytes(body)
	if err != nil {
		out = body
	}
	return strings.ToValidUTF8(string(bytes.TrimPrefix(out, []byte("\uFEFF"))), "\uFFFD")
}

// whole leaves out a character that was cut at the end.
func whole(b []byte) []byte {
	for i := 1; i <= utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// tell writes what the model gets.
func (p *page) tell(status string) string {
	var b strings.Builder
	if p.title != "" {
		fmt.Fprintf(&b, "Title: %s\n", p.title)
	}
	fmt.Fprintf(&b, "URL: %s\nStatus: %s\nType: %s\n\n", tool.RedactURL(p.address.String()), status, p.kind)
	if p.text == "" {
		b.WriteString("[there is no text on it]")
	}
	b.WriteString(p.text)
	if p.cut {
		fmt.Fprintf(&b, "\n\n[it is longer than %d bytes; its end was not read]", maxBody)
	}
	return b.String()
}
