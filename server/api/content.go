package api

import (
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
)

// Content is a message's content in OpenAI's dialect, kept as the bytes that came: a text, a list of parts, or null.
type Content json.RawMessage

// MarshalJSON gives the bytes back; absent content is null.
func (c Content) MarshalJSON() ([]byte, error) {
	if len(c) == 0 {
		return []byte("null"), nil
	}
	return c, nil
}

// UnmarshalJSON keeps the bytes.
func (c *Content) UnmarshalJSON(b []byte) error {
	*c = append((*c)[:0], b...)
	return nil
}

// Schema documents the union; what is allowed is checked by the operation, whose messages say more than "matched none".
func (Content) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "A text, a list of parts, or null", Extensions: map[string]any{
		"x-go-type": "Content",
		"oneOf": []any{
			map[string]any{"type": "string"},
			map[string]any{"type": "array", "items": map[string]any{"type": "object", "additionalProperties": true}},
			map[string]any{"type": "null"},
		},
	}}
}
