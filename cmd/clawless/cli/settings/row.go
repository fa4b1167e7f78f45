package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Row is one setting with its value and origin, as it is shown.
type Row struct {
	Name   string `json:"name"`
	Value  any    `json:"value"`           // a text, bool, list or mapping; a secret is masked
	Source string `json:"source"`          // flag, env, file or default
	Where  string `json:"where,omitempty"` // --addr, CLAWLESS_ADDR, clawless.yaml:3
	note   string
}

// Rows lists every setting in the order of the reference, the providers by name.
func (l *Loaded) Rows() []Row {
	var out []Row
	for _, e := range l.Entries() {
		origin := l.Origin(e.Name)
		row := Row{Name: e.Name, Value: e.Value, Source: origin.Source, Where: origin.Where, note: e.Note}
		switch v := e.Value.(type) {
		case []string:
			row.Value = append([]string{}, v...) // an empty list is [] and not null
		case map[string]string:
			row.Value = maps.Clone(v)
			if v == nil {
				row.Value = map[string]string{}
			}
		}
		out = append(out, row)
	}
	return out
}

// Text is the value for a person: one that is not set tells what is taken instead.
func (r Row) Text() string {
	var text string
	switch v := r.Value.(type) {
	case map[string]string:
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, name+"="+v[name])
		}
		text = strings.Join(pairs, ", ")
	case []string:
		text = strings.Join(v, ", ")
	default:
		text = fmt.Sprint(v)
	}
	if text == "" && r.note != "" {
		return "(" + r.note + ")"
	}
	return text
}

// Origin is where the value came from.
func (r Row) Origin() Origin { return Origin{r.Source, r.Where} }
