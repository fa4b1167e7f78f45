package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// toolFlags are the fields of an HTTP tool.
type toolFlags struct {
	env                                       *cli.Env
	set                                       *pflag.FlagSet
	name, url, method, description            string
	parameters, auth, authName, effect, state string
	secretFile                                string
	secretStdin                               bool
	timeoutMS, maxBytes                       int64
}

func (o *toolFlags) add(fs *pflag.FlagSet) {
	o.set = fs
	fs.StringVar(&o.url, "url", "", "`URL` to call, https, with {name} in the path where an argument belongs")
	fs.StringVar(&o.method, "method", "", "`METHOD`: GET, POST, PUT, PATCH or DELETE (default: POST)")
	fs.StringVar(&o.description, "description", "", "`TEXT` that tells the model what it does and when to use it")
	fs.StringVar(&o.parameters, "parameters", "", "JSON schema of the arguments: a `FILE`, or the JSON itself (default: no arguments)")
	fs.StringVar(&o.effect, "effect", "", "the worst that a `CALL` can do: read, write or send (default: send)")
	fs.StringVar(&o.auth, "auth", "", "`HOW` the secret is sent: none, bearer, header, query or basic (default: none)")
	fs.StringVar(&o.authName, "auth-name", "", "`NAME` of the header or query parameter that holds the secret")
	fs.StringVar(&o.secretFile, "secret-file", "", "`FILE` that holds the secret, which is stored encrypted and never shown again")
	fs.BoolVar(&o.secretStdin, "secret-stdin", false, "read the secret from standard input")
	fs.Int64Var(&o.timeoutMS, "timeout-ms", 0, "`N` milliseconds at most for a call (default: 30000)")
	fs.Int64Var(&o.maxBytes, "max-bytes", 0, "`N` bytes at most of a result that the model gets (default: 65536)")
	fs.StringVar(&o.state, "status", "", "`STATUS`: active or disabled (default: active)")
}

// secret reads the secret from where the flags say; it is empty when they say nothing.
func (o *toolFlags) secret(ctx context.Context) (string, error) {
	source := o.secretFile
	switch {
	case o.secretStdin && source != "":
		return "", cli.Usagef("give --secret-file or --secret-stdin, not both")
	case o.secretStdin:
		source = "-"
	case source == "":
		return "", nil
	}
	return o.env.Secret(ctx, "the secret", source, "--secret-file")
}

// schema reads the JSON schema from the flag or its file; it is nil without one.
func (o *toolFlags) schema() (any, error) {
	if o.parameters == "" {
		return nil, nil
	}
	data := []byte(o.parameters)
	if !strings.HasPrefix(strings.TrimSpace(o.parameters), "{") {
		b, err := os.ReadFile(o.env.Path(o.parameters))
		if err != nil {
			return nil, fmt.Errorf("read --parameters: %w", err)
		}
		data = b
	}
	return object(data, "--parameters")
}

func object(data []byte, what string) (any, error) {
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, cli.Usagef("%s is not a JSON object: %w", what, err)
	}
	return json.RawMessage(data), nil
}

func newCreate(env *cli.Env) *cobra.Command {
	o := toolFlags{env: env}
	c := cli.Verb{
		Use:   "create NAME",
		Short: "Define a tool: an HTTP endpoint of yours",
		Long: "Define a tool: an HTTP endpoint of yours. Arguments that are not in the URL's path go into the query of GET and DELETE, and into a JSON body else.\n" +
			"A secret is read from a file or standard input, never from the command line, where others could see it.",
		Example: "clawless tool create weather --url https://api.example.com/weather/{city} --method GET --effect read --description \"The weather in a city\" --parameters weather.json\n" +
			"clawless tool create order --url https://api.example.com/orders --description \"Place an order\" --auth bearer --secret-file token.txt",
		Flags: o.add,
		Run:   func(ctx context.Context, args []string) error { return o.create(ctx, args[0]) },
	}.Command()
	_ = c.MarkFlagRequired("url") // these fail only for a flag that is not there
	_ = c.MarkFlagRequired("description")
	return c
}

