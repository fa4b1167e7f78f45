package tools

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
	"github.com/clawless/clawless/server/tools/servers"
)

// offers says which tools the tenant's settings let its sessions use.
func (r Routes) offers(ctx context.Context) (func(string) bool, error) {
	if r.Offers == nil {
		return func(string) bool { return false }, nil
	}
	return r.Offers(ctx, auth.From(ctx).TenantID)
}

// all are the tools of every source, in whatever state, by name.
func (r Routes) all(ctx context.Context) ([]ServerToolBody, error) {
	offers, err := r.offers(ctx)
	if err != nil {
		return nil, err
	}
	var own []Tool
	var others []servers.Tool
	t := db.TenantOf(auth.From(ctx).TenantID)
	err = r.DB.Read(ctx, func(q db.Querier) (err error) {
		if own, err = List(ctx, q, t); err != nil {
			return err
		}
		others, err = servers.AllTools(ctx, q, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	var list []ServerToolBody
	if r.BuiltIn != nil {
		for _, b := range r.BuiltIn() {
			list = append(list, wireSpec(b.Spec(), offers))
		}
	}
	for _, o := range own {
		list = append(list, r.wire(o, offers))
	}
	for _, o := range others {
		list = append(list, wireMCP(o, offers))
	}
	slices.SortFunc(list, func(a, b ServerToolBody) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Source, b.Source))
	})
	return list, nil
}

func (r Routes) list(ctx context.Context, in *listIn) (*listOut, error) {
	after, err := parseCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := r.all(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(b ServerToolBody) bool {
		return position(b) <= after || in.Source != "" && b.Source != in.Source
	})
	same := func(b ServerToolBody) ServerToolBody { return b }
	return &listOut{Body: api.PageOf(list[:min(len(list), in.Limit+1)], in.Limit, same, func(b ServerToolBody) string {
		return base64.RawURLEncoding.EncodeToString([]byte("s" + position(b)))
	})}, nil
}

// position is where a tool stands in the list.
func position(b ServerToolBody) string { return b.Name + " " + b.Source }

func parseCursor(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) == 0 || b[0] != 's' {
		return "", fault.New(fault.InvalidRequest, "cursor is not one that this list gave; start again without it").WithParam("cursor")
	}
	return string(b[1:]), nil
}

func (r Routes) get(ctx context.Context, in *ToolPath) (*toolOut, error) {
	var t Tool
	err := r.DB.Read(ctx, func(q db.Querier) (err error) {
		t, err = Get(ctx, q, db.TenantOf(auth.From(ctx).TenantID), in.Tool)
		return err
	})
	if !fault.Is(err, fault.NotFound) {
		return r.answer(ctx, t, err)
	}
	list, err := r.all(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(list, func(b ServerToolBody) bool { return b.Name == in.Tool }); i >= 0 {
		return &toolOut{Body: list[i]}, nil
	}
	return nil, notFound()
}

func (r Routes) wire(t Tool, offers func(string) bool) ServerToolBody {
	h := HTTPToolBody{Method: t.Method, URL: t.URL, Auth: string(t.Auth), AuthName: t.AuthName, HasSecret: t.Sealed != "", TimeoutMS: t.Timeout.Milliseconds(), MaxBytes: int64(t.MaxBytes)}
	if secret, err := r.Set.open(t); err == nil {
		h.SecretLast4 = credential.Credential{Secret: secret}.Shown()
	}
	return ServerToolBody{ID: t.ID, Name: t.Name, Description: t.Description, Source: string(tool.HTTP), Effect: string(t.Effect), Status: t.Status,
		Offered: t.Status == Active && offers(t.Name), Parameters: t.Parameters, HTTP: &h, CreatedAt: &t.CreatedAt.Time, UpdatedAt: &t.UpdatedAt.Time}
}

func wireSpec(s tool.Spec, offers func(string) bool) ServerToolBody {
	return ServerToolBody{Name: s.Name, Description: s.Description, Source: string(s.Source), Effect: string(s.Effect), Status: Active, Offered: offers(s.Name), Parameters: s.Parameters}
}

func wireMCP(t servers.Tool, offers func(string) bool) ServerToolBody {
	b := ServerToolBody{Name: t.Offered(), Description: t.Description, Source: string(tool.MCP), Effect: string(t.Effect), Status: t.Status, Parameters: t.Parameters, MCPServer: t.ServerName}
	if t.May() {
		b.Status, b.Offered = Active, offers(b.Name)
	}
	return b
}
