// Command sdk-example makes a tenant and a key on the server of CLAWLESS_URL with CLAWLESS_ADMIN_KEY, and asks an assistant what its arguments say.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/sdk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, os.Getenv("CLAWLESS_URL"), os.Getenv("CLAWLESS_ADMIN_KEY"), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		var failed *client.Error
		if errors.As(err, &failed) && failed.Hint() != "" {
			fmt.Fprintln(os.Stderr, "  try:", failed.Hint())
		}
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, url, adminKey string, questions []string) error {
	operator, err := client.New(client.Options{BaseURL: url, APIKey: adminKey})
	if err != nil {
		return err
	}
	tenant, err := operator.CreateTenant(ctx, sdk.CreateTenantRequest{Name: "acme", Settings: &sdk.TenantSettingsInput{DefaultModel: new("mock/echo")}})
	if err != nil {
		return err
	}
	key, err := operator.CreateTenantKey(ctx, tenant.ID, sdk.CreateKeyRequest{Name: "example"})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "tenant %s has a key that ends in %s\n", tenant.Name, key.Last4)

	assistant, err := client.New(client.Options{BaseURL: url, APIKey: key.Key})
	if err != nil {
		return err
	}
	conversation := assistant.NewConversation(client.ConversationOptions{})
	for _, question := range questions {
		if err := ask(ctx, out, conversation, question); err != nil {
			return err
		}
	}
	for message, err := range conversation.History(ctx) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%d %s: %s\n", message.Sequence, message.Role, message.Content)
	}
	return nil
}

// ask prints an answer while it comes.
func ask(ctx context.Context, out io.Writer, conversation *client.Conversation, question string) error {
	for event, err := range conversation.Ask(ctx, question) {
		if err != nil {
			return err
		}
		switch event := event.(type) {
		case client.TextDelta:
			fmt.Fprint(out, event.Text)
		case client.Usage:
			fmt.Fprintf(out, "\n(%d tokens in, %d out)\n", event.Input, event.Output)
		}
	}
	return nil
}
