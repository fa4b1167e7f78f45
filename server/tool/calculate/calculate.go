// Package calculate is the built-in tool calculate: exact arithmetic over an expression, within bounds.
package calculate

import (
	"context"
	_ "embed" // the description
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/clawless/clawless/server/tool"
)

//go:embed calculate.md
var description string

const parameters = `{"type":"object","additionalProperties":false,"required":["expression"],"properties":{
	"expression":{"type":"string","minLength":1,"maxLength":4000,"description":"Such as (1299.90 - 15%*1299.90) / 12, or round(100 * 1.03^10, 2)"}}}`

// Tool is the tool.
type Tool struct{}

// New returns the tool.
func New() *Tool { return &Tool{} }

// Spec implements tool.Tool.
func (*Tool) Spec() tool.Spec {
	return tool.Spec{Name: "calculate", Description: strings.TrimSpace(description), Parameters: json.RawMessage(parameters), Effect: tool.Reads, Source: tool.BuiltIn,
		Timeout: 5 * time.Second, MaxResult: 16 << 10}
}

// Call implements tool.Tool.
func (*Tool) Call(ctx context.Context, c tool.Call) (tool.Result, error) {
	var in struct {
		Expression string `json:"expression"`
	}
	if err := json.Unmarshal(c.Arguments, &in); err != nil {
		return tool.Result{}, fmt.Errorf("the arguments cannot be read: %w", err)
	}
	text, err := Evaluate(ctx, in.Expression)
	return tool.Result{Text: text}, err
}

// maxExpression bounds an expression, in bytes: UTF-8 takes up to four for a character.
const maxExpression = 16_000

// Evaluate computes an expression and writes its value. The error says in words, with the place, what is wrong with the expression, or that it goes beyond the bounds;
// it is ctx's when that ends first.
func Evaluate(ctx context.Context, expression string) (string, error) {
	if len(expression) > maxExpression {
		return "", fmt.Errorf("the expression is longer than %d bytes", maxExpression)
	}
	tokens, err := scan(expression)
	if err != nil {
		return "", err
	}
	p := &parser{ctx: ctx, tokens: tokens}
	v, err := p.whole()
	if err != nil {
		return "", err
	}
	text := v.String()
	if p.note != "" {
		text += "\n" + p.note
	}
	return text, nil
}
