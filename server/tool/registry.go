package tool

import (
	"cmp"
	"slices"
)

// Registry holds tools by name. It never changes, so any number of goroutines may read it.
type Registry struct {
	byName map[string]Tool
	sorted []Tool
}

// New returns a registry of the tools. Of two with one name the first stays.
func New(tools ...Tool) *Registry {
	r := &Registry{byName: make(map[string]Tool, len(tools))}
	for _, t := range tools {
		name := t.Spec().Name
		if r.byName[name] != nil {
			continue
		}
		r.byName[name] = t
		r.sorted = append(r.sorted, t)
	}
	slices.SortFunc(r.sorted, func(a, b Tool) int { return cmp.Compare(a.Spec().Name, b.Spec().Name) })
	return r
}

// Get returns the tool of that name. A nil registry has none.
func (r *Registry) Get(name string) (Tool, bool) {
	if r == nil {
		return nil, false
	}
	t, ok := r.byName[name]
	return t, ok
}

// List returns the tools by name, in a slice that is the caller's.
func (r *Registry) List() []Tool {
	if r == nil {
		return nil
	}
	return slices.Clone(r.sorted)
}

// With returns a registry of these tools and more; r stays as it is. A name that r has already stays r's.
func (r *Registry) With(more ...Tool) *Registry { return New(append(r.List(), more...)...) }
