package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli/help"
)

// WriteReference writes the tree below root as Markdown, for docs/.
func WriteReference(w io.Writer, env *Env, root *cobra.Command) error {
	Prepare(env, root)
	return help.WriteReference(w, root)
}

// WriteSettingsReference writes the reference of the server's settings as Markdown, for docs/.
func WriteSettingsReference(w io.Writer) error { return help.WriteSettings(w) }

// WriteErrorsReference writes the page of the API's error codes.
func WriteErrorsReference(w io.Writer) error { return help.WriteErrors(w) }
