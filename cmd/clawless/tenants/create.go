package tenants

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

type createOptions struct {
	env      *cli.Env
	name     string
	tier     string
	settings settingsFlags
}

func newCreate(env *cli.Env) *cobra.Command {
	o := createOptions{env: env}
	return cli.Verb{
		Use:     "create NAME",
		Short:   "Create a tenant",
		Example: "clawless tenant create acme\nclawless tenant create acme --tier pro --default-model openai/gpt-4o-mini\nclawless tenant create acme -o json | jq -r .id",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.tier, "tier", "starter", "plan: starter, pro, business or enterprise")
			o.settings.add(fs)
		},
		Run: func(ctx context.Context, args []string) error {
			o.name = args[0]
			return o.run(ctx)
		},
	}.Command()
}

func (o createOptions) run(ctx context.Context) error {
	c, err := o.env.Admin()
	if err != nil {
		return err
	}
	t, err := c.CreateTenant(ctx, sdk.CreateTenantRequest{Name: o.name, Tier: sdk.TenantTier(o.tier), Settings: o.settings.input()})
	if err != nil {
		return err
	}
	if err := view.One(o.env.Printer(), *t); err != nil {
		return err
	}
	if !o.env.Flags.Output.Machine() {
		o.env.Note("next: clawless key create --tenant %s", t.Name)
	}
	return nil
}
