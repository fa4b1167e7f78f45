package api

import (
	"encoding/json"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api/strict"
)

// strictJSON is JSON as the API reads it: one value, each object's keys once, bounded depth. Go's own decoder would take the last of two equal keys, another
// product's parser the first, and the two would disagree about what was authorised.
var strictJSON = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	},
	Unmarshal: func(data []byte, v any) error {
		if _, first := v.(*any); first { // huma reads twice, first into any
			if err := CheckJSON(data); err != nil {
				return err
			}
		}
		return json.Unmarshal(data, v)
	},
}

// CheckJSON reports whether data is exactly one JSON value without duplicate keys, nested at most 200 deep. Its errors hold no part of the data but key names.
func CheckJSON(data []byte) error { return strict.Check(data) }
