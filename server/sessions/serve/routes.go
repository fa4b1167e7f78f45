package serve

import (
	"context"
	"maps"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/sessions"
)

// Routes serves a tenant's sessions to its keys, and to a widget's visitor those that are theirs.
type Routes struct {
	DB *db.DB
	// Audit records a deletion in the transaction that makes it.
	Audit func(ctx context.Context, q db.Querier, tenantID, action, target string) error
	// Changed is told of a session after a change of it was committed. Deleted is told after a session is gone, so that its run is stopped. Both may be nil.
	Changed func(tenantID, sessionID string)
	Deleted func(ctx context.Context, tenantID, sessionID string)
}

// SessionPath names a session.
type SessionPath struct {
	Session string `path:"session" maxLength:"64" doc:"The session's id"`
}

type (
	createIn struct {
		api.Idempotent
		Body *CreateSessionRequest `required:"false"`
	}
	updateIn struct {
		SessionPath
		Body UpdateSessionRequest
	}
	listIn struct {
		api.PageParams
		User          string    `query:"user" maxLength:"200" doc:"Only this end user's sessions"`
		ExternalID    string    `query:"external_id" maxLength:"200" doc:"Only the session with your own id"`
		Archived      string    `query:"archived" enum:"false,true,any" default:"false" doc:"false leaves archived sessions out, true lists only them"`
		Pinned        string    `query:"pinned" enum:"true,false" doc:"Only pinned sessions, or only others"`
		Model         string    `query:"model" maxLength:"200" doc:"Only sessions with this model of their own"`
		Parent        string    `query:"parent" maxLength:"64" doc:"Only the sessions that this one spawned"`
		UpdatedAfter  time.Time `query:"updated_after" doc:"Only sessions that changed after this time"`
		UpdatedBefore time.Time `query:"updated_before" doc:"Only sessions that last changed before this time"`
		Search        string    `query:"q" maxLength:"200" doc:"Only sessions with a title or a message that has all these words, the last of them perhaps unfinished"`
	}
	messagesIn struct {
		SessionPath
		api.PageParams
		Order  string `query:"order" enum:"asc,desc" default:"asc" doc:"asc gives the oldest first, desc the newest"`
		Epoch  int64  `query:"epoch" minimum:"0" doc:"Only this epoch's messages; 0 is all"`
		Branch string `query:"branch" enum:"active,all" default:"active" doc:"active gives the branch that is continued, all every message there is"`
		After  int64  `query:"after" minimum:"0" doc:"Only messages after this sequence"`
	}
	resetIn struct {
		SessionPath
		api.Idempotent
		Body *ResetSessionRequest `required:"false"`
	}
	forkIn struct {
		SessionPath
		api.Idempotent
		Body *ForkSessionRequest `required:"false"`
	}
	undoIn struct {
		SessionPath
		api.Idempotent
	}
	selectIn struct {
		SessionPath
		Message string `path:"message" maxLength:"64" doc:"The message's id"`
	}
	partsIn struct {
		SessionPath
		api.PageParams
	}
	sessionOut   struct{ Body SessionBody }
	listOut      struct{ Body api.Page[SessionBody] }
	messagesOut  struct{ Body api.Page[MessageBody] }
	epochsOut    struct{ Body api.Page[SessionEpochBody] }
	summariesOut struct{ Body api.Page[SessionSummaryBody] }
	none         struct{}
)

