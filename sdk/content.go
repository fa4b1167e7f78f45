package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// Content is what a message says: a text, a list of parts, or null, which is its zero value. It keeps the bytes that came, so that parts of kinds it does not know
// are sent back as they were.
type Content struct{ raw json.RawMessage }

// ContentPart is one part of a message. Its Type says which field holds it: text or image_url.
type ContentPart struct {
	Type     string    `json:"type"`
	Text     string    `json:"text,omitempty"`
	ImageURL *ImageURL `json:"image_url,omitempty"`
}

// ImageURL is a picture by its address or as a data URL. Detail is low, high, auto or empty.
type ImageURL struct {
	URL    string `json:"url"`
	Detail string `json:"detail,omitempty"`
}

// Text makes the content of a plain text. Bytes that are not UTF-8 become U+FFFD.
func Text(s string) Content { return Content{raw: marshal(s)} }

// Parts makes the content of several parts.
func Parts(parts ...ContentPart) Content {
	if parts == nil {
		parts = []ContentPart{}
	}
	return Content{raw: marshal(parts)}
}

// marshal is json.Marshal of values that cannot fail, without the escapes that HTML needs.
func marshal(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimSpace(b.Bytes())
}

// IsZero reports whether the content is null.
func (c Content) IsZero() bool { return len(c.raw) == 0 || string(c.raw) == "null" }

// String is the text; of parts, their texts one after another.
func (c Content) String() string {
	if len(c.raw) > 0 && c.raw[0] == '"' {
		var s string
		_ = json.Unmarshal(c.raw, &s) // checked when it was made
		return s
	}
	var out strings.Builder
	for _, p := range c.Parts() {
		out.WriteString(p.Text)
	}
	return out.String()
}

// Parts are the parts of the content; a text is one part, null none. Of a part of another kind only the Type is there.
func (c Content) Parts() []ContentPart {
	if c.IsZero() {
		return nil
	}
	if c.raw[0] == '"' {
		return []ContentPart{{Type: "text", Text: c.String()}}
	}
	var raw []json.RawMessage
	_ = json.Unmarshal(c.raw, &raw) // checked when it was made
	parts := make([]ContentPart, 0, len(raw))
	for _, r := range raw {
		var p ContentPart
		if json.Unmarshal(r, &p) != nil { // a field of another form than ours
			var kind struct {
				Type string `json:"type"`
			}
			_ = json.Unmarshal(r, &kind)
			p = ContentPart{Type: kind.Type}
		}
		parts = append(parts, p)
	}
	return parts
}

// MarshalJSON gives back the bytes that came.
func (c Content) MarshalJSON() ([]byte, error) {
	if len(c.raw) == 0 {
		return []byte("null"), nil
	}
	return c.raw, nil
}

// UnmarshalJSON takes a string, an array or null.
func (c *Content) UnmarshalJSON(b []byte) error {
	switch b = bytes.TrimSpace(b); {
	case len(b) > 0 && (b[0] == '"' || b[0] == '['), string(b) == "null":
		c.raw = bytes.Clone(b)
		return nil
	}
	return errors.New("content is neither a text, nor a list of parts, nor null")
}
