package keys

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

func orNever(t *time.Time) any {
	if t == nil {
		return "never"
	}
	return *t
}

type createOptions struct {
	owner
	name    string
	scopes  []string
	expires time.Duration
	set     *pflag.FlagSet
}

func newCreate(env *cli.Env) *cobra.Command {
	o := createOptions{owner: owner{env: env}}
	return cli.Verb{
		Use:   "create",
		Short: "Create a key; it is shown this once",
		Long: "Create a key. It is shown this once and stored as a digest only.\n" +
			"Scopes: chat:write, models:read, sessions:read, sessions:write, usage:read and tenant:read (these are the default), keys:read, keys:write.",
		Example: "clawless key create --tenant acme\nclawless key create --tenant acme --scope chat:write --expires 720h\nclawless key create --tenant acme -o json | jq -r .key",
		Flags: func(fs *pflag.FlagSet) {
			o.set = fs
			o.addFlag(fs)
			fs.StringVar(&o.name, "name", "", "`NAME` to remember it by")
			fs.StringArrayVar(&o.scopes, "scope", nil, "`SCOPE` to grant; repeat it for more (default: all but the management of keys and tools, which need keys:read, keys:write and tools:write)")
			fs.DurationVar(&o.expires, "expires", 0, "`DURATION` until it expires (default: never)")
		},
		Run: func(ctx context.Context, _ []string) error { return o.run(ctx) },
	}.Command()
}

func (o createOptions) run(ctx context.Context) error {
	if o.set.Changed("expires") && o.expires <= 0 {
		return cli.Usagef("--expires must be a time to come, such as 720h")
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	body := sdk.CreateKeyRequest{Name: o.name, Scopes: o.scopes}
	if o.expires != 0 {
		at := o.env.Now().Add(o.expires).UTC()
		body.ExpiresAt = &at
	}
	create := func() (*sdk.Key, error) { return c.CreateKey(ctx, body) }
	if o.tenant != "" {
		create = func() (*sdk.Key, error) { return c.CreateTenantKey(ctx, o.tenant, body) }
	}
	k, err := create()
	if err != nil {
		return err
	}
	return showSecret(o.env, *k)
}

// showSecret prints a key with its secret. For people, and with --quiet, the secret alone goes to stdout, so that it can be piped: an id can be had later, the secret
// cannot.
func showSecret(env *cli.Env, k sdk.Key) error {
	if env.Flags.Output.Machine() {
		p := env.Printer()
		p.Quiet = false
		return view.One(p, k)
	}
	env.Note("key %s; keep it, it is shown this once:", k.ID)
	_, err := fmt.Fprintln(env.Out, k.Key)
	return err
}

func newList(env *cli.Env) *cobra.Command {
	o := owner{env: env}
	return cli.Verb{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List keys, newest first",
		Example: "clawless key list --tenant acme",
		Flags:   o.addFlag,
		Run: func(ctx context.Context, _ []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			list, err := cli.Collect(o.list(ctx, c), 0)
			if err != nil {
				return err
			}
			return view.List(env.Printer(), list)
		},
	}.Command()
}

func newRotate(env *cli.Env) *cobra.Command {
	o, grace := owner{env: env}, 24*time.Hour
	return cli.Verb{
		Use:     "rotate KEY_ID",
		Short:   "Replace a key; the old one works on for a while",
		Example: "clawless key rotate key_06h0an8x5dx3xene18y86hvxj4 --tenant acme --grace 1h",
		Flags: func(fs *pflag.FlagSet) {
			o.addFlag(fs)
			fs.DurationVar(&grace, "grace", grace, "`DURATION` for which the old key still works")
		},
		Run: func(ctx context.Context, args []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			seconds := int64(grace / time.Second)
			body := sdk.RotateKeyRequest{GraceSeconds: &seconds}
			rotate := func() (*sdk.Key, error) { return c.RotateKey(ctx, args[0], body) }
			if o.tenant != "" {
				rotate = func() (*sdk.Key, error) { return c.RotateTenantKey(ctx, o.tenant, args[0], body) }
			}
			k, err := rotate()
			if err != nil {
				return err
			}
			return showSecret(env, *k)
		},
	}.Command()
}

func newRevoke(env *cli.Env) *cobra.Command {
	o, yes := owner{env: env}, false
	return cli.Verb{
		Use:     "revoke KEY_ID",
		Aliases: []string{"delete", "rm"},
		Short:   "Revoke a key at once",
		Example: "clawless key revoke key_06h0an8x5dx3xene18y86hvxj4 --tenant acme",
		Flags: func(fs *pflag.FlagSet) {
			o.addFlag(fs)
			cli.YesFlag(fs, &yes)
		},
		Run: func(ctx context.Context, args []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			warning := "this revokes the key " + args[0] + "; whoever uses it gets 401 from now on"
			if err := env.Confirm(ctx, cli.Confirmation{Warning: warning, Name: args[0], Yes: yes}); err != nil {
				return err
			}
			revoke := func() error { return c.RevokeKey(ctx, args[0]) }
			if o.tenant != "" {
				revoke = func() error { return c.RevokeTenantKey(ctx, o.tenant, args[0]) }
			}
			if err := revoke(); err != nil {
				return err
			}
			env.Note("revoked %s", args[0])
			return nil
		},
	}.Command()
}
