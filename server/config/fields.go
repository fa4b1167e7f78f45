package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// EnvPrefix begins the name of every variable of the product.
const EnvPrefix = "CLAWLESS_"

// AnyName stands for a provider's name in Field.Name (providers.NAME.driver) and, in upper case all the same, in Field.Env.
const AnyName = "NAME"

// Kind says how a setting's text is read.
type Kind string

// The kinds of settings.
const (
	KindString   Kind = "string"
	KindBool     Kind = "bool"
	KindBytes    Kind = "bytes"    // 20MiB, 20971520
	KindDuration Kind = "duration" // 30s, 10m, 24h
	KindNumber   Kind = "number"   // 0.3
	KindList     Kind = "list"     // a,b or a list in the file
	KindMap      Kind = "map"      // a=x,b=y or a mapping in the file
)

// Field describes one setting for the loader and the reference.
type Field struct {
	Name    string   // key in the file; inner keys are joined by dots
	Flag    string   // name of the flag without its dashes; empty when a flag cannot set it
	Env     string   // name of the variable
	Kind    Kind     // how its text is read
	Value   string   // what the help calls the value, such as FILE; empty for a bool
	Default string   // text of the default; empty when there is none or when it is worked out
	Note    string   // what is taken when nothing is set, in words; empty when Default says it
	Usage   string   // one line, without a full stop
	OneOf   []string // the allowed values; empty when any is
	Secret  bool     // never shown; a flag only where the tag flag:"yes" says so
}

// Fields lists every setting in the order of the struct; those of a provider come once, under AnyName.
func Fields() []Field { return slices.Clone(fields()) }

// fields is worked out once: the flags of several commands and every look-up of a name need it.
var fields = sync.OnceValue(func() []Field { return walk(reflect.TypeFor[Settings](), "", nil) })

var (
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[Secret]()
)

func walk(t reflect.Type, prefix string, out []Field) []Field {
	for i := range t.NumField() {
		sf := t.Field(i)
		name := prefix + sf.Tag.Get("name")
		if sf.Type.Kind() == reflect.Map && sf.Type.Elem().Kind() == reflect.Struct {
			out = walk(sf.Type.Elem(), name+"."+AnyName+".", out)
			continue
		}
		out = append(out, describe(sf, name))
	}
	return out
}

func describe(sf reflect.StructField, name string) Field {
	f := Field{
		Name:    name,
		Env:     EnvName(name),
		Kind:    kindOf(sf),
		Value:   sf.Tag.Get("value"),
		Default: sf.Tag.Get("default"),
		Note:    sf.Tag.Get("note"),
		Usage:   sf.Tag.Get("usage"),
		Secret:  sf.Type == secretType,
	}
	if oneOf := sf.Tag.Get("oneof"); oneOf != "" {
		f.OneOf = strings.Split(oneOf, ",")
	}
	if (!f.Secret || sf.Tag.Get("flag") == "yes") && !strings.Contains(name, ".") {
		f.Flag = strings.ReplaceAll(name, "_", "-")
	}
	return f
}

func kindOf(sf reflect.StructField) Kind {
	switch {
	case sf.Tag.Get("type") != "":
		return Kind(sf.Tag.Get("type"))
	case sf.Type == durationType:
		return KindDuration
	case sf.Type.Kind() == reflect.Bool:
		return KindBool
	case sf.Type.Kind() == reflect.Float64:
		return KindNumber
	case sf.Type.Kind() == reflect.Slice:
		return KindList
	case sf.Type.Kind() == reflect.Map:
		return KindMap
	default:
		return KindString
	}
}

// EnvName returns the variable of a setting: providers.my-server.api_key is CLAWLESS_PROVIDERS_MY_SERVER_API_KEY.
func EnvName(name string) string {
	return EnvPrefix + strings.Map(func(r rune) rune {
		if r == '.' || r == '-' {
			return '_'
		}
		return r
	}, strings.ToUpper(name))
}

// SettingOf returns the setting that a variable names, and false when there is none. A provider's name comes out in lower case; a dash in it cannot be told from an
// underscore, so known holds the names that are already in use and wins.
func SettingOf(env string, known []string) (string, bool) {
	const providers = EnvPrefix + "PROVIDERS_"
	rest, inner := strings.CutPrefix(env, providers)
	for _, f := range fields() {
		if !inner {
			if f.Env == env {
				return f.Name, true
			}
			continue
		}
		suffix, ok := strings.CutPrefix(f.Env, providers+AnyName)
		if !ok {
			continue
		}
		upper, ok := strings.CutSuffix(rest, suffix)
		if !ok || upper == "" || upper != strings.ToUpper(upper) {
			continue
		}
		name := strings.ToLower(upper)
		i := slices.IndexFunc(known, func(k string) bool { return EnvName(k) == EnvPrefix+upper })
		if i >= 0 {
			name = known[i]
		}
		return strings.Replace(f.Name, AnyName, name, 1), true
	}
	return "", false
}

// FieldOf returns the description of a setting, of a provider's too (providers.openai.api_key), and false when there is none.
func FieldOf(name string) (Field, bool) {
	parts := strings.Split(name, ".")
	pattern := name
	if len(parts) == 3 && parts[1] != "" {
		pattern = parts[0] + "." + AnyName + "." + parts[2]
	} else if len(parts) != 1 {
		return Field{}, false
	}
	for _, f := range fields() {
		if f.Name == pattern {
			f.Name = name
			f.Env = EnvName(name)
			return f, true
		}
	}
	return Field{}, false
}

// Entry is one setting with its value, for showing. Value is a string, bool, []string, map[string]string or Secret, as it would be written in the file.
type Entry struct {
	Field
	Value any
}

// Entries lists every setting with its value in the order of the struct, the providers by name.
func (s *Settings) Entries() []Entry {
	var out []Entry
	for _, f := range fields() {
		if !strings.Contains(f.Name, "."+AnyName+".") {
			out = append(out, Entry{f, s.value(f)})
		}
	}
	for _, name := range s.ProviderNames() {
		for _, f := range fields() {
			if strings.Contains(f.Name, "."+AnyName+".") {
				f, _ = FieldOf(strings.Replace(f.Name, AnyName, name, 1))
				out = append(out, Entry{f, s.value(f)})
			}
		}
	}
	return out
}

// ProviderNames returns the names of the configured providers in order.
func (s *Settings) ProviderNames() []string {
	return slices.Sorted(maps.Keys(s.Providers))
}

func (s *Settings) value(f Field) any {
	v := s.locate(f.Name)
	switch f.Kind {
	case KindDuration:
		return formatDuration(time.Duration(v.Int()))
	case KindBytes:
		return formatBytes(v.Int())
	case KindNumber:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	default:
		return v.Interface()
	}
}

// locate returns the value behind a name that FieldOf knows. For a provider it is a copy with the defaults.
func (s *Settings) locate(name string) reflect.Value {
	parts := strings.Split(name, ".")
	if len(parts) == 3 {
		p := s.Providers[parts[1]].WithDefaults()
		return member(reflect.ValueOf(&p).Elem(), parts[2])
	}
	return member(reflect.ValueOf(s).Elem(), name)
}

func member(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("name") == name {
			return v.Field(i)
		}
	}
	panic(fmt.Sprintf("config: no field %q", name))
}
