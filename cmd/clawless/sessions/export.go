package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/download"
	"github.com/clawless/clawless/sdk"
)

type exportOptions struct {
	env         *cli.Env
	format, out string
	all         bool
}

func newExport(env *cli.Env) *cobra.Command {
	o := exportOptions{env: env}
	return cli.Verb{
		Use:   "export [SESSION_ID]",
		Short: "Export a conversation, or all, as JSON or Markdown",
		Long: "Export a conversation. json has everything, with all branches, epochs and summaries, and clawless session import takes it back; markdown is the branch that is continued, for people.\n" +
			"With --all it is all conversations of the tenant, a JSON object a line.",
		Example:  "clawless session export ses_06h0an8x5dx3xene18y86hvxj4 --out tides.json\nclawless session export ses_06h0an8x5dx3xene18y86hvxj4 --format markdown\nclawless session export --all --out everything.jsonl",
		Complete: ids(env),
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.format, "format", "json", "`FORMAT`: json or markdown")
			fs.StringVar(&o.out, "out", "", "`FILE` to write (default: standard output)")
			fs.BoolVar(&o.all, "all", false, "all conversations of the tenant")
		},
		Run: func(ctx context.Context, args []string) error { return o.run(ctx, args) },
	}.Command()
}

func (o exportOptions) run(ctx context.Context, args []string) error {
	switch {
	case o.format != "json" && o.format != "markdown":
		return cli.Usagef("--format is json or markdown, not %q", o.format)
	case o.all && (len(args) > 0 || o.format != "json"):
		return cli.Usagef("--all exports everything as JSON; leave SESSION_ID and --format out")
	case !o.all && len(args) == 0:
		return cli.WithHint(cli.Usagef("SESSION_ID is missing"), "clawless session export SESSION_ID, or --all")
	}
	return download.Tenant(o.env, o.out, func(c *client.Client) error {
		if o.all {
			return c.ExportSessions(ctx)
		}
		_, err := c.ExportSession(ctx, args[0], &sdk.ExportSessionParams{Format: sdk.ExportSessionParamsFormat(o.format)})
		return err
	})
}

func newImport(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "import FILE",
		Short:   "Import conversations that were exported as JSON; they get new ids",
		Long:    "Import conversations that were exported as JSON, one or one a line. They get new ids; an external id that is taken is a conflict, and what follows it in the file is not imported. A FILE of - is standard input.",
		Example: "clawless session import tides.json\nclawless session export --all --profile old | clawless session import - --profile new",
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			in, err := source(env, args[0])
			if err != nil {
				return err
			}
			defer func() { _ = in.Close() }()
			made, err := importAll(ctx, c, in)
			if err != nil && len(made) == 0 {
				return err
			}
			return errors.Join(view.List(env.Printer(), made), err)
		},
	}.Command()
}

func source(env *cli.Env, file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(env.In), nil
	}
	f, err := os.Open(env.Path(file))
	if err != nil {
		return nil, fmt.Errorf("read the export: %w", err)
	}
	return f, nil
}

// importAll imports one conversation after another and returns those that were made, also with an error.
func importAll(ctx context.Context, c *client.Client, in io.Reader) ([]sdk.Session, error) {
	var made []sdk.Session
	for dec := json.NewDecoder(in); ; {
		var body sdk.SessionExport
		err := dec.Decode(&body)
		switch {
		case errors.Is(err, io.EOF) && len(made) > 0:
			return made, nil
		case errors.Is(err, io.EOF):
			return nil, cli.Usagef("the file is empty")
		case err != nil:
			return made, cli.WithHint(cli.Usagef("conversation %d is not an export in JSON: %w", len(made)+1, err), "clawless session export SESSION_ID --out FILE")
		}
		s, err := c.ImportSession(ctx, body)
		if err != nil {
			return made, fmt.Errorf("conversation %d of the file: %w", len(made)+1, err)
		}
		made = append(made, *s)
	}
}
