package settings

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/clawless/clawless/server/config"
)

// Annotation marks the flags of settings, which the help lists apart from a command's own.
const Annotation = "clawless_setting"

// AddFlags adds the flags of the named settings, or of all that may have one. They take any text: Load reports all bad ones at once.
func AddFlags(fs *pflag.FlagSet, names ...string) {
	for _, f := range config.Fields() {
		if f.Flag == "" || (len(names) > 0 && !slices.Contains(names, f.Name)) {
			continue
		}
		flag := fs.VarPF(&rawFlag{field: f, text: f.Default}, f.Flag, "", usage(f))
		flag.Annotations = map[string][]string{Annotation: {f.Name}}
		if f.Kind == config.KindBool {
			flag.NoOptDefVal = "true"
		}
	}
}

func usage(f config.Field) string {
	text := f.Usage
	if len(f.OneOf) > 0 {
		text += ": " + strings.Join(f.OneOf, ", ")
	}
	if f.Note != "" {
		text += " (default: " + f.Note + ")"
	}
	return text
}

// rawFlag keeps a flag's text as it was typed. A repeated list or mapping adds up.
type rawFlag struct {
	field config.Field
	text  string
	given bool
}

// String is the text so far.
func (r *rawFlag) String() string { return r.text }

// Type is what the help calls the value. It is never a name such as bool that viper knows, because viper would turn a text that is none into false.
func (r *rawFlag) Type() string { return r.field.Value }

// Set takes the text.
func (r *rawFlag) Set(text string) error {
	if r.given && (r.field.Kind == config.KindList || r.field.Kind == config.KindMap) {
		text = r.text + "," + text
	}
	r.text, r.given = text, true
	return nil
}
