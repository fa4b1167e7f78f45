package api

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// nearestField finds the documented field whose name is closest to the unknown one at location, or "" when none is close.
func nearestField(op *huma.Operation, location string) string {
	if op == nil || op.RequestBody == nil {
		return ""
	}
	i := strings.LastIndexByte(location, '.')
	if i < 0 {
		return ""
	}
	names, ok := op.Metadata[fieldsKey].([]string)
	if !ok {
		return ""
	}
	return Nearest(location[i+1:], names)
}

// fieldsKey holds the field names of an operation's body, nested ones included, gathered once at registration.
const fieldsKey = "fields"

func fieldNames(doc *huma.OpenAPI, s *huma.Schema, seen map[*huma.Schema]bool) []string {
	if s == nil {
		return nil
	}
	if s.Ref != "" {
		s = doc.Components.Schemas.SchemaFromRef(s.Ref)
	}
	if s == nil || seen[s] {
		return nil
	}
	seen[s] = true
	var out []string
	for name, p := range s.Properties {
		out = append(out, name)
		out = append(out, fieldNames(doc, p, seen)...)
	}
	return append(out, fieldNames(doc, s.Items, seen)...)
}

// Nearest returns the candidate that word most probably meant, or "": at most a third of its letters and one more may differ.
func Nearest(word string, candidates []string) string {
	best, bestAt := "", len(word)/3+2 // two swapped letters count as two
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < bestAt || d == bestAt && best != "" && c < best {
			best, bestAt = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes (V. I. Levenshtein, 1966), two rows at a time.
func distance(a, b string) int {
	prev, cur := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
		}
		prev, cur = cur, prev
	}
	return prev[len(b)]
}
