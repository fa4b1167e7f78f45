// Package serve is `clawless serve`: the server itself.
package serve

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/server"
)

// New returns the command.
func New(env *cli.Env) *cobra.Command {
	o := options{env: env}
	return cli.Verb{
		Use:   "serve",
		Short: "Start the server",
		Long: "Start the server. The first start makes the database and the operator's admin key, writes the key to admin.key in the data folder, and remembers it in your\n" +
			"profile, so that `clawless tenant create` on this machine just works. ctrl+c or SIGTERM lets answers under way finish.",
		Example: "clawless serve\nclawless serve --addr 127.0.0.1:9000 --data-dir ./data\n# behind a proxy that ends TLS\nclawless serve --addr 0.0.0.0:8787 --behind-proxy --public-url https://ai.example.com",
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
	log := cli.Logger(o.env.Err, cfg.LogLevel, cfg.LogFormat)
	err = server.Up(ctx, cfg, o.env.Version, o.env.Getenv("CLAWLESS_ADMIN_KEY"), log, func(s server.Started) {
		if err := o.env.RememberLocal(s.URL, s.AdminKey, ""); err != nil {
			log.Warn("the admin key was not saved in your profile; it is in admin.key in the data folder", "error", err.Error())
		}
		// Said last: whoever waits for this line may run the next command at once.
		log.Info("ready", "url", s.URL, "version", o.env.Version, "data", cfg.DataDir)
		o.env.Note("clawless is ready at %s, API reference at %s/docs", s.URL, s.URL)
	})
	return cli.WithCode(err, cli.ExitFailure) // not "unreachable", whatever the network said: it is this server that failed
}
