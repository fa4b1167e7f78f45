package tenants

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

type updateOptions struct {
	env      *cli.Env
	name     string
	tier     string
	settings settingsFlags
}

func newUpdate(env *cli.Env) *cobra.Command {
	o := updateOptions{env: env}
	return cli.Verb{
		Use:      "update TENANT",
		Short:    "Change a tenant; what is not named stays as it is",
		Example:  "clawless tenant update acme --tier business\nclawless tenant update acme --monthly-tokens 5000000 --monthly-cost 25.00\nclawless tenant update acme --default-model auto --weak-model ollama/llama3.2 --strong-model anthropic/claude-sonnet-4-5 --strong-share 0.2\n# allow all models again\nclawless tenant update acme --allow-model \"\"",
		Complete: Names(env),
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.name, "name", "", "new `NAME`")
			fs.StringVar(&o.tier, "tier", "", "plan: starter, pro, business or enterprise")
			o.settings.add(fs)
		},
		Run: func(ctx context.Context, args []string) error { return o.run(ctx, args[0]) },
	}.Command()
}

func (o updateOptions) run(ctx context.Context, tenant string) error {
	body := sdk.UpdateTenantRequest{Settings: o.settings.input()}
	if o.name != "" {
		body.Name = &o.name
	}
	if o.tier != "" {
		tier := sdk.TenantTier(o.tier)
		body.Tier = &tier
	}
	if body.Name == nil && body.Tier == nil && body.Settings == nil {
		return cli.WithHint(cli.Usagef("nothing to change was named"), "clawless tenant update --help")
	}
	return change(ctx, o.env, func(c *client.Client) (*sdk.Tenant, error) { return c.UpdateTenant(ctx, tenant, nil, body) })
}

func change(_ context.Context, env *cli.Env, do func(*client.Client) (*sdk.Tenant, error)) error {
	c, err := env.Admin()
	if err != nil {
		return err
	}
	t, err := do(c)
	if err != nil {
		return err
	}
	return view.One(env.Printer(), *t)
}

func newSuspend(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "suspend TENANT",
		Short:    "Stop serving a tenant; nothing of it is lost",
		Example:  "clawless tenant suspend acme",
		Complete: Names(env),
		Run: func(ctx context.Context, args []string) error {
			return change(ctx, env, func(c *client.Client) (*sdk.Tenant, error) { return c.SuspendTenant(ctx, args[0]) })
		},
	}.Command()
}

func newActivate(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:      "activate TENANT",
		Short:    "Serve a suspended tenant again",
		Example:  "clawless tenant activate acme",
		Complete: Names(env),
		Run: func(ctx context.Context, args []string) error {
			return change(ctx, env, func(c *client.Client) (*sdk.Tenant, error) { return c.ActivateTenant(ctx, args[0]) })
		},
	}.Command()
}

func newDelete(env *cli.Env) *cobra.Command {
	yes := false
	return cli.Verb{
		Use:      "delete TENANT",
		Aliases:  []string{"rm"},
		Short:    "Delete a tenant with everything it owns but its ledger",
		Example:  "clawless tenant delete acme\nclawless tenant delete acme --yes",
		Complete: Names(env),
		Flags:    func(fs *pflag.FlagSet) { cli.YesFlag(fs, &yes) },
		Run: func(ctx context.Context, args []string) error {
			c, err := env.Admin()
			if err != nil {
				return err
			}
			t, err := c.GetTenant(ctx, args[0])
			if err != nil {
				return err
			}
			target, err := env.Target()
			if err != nil {
				return err
			}
			warning := fmt.Sprintf("this deletes tenant %s on %s with its keys, widgets, sessions and messages, for good", t.Name, target.URL)
			if err := env.Confirm(ctx, cli.Confirmation{Warning: warning, Name: t.Name, Yes: yes}); err != nil {
				return err
			}
			if err := c.DeleteTenant(ctx, t.ID); err != nil {
				return err
			}
			env.Note("deleted tenant %s", t.Name)
			return nil
		},
	}.Command()
}
