// Package docs is the hidden `clawless docs`: it writes the reference pages that derive from the program itself.
package docs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
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
		{"errors.md", cli.WriteErrorsReference},
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
