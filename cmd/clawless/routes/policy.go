package routes

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/nearest"
	"github.com/clawless/clawless/cmd/clawless/cli/settings"
	"github.com/clawless/clawless/sdk"
)

// policyFields are what a policy file may hold.
var policyFields = []string{"weak_model", "strong_model", "strong_share", "fallback_models", "default_model"}

// policyReader reads a policy file strictly and finds everything that is wrong with it at once.
type policyReader struct {
	path     string // as the user gave it
	policy   sdk.ReplayPolicy
	problems []settings.Problem
}

// readPolicy reads the file that the user named.
func readPolicy(env *cli.Env, path string) (sdk.ReplayPolicy, error) {
	f, err := os.Open(env.Path(path))
	if err != nil {
		return sdk.ReplayPolicy{}, cli.WithCode(fmt.Errorf("read the policy: %w", err), cli.ExitUsage)
	}
	defer f.Close()
	r := policyReader{path: path}
	r.read(f)
	if len(r.problems) > 0 {
		return sdk.ReplayPolicy{}, &cli.Error{Code: cli.ExitUsage, Err: fmt.Errorf("the policy %s is wrong; nothing was replayed", path), Details: r.problems, Try: "clawless route replay --help"}
	}
	return r.policy, nil
}

func (r *policyReader) read(f io.Reader) {
	var doc, rest yaml.Node
	dec := yaml.NewDecoder(f)
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		r.problems = append(r.problems, settings.Problem{Where: r.path, Message: strings.TrimPrefix(err.Error(), "yaml: ")})
		return
	}
	if err := dec.Decode(&rest); err == nil {
		r.bad(&rest, "", "a second document begins here, and would not be read")
	} else if !errors.Is(err, io.EOF) {
		r.problems = append(r.problems, settings.Problem{Where: r.path, Message: strings.TrimPrefix(err.Error(), "yaml: ")})
	}
	if len(doc.Content) == 0 {
		r.problems = append(r.problems, settings.Problem{Where: r.path, Message: "is empty; it needs weak_model, strong_model and strong_share"})
		return
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		r.bad(root, "", "a policy is a mapping, with a line `key: value` for each entry")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if seen[key.Value] {
			r.bad(key, key.Value, "is there twice")
		} else {
			r.field(key, value)
		}
		seen[key.Value] = true
	}
}

func (r *policyReader) bad(node *yaml.Node, field, message string) {
	r.problems = append(r.problems, settings.Problem{Field: field, Where: r.path + ":" + strconv.Itoa(node.Line), Message: message})
}

func (r *policyReader) field(key, value *yaml.Node) {
	p := &r.policy
	switch key.Value {
	case "weak_model":
		p.WeakModel = r.model(value, key.Value)
	case "strong_model":
		p.StrongModel = r.model(value, key.Value)
	case "default_model":
		p.DefaultModel = r.model(value, key.Value)
	case "strong_share":
		var share float64
		if value.Kind != yaml.ScalarNode || value.Decode(&share) != nil || !(share >= 0 && share <= 1) {
			r.bad(value, key.Value, "is a number from 0 to 1, such as 0.3")
			return
		}
		p.StrongShare = &share
	case "fallback_models":
		if value.Kind != yaml.SequenceNode {
			r.bad(value, key.Value, "is a list, such as [openai/gpt-4o, ollama/llama3.3]")
			return
		}
		for i, item := range value.Content {
			p.FallbackModels = append(p.FallbackModels, r.model(item, fmt.Sprintf("fallback_models[%d]", i)))
		}
	default:
		r.bad(key, key.Value, "is no field of a policy"+nearest.Ask(key.Value, policyFields))
	}
}

// model reads the name of a model.
func (r *policyReader) model(node *yaml.Node, field string) string {
	if node.Kind != yaml.ScalarNode || node.Tag != "!!str" || strings.TrimSpace(node.Value) == "" {
		r.bad(node, field, "is the name of a model, such as openai/gpt-4o-mini")
		return ""
	}
	return node.Value
}
