// Package demo is `clawless demo`: a server with a first tenant, its key and its widget, in one command.
package demo

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/server"
	"github.com/clawless/clawless/server/config"
)

// New returns the command.
func New(env *cli.Env) *cobra.Command {
	o := options{env: env}
	return cli.Verb{
		Use:   "demo",
		Short: "Start a server with a first tenant, key and widget, and say how to use them",
		Long: "Start a server with a first tenant, key and widget, and say how to use them. It is `clawless serve` with the same settings and the same data\n" +
			"folder; the tenant is called demo, and its key is made once and kept in demo.json in the data folder.",
		Example: "clawless demo\nclawless demo --addr 127.0.0.1:9000 --data-dir ./data",
		Group:   "server",
		Flags: func(fs *pflag.FlagSet) {
			o.flags = fs
			cli.SettingsFlags(fs)
		},
		Run: func(ctx context.Context, _ []string) error { return o.run(ctx) },
	}.Command()
}

type options struct {
	env   *cli.Env
	flags *pflag.FlagSet
}

func (o options) run(ctx context.Context) error {
	loaded, err := o.env.LoadSettings(o.flags)
	if err != nil {
		return err
	}
	cfg := loaded.Settings
	if loaded.Origin("log_level").Source == "default" {
		cfg.LogLevel = "warn" // the demo is read by a person; requests would scroll it away
	}
	log := cli.Logger(o.env.Err, cfg.LogLevel, cfg.LogFormat)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var failed error
	err = server.Up(ctx, cfg, o.env.Version, o.env.Getenv("CLAWLESS_ADMIN_KEY"), log, func(s server.Started) {
		if failed = o.show(ctx, cfg, s); failed != nil {
			stop()
		}
	})
	return errors.Join(failed, err)
}

// show prepares the tenant and prints what can be done with it.
func (o options) show(ctx context.Context, cfg config.Settings, s server.Started) error {
	if s.AdminKey == "" {
		return cli.WithHint(errors.New("this machine does not know the server's admin key"), "set CLAWLESS_ADMIN_KEY")
	}
	kit, err := prepare(ctx, cfg.DataDir, s)
	if err != nil {
		return err
	}
	profile := ""
	if err := o.env.RememberLocal(s.URL, s.AdminKey, kit.APIKey); err != nil {
		profile = fmt.Sprintf("CLAWLESS_URL=%s CLAWLESS_API_KEY=%s ", s.URL, kit.APIKey)
	} else if all, err := o.env.LoadProfiles(); err == nil && all.Current != cli.LocalProfile {
		profile = "CLAWLESS_PROFILE=" + cli.LocalProfile + " "
	}
	_, err = fmt.Fprintf(o.env.Out, welcome, s.URL, kit.APIKey, kit.Model, profile+program(), kit.PublishableKey)
	return err
}

const welcome = `clawless is ready at %[1]s

Ask it something:

  curl -N %[1]s/v1/chat/completions \
    -H "Authorization: Bearer %[2]s" \
    -H "Content-Type: application/json" \
    -d '{"model":"%[3]s","stream":true,"messages":[{"role":"user","content":"Hello!"}]}'

Chat in the terminal:  %[4]s chat
API reference:         %[1]s/docs
Chat widget:           %[1]s/widget/demo?key=%[5]s

ctrl+c stops it. The tenant is called demo; %[4]s tenant list shows it.
`

// program is how this program was called.
func program() string {
	if len(os.Args) > 0 && os.Args[0] != "" {
		return os.Args[0]
	}
	return "clawless"
}
