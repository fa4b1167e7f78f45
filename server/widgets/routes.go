package widgets

import (
	"context"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
)

// Routes serves widgets to the operator and their sessions to browsers.
type Routes struct {
	DB   *db.DB
	Gate *Gate
	// Tenant turns an id or a name into the id of an existing tenant.
	Tenant func(ctx context.Context, q db.Querier, idOrName string) (string, error)
	// Audit records a change in the transaction that makes it.
	Audit func(ctx context.Context, q db.Querier, tenantID, action, target string) error
	// Deleted is told after a widget was deleted, so that its visitors' work under way ends. It may be nil.
	Deleted func(tenantID, widgetID string)
}

// WidgetBody is the wire form of a widget. The publishable key is there at creation only; it is no secret, but only its digest is stored.
type WidgetBody struct {
	ID             string    `json:"id"`
	PublishableKey string    `json:"publishable_key,omitempty" doc:"For the page; shown this once"`
	Snippet        string    `json:"snippet,omitempty" doc:"The tag to put into the page; shown this once"`
	Name           string    `json:"name"`
	KeyLast4       string    `json:"key_last4"`
	Origins        []string  `json:"origins" nullable:"false"`
	Settings       Settings  `json:"settings"`
	CreatedAt      time.Time `json:"created_at"`
}

// CreateWidgetRequest makes a widget.
type CreateWidgetRequest struct {
	Name     string    `json:"name,omitempty" maxLength:"100"`
	Origins  []string  `json:"origins" minItems:"1" maxItems:"50" doc:"The pages that may use it: https://shop.example.com, or https://*.example.com for one label below"`
	Settings *Settings `json:"settings,omitempty"`
}

// WidgetSessionRequest opens or renews a visitor's access. Without a visitor a new one is made.
type WidgetSessionRequest struct {
	VisitorID     string `json:"visitor_id,omitempty" maxLength:"64"`
	VisitorSecret string `json:"visitor_secret,omitempty" maxLength:"128"`
}

// WidgetSessionBody is a visitor's access.
type WidgetSessionBody struct {
	Token         string    `json:"token" doc:"To be sent as Bearer on chat, sessions and runs"`
	ExpiresAt     time.Time `json:"expires_at"`
	VisitorID     string    `json:"visitor_id"`
	VisitorSecret string    `json:"visitor_secret,omitempty" doc:"Only for a new visitor; the browser keeps it to renew the token"`
	SessionID     *string   `json:"session_id" doc:"The visitor's newest conversation, null when there is none"`
	Config        Settings  `json:"config"`
}

// BrowserHeaders are what a page sends with its publishable key.
type BrowserHeaders struct {
	Authorization string `header:"Authorization" doc:"Bearer and the publishable key"`
	Origin        string `header:"Origin" doc:"The page's origin, which browsers set"`
}

type (
	createIn struct {
		api.TenantPath
		api.Idempotent
		Body CreateWidgetRequest
	}
	listIn struct {
		api.TenantPath
		api.PageParams
	}
	widgetPath struct {
		api.TenantPath
		Widget string `path:"widget" maxLength:"64" doc:"The widget's id"`
	}
	sessionIn struct {
		BrowserHeaders
		Body *WidgetSessionRequest `required:"false"`
	}
	widgetOut  struct{ Body WidgetBody }
	listOut    struct{ Body api.Page[WidgetBody] }
	configOut  struct{ Body Settings }
	sessionOut struct{ Body WidgetSessionBody }
	none       struct{}
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, DefaultStatus: status, Tags: []string{"widgets"}}
	}
	api.Handle(a, api.OperatorOnly(), op("create-widget", "POST", "/admin/tenants/{tenant}/widgets", "Make a widget with its publishable key", 201), r.create)
	api.Handle(a, api.OperatorOnly(), op("list-widgets", "GET", "/admin/tenants/{tenant}/widgets", "List a tenant's widgets, newest first", 200), r.list)
	api.Handle(a, api.OperatorOnly(), op("delete-widget", "DELETE", "/admin/tenants/{tenant}/widgets/{widget}", "Delete a widget; its key stops working at once", 204), r.delete)
	// These two check the publishable key themselves: it opens nothing else.
	api.Handle(a, api.Public(), op("get-widget-config", "GET", "/v1/widget/config", "Read how the widget looks", 200), r.config)
	open := op("create-widget-session", "POST", "/v1/widget/session", "Exchange the publishable key for a visitor token", 200)
	open.MaxBodyBytes = 4 << 10 // anybody may send one, and it is read before the key is known
	api.Handle(a, api.Public(), open, r.session)
}

func (r Routes) create(ctx context.Context, in *createIn) (*widgetOut, error) {
	if err := checkOrigins(in.Body.Origins); err != nil {
		return nil, err
	}
	secret := ids.NewSecret(ids.PublishableKey)
	w := Widget{ID: ids.New(ids.Widget), Name: in.Body.Name, KeyLast4: ids.Last4(secret), Origins: in.Body.Origins, Status: Active, CreatedAt: db.At(time.Now())}
	if in.Body.Settings != nil {
		w.Settings = *in.Body.Settings
	}
	err := r.DB.Write(ctx, func(q db.Querier) (err error) {
		if w.TenantID, err = r.Tenant(ctx, q, in.Tenant); err != nil {
			return err
		}
		if err = Insert(ctx, q, w, ids.Digest(secret)); err != nil {
			return err
		}
		return r.Audit(ctx, q, w.TenantID, "widget.create", w.ID)
	})
	if err != nil {
		return nil, err
	}
	r.Gate.Forget()
	body := wire(w)
	body.PublishableKey = secret
	body.Snippet = fmt.Sprintf(`<script async src="%s/widget/v1/clawless.js" data-key="%s"></script>`, api.BaseURL(ctx), secret)
	return &widgetOut{Body: body}, nil
}

