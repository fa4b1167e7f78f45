package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/sdk"
)

// exampleKey makes a tenant of its own for an example, and a key of it.
func exampleKey(ctx context.Context, name string) string {
	admin, err := client.New(client.Options{BaseURL: under.URL, APIKey: under.AdminKey})
	if err != nil {
		log.Fatal(err)
	}
	tenant, err := admin.CreateTenant(ctx, sdk.CreateTenantRequest{Name: name, Settings: &sdk.TenantSettingsInput{DefaultModel: new("mock/echo")}})
	if err != nil {
		log.Fatal(err)
	}
	key, err := admin.CreateTenantKey(ctx, tenant.ID, sdk.CreateKeyRequest{})
	if err != nil {
		log.Fatal(err)
	}
	return key.Key
}

func ExampleNew() {
	c, err := client.New(client.Options{BaseURL: "http://127.0.0.1:8787", APIKey: os.Getenv("CLAWLESS_API_KEY")})
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseIdle()
	_, err = client.New(client.Options{BaseURL: "127.0.0.1:8787"})
	fmt.Println(err)
	// Output: the server's address must look like http://127.0.0.1:8787 or https://host, not "127.0.0.1:8787"
}

func ExampleNew_operator() {
	ctx := context.Background()
	c, err := client.New(client.Options{BaseURL: under.URL, APIKey: under.AdminKey})
	if err != nil {
		log.Fatal(err)
	}
	tenant, err := c.CreateTenant(ctx, sdk.CreateTenantRequest{Name: "example-operator", Tier: sdk.TenantTierPro})
	if err != nil {
		log.Fatal(err)
	}
	key, err := c.CreateTenantKey(ctx, tenant.Name, sdk.CreateKeyRequest{Name: "production"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tenant.Name, tenant.Tier, key.Name, key.Status, key.Key != "")
	for k, err := range c.ListTenantKeysAll(ctx, tenant.ID, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(k.Name, k.Key == "")
	}
	// Output:
	// example-operator pro production active true
	// production true
}

func ExampleClient_Chat() {
	ctx := context.Background()
	c, err := client.New(client.Options{BaseURL: under.URL, APIKey: exampleKey(ctx, "example-chat")})
	if err != nil {
		log.Fatal(err)
	}
	question := []sdk.ChatMessage{{Role: sdk.MessageRoleUser, Content: sdk.Text("How do you do?")}}
	for ev, err := range c.Chat(ctx, client.ChatRequest{Model: "default", Messages: question, Temperature: new(0.0)}) {
		if err != nil {
			log.Fatal(err)
		}
		switch ev := ev.(type) {
		case client.TextDelta:
			fmt.Print(ev.Text)
		case client.Finish:
			fmt.Printf("\n%s, %s\n", ev.Model, ev.Reason)
		}
	}
	// Output:
	// How do you do?
	// mock/echo, stop
}

func ExampleConversation() {
	ctx := context.Background()
	c, err := client.New(client.Options{BaseURL: under.URL, APIKey: exampleKey(ctx, "example-conversation")})
	if err != nil {
		log.Fatal(err)
	}
	conversation := c.NewConversation(client.ConversationOptions{Model: "mock/recall"})
	for _, text := range []string{"I am Ada.", "I like numbers.", "Who am I?"} {
		reply, err := client.Collect(conversation.Ask(ctx, text))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(reply.Text)
	}
	// Output:
	// This is the first thing you have said.
	// Earlier you said: "I am Ada.".
	// Earlier you said: "I am Ada.", "I like numbers.".
}

func ExampleError() {
	ctx := context.Background()
	c, err := client.New(client.Options{BaseURL: under.URL, APIKey: exampleKey(ctx, "example-error")})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.GetModel(ctx, "mock/nothing")
	var failed *client.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.HTTPStatus(), failed.ErrorCode())
		fmt.Println("try:", failed.Hint())
	}
	// Output:
	// 404 model_not_found
	// try: clawless model list
}
