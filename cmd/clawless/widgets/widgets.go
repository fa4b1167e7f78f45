// Package widgets is `clawless widget`: the embeddable chats of tenants.
package widgets

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// New returns the command with its verbs.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "widget",
		Aliases: []string{"widgets"},
		Short:   "Manage the chat widgets of tenants",
		Example: "clawless widget create --tenant acme --origin https://shop.example.com",
		Group:   "operator",
	}.Command(newCreate(env), newList(env), newDelete(env))
}

var view = cli.View[sdk.Widget]{
	ID:    func(w sdk.Widget) string { return w.ID },
	Empty: "no widgets yet; try: clawless widget create --tenant NAME --origin ORIGIN",
	Columns: []cli.Column[sdk.Widget]{
		{Head: "ID", Cell: func(w sdk.Widget) any { return w.ID }, Fixed: true},
		{Head: "NAME", Cell: func(w sdk.Widget) any { return w.Name }},
		{Head: "KEY LAST4", Cell: func(w sdk.Widget) any { return w.KeyLast4 }},
		{Head: "ORIGINS", Cell: func(w sdk.Widget) any { return w.Origins }},
		{Head: "CREATED", Cell: func(w sdk.Widget) any { return w.CreatedAt }},
	},
}

type createOptions struct {
	env      *cli.Env
	tenant   string
	name     string
	origins  []string
	settings sdk.WidgetSettings
	position string
	theme    string
}

func newCreate(env *cli.Env) *cobra.Command {
	o := createOptions{env: env}
	c := cli.Verb{
		Use:   "create",
		Short: "Make a widget and its publishable key",
		Example: "clawless widget create --tenant acme --origin https://shop.example.com\n" +
			"clawless widget create --tenant acme --origin http://localhost:3000 --title \"Ask us\" --color \"#0d6b5f\" -o json",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.tenant, "tenant", "", "`TENANT` by name or id")
			fs.StringArrayVar(&o.origins, "origin", nil, "`ORIGIN` of pages that may use it; repeat it for more")
			fs.StringVar(&o.name, "name", "", "`NAME` to remember it by")
			fs.StringVar(&o.settings.Title, "title", "", "`TEXT` of the panel's heading")
			fs.StringVar(&o.settings.Greeting, "greeting", "", "`TEXT` before the first message")
			fs.StringVar(&o.settings.Placeholder, "placeholder", "", "`TEXT` in the empty input")
			fs.StringVar(&o.settings.Color, "color", "", "brand colour as `#rrggbb`")
			fs.StringVar(&o.position, "position", "", "corner: right or left")
			fs.StringVar(&o.theme, "theme", "", "auto, light or dark")
		},
		Run: func(ctx context.Context, _ []string) error { return o.run(ctx) },
	}.Command()
	_ = c.MarkFlagRequired("tenant")
	_ = c.MarkFlagRequired("origin")
	return c
}

func (o createOptions) run(ctx context.Context) error {
	c, err := o.env.Admin()
	if err != nil {
		return err
	}
	o.settings.Position, o.settings.Theme = sdk.WidgetSettingsPosition(o.position), sdk.WidgetSettingsTheme(o.theme)
	body := sdk.CreateWidgetRequest{Name: o.name, Origins: o.origins}
	if o.settings != (sdk.WidgetSettings{}) {
		body.Settings = &o.settings
	}
	w, err := c.CreateWidget(ctx, o.tenant, body)
	if err != nil {
		return err
	}
	switch {
	case o.env.Flags.Output.Machine():
		p := o.env.Printer()
		p.Quiet = false // the publishable key is shown this once
		return view.One(p, *w)
	case o.env.Flags.Quiet:
		_, err := fmt.Fprintln(o.env.Out, w.PublishableKey)
		return err
	}
	o.env.Note("widget %s; put this into the page:", w.ID)
	_, err = fmt.Fprintln(o.env.Out, w.Snippet)
	return err
}

func newList(env *cli.Env) *cobra.Command {
	tenant := ""
	c := cli.Verb{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List a tenant's widgets, newest first",
		Example: "clawless widget list --tenant acme",
		Flags:   func(fs *pflag.FlagSet) { fs.StringVar(&tenant, "tenant", "", "`TENANT` by name or id") },
		Run: func(ctx context.Context, _ []string) error {
			c, err := env.Admin()
			if err != nil {
				return err
			}
			list, err := cli.Collect(c.ListWidgetsAll(ctx, tenant, nil), 0)
			if err != nil {
				return err
			}
			return view.List(env.Printer(), list)
		},
	}.Command()
	_ = c.MarkFlagRequired("tenant")
	return c
}

func newDelete(env *cli.Env) *cobra.Command {
	tenant, yes := "", false
	c := cli.Verb{
		Use:     "delete WIDGET_ID",
		Aliases: []string{"rm"},
		Short:   "Delete a widget; its key stops working at once",
		Example: "clawless widget delete wgt_06h0an8x5dx3xene18y86hvxj4 --tenant acme",
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&tenant, "tenant", "", "`TENANT` by name or id")
			cli.YesFlag(fs, &yes)
		},
		Run: func(ctx context.Context, args []string) error {
			c, err := env.Admin()
			if err != nil {
				return err
			}
			warning := "this deletes the widget " + args[0] + "; pages that embed it can no longer chat"
			if err := env.Confirm(ctx, cli.Confirmation{Warning: warning, Name: args[0], Yes: yes}); err != nil {
				return err
			}
			if err := c.DeleteWidget(ctx, tenant, args[0]); err != nil {
				return err
			}
			env.Note("deleted %s", args[0])
			return nil
		},
	}.Command()
	_ = c.MarkFlagRequired("tenant")
	return c
}