// Register adds the operations.
func (r Routes) Register(a *api.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, DefaultStatus: status, Tags: []string{"sessions"}}
	}
	read, write := api.KeyOrVisitor(auth.ScopeSessionsRead), api.KeyOrVisitor(auth.ScopeSessionsWrite)
	api.Handle(a, write, op("create-session", "POST", "/v1/sessions", "Start a conversation", 201), r.create)
	lists := op("list-sessions", "GET", "/v1/sessions", "List and search conversations, the last used first", 200)
	lists.Description = "Conversations that nobody uses while the pages are read are in them exactly once, whatever is added. One that is used meanwhile moves to the top, before the " +
		"first page, and is in the pages at most once; list again with updated_after for what has moved."
	api.Handle(a, read, lists, r.list)
	api.Handle(a, read, op("get-session", "GET", "/v1/sessions/{session}", "Read a conversation", 200), r.get)
	api.Handle(a, write, op("update-session", "PATCH", "/v1/sessions/{session}", "Change a conversation's settings, archive it or pin it", 200), r.update)
	api.Handle(a, write, op("delete-session", "DELETE", "/v1/sessions/{session}", "Delete a conversation with its messages", 204), r.delete)
	api.Handle(a, write, op("reset-session", "POST", "/v1/sessions/{session}/reset", "Start over with an empty context; the messages stay readable", 200), r.reset)
	api.Handle(a, write, op("undo-session", "POST", "/v1/sessions/{session}/undo", "Take the last reset back", 200), r.undo)
	api.Handle(a, write, op("fork-session", "POST", "/v1/sessions/{session}/fork", "Continue a conversation from one of its messages in a new one", 201), r.fork)
	api.Handle(a, read, op("list-messages", "GET", "/v1/sessions/{session}/messages", "List a conversation's messages in order", 200), r.messages)
	api.Handle(a, write, op("select-message", "POST", "/v1/sessions/{session}/messages/{message}/select", "Continue the branch that a message is in", 200), r.choose)
	api.Handle(a, read, op("list-session-epochs", "GET", "/v1/sessions/{session}/epochs", "List a conversation's epochs, the oldest first", 200), r.epochs)
	api.Handle(a, read, op("list-session-summaries", "GET", "/v1/sessions/{session}/summaries", "List the summaries that stood for older messages, the oldest first", 200), r.summaries)
}

func (r Routes) create(ctx context.Context, in *createIn) (*sessionOut, error) {
	p := auth.From(ctx)
	s := sessions.New(p.TenantID, time.Now())
	if b := in.Body; b != nil {
		err := notForVisitors(ctx, b.Model != "" || b.SystemPrompt != "" || b.Thinking != "" || b.User != "" || b.ExternalID != "" || b.Tools != nil)
		if err != nil {
			return nil, err
		}
		if s.Thinking, err = level(b.Thinking); err != nil {
			return nil, err
		}
		if err := CheckMetadata(b.Metadata); err != nil {
			return nil, err
		}
		if s.Tools, err = b.Tools.Narrow(); err != nil {
			return nil, err
		}
		s.Title, s.Model, s.SystemPrompt, s.EndUser, s.ExternalID = b.Title, b.Model, b.SystemPrompt, b.User, b.ExternalID
		if s.Title != "" {
			s.Titled = sessions.ByCaller
		}
		maps.Copy(s.Metadata, b.Metadata)
	}
	if p.VisitorID != "" {
		s.EndUser = p.VisitorID
	}
	err := r.DB.Write(ctx, func(q db.Querier) error { return sessions.Insert(ctx, q, s) })
	return answer(ctx, s, err)
}

func (r Routes) list(ctx context.Context, in *listIn) (*listOut, error) {
	at, id, err := api.ParseTimeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	by := sessions.Query{EndUser: in.User, ExternalID: in.ExternalID, Parent: in.Parent, Model: in.Model, Archived: in.Archived, UpdatedAfter: in.UpdatedAfter, UpdatedBefore: in.UpdatedBefore,
		Search: in.Search, At: at, ID: id, Limit: in.Limit + 1}
	if owner := Owner(ctx); owner != "" {
		by.EndUser = owner
	}
	if in.Pinned != "" {
		isPinned := in.Pinned == "true"
		by.Pinned = &isPinned
	}
	var rows []sessions.Found
	err = r.DB.Read(ctx, func(q db.Querier) error {
		rows, err = sessions.List(ctx, q, tenant(ctx), by)
		return err
	})
	if err != nil {
		return nil, err
	}
	body := func(f sessions.Found) SessionBody {
		b := Wire(ctx, f.Session)
		if f.Match != nil {
			b.Match = &SearchMatch{Sequence: f.Match.Sequence, Snippet: f.Match.Snippet}
		}
		return b
	}
	return &listOut{Body: api.PageOf(rows, in.Limit, body, func(f sessions.Found) string { return api.TimeCursor(f.UpdatedAt.Time, f.ID) })}, nil
}

