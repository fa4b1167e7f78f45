// Package docs is the hidden `clawless docs`: it writes the reference pages that derive from the program itself.
package docs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/server/fault"
)

// New returns the command. root gives the whole tree once it is complete.
func New(env *cli.Env, root func() *cobra.Command) *cobra.Command {
	dir := ""
	return cli.Verb{
		Use:     "docs",
		Short:   "Write the reference pages",
		Example: "clawless docs --dir docs/reference",
		Hidden:  true,
		Flags:   func(fs *pflag.FlagSet) { fs.StringVar(&dir, "dir", "docs/reference", "`FOLDER` to write to") },
		Run:     func(context.Context, []string) error { return write(env, root(), env.Path(dir)) },
	}.Command()
}

func write(env *cli.Env, root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	pages := []struct {
		name string
		make func(io.Writer) error
	}{
		{"cli.md", func(w io.Writer) error { return cli.WriteReference(w, env, root) }},
		{"settings.md", cli.WriteSettingsReference},
		{"errors.md", writeErrors},
	}
	for _, p := range pages {
		var b bytes.Buffer
		if err := p.make(&b); err != nil {
			return fmt.Errorf("write %s: %w", p.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, p.name), b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", p.name, err)
		}
	}
	return nil
}

// writeErrors prints the catalogue of error codes.
func writeErrors(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Error codes\n\nEvery answer that is not a success has the body `{\"error\": {message, type, param, code, details, request_id}}`. " +
		"`code` is one of these; `Retry` says whether the same request may succeed later.\n\n| Code | Status | Meaning | What to do | Retry |\n|---|---|---|---|---|\n")
	for _, s := range fault.Catalogue {
		retry := "no"
		if s.Retry {
			retry = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s |\n", s.Code, s.Status, s.Meaning, s.Do, retry)
	}
	b.WriteString("\nThe code of a provider's own refusal (400, 413, 422) is passed on as the provider gave it, for example `context_length_exceeded`.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
