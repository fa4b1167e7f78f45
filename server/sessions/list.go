package sessions

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/sessions/words"
)

// filters are those of every list, and its order. A session's updated_at only grows, so that one that is shown is never shown again further down.
const filters = ` AND status = 'active' AND (updated_at < :at OR (updated_at = :at AND id < :id)) AND updated_at > :since AND updated_at < :until
	AND (:archived = 'any' OR (:archived = 'true') = (archived_at IS NOT NULL)) AND (CAST(:pinned AS BIGINT) = -1 OR pinned = CAST(:pinned AS BIGINT))
	AND (:model = '' OR model = :model) ORDER BY updated_at DESC, id DESC LIMIT :limit`

// A list by the tenant, one by the end user, one by the parent and one by the external id: each goes along an index of its own.
var (
	list       = db.Scoped("sessions.list", `SELECT `+columns+` FROM sessions WHERE tenant_id = :tenant_id`+filters)
	listOwn    = db.Scoped("sessions.list_own", `SELECT `+columns+` FROM sessions WHERE tenant_id = :tenant_id AND end_user = :owner`+filters)
	listParent = db.Scoped("sessions.list_parent", `SELECT `+columns+` FROM sessions
		WHERE tenant_id = :tenant_id AND parent_id = :parent AND (:owner = '' OR end_user = :owner)`+filters)
	listExternal = db.Scoped("sessions.list_external", `SELECT `+columns+` FROM sessions
		WHERE tenant_id = :tenant_id AND external_id = :external_id AND (:owner = '' OR end_user = :owner) AND (:parent = '' OR parent_id = :parent)`+filters)
)

// Which sessions a list has of those that are archived.
const (
	NotArchived  = "false"
	OnlyArchived = "true"
	AnyArchived  = "any"
)

// Query says which sessions a list has, and where it goes on. Empty fields narrow nothing.
type Query struct {
	EndUser, ExternalID, Parent, Model string
	Archived                           string // NotArchived (as when empty), OnlyArchived or AnyArchived
	Pinned                             *bool
	UpdatedAfter, UpdatedBefore        time.Time
	Search                             string // words that a title or a text has all of, the last one perhaps unfinished
	At                                 time.Time
	ID                                 string // after this position: the updated_at and the id of the last one that is known
	Limit                              int
}

// Found is a session of a list, and with a search where its words are.
type Found struct {
	Session
	Match *Match
}

// List reads up to limit sessions that come after the position, the last used first. Sessions that nobody uses while the pages are read are in them exactly once. One that
// is used meanwhile moves to the top, before the first page: it is in the pages at most once. A list with UpdatedAfter finds what has moved.
func List(ctx context.Context, q db.Querier, t db.Tenant, by Query) ([]Found, error) {
	args := by.args()
	stmt := list
	switch {
	case by.Search != "":
		return by.find(ctx, q, t, args)
	case by.ExternalID != "":
		stmt = listExternal
		args["external_id"], args["parent"], args["owner"] = by.ExternalID, by.Parent, by.EndUser
	case by.Parent != "":
		stmt = listParent
		args["parent"], args["owner"] = by.Parent, by.EndUser
	case by.EndUser != "":
		stmt = listOwn
		args["owner"] = by.EndUser
	}
	var rows []row
	if err := stmt.Select(ctx, q, t, &rows, args); err != nil {
		return nil, err
	}
	return each(rows, func(r row) (Found, error) {
		s, err := r.session()
		return Found{Session: s}, err
	})
}

func (by Query) find(ctx context.Context, q db.Querier, t db.Tenant, args db.Args) ([]Found, error) {
	query := words.Parse(by.Search)
	if len(query) == 0 {
		return nil, fault.New(fault.InvalidRequest, "q has no word to look for").WithParam("q")
	}
	args["match"], args["external_id"], args["parent"], args["owner"] = query.Match(), by.ExternalID, by.Parent, by.EndUser
	var rows []foundRow
	if err := search.Select(ctx, q, t, &rows, args); err != nil {
		return nil, err
	}
	return each(rows, func(r foundRow) (Found, error) {
		s, err := r.session()
		return Found{Session: s, Match: &Match{Sequence: r.Sequence, Snippet: query.Snippet(r.Body)}}, err
	})
}

func (by Query) args() db.Args {
	until := int64(1 << 62)
	if !by.UpdatedBefore.IsZero() {
		until = by.UpdatedBefore.UnixMicro()
	}
	since := int64(-1 << 62)
	if !by.UpdatedAfter.IsZero() {
		since = by.UpdatedAfter.UnixMicro()
	}
	pinned := int64(-1)
	if by.Pinned != nil {
		pinned = 0
		if *by.Pinned {
			pinned = 1
		}
	}
	archived := by.Archived
	if archived == "" {
		archived = NotArchived
	}
	at, id := by.At, by.ID
	if at.IsZero() {
		at, id = time.UnixMicro(1<<60), "~"
	}
	return db.Args{"at": db.At(at), "id": id, "limit": by.Limit, "since": since, "until": until, "archived": archived, "pinned": pinned, "model": by.Model}
}
