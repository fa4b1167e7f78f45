package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/clawless/clawless/cmd/clawless/cli/nearest"
	"github.com/clawless/clawless/server/config"
)

// FileName is the name of the settings file.
const FileName = "clawless.yaml"

// Find returns the settings file in use, empty when there is none: the one asked for by --config or CLAWLESS_CONFIG, which must exist, else the first of Places that
// exists.
func (w World) Find() (string, error) {
	asked, how := w.File, "--config"
	if asked == "" {
		asked, _ = w.LookupEnv("CLAWLESS_CONFIG")
		how = "CLAWLESS_CONFIG"
	}
	if asked != "" {
		path := w.path(asked)
		if _, err := os.Stat(path); err != nil {
			return "", &Invalid{[]Problem{{Where: how, Message: err.Error()}}}
		}
		return path, nil
	}
	for _, path := range w.Places() {
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look for the settings file: %w", err)
		}
	}
	return "", nil
}

// Places lists where a settings file is looked for: the working folder, then the user's configuration folder.
func (w World) Places() []string {
	places := []string{w.path(FileName)}
	if dir := config.UserConfigDir(w.GOOS, w.LookupEnv); dir != "" {
		places = append(places, filepath.Join(dir, FileName))
	}
	return places
}

// fileReader walks the tree of a settings file, which is parsed without a schema so that every problem gets its line.
type fileReader struct {
	*layer
	path string
}

func readFile(l *layer, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the settings file: %w", err)
	}
	var doc, rest yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	err = dec.Decode(&doc)
	if errors.Is(err, io.EOF) || (err == nil && len(doc.Content) == 0) {
		return nil
	}
	if err == nil {
		if err = dec.Decode(&rest); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = fmt.Errorf("line %d: a second document begins here, and would not be read", rest.Line)
		}
	}
	if err != nil {
		return &Invalid{[]Problem{{Where: path, Message: strings.TrimPrefix(err.Error(), "yaml: ")}}}
	}
	r := fileReader{l, path}
	r.mapping(doc.Content[0], "", r.setting)
	return nil
}

func (r fileReader) at(node *yaml.Node) string { return r.path + ":" + strconv.Itoa(node.Line) }

func (r fileReader) bad(node *yaml.Node, name, format string, args ...any) {
	r.problems = append(r.problems, Problem{Field: name, Where: r.at(node), Message: fmt.Sprintf(format, args...)})
}

// mapping calls visit for every key of a mapping, and complains of anything else and of a key that comes twice.
func (r fileReader) mapping(node *yaml.Node, name string, visit func(key, value *yaml.Node)) {
	node = resolve(node)
	if isNull(node) {
		return
	}
	if node.Kind != yaml.MappingNode {
		r.bad(node, name, "is a mapping, with a line `key: value` for each entry")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if seen[key.Value] {
			r.bad(key, join(name, key.Value), "is there twice")
			continue
		}
		seen[key.Value] = true
		visit(key, node.Content[i+1])
	}
}

func (r fileReader) setting(key, value *yaml.Node) {
	if key.Value == "providers" {
		r.mapping(value, "providers", r.provider)
		return
	}
	f, ok := config.FieldOf(key.Value)
	if !ok || strings.Contains(key.Value, ".") {
		r.bad(key, key.Value, "is no setting%s", nearest.Ask(key.Value, settingNames("")))
		return
	}
	r.value(f, value)
}

func (r fileReader) provider(key, value *yaml.Node) {
	name := "providers." + key.Value
	if strings.Contains(key.Value, ".") {
		r.bad(key, name, "a provider's name has lower-case letters, digits, - and _ only")
		return
	}
	r.mapping(value, name, func(key, value *yaml.Node) {
		f, ok := config.FieldOf(name + "." + key.Value)
		if !ok {
			r.bad(key, name+"."+key.Value, "is no setting of a provider%s", nearest.Ask(key.Value, settingNames("providers."+config.AnyName+".")))
			return
		}
		r.value(f, value)
	})
}

func (r fileReader) value(f config.Field, node *yaml.Node) {
	node = resolve(node)
	origin := Origin{"file", r.at(node)}
	switch {
	case isNull(node):
		return
	case node.Kind == yaml.ScalarNode:
		r.set(f.Name, node.Value, origin)
	case node.Kind == yaml.SequenceNode:
		items := make([]string, 0, len(node.Content))
		for _, item := range node.Content {
			items = append(items, r.scalar(f.Name, item))
		}
		r.set(f.Name, items, origin)
	case node.Kind == yaml.MappingNode:
		items := map[string]string{}
		r.mapping(node, f.Name, func(key, value *yaml.Node) { items[key.Value] = r.scalar(f.Name+"."+key.Value, value) })
		r.set(f.Name, items, origin)
	}
}

func (r fileReader) scalar(name string, node *yaml.Node) string {
	node = resolve(node)
	if node.Kind != yaml.ScalarNode {
		r.bad(node, name, "is one value, not a list or mapping")
	}
	return node.Value
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// settingNames lists the last parts of the settings below a prefix.
func settingNames(prefix string) []string {
	var out []string
	for _, f := range config.Fields() {
		if rest, ok := strings.CutPrefix(f.Name, prefix); ok && !strings.Contains(rest, ".") {
			out = append(out, rest)
		}
	}
	if prefix == "" {
		out = append(out, "providers")
	}
	return out
}