func (r Routes) list(ctx context.Context, in *listIn) (*listOut, error) {
	at, id, err := api.ParseTimeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []Widget
	err = r.DB.Read(ctx, func(q db.Querier) error {
		tenantID, err := r.Tenant(ctx, q, in.Tenant)
		if err != nil {
			return err
		}
		rows, err = List(ctx, q, db.TenantOf(tenantID), at, id, in.Limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &listOut{Body: api.PageOf(rows, in.Limit, wire, func(w Widget) string { return api.TimeCursor(w.CreatedAt.Time, w.ID) })}, nil
}

func (r Routes) delete(ctx context.Context, in *widgetPath) (*none, error) {
	var tenantID string
	err := r.DB.Write(ctx, func(q db.Querier) (err error) {
		if tenantID, err = r.Tenant(ctx, q, in.Tenant); err != nil {
			return err
		}
		n, err := remove.Exec(ctx, q, db.TenantOf(tenantID), db.Args{"id": in.Widget})
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.NotFound, "no such widget")
		}
		return r.Audit(ctx, q, tenantID, "widget.delete", in.Widget)
	})
	r.Gate.Forget()
	if err == nil && r.Deleted != nil {
		r.Deleted(tenantID, in.Widget)
	}
	return nil, err
}

// open proves the publishable key and the page.
func (r Routes) open(ctx context.Context, in BrowserHeaders) (Widget, error) {
	cred, err := api.Credential(in.Authorization, "")
	if err != nil {
		return Widget{}, err
	}
	if ids.ValidSecret(ids.SecretKey, cred) || ids.ValidSecret(ids.AdminKey, cred) {
		return Widget{}, fault.New(fault.Forbidden, "this is a secret key: take it out of the page at once, revoke it, and use a publishable key (clw_pk_...)")
	}
	if !ids.ValidSecret(ids.PublishableKey, cred) {
		return Widget{}, fault.New(fault.InvalidKey, "the publishable key is not valid; make a widget with: clawless widget create --tenant NAME --origin ORIGIN")
	}
	digest := ids.Digest(cred)
	w, err := r.Gate.lookUp(ctx, digest, byKey, db.Args{"digest": digest})
	if err != nil {
		return Widget{}, err
	}
	if !w.Allows(in.Origin) {
		return Widget{}, fault.New(fault.OriginNotAllowed, "this page's origin is not on the widget's list; the operator makes a widget for it with: clawless widget create --origin ORIGIN")
	}
	api.AllowOrigin(ctx, in.Origin)
	return w, nil
}

func (r Routes) config(ctx context.Context, in *BrowserHeaders) (*configOut, error) {
	w, err := r.open(ctx, *in)
	if err != nil {
		return nil, err
	}
	return &configOut{Body: w.Settings}, nil
}

func (r Routes) session(ctx context.Context, in *sessionIn) (*sessionOut, error) {
	w, err := r.open(ctx, in.BrowserHeaders)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	v := Visitor{TenantID: w.TenantID, WidgetID: w.ID}
	out := WidgetSessionBody{Config: w.Settings}
	t := db.TenantOf(w.TenantID)
	err = r.DB.Write(ctx, func(q db.Querier) error {
		if in.Body != nil && in.Body.VisitorID != "" {
			args := db.Args{"id": in.Body.VisitorID, "widget_id": w.ID, "secret_digest": ids.Digest(in.Body.VisitorSecret)}
			if err := getVisitor.Get(ctx, q, t, &v.ID, args); err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		if v.ID == "" { // unknown, forged or none: a new one, which sees nobody's conversations
			v.ID, out.VisitorSecret = ids.New(ids.Visitor), ids.NewSecret(ids.VisitorSecret)
			_, err := insertVisitor.Exec(ctx, q, t, db.Args{"id": v.ID, "widget_id": w.ID, "secret_digest": ids.Digest(out.VisitorSecret), "now": db.At(now)})
			return err
		}
		if _, err := seenVisitor.Exec(ctx, q, t, db.Args{"id": v.ID, "now": db.At(now)}); err != nil {
			return err
		}
		var session string
		err := newestSession.Get(ctx, q, t, &session, db.Args{"visitor_id": v.ID})
		if err == nil {
			out.SessionID = &session
		} else if fault.Is(err, fault.NotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out.VisitorID = v.ID
	out.Token, out.ExpiresAt, err = r.Gate.Sign(ctx, v, in.Origin, now)
	return &sessionOut{Body: out}, err
}

func wire(w Widget) WidgetBody {
	return WidgetBody{ID: w.ID, Name: w.Name, KeyLast4: w.KeyLast4, Origins: w.Origins, Settings: w.Settings, CreatedAt: w.CreatedAt.Time}
}
