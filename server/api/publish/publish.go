// Package publish makes the description that readers and generators get out of the schemas that requests are checked against.
package publish

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const schemaPrefix = "#/components/schemas/"

// Document returns the description to publish. It copies what it changes, because requests are checked against the live schemas: these refuse unknown fields, which in
// a description would break strict clients on the day a field is added.
func Document(live *huma.OpenAPI) *huma.OpenAPI {
	doc, components := *live, *live.Components
	reg := huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)
	for name, s := range live.Components.Schemas.Map() {
		reg.Map()[name] = publicSchema(s, live.Components.Schemas.TypeFromRef(schemaPrefix+name))
	}
	nameEnums(reg.Map())
	components.Schemas, doc.Components = reg, &components
	doc.Paths = make(map[string]*huma.PathItem, len(live.Paths))
	for path, item := range live.Paths {
		public := *item
		for _, op := range []**huma.Operation{&public.Get, &public.Post, &public.Put, &public.Patch, &public.Delete} {
			if *op != nil {
				*op = publicOperation(*op, reg)
			}
		}
		doc.Paths[strings.ReplaceAll(path, "...}", "}")] = &public // {model...} is net/http's way to say that the rest may hold slashes
	}
	return &doc
}

// publicOperation marks a list with the type of its items, from which a client makes an iterator over all pages.
func publicOperation(op *huma.Operation, reg huma.Registry) *huma.Operation {
	ok := op.Responses["200"]
	if ok == nil || ok.Content["application/json"] == nil || ok.Content["application/json"].Schema == nil {
		return op
	}
	page := reg.SchemaFromRef(ok.Content["application/json"].Schema.Ref)
	if page == nil || page.Properties["next_cursor"] == nil || page.Properties["data"] == nil || page.Properties["data"].Items == nil {
		return op
	}
	public := *op
	public.Extensions = maps.Clone(op.Extensions)
	extend(&public.Extensions, "x-page-item", strings.TrimPrefix(page.Properties["data"].Items.Ref, schemaPrefix))
	return &public
}

// publicSchema copies the schema of t and tells generators what JSON Schema cannot: the order of the fields, and which of them must be able to be absent and zero
// both, which are those that Go's type holds by pointer.
func publicSchema(s *huma.Schema, t reflect.Type) *huma.Schema {
	public := *s
	if _, isBool := s.AdditionalProperties.(bool); isBool {
		public.AdditionalProperties = nil
	}
	if t == nil || t.Kind() != reflect.Struct {
		return &public
	}
	public.Properties = maps.Clone(s.Properties)
	order := 0
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		old := s.Properties[name]
		if old == nil || f.Anonymous {
			continue
		}
		p := *old
		p.Extensions = maps.Clone(old.Extensions)
		extend(&p.Extensions, "x-order", order)
		order++
		if !slices.Contains(s.Required, name) {
			extend(&p.Extensions, optional(f.Type), false)
		}
		public.Properties[name] = &p
	}
	return &public
}

// optional returns the extension that, set to false, keeps an absent field apart from a zero one: a pointer for what Go's type holds by pointer, and no omitempty for
// lists and maps, so that an empty one can be sent.
func optional(t reflect.Type) string {
	elem := t
	if t.Kind() == reflect.Pointer {
		elem = t.Elem()
	}
	switch {
	case elem == reflect.TypeFor[json.RawMessage](), elem.Implements(reflect.TypeFor[huma.SchemaProvider]()):
		return ""
	case elem.Kind() == reflect.Slice, elem.Kind() == reflect.Map:
		return "x-omitempty"
	case t.Kind() == reflect.Pointer:
		return "x-go-type-skip-optional-pointer"
	}
	return ""
}

// nameEnums gives equal enumerations one Go type, that of the schema with the shortest name: what a tenant has can be sent to change it. A single allowed value is a
// plain string.
func nameEnums(schemas map[string]*huma.Schema) {
	type place struct{ schema, field string }
	var places []place
	for name, s := range schemas {
		for field, p := range s.Properties {
			if len(p.Enum) > 0 && p.Type == huma.TypeString {
				places = append(places, place{name, field})
			}
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(len(a.schema)-len(b.schema), strings.Compare(a.schema, b.schema), strings.Compare(a.field, b.field))
	})
	first := map[string]string{}
	for _, at := range places {
		p := schemas[at.schema].Properties[at.field]
		if len(p.Enum) == 1 {
			extend(&p.Extensions, "x-go-type", "string")
			continue
		}
		key := fmt.Sprint(at.field, p.Enum)
		if known := first[key]; known != "" {
			extend(&p.Extensions, "x-go-type", known)
			continue
		}
		first[key] = at.schema
		for _, word := range strings.Split(at.field, "_") {
			first[key] += strings.ToUpper(word[:1]) + word[1:]
		}
	}
}

func extend(extensions *map[string]any, name string, value any) {
	if name == "" {
		return
	}
	if *extensions == nil {
		*extensions = map[string]any{}
	}
	(*extensions)[name] = value
}