func (r Routes) get(ctx context.Context, in *SessionPath) (*sessionOut, error) {
	var s sessions.Session
	err := r.DB.Read(ctx, func(q db.Querier) (err error) {
		s, err = sessions.Get(ctx, q, tenant(ctx), Owner(ctx), in.Session)
		return err
	})
	return answer(ctx, s, err)
}

func (r Routes) update(ctx context.Context, in *updateIn) (*sessionOut, error) {
	b := in.Body
	if err := notForVisitors(ctx, b.Model != nil || b.SystemPrompt != nil || b.Thinking != nil || b.Tools != nil); err != nil {
		return nil, err
	}
	c := sessions.Change{Title: b.Title, Model: b.Model, SystemPrompt: b.SystemPrompt, Metadata: b.Metadata, Archived: b.Archived, Pinned: b.Pinned}
	if b.Thinking != nil {
		thinking, err := level(*b.Thinking)
		if err != nil {
			return nil, err
		}
		c.Thinking = &thinking
	}
	if b.Tools != nil {
		narrowing, err := b.Tools.Narrow()
		if err != nil {
			return nil, err
		}
		if c.Tools = narrowing; narrowing == nil {
			c.Tools = &sessions.Narrowing{}
		}
	}
	if err := CheckMetadata(b.Metadata); err != nil {
		return nil, err
	}
	return r.change(ctx, func(q db.Querier, now time.Time) (sessions.Session, error) {
		return sessions.Update(ctx, q, tenant(ctx), Owner(ctx), in.Session, c, now)
	})
}

func (r Routes) reset(ctx context.Context, in *resetIn) (*sessionOut, error) {
	carry := ""
	if in.Body != nil {
		carry = in.Body.Summary
	}
	return r.change(ctx, func(q db.Querier, now time.Time) (sessions.Session, error) {
		return sessions.Reset(ctx, q, tenant(ctx), Owner(ctx), in.Session, sessions.Asked, carry, now)
	})
}

func (r Routes) undo(ctx context.Context, in *undoIn) (*sessionOut, error) {
	return r.change(ctx, func(q db.Querier, now time.Time) (sessions.Session, error) {
		return sessions.Undo(ctx, q, tenant(ctx), Owner(ctx), in.Session, now)
	})
}

func (r Routes) choose(ctx context.Context, in *selectIn) (*sessionOut, error) {
	return r.change(ctx, func(q db.Querier, now time.Time) (sessions.Session, error) {
		return sessions.Select(ctx, q, tenant(ctx), Owner(ctx), in.Session, in.Message, now)
	})
}

func (r Routes) change(ctx context.Context, alter func(db.Querier, time.Time) (sessions.Session, error)) (*sessionOut, error) {
	var s sessions.Session
	err := r.DB.Write(ctx, func(q db.Querier) (err error) {
		s, err = alter(q, time.Now())
		return err
	})
	if err == nil && r.Changed != nil {
		r.Changed(s.TenantID, s.ID)
	}
	return answer(ctx, s, err)
}

func (r Routes) fork(ctx context.Context, in *forkIn) (*sessionOut, error) {
	b := in.Body
	if b == nil {
		b = &ForkSessionRequest{}
	}
	if err := notForVisitors(ctx, b.ExternalID != ""); err != nil {
		return nil, err
	}
	if b.MessageID != "" && b.Sequence != 0 {
		return nil, fault.New(fault.InvalidRequest, "name the message by message_id or by sequence, not by both").WithParam("sequence")
	}
	s, err := sessions.Fork(ctx, r.DB, tenant(ctx), Owner(ctx), in.Session, sessions.Forking(*b), time.Now())
	return answer(ctx, s, err)
}

