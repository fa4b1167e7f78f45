package tools

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"

	"github.com/clawless/clawless/server/tool"
)

var names = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func checkName(s string) error {
	if !names.MatchString(s) {
		return errors.New("must be letters, digits, _ and -, at most 64")
	}
	return nil
}

func checkSchema(raw []byte) error {
	var m map[string]any
	return json.Unmarshal(raw, &m)
}

func run(ctx context.Context, t tool.Tool, c tool.Call) (tool.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Spec().Timeout)
	defer cancel()
	return t.Call(ctx, c)
}

func isInvalid(error) bool { return false }
