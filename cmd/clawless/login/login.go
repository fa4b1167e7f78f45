// Package login is `clawless login`: it proves a key and keeps it in your profile.
package login

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

type options struct {
	env     *cli.Env
	keyFile string
}

// New returns the command.
func New(env *cli.Env) *cobra.Command {
	o := options{env: env}
	return cli.Verb{
		Use:   "login",
		Short: "Prove a key to a server and keep it in your profile",
		Long: "Prove a key to a server and keep it in your profile, in a file that only you can read. It takes an admin key (clw_admin_...) or a\n" +
			"tenant's secret key (clw_sk_...); a profile can hold one of each. --profile names the profile, --url the server.",
		Example: "clawless login\nclawless login --url https://ai.example.com --profile prod\nclawless login --key-file - < key.txt",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.keyFile, "key-file", "", "read the key from `FILE`, or from standard input with - (default: ask)")
		},
		Run: func(ctx context.Context, _ []string) error { return o.run(ctx) },
	}.Command()
}

func (o options) run(ctx context.Context) error {
	all, err := o.env.LoadProfiles()
	if err != nil {
		return err
	}
	name := o.env.Flags.Profile
	if name == "" {
		name = all.Current
	}
	if name == "" {
		name = "default"
	}
	p := all.Profiles[name]
	if o.env.Flags.URL != "" {
		p.URL = strings.TrimRight(o.env.Flags.URL, "/")
	}
	if p.URL == "" {
		p.URL = cli.DefaultURL
	}
	key, err := o.env.Secret(ctx, "key", o.keyFile, "--key-file")
	if err != nil {
		return err
	}
	who, err := prove(ctx, p.URL, key)
	if err != nil {
		return err
	}
	if who.admin {
		p.AdminKey = key
	} else {
		p.APIKey, p.Tenant = key, who.tenant
	}
	all.Profiles[name], all.Current = p, name
	if err := o.env.SaveProfiles(all); err != nil {
		return err
	}
	o.env.Note("logged in to %s as %s; kept in the profile %s, which is the current one now", p.URL, who, name)
	return nil
}

// identity is whom a key speaks for.
type identity struct {
	admin  bool
	tenant string
}

// String is the identity in words.
func (i identity) String() string {
	if i.admin {
		return "the operator"
	}
	return "tenant " + i.tenant
}

func prove(ctx context.Context, url, key string) (identity, error) {
	c, err := client.New(client.Options{BaseURL: url, APIKey: key})
	if err != nil {
		return identity{}, err
	}
	switch {
	case strings.HasPrefix(key, "clw_admin_"):
		_, err := c.ListTenants(ctx, &sdk.ListTenantsParams{Limit: 1})
		return identity{admin: true}, err
	case strings.HasPrefix(key, "clw_sk_"):
		t, err := c.GetOwnTenant(ctx)
		if err != nil {
			return identity{}, err
		}
		return identity{tenant: t.Name}, nil
	case strings.HasPrefix(key, "clw_pk_"):
		return identity{}, cli.Usagef("this is a publishable key, which only opens the widget; use a secret key (clw_sk_...)")
	}
	return identity{}, cli.Usagef("%s", fmt.Sprintf("this is no key of clawless: keys begin with %s or %s", "clw_admin_", "clw_sk_"))
}
