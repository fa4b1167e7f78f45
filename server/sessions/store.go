package sessions

import (
	"context"
	"encoding/json"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

// latest keeps updated_at from going back, whatever the clocks of several servers say: a list that is read page by page would show a session twice.
const latest = `updated_at = CASE WHEN updated_at < :now THEN :now ELSE updated_at END`

// :owner narrows a statement to one end user's sessions; the empty owner is the tenant itself, who sees all. A session that is still being copied is not there for anybody.
const theirs = ` WHERE tenant_id = :tenant_id AND id = :id AND (:owner = '' OR end_user = :owner) AND status = 'active'`

var (
	insert = db.Scoped("sessions.insert", `INSERT INTO sessions (tenant_id, id, external_id, title, titled, model, system_prompt, thinking, tools, metadata, end_user, archived_at, pinned, status,
		epoch, last_epoch, head, last_sequence, version, parent_id, depth, forked_from, forked_at, created_at, updated_at)
		VALUES (:tenant_id, :id, :external_id, :title, :titled, :model, :system_prompt, :thinking, :tools, :metadata, :end_user, :archived_at, :pinned, :status,
		:epoch, :last_epoch, 0, 0, 1, :parent_id, :depth, :forked_from, :forked_at, :created_at, :updated_at)`)
	get = db.Scoped("sessions.get", `SELECT `+columns+` FROM sessions`+theirs)
	// Each changes in one step, so that two at once lose nothing of one another. NULL leaves a setting as it is.
	update = db.Scoped("sessions.update", `UPDATE sessions SET title = COALESCE(:title, title),
		titled = CASE WHEN COALESCE(:title, '-') = '' THEN '' WHEN COALESCE(:title, '') = '' THEN titled ELSE 'caller' END,
		model = COALESCE(:model, model), system_prompt = COALESCE(:system_prompt, system_prompt), thinking = COALESCE(:thinking, thinking),
		tools = COALESCE(:tools, tools), metadata = COALESCE(:metadata, metadata), pinned = COALESCE(:pinned, pinned),
		archived_at = CASE COALESCE(:archived, -1) WHEN 1 THEN COALESCE(archived_at, :now) WHEN 0 THEN NULL ELSE archived_at END,
		version = version + 1, `+latest+theirs+` RETURNING `+columns)
	retitle = db.Scoped("sessions.retitle", `UPDATE sessions SET title = :title, titled = :titled, version = version + 1
		WHERE tenant_id = :tenant_id AND id = :id AND status = 'active' AND (titled = '' OR (:titled = 'model' AND titled = 'words') OR (:titled = 'caller' AND titled <> 'caller'))`)
	remove = db.Scoped("sessions.delete", `DELETE FROM sessions`+theirs)
	// A message from session to session names both and has no reference to either.
	removeSends = db.Scoped("sessions.delete_sends", `DELETE FROM session_sends WHERE tenant_id = :tenant_id AND (from_session = :id OR to_session = :id)`)
)

// Insert stores a new session and its first epoch.
func Insert(ctx context.Context, q db.Querier, s Session) error {
	if err := insertAs(ctx, q, s, "active"); err != nil {
		return err
	}
	return insertEpoch(ctx, q, db.TenantOf(s.TenantID), s.ID, Epoch{Epoch: s.Epoch, Reason: Started, CreatedAt: s.CreatedAt})
}

func insertAs(ctx context.Context, q db.Querier, s Session, status string) error {
	meta, err := json.Marshal(s.Metadata)
	if err != nil {
		return err
	}
	tools, err := s.Tools.text()
	if err != nil {
		return err
	}
	if s.Title != "" && s.Titled == "" {
		s.Titled = ByCaller
	}
	var forkedAt any
	if s.ForkedFrom != "" {
		forkedAt = s.ForkedAt
	}
	t := db.TenantOf(s.TenantID)
	_, err = insert.Exec(ctx, q, t, db.Args{"id": s.ID, "external_id": db.OrNull(s.ExternalID), "title": s.Title, "titled": s.Titled, "model": s.Model, "system_prompt": s.SystemPrompt,
		"thinking": s.Thinking, "tools": tools, "metadata": string(meta), "end_user": db.OrNull(s.EndUser), "archived_at": s.ArchivedAt, "pinned": s.Pinned, "status": status,
		"epoch": s.Epoch, "last_epoch": s.LastEpoch, "parent_id": db.OrNull(s.ParentID), "depth": s.Depth, "forked_from": db.OrNull(s.ForkedFrom), "forked_at": forkedAt,
		"created_at": s.CreatedAt, "updated_at": s.UpdatedAt})
	if db.Constraint(err) == "sessions_tenant_id_external_id_key" {
		return fault.Wrap(err, fault.Conflict, "there is a session with this external_id already").WithParam("external_id")
	}
	if err != nil || s.Title == "" {
		return err
	}
	return index(ctx, q, t, s.ID, 0, s.Title)
}

// text is the narrowing as it is stored; one that narrows nothing is empty.
func (n *Narrowing) text() (string, error) {
	if n == nil || n.Allow == nil && len(n.Deny) == 0 {
		return "", nil
	}
	b, err := json.Marshal(n)
	return string(b), err
}

// Get reads a session. A non-empty owner sees only its own; anything else is as if it did not exist.
func Get(ctx context.Context, q db.Querier, t db.Tenant, owner, id string) (Session, error) {
	return one(ctx, q, t, get, db.Args{"id": id, "owner": owner})
}

// one runs a statement that gives a session.
func one(ctx context.Context, q db.Querier, t db.Tenant, stmt db.ScopedStatement, args db.Args) (Session, error) {
	var r row
	err := stmt.Get(ctx, q, t, &r, args)
	if fault.Is(err, fault.NotFound) {
		return Session{}, notFound()
	}
	if err != nil {
		return Session{}, err
	}
	return r.session()
}

func notFound() error { return fault.New(fault.NotFound, "no such session") }

// Change is what is new in a session's settings; nil leaves one as it is.
type Change struct {
	Title, Model, SystemPrompt, Thinking *string
	Tools                                *Narrowing
	Metadata                             map[string]string
	Archived, Pinned                     *bool
}

// Update changes a session's settings and returns it. A non-empty owner changes only its own.
func Update(ctx context.Context, q db.Querier, t db.Tenant, owner, id string, c Change, now time.Time) (Session, error) {
	args := db.Args{"id": id, "owner": owner, "title": value(c.Title), "model": value(c.Model), "system_prompt": value(c.SystemPrompt), "thinking": value(c.Thinking),
		"pinned": value(c.Pinned), "archived": value(c.Archived), "tools": nil, "metadata": nil, "now": db.At(now)}
	if c.Tools != nil {
		tools, err := c.Tools.text()
		if err != nil {
			return Session{}, err
		}
		args["tools"] = tools
	}
	if c.Metadata != nil {
		meta, err := json.Marshal(c.Metadata)
		if err != nil {
			return Session{}, err
		}
		args["metadata"] = string(meta)
	}
	s, err := one(ctx, q, t, update, args)
	if err == nil && c.Title != nil {
		err = index(ctx, q, t, s.ID, 0, s.Title)
	}
	return s, err
}

// Title gives a session the title that a model or the first words make, and reports whether it did: a title of the same or a higher kind stays.
func Title(ctx context.Context, q db.Querier, t db.Tenant, id, title, by string) (bool, error) {
	n, err := retitle.Exec(ctx, q, t, db.Args{"id": id, "title": title, "titled": by})
	if err != nil || n == 0 {
		return false, err
	}
	return true, index(ctx, q, t, id, 0, title)
}

// Delete removes a session with its messages and runs. A non-empty owner removes only its own.
func Delete(ctx context.Context, q db.Querier, t db.Tenant, owner, id string) error {
	n, err := remove.Exec(ctx, q, t, db.Args{"id": id, "owner": owner})
	if err == nil && n == 0 {
		return notFound()
	}
	if err != nil {
		return err
	}
	_, err = removeSends.Exec(ctx, q, t, db.Args{"id": id})
	return err
}
