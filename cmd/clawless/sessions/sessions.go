// Package sessions is `clawless session`: the conversations of your tenant.
package sessions

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/sdk"
)

// New returns the command with its verbs.
func New(env *cli.Env) *cobra.Command {
	return cli.Noun{
		Use:     "session",
		Aliases: []string{"sessions"},
		Short:   "Find, continue, branch, move and delete conversations",
		Example: "clawless session list --query tides\nclawless session show ses_06h0an8x5dx3xene18y86hvxj4\nclawless session fork ses_06h0an8x5dx3xene18y86hvxj4",
	}.Command(
		newList(env), newShow(env), newCreate(env), newUpdate(env), newMessages(env),
		newReset(env), newUndo(env), newEpochs(env), newSummaries(env),
		newFork(env), newSelect(env), newRegenerate(env), newEdit(env), newCompare(env),
		newExport(env), newImport(env), newDelete(env), newPrune(env),
	)
}

var view = cli.View[sdk.Session]{
	ID:    func(s sdk.Session) string { return s.ID },
	Empty: "no conversations yet; try: clawless chat",
	Columns: []cli.Column[sdk.Session]{
		{Head: "ID", Cell: func(s sdk.Session) any { return s.ID }, Fixed: true},
		{Head: "TITLE", Cell: func(s sdk.Session) any { return s.Title }},
		{Head: "MESSAGES", Cell: func(s sdk.Session) any { return s.MessageCount }},
		{Head: "MODEL", Cell: func(s sdk.Session) any { return s.Model }},
		{Head: "THINKING", Cell: func(s sdk.Session) any { return s.Thinking }, Detail: true},
		{Head: "USER", Cell: func(s sdk.Session) any { return s.User }, Detail: true},
		{Head: "EXTERNAL ID", Cell: func(s sdk.Session) any { return s.ExternalID }, Detail: true},
		{Head: "ARCHIVED", Cell: func(s sdk.Session) any { return s.Archived }, Detail: true},
		{Head: "PINNED", Cell: func(s sdk.Session) any { return s.Pinned }, Detail: true},
		{Head: "TOOLS", Cell: narrowed, Detail: true},
		{Head: "EPOCH", Cell: func(s sdk.Session) any { return s.Epoch }, Detail: true},
		{Head: "FORKED FROM", Cell: origin, Detail: true},
		{Head: "PARENT", Cell: func(s sdk.Session) any { return s.ParentID }, Detail: true},
		{Head: "UPDATED", Cell: func(s sdk.Session) any { return s.UpdatedAt }},
	},
}

// narrowed says what the session's own rules leave of the tools.
func narrowed(s sdk.Session) any {
	switch {
	case s.Tools == nil || s.Tools.Allow == nil && len(s.Tools.Deny) == 0:
		return "what the tenant allows"
	case s.Tools.Allow == nil:
		return "all but " + strings.Join(s.Tools.Deny, ", ")
	case len(s.Tools.Allow) == 0:
		return "none"
	case len(s.Tools.Deny) == 0:
		return "only " + strings.Join(s.Tools.Allow, ", ")
	}
	return "only " + strings.Join(s.Tools.Allow, ", ") + ", but not " + strings.Join(s.Tools.Deny, ", ")
}

func origin(s sdk.Session) any {
	if s.ForkedFrom == nil {
		return nil
	}
	return fmt.Sprintf("%s at %d", s.ForkedFrom.SessionID, s.ForkedFrom.Sequence)
}

// change does something to a session and prints what it is then.
func change(env *cli.Env, do func(*client.Client) (*sdk.Session, error)) error {
	c, err := env.API()
	if err != nil {
		return err
	}
	s, err := do(c)
	if err != nil {
		return err
	}
	return view.One(env.Printer(), *s)
}

// ids completes the ids of recent conversations.
func ids(env *cli.Env) func(context.Context, []string) []string {
	return func(ctx context.Context, args []string) []string {
		c, err := env.API()
		if err != nil || len(args) > 0 {
			return nil
		}
		list, err := cli.Collect(c.ListSessionsAll(ctx, nil), 50)
		if err != nil {
			return nil
		}
		out := make([]string, len(list))
		for i, s := range list {
			out[i] = s.ID + "\t" + s.Title
		}
		return out
	}
}
