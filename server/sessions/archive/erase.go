package archive

import (
	"context"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/sessions"
)

const (
	eraseSessions = 50    // that are looked at in one write
	eraseMessages = 1_000 // that are deleted in one write, so that others' writes wait a moment only
	mergePages    = 64    // of the index that are written in one write
	mergeSteps    = 5_000 // at most
)

var (
	pick = db.Scoped("archive.pick", `SELECT id, last_sequence, (SELECT COUNT(*) FROM runs r WHERE r.tenant_id = :tenant_id AND r.session_id = sessions.id) AS runs
		FROM sessions WHERE tenant_id = :tenant_id AND (:user = '' OR end_user = :user) AND status = 'active' AND id <= :until ORDER BY id LIMIT :limit`)
	// What is decided for no session, such as a run of an end user whose session was deleted otherwise.
	removeRuns = db.Scoped("archive.delete_runs", `DELETE FROM runs WHERE tenant_id = :tenant_id AND (:user = '' OR end_user = :user) AND status <> 'running'
		AND (session_id IS NULL OR :user <> '')`)
	// A choice of a model outlives its session without saying whose it was.
	unname = db.Scoped("archive.unname_decisions", `UPDATE route_decisions SET session_id = NULL, run_id = NULL WHERE tenant_id = :tenant_id AND session_id IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.tenant_id = :tenant_id AND s.id = route_decisions.session_id)`)
)

// SQLite's index of words marks what is deleted, and lets go of it when it merges its parts. A step of that writes some pages; only the count of changes tells that none is left.
// Postgres' index has the words of the rows that there are.
var (
	mergeWords = db.ScopedPair("archive.merge_words", `INSERT INTO search_words (search_words, rank, tenant_id) SELECT 'merge', :pages, :tenant_id`,
		`UPDATE search_texts SET words = words WHERE tenant_id = :tenant_id AND CAST(:pages AS BIGINT) = 0`)
	changes = db.ScopedPair("archive.changes", `SELECT total_changes() WHERE :tenant_id <> ''`, `SELECT 0 WHERE CAST(:tenant_id AS TEXT) <> ''`)
)

// Erasure counts what was erased.
type Erasure struct{ Sessions, Messages, Runs int64 }

// Eraser removes conversations for good. The ledger and the audit log stay, which hold ids and numbers.
type Eraser struct {
	DB      *db.DB
	Audit   func(ctx context.Context, q db.Querier, tenantID, action, target string) error
	Deleted func(ctx context.Context, tenantID, sessionID string) // may be nil
}

type victim struct {
	ID       string `db:"id"`
	Messages int64  `db:"last_sequence"`
	Runs     int64  `db:"runs"`
}

// Erase removes an end user's conversations and runs, or with an empty user all of the tenant's, in small steps. What is begun meanwhile is not erased.
func (e Eraser) Erase(ctx context.Context, tenantID, user string) (n Erasure, err error) {
	action, target := "user.erase", ids.Digest(user) // a user's id may be an address or a name, which must not outlive the erasure
	if user == "" {
		action, target = "tenant.erase", tenantID
	}
	t := db.TenantOf(tenantID)
	err = e.DB.Write(ctx, func(q db.Querier) error { return e.Audit(ctx, q, tenantID, action, target) })
	for until := ids.New(ids.Session); err == nil; {
		var gone []victim
		err = e.DB.Write(ctx, func(q db.Querier) (err error) {
			gone, err = step(ctx, q, t, user, until)
			return err
		})
		if err != nil || len(gone) == 0 {
			break
		}
		for _, v := range gone {
			n.Sessions++
			n.Messages += v.Messages
			n.Runs += v.Runs
			if e.Deleted != nil {
				e.Deleted(ctx, tenantID, v.ID)
			}
		}
	}
	if err != nil {
		return n, err
	}
	err = e.DB.Write(ctx, func(q db.Querier) error {
		runs, err := removeRuns.Exec(ctx, q, t, db.Args{"user": user})
		if err != nil {
			return err
		}
		n.Runs += runs
		_, err = unname.Exec(ctx, q, t, nil)
		return err
	})
	if err != nil {
		return n, err
	}
	return n, forget(ctx, e.DB, t)
}

// forget takes the words of deleted texts out of the index.
func forget(ctx context.Context, d *db.DB, t db.Tenant) error {
	pages := -mergePages // the first step begins a merge of all parts
	for range mergeSteps {
		var before, after int64
		err := d.Write(ctx, func(q db.Querier) error {
			if err := changes.Get(ctx, q, t, &before, nil); err != nil {
				return err
			}
			if _, err := mergeWords.Exec(ctx, q, t, db.Args{"pages": pages}); err != nil {
				return err
			}
			return changes.Get(ctx, q, t, &after, nil)
		})
		if err != nil || after-before < 2 && pages > 0 {
			return err
		}
		pages = mergePages
	}
	return nil
}

func step(ctx context.Context, q db.Querier, t db.Tenant, user, until string) (gone []victim, err error) {
	var picked []victim
	if err := pick.Select(ctx, q, t, &picked, db.Args{"user": user, "until": until, "limit": eraseSessions}); err != nil {
		return nil, err
	}
	messages := int64(0)
	for _, v := range picked {
		if messages += v.Messages; messages > eraseMessages && len(gone) > 0 {
			break
		}
		if err := sessions.Delete(ctx, q, t, user, v.ID); err != nil {
			return nil, err
		}
		gone = append(gone, v)
	}
	return gone, nil
}