func (o *toolFlags) create(ctx context.Context, name string) error {
	schema, err := o.schema()
	if err != nil {
		return err
	}
	secret, err := o.secret(ctx)
	if err != nil {
		return err
	}
	c, err := o.env.API()
	if err != nil {
		return err
	}
	t, err := c.CreateTool(ctx, sdk.CreateToolRequest{
		Name: name, Description: o.description, Parameters: schema, Method: sdk.HTTPToolMethod(o.method), URL: o.url,
		Auth: sdk.HTTPToolAuth(o.auth), AuthName: o.authName, Secret: secret, Effect: sdk.MCPToolEffect(o.effect),
		TimeoutMs: o.timeoutMS, MaxBytes: o.maxBytes, Status: sdk.CreateToolRequestStatus(o.state),
	})
	if err != nil {
		return err
	}
	if err := view.One(o.env.Printer(), *t); err != nil {
		return err
	}
	if !t.Offered && !o.env.Flags.Output.Machine() {
		o.env.Note("it is not offered to models yet; the operator allows it with: clawless tenant update TENANT --server-tool %s", t.Name)
	}
	return nil
}

func newUpdate(env *cli.Env) *cobra.Command {
	o := toolFlags{env: env}
	return cli.Verb{
		Use:      "update TOOL",
		Short:    "Change a tool of yours; what is not named stays as it is",
		Long:     "Change a tool of yours; what is not named stays as it is. Another host, or another way to send the secret, needs the secret again.",
		Example:  "clawless tool update weather --status disabled\nclawless tool update weather --effect write --description \"The weather in a city, by its name\"",
		Complete: names(env),
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&o.name, "name", "", "new `NAME`")
			o.add(fs)
		},
		Run: func(ctx context.Context, args []string) error { return o.update(ctx, args[0]) },
	}.Command()
}

func (o *toolFlags) update(ctx context.Context, tool string) error {
	body, given := sdk.UpdateToolRequest{}, false
	for name, take := range map[string]func(){
		"name":        func() { body.Name = &o.name },
		"url":         func() { body.URL = &o.url },
		"method":      func() { body.Method = (*sdk.HTTPToolMethod)(&o.method) },
		"description": func() { body.Description = &o.description },
		"effect":      func() { body.Effect = (*sdk.MCPToolEffect)(&o.effect) },
		"auth":        func() { body.Auth = (*sdk.HTTPToolAuth)(&o.auth) },
		"auth-name":   func() { body.AuthName = &o.authName },
		"timeout-ms":  func() { body.TimeoutMs = &o.timeoutMS },
		"max-bytes":   func() { body.MaxBytes = &o.maxBytes },
		"status":      func() { body.Status = (*sdk.CreateToolRequestStatus)(&o.state) },
	} {
		if o.set.Changed(name) {
			take()
			given = true
		}
	}
	schema, err := o.schema()
	if err != nil {
		return err
	}
	secret, err := o.secret(ctx)
	if err != nil {
		return err
	}
	body.Parameters = schema
	if secret != "" {
		body.Secret = &secret
	}
	if !given && schema == nil && secret == "" {
		return cli.WithHint(cli.Usagef("nothing to change was named"), "clawless tool update --help")
	}
	c, err := o.env.API()
	if err != nil {
		return err
	}
	t, err := c.UpdateTool(ctx, tool, nil, body)
	if err != nil {
		return err
	}
	return view.One(o.env.Printer(), *t)
}

func newDelete(env *cli.Env) *cobra.Command {
	yes := false
	return cli.Verb{
		Use:      "delete TOOL",
		Aliases:  []string{"rm"},
		Short:    "Delete a tool of yours; the log of what it did stays",
		Example:  "clawless tool delete weather --yes",
		Complete: names(env),
		Flags:    func(fs *pflag.FlagSet) { cli.YesFlag(fs, &yes) },
		Run: func(ctx context.Context, args []string) error {
			c, err := env.API()
			if err != nil {
				return err
			}
			t, err := c.GetTool(ctx, args[0])
			if err != nil {
				return err
			}
			warning := fmt.Sprintf("this deletes the tool %s with its secret; models are not offered it any more", t.Name)
			if err := env.Confirm(ctx, cli.Confirmation{Warning: warning, Name: t.Name, Yes: yes}); err != nil {
				return err
			}
			if err := c.DeleteTool(ctx, args[0]); err != nil {
				return err
			}
			env.Note("deleted %s", t.Name)
			return nil
		},
	}.Command()
}