func (r Routes) delete(ctx context.Context, in *SessionPath) (*none, error) {
	err := r.DB.Write(ctx, func(q db.Querier) error {
		if err := sessions.Delete(ctx, q, tenant(ctx), Owner(ctx), in.Session); err != nil {
			return err
		}
		return r.Audit(ctx, q, auth.From(ctx).TenantID, "session.delete", in.Session)
	})
	if err == nil && r.Deleted != nil {
		r.Deleted(ctx, auth.From(ctx).TenantID, in.Session)
	}
	return nil, err
}

func (r Routes) messages(ctx context.Context, in *messagesIn) (*messagesOut, error) {
	at, err := api.ParseNumberCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	f := sessions.Filter{Epoch: in.Epoch, All: in.Branch == "all"}
	var rows []sessions.Message
	var more bool
	err = r.DB.Read(ctx, func(q db.Querier) error {
		s, err := sessions.Get(ctx, q, tenant(ctx), Owner(ctx), in.Session)
		if err != nil {
			return err
		}
		if in.Order == "asc" {
			rows, more, err = sessions.Forward(ctx, q, tenant(ctx), s.ID, f, max(at, in.After), in.Limit)
			return err
		}
		if at == 0 {
			at = s.LastSequence + 1
		}
		rows, more, err = sessions.Backward(ctx, q, tenant(ctx), s.ID, f, at, in.After, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	page := api.Page[MessageBody]{Data: make([]MessageBody, len(rows)), HasMore: more}
	for i, m := range rows {
		page.Data[i] = WireMessage(ctx, m)
	}
	if more {
		next := api.NumberCursor(rows[len(rows)-1].Sequence)
		page.NextCursor = &next
	}
	return &messagesOut{Body: page}, nil
}

func (r Routes) epochs(ctx context.Context, in *partsIn) (*epochsOut, error) {
	after, err := api.ParseNumberCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := parts(ctx, r.DB, in.Session, func(q db.Querier) ([]sessions.Epoch, error) {
		return sessions.Epochs(ctx, q, tenant(ctx), in.Session, after, in.Limit+1)
	})
	if err != nil {
		return nil, err
	}
	return &epochsOut{Body: api.PageOf(rows, in.Limit, WireEpoch, func(e sessions.Epoch) string { return api.NumberCursor(e.Epoch) })}, nil
}

func (r Routes) summaries(ctx context.Context, in *partsIn) (*summariesOut, error) {
	_, after, err := api.ParseTimeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	if in.Cursor == "" {
		after = ""
	}
	rows, err := parts(ctx, r.DB, in.Session, func(q db.Querier) ([]sessions.Summary, error) {
		return sessions.Summaries(ctx, q, tenant(ctx), in.Session, after, in.Limit+1)
	})
	if err != nil {
		return nil, err
	}
	body := func(s sessions.Summary) SessionSummaryBody { return WireSummary(ctx, s) }
	return &summariesOut{Body: api.PageOf(rows, in.Limit, body, func(s sessions.Summary) string { return api.TimeCursor(s.CreatedAt.Time, s.ID) })}, nil
}

// parts reads what belongs to a session that the caller may see.
func parts[T any](ctx context.Context, d *db.DB, sessionID string, next func(db.Querier) ([]T, error)) (rows []T, err error) {
	err = d.Read(ctx, func(q db.Querier) error {
		if _, err = sessions.Get(ctx, q, tenant(ctx), Owner(ctx), sessionID); err != nil {
			return err
		}
		rows, err = next(q)
		return err
	})
	return rows, err
}

func tenant(ctx context.Context) db.Tenant { return db.TenantOf(auth.From(ctx).TenantID) }

func answer(ctx context.Context, s sessions.Session, err error) (*sessionOut, error) {
	if err != nil {
		return nil, err
	}
	return &sessionOut{Body: Wire(ctx, s)}, nil
}
