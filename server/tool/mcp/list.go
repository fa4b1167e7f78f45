package mcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
)

// Listed is a tool as its server lists it.
type Listed struct {
	Name        string
	Description string
	Parameters  json.RawMessage // a JSON schema of an object
	Annotations json.RawMessage // the server's own hints; null when it has none
	Hash        string          // SHA-256, in hex, of all of these in canonical form
	Problem     string          // why models cannot use it; empty when they can
}

// The bounds of what a server may list.
const (
	MaxTools       = 200
	maxPages       = 50
	maxDescription = 8 << 10
	maxName        = 128
	listTimeout    = 30 * time.Second
)

// List connects anew and reads the whole list of tools, because a session may answer from what it remembers.
func (p *Pool) List(ctx context.Context, e Endpoint) ([]Listed, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	var out []Listed
	err := p.with(ctx, e, true, func(s *sdk.ClientSession) (err error) {
		out, err = list(ctx, s)
		return err
	})
	var known *Unreachable
	if err != nil && !errors.As(err, &known) {
		err = &Unreachable{told(err, e)}
	}
	return out, err
}

func list(ctx context.Context, s *sdk.ClientSession) ([]Listed, error) {
	var out []Listed
	seen := map[string]bool{}
	cursor := ""
	for range maxPages {
		page, err := s.ListTools(ctx, &sdk.ListToolsParams{Cursor: cursor})
		if err != nil {
			return nil, err
		}
		for _, t := range page.Tools {
			if t == nil || seen[t.Name] {
				continue // of two with one name the first counts, as it would in a call
			}
			seen[t.Name] = true
			l, err := describe(t)
			if err != nil {
				return nil, err
			}
			if out = append(out, l); len(out) > MaxTools {
				return nil, &Unreachable{fmt.Sprintf("it lists more than %d tools", MaxTools)}
			}
		}
		if page.NextCursor == "" {
			return out, nil
		}
		cursor = page.NextCursor
	}
	return nil, &Unreachable{fmt.Sprintf("its list of tools has more than %d pages", maxPages)}
}

// describe reads what a server says about a tool and hashes it.
func describe(t *sdk.Tool) (Listed, error) {
	parameters, err := json.Marshal(t.InputSchema)
	if err != nil {
		return Listed{}, err
	}
	annotations, err := json.Marshal(t.Annotations)
	if err != nil {
		return Listed{}, err
	}
	l := Listed{Name: t.Name, Description: t.Description, Parameters: parameters, Annotations: annotations}
	// A map's fields are sorted by encoding/json, and the schema came as maps, so the form is canonical.
	canonical, err := json.Marshal(map[string]any{"name": t.Name, "description": t.Description, "inputSchema": t.InputSchema, "annotations": json.RawMessage(annotations)})
	if err != nil {
		return Listed{}, err
	}
	sum := sha256.Sum256(canonical)
	l.Hash = hex.EncodeToString(sum[:])
	l.Problem = l.problem()
	return l, nil
}

func (l *Listed) problem() string {
	switch {
	case l.Name == "" || len(l.Name) > maxName || strings.ContainsFunc(l.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		l.Name = strings.ToValidUTF8(l.Name[:min(len(l.Name), maxName)], "")
		return "its name is empty, too long or holds control characters"
	case len(l.Description) > maxDescription:
		l.Description = strings.ToValidUTF8(l.Description[:maxDescription], "")
		return fmt.Sprintf("its description is longer than %d bytes", maxDescription)
	case len(l.Parameters) > tool.MaxSchema:
		l.Parameters = json.RawMessage("{}")
		return fmt.Sprintf("the schema of its arguments is longer than %d bytes", tool.MaxSchema)
	}
	if err := tool.CheckSchema(l.Parameters); err != nil {
		return "the schema of its arguments " + err.Error()
	}
	return ""
}

// hostOf is the host of a URL, which may be shown.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "it"
	}
	return strings.TrimPrefix(strings.TrimPrefix(credential.HostPort(u), "https://"), "http://")
}
