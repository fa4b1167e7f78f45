// Package keys is `clawless key`: the credentials of tenants.
package keys

import (
	"context"
	"iter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// New returns the command with its verbs.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "key",
		Aliases: []string{"keys"},
		Short:   "Manage API keys",
		Long:    "Manage API keys. With --tenant the operator manages any tenant's; without it a key that has the scopes keys:read and keys:write manages its own tenant's.",
		Example: "clawless key create --tenant acme\nclawless key list --tenant acme",
		Group:   "operator",
	}.Command(newCreate(env), newList(env), newRotate(env), newRevoke(env))
}

var view = cli.View[sdk.Key]{
	ID:    func(k sdk.Key) string { return k.ID },
	Empty: "no keys yet; try: clawless key create --tenant NAME",
	Columns: []cli.Column[sdk.Key]{
		{Head: "ID", Cell: func(k sdk.Key) any { return k.ID }, Fixed: true},
		{Head: "NAME", Cell: func(k sdk.Key) any { return k.Name }},
		{Head: "LAST4", Cell: func(k sdk.Key) any { return k.Last4 }},
		{Head: "STATUS", Cell: func(k sdk.Key) any { return string(k.Status) }},
		{Head: "SCOPES", Cell: func(k sdk.Key) any { return k.Scopes }},
		{Head: "LAST USED", Cell: func(k sdk.Key) any { return orNever(k.LastUsedAt) }},
		{Head: "EXPIRES", Cell: func(k sdk.Key) any { return orNever(k.ExpiresAt) }},
		{Head: "CREATED", Cell: func(k sdk.Key) any { return k.CreatedAt }},
	},
}

// owner is whose keys a command is about: a tenant that the operator names, or the key's own.
type owner struct {
	env    *cli.Env
	tenant string
}

func (o *owner) addFlag(fs *pflag.FlagSet) {
	fs.StringVar(&o.tenant, "tenant", "", "`TENANT` by name or id (default: the tenant of your own key)")
}

func (o *owner) client() (*client.Client, error) {
	if o.tenant != "" {
		return o.env.Admin()
	}
	return o.env.API()
}

func (o *owner) list(ctx context.Context, c *client.Client) iter.Seq2[sdk.Key, error] {
	if o.tenant != "" {
		return c.ListTenantKeysAll(ctx, o.tenant, nil)
	}
	return c.ListKeysAll(ctx, nil)
}
