package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clawless/clawless/server/tool"
)

// Tool is a tool of an MCP server that can be called. It implements tool.Tool.
type Tool struct {
	Pool *Pool
	// Offered is the name for the model, Name the server's own.
	Offered, Name string
	// Server is the server's name, for the mark that results carry.
	Server      string
	Description string
	Parameters  json.RawMessage
	Effect      tool.Effect
	// Ready is asked ahead of each call for the endpoint, and refuses what may not be called any more; its error is what the model gets.
	Ready func(ctx context.Context) (Endpoint, error)
}

const (
	callTimeout = time.Minute
	maxResult   = 64 << 10
)

// Spec implements tool.Tool.
func (t *Tool) Spec() tool.Spec {
	return tool.Spec{Name: t.Offered, Description: t.Description, Parameters: t.Parameters, Effect: t.Effect, Source: tool.MCP, Taints: tool.FromWebhook, Timeout: callTimeout, MaxResult: maxResult}
}

// Call implements tool.Tool. What the server itself says, also of a failure, is a result with the mark of where it is from; an error is in words of our own.
func (t *Tool) Call(ctx context.Context, c tool.Call) (tool.Result, error) {
	e, err := t.Ready(ctx)
	if err != nil {
		return tool.Result{}, err
	}
	arguments := c.Arguments
	if len(arguments) == 0 {
		arguments = json.RawMessage("{}")
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var res *sdk.CallToolResult
	err = t.Pool.with(ctx, e, false, func(s *sdk.ClientSession) (err error) {
		res, err = s.CallTool(ctx, &sdk.CallToolParams{Name: t.Name, Arguments: arguments})
		return err
	})
	marked := func(text string) tool.Result {
		return tool.Result{Text: e.Credential.Scrub(text), Taints: []tool.Taint{{Kind: tool.FromWebhook, Source: t.Server + "/" + t.Name}}}
	}
	switch {
	case err == nil:
	case asRefusal(err) != nil:
		return marked("The MCP server refused the call: " + asRefusal(err).Message), nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return tool.Result{}, fmt.Errorf("%s did not answer in time: %w", t.Offered, context.DeadlineExceeded)
	case ctx.Err() != nil:
		return tool.Result{}, ctx.Err()
	default:
		return tool.Result{}, err
	}
	if res.NeedsInput() {
		return tool.Result{}, fmt.Errorf("%s asks for input of a person, which tools here cannot give", t.Offered)
	}
	text := textOf(res)
	if res.IsError {
		text = "The tool reports that it failed: " + text
	}
	return marked(text), nil
}

// textOf joins what of a result is text. Whatever else it holds is named, so that the model does not think it was shown.
func textOf(res *sdk.CallToolResult) string {
	var parts []string
	for _, c := range res.Content {
		switch c := c.(type) {
		case *sdk.TextContent:
			parts = append(parts, c.Text)
		case *sdk.ImageContent:
			parts = append(parts, fmt.Sprintf("[an image (%s) that cannot be shown]", c.MIMEType))
		case *sdk.AudioContent:
			parts = append(parts, fmt.Sprintf("[a sound (%s) that cannot be played]", c.MIMEType))
		case *sdk.ResourceLink:
			parts = append(parts, fmt.Sprintf("[a link to %s: %s]", c.Name, c.URI))
		case *sdk.EmbeddedResource:
			parts = append(parts, resource(c))
		default:
			parts = append(parts, "[a content of a kind that cannot be shown]")
		}
	}
	if len(parts) == 0 && res.StructuredContent != nil {
		if b, err := json.Marshal(res.StructuredContent); err == nil {
			return string(b)
		}
	}
	if len(parts) == 0 {
		return "[the tool returned nothing]"
	}
	return strings.Join(parts, "\n")
}

func resource(c *sdk.EmbeddedResource) string {
	if c.Resource == nil {
		return "[an empty resource]"
	}
	if c.Resource.Text != "" {
		return c.Resource.Text
	}
	return fmt.Sprintf("[a resource (%s) that cannot be shown]", c.Resource.MIMEType)
}
