// Package settings reads the server's settings from flags, variables and a file, knows where each one came from, and refuses what it does not know.
package settings

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/clawless/clawless/server/config"
)

// World is what the settings are read from, beside flags.
type World struct {
	File      string // the file that was asked for by --config; empty to look in the usual places
	Dir       string // where relative paths start; empty for the process's own folder
	GOOS      string
	LookupEnv func(name string) (string, bool)
	Environ   func() []string // NAME=value
}

// Loaded is the server's settings with where each one came from.
type Loaded struct {
	config.Settings
	File    string // the file that was read; empty when there was none
	origins map[string]Origin
}

// Origin is where a value came from.
type Origin struct {
	Source string // flag, env, file or default
	Where  string // --addr, CLAWLESS_ADDR, clawless.yaml:3
}

// String is the origin in words.
func (o Origin) String() string {
	if o.Where == "" {
		return o.Source
	}
	return o.Source + " " + o.Where
}

// Origin returns where a setting's value came from.
func (l *Loaded) Origin(name string) Origin {
	if o, ok := l.origins[name]; ok {
		return o
	}
	return Origin{Source: "default"}
}

// layer holds the values that the sources before it have not overridden, by setting.
type layer struct {
	values   map[string]any
	origins  map[string]Origin
	problems []Problem
}

func (l *layer) set(name string, value any, origin Origin) {
	l.values[name] = value
	l.origins[name] = origin
}

// Load reads the settings: flag, else variable, else file, else default. fs may be nil. Whatever is wrong with them comes back as one *Invalid; Loaded then holds
// what could be read, for showing. Other errors are of a file that cannot be read at all.
func (w World) Load(fs *pflag.FlagSet) (*Loaded, error) {
	path, err := w.Find()
	if err != nil {
		return nil, err
	}
	all := &layer{values: map[string]any{}, origins: map[string]Origin{}}
	if path != "" {
		if err := readFile(all, path); err != nil {
			return nil, err
		}
	}
	w.readEnv(all)
	v := viper.New()
	if err := v.MergeConfigMap(nest(all.values)); err != nil {
		return nil, fmt.Errorf("merge the settings: %w", err)
	}
	if err := bind(v, all, fs); err != nil {
		return nil, err
	}
	l := &Loaded{Settings: config.Default(), File: path, origins: all.origins}
	l.fill(v, all)
	w.finish(l)
	return l, l.check(all.problems)
}

// bind makes viper prefer the flags that were given.
func bind(v *viper.Viper, all *layer, fs *pflag.FlagSet) error {
	if fs == nil {
		return nil
	}
	for _, f := range config.Fields() {
		flag := fs.Lookup(f.Flag)
		if f.Flag == "" || flag == nil || !flag.Changed || flag.Annotations[Annotation] == nil {
			continue
		}
		if err := v.BindPFlag(f.Name, flag); err != nil {
			return fmt.Errorf("bind --%s: %w", f.Flag, err)
		}
		all.set(f.Name, nil, Origin{"flag", "--" + f.Flag})
	}
	return nil
}

// nest turns dotted names into the tree that viper reads.
func nest(values map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range values {
		at := out
		parts := strings.Split(name, ".")
		for _, part := range parts[:len(parts)-1] {
			next, ok := at[part].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[part] = next
			}
			at = next
		}
		at[parts[len(parts)-1]] = value
	}
	return out
}

// fill gives every setting that some source names its winning value.
func (l *Loaded) fill(v *viper.Viper, all *layer) {
	for _, name := range slices.Sorted(maps.Keys(all.values)) {
		if err := l.Set(name, v.Get(name)); err != nil {
			all.problems = append(all.problems, Problem{Field: name, Where: l.Origin(name).Where, Message: err.Error()})
		}
	}
}

// finish fills in what depends on the user, and ties relative paths to the working folder.
func (w World) finish(l *Loaded) {
	if l.DataDir == "" {
		l.DataDir = w.DataDir()
	}
	l.DataDir, l.TLSCert, l.TLSKey = w.path(l.DataDir), w.path(l.TLSCert), w.path(l.TLSKey)
	for name, p := range l.Providers {
		p.APIKeyFile = w.path(p.APIKeyFile)
		l.Providers[name] = p
	}
}

// DataDir returns the default of data_dir for this user; empty when the environment does not say where the user's folders are.
func (w World) DataDir() string { return config.DataDir(w.GOOS, w.LookupEnv) }

func (w World) path(path string) string {
	if w.Dir == "" || path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(w.Dir, path)
}

// check adds what the settings say of themselves, except on a field that could not even be read, and makes one error of it all.
func (l *Loaded) check(problems []Problem) error {
	unread := map[string]bool{}
	for _, p := range problems {
		unread[p.Field] = true
	}
	for _, p := range l.Validate() {
		if !unread[p.Field] {
			problems = append(problems, l.locate(p))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return &Invalid{problems}
}

// CheckFiles returns a problem for each file that the settings name and that cannot be read.
func (l *Loaded) CheckFiles() []Problem {
	var out []Problem
	for _, p := range l.Settings.CheckFiles() {
		out = append(out, l.locate(p))
	}
	return out
}

// locate adds where the value at fault came from.
func (l *Loaded) locate(p config.Problem) Problem {
	name, _, _ := strings.Cut(p.Field, "[")
	origin, ok := l.origins[name]
	if alias, of := strings.CutPrefix(name, "models."); !ok && of && alias != "" {
		origin = l.origins["models"]
	}
	return Problem{Field: p.Field, Where: origin.Where, Message: p.Message}
}
