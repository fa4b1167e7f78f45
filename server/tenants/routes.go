package tenants

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
)

// Routes serves the operator's tenant operations and each tenant's view of itself.
type Routes struct {
	DB *db.DB
	// Audit records a change in the transaction that makes it.
	Audit func(ctx context.Context, q db.Querier, tenantID, action, target string) error
	// Changed is told after a tenant changed, and whether it is still served, so that no cache serves the old one. It may be nil.
	Changed func(tenantID string, served bool)
}

// TenantBody is the wire form of a tenant.
type TenantBody struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Tier      string         `json:"tier" enum:"starter,pro,business,enterprise"`
	Status    string         `json:"status" enum:"active,suspended"`
	Settings  TenantSettings `json:"settings"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

// CreateTenantRequest makes a tenant.
type CreateTenantRequest struct {
	Name     string               `json:"name" minLength:"1" maxLength:"63" doc:"Lower-case letters, digits and hyphens; unique"`
	Tier     string               `json:"tier,omitempty" enum:"starter,pro,business,enterprise" default:"starter" doc:"The plan, which decides defaults"`
	Settings *TenantSettingsInput `json:"settings,omitempty"`
}

// UpdateTenantRequest changes a tenant: a field that is left out stays as it is.
type UpdateTenantRequest struct {
	Name     *string              `json:"name,omitempty" minLength:"1" maxLength:"63"`
	Tier     *string              `json:"tier,omitempty" enum:"starter,pro,business,enterprise"`
	Settings *TenantSettingsInput `json:"settings,omitempty"`
}

type (
	createIn struct {
		api.Idempotent
		Body CreateTenantRequest
	}
	updateIn struct {
		api.TenantPath
		IfMatch string `header:"If-Match" doc:"The ETag of the version to change"`
		Body    UpdateTenantRequest
	}
	tenantOut struct {
		ETag string `header:"ETag"`
		Body TenantBody
	}
	listOut struct {
		Body api.Page[TenantBody]
	}
	none struct{}
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, DefaultStatus: status, Tags: []string{"tenants"}}
	}
	api.Handle(a, api.OperatorOnly(), op("create-tenant", "POST", "/admin/tenants", "Create a tenant", 201), r.create)
	api.Handle(a, api.OperatorOnly(), op("list-tenants", "GET", "/admin/tenants", "List tenants, newest first", 200), r.list)
	api.Handle(a, api.OperatorOnly(), op("get-tenant", "GET", "/admin/tenants/{tenant}", "Read a tenant", 200), r.get)
	api.Handle(a, api.OperatorOnly(), op("update-tenant", "PATCH", "/admin/tenants/{tenant}", "Change a tenant", 200), r.update)
	api.Handle(a, api.OperatorOnly(), op("delete-tenant", "DELETE", "/admin/tenants/{tenant}", "Delete a tenant with everything it owns but its ledger", 204), r.delete)
	api.Handle(a, api.OperatorOnly(), op("suspend-tenant", "POST", "/admin/tenants/{tenant}/suspend", "Stop serving a tenant", 200), r.setStatus(Suspended, "tenant.suspend"))
	api.Handle(a, api.OperatorOnly(), op("activate-tenant", "POST", "/admin/tenants/{tenant}/activate", "Serve a suspended tenant again", 200), r.setStatus(Active, "tenant.activate"))
	api.Handle(a, api.KeyWith(auth.ScopeTenant), op("get-own-tenant", "GET", "/v1/tenant", "Read the tenant of this key", 200), r.own)
}

func (r Routes) create(ctx context.Context, in *createIn) (*tenantOut, error) {
	if err := checkName(in.Body.Name); err != nil {
		return nil, err
	}
	now := db.At(time.Now())
	t := Tenant{ID: ids.New(ids.Tenant), Name: in.Body.Name, Tier: Tier(in.Body.Tier), Status: Active, Version: 1, CreatedAt: now, UpdatedAt: now}
	in.Body.Settings.apply(&t.Settings)
	if err := t.Settings.check(); err != nil {
		return nil, err
	}
	err := r.DB.Write(ctx, func(q db.Querier) error {
		if err := Create(ctx, q, t); err != nil {
			return err
		}
		return r.Audit(ctx, q, t.ID, "tenant.create", t.ID)
	})
	return answer(t, err)
}

func (r Routes) get(ctx context.Context, in *api.TenantPath) (*tenantOut, error) {
	t, err := r.read(ctx, in.Tenant)
	return answer(t, err)
}

func (r Routes) own(ctx context.Context, _ *none) (*tenantOut, error) {
	t, err := r.read(ctx, auth.From(ctx).TenantID)
	return answer(t, err)
}

func (r Routes) read(ctx context.Context, idOrName string) (t Tenant, err error) {
	err = r.DB.Read(ctx, func(q db.Querier) error {
		t, err = Get(ctx, q, idOrName)
		return err
	})
	return t, err
}

func (r Routes) list(ctx context.Context, in *api.PageParams) (*listOut, error) {
	at, id, err := api.ParseTimeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []Tenant
	err = r.DB.Read(ctx, func(q db.Querier) error {
		rows, err = List(ctx, q, at, id, in.Limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &listOut{Body: api.PageOf(rows, in.Limit, wire, func(t Tenant) string { return api.TimeCursor(t.CreatedAt.Time, t.ID) })}, nil
}

func (r Routes) update(ctx context.Context, in *updateIn) (*tenantOut, error) {
	return r.change(ctx, in.Tenant, "tenant.update", func(t *Tenant) error {
		if in.IfMatch != "" && in.IfMatch != etag(*t) {
			return stale()
		}
		if in.Body.Name != nil {
			if err := checkName(*in.Body.Name); err != nil {
				return err
			}
			t.Name = *in.Body.Name
		}
		if in.Body.Tier != nil {
			t.Tier = Tier(*in.Body.Tier)
		}
		in.Body.Settings.apply(&t.Settings)
		return t.Settings.check()
	})
}

func (r Routes) setStatus(s Status, action string) func(context.Context, *api.TenantPath) (*tenantOut, error) {
	return func(ctx context.Context, in *api.TenantPath) (*tenantOut, error) {
		return r.change(ctx, in.Tenant, action, func(t *Tenant) error {
			t.Status = s
			return nil
		})
	}
}

// change reads, alters and stores a tenant in one transaction with its audit row.
func (r Routes) change(ctx context.Context, idOrName, action string, alter func(*Tenant) error) (*tenantOut, error) {
	var t Tenant
	now := time.Now()
	store := func(q db.Querier) (err error) {
		if t, err = Get(ctx, q, idOrName); err != nil {
			return err
		}
		if err = alter(&t); err != nil {
			return err
		}
		if err = Update(ctx, q, t, now); err != nil {
			return err
		}
		return r.Audit(ctx, q, t.ID, action, t.ID)
	}
	err := r.DB.Write(ctx, store)
	for range 10 { // two changes at once on Postgres, of which neither named a version: the later one applies to what the first made
		if !errors.Is(err, errRaced) {
			break
		}
		err = r.DB.Write(ctx, store)
	}
	if err != nil {
		return nil, err
	}
	t.Version, t.UpdatedAt = t.Version+1, db.At(now)
	r.changed(t.ID, t.Status == Active)
	return answer(t, nil)
}

func (r Routes) delete(ctx context.Context, in *api.TenantPath) (*none, error) {
	var t Tenant
	err := r.DB.Write(ctx, func(q db.Querier) (err error) {
		if t, err = Get(ctx, q, in.Tenant); err != nil {
			return err
		}
		if err = Delete(ctx, q, t.ID); err != nil {
			return err
		}
		return r.Audit(ctx, q, t.ID, "tenant.delete", t.ID)
	})
	if err != nil {
		return nil, err
	}
	r.changed(t.ID, false)
	return nil, nil
}

func (r Routes) changed(id string, served bool) {
	if r.Changed != nil {
		r.Changed(id, served)
	}
}

func etag(t Tenant) string {
	return `"` + strings.TrimPrefix(t.ID, ids.Tenant) + "-" + strconv.FormatInt(t.Version, 10) + `"`
}

func answer(t Tenant, err error) (*tenantOut, error) {
	if err != nil {
		return nil, err
	}
	return &tenantOut{ETag: etag(t), Body: wire(t)}, nil
}

func wire(t Tenant) TenantBody {
	return TenantBody{ID: t.ID, Name: t.Name, Tier: string(t.Tier), Status: string(t.Status), Settings: t.settings(), CreatedAt: t.CreatedAt.Time, UpdatedAt: t.UpdatedAt.Time}
}
