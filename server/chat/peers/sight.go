package peers

import (
	"context"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tool"
)

// nobody is User for a session without an end user.
const nobody = "nobody"

// sight is what a session sees of others.
type sight struct {
	from    sessions.Session
	setting string // Self, Tree, User, nobody or Everyone
	owner   string // the end user whose sessions alone are seen; empty for all
}

// look finds out what the session of a call sees. A widget's visitor sees at most what is its own, whatever the tenant's setting: anybody can become one.
func (p *peers) look(ctx context.Context, q db.Querier, c tool.Call, setting string) (sight, error) {
	from, err := sessions.Get(ctx, q, db.TenantOf(c.TenantID), "", c.SessionID)
	if err != nil {
		return sight{}, err
	}
	s := sight{from: from, setting: setting}
	if auth.From(ctx).Kind == auth.Visitor || ids.Valid(ids.Visitor, from.EndUser) {
		if from.EndUser == "" { // it cannot be a visitor's
			return sight{}, notFound()
		}
		s.owner = from.EndUser
		if setting == Everyone {
			s.setting = User
		}
	}
	if s.setting == User && from.EndUser == "" {
		s.setting = nobody
	}
	return s, nil
}

// setting asks for the tenant's setting. It is asked outside transactions, as it may need one of its own. What is not known is Self.
func (p *peers) setting(ctx context.Context, c tool.Call) (string, error) {
	setting, err := p.Visibility(ctx, c.TenantID)
	if err != nil {
		return "", err
	}
	switch setting {
	case Tree, User, Everyone:
		return setting, nil
	}
	return Self, nil
}

// find reads a session that is seen. One that is not is as if it did not exist.
func (s sight) find(ctx context.Context, q db.Querier, id string) (sessions.Session, error) {
	t := db.TenantOf(s.from.TenantID)
	found, err := sessions.Get(ctx, q, t, s.owner, id)
	if fault.Is(err, fault.NotFound) {
		return found, notFound()
	}
	if err != nil {
		return found, err
	}
	seen, err := s.sees(ctx, q, t, found)
	if err == nil && !seen {
		err = notFound()
	}
	return found, err
}

func (s sight) sees(ctx context.Context, q db.Querier, t db.Tenant, other sessions.Session) (bool, error) {
	switch s.setting {
	case Everyone:
		return true, nil
	case User, nobody:
		return other.EndUser == s.from.EndUser, nil
	case Tree:
		mine, err := rootOf(ctx, q, t, s.from.ID)
		if err != nil {
			return false, err
		}
		theirs, err := rootOf(ctx, q, t, other.ID)
		return mine == theirs, err
	}
	return other.ID == s.from.ID || other.ParentID == s.from.ID, nil
}

func rootOf(ctx context.Context, q db.Querier, t db.Tenant, id string) (top string, err error) {
	err = root.Get(ctx, q, t, &top, db.Args{"id": id})
	return top, err
}

// args are those of the setting's statements.
func (s sight) args(ctx context.Context, q db.Querier, more db.Args) (db.Args, error) {
	more["owner"] = s.owner
	switch s.setting {
	case Self:
		more["key"] = s.from.ID
	case User:
		more["key"] = s.from.EndUser
	case Tree:
		top, err := rootOf(ctx, q, db.TenantOf(s.from.TenantID), s.from.ID)
		if err != nil {
			return nil, err
		}
		more["key"] = top
	}
	return more, nil
}

// relation is what another session is to this one.
func (s sight) relation(id, parent string) string {
	switch {
	case id == s.from.ID:
		return "self"
	case parent == s.from.ID:
		return "child"
	case id == s.from.ParentID:
		return "parent"
	}
	return "other"
}
