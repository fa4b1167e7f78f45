package peers

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
)

const shown = `SELECT id, title, titled, model, COALESCE(end_user, '') AS end_user, COALESCE(parent_id, '') AS parent_id, depth, last_sequence,
	CASE WHEN archived_at IS NULL THEN 0 ELSE 1 END AS archived, created_at, updated_at,
	(SELECT COUNT(*) FROM runs r WHERE r.tenant_id = :tenant_id AND r.session_id = sessions.id AND r.status = 'running') AS running`

// Which sessions each of the tenant's settings shows. Each goes along an index; the few that are related are found first, and not by a walk over all in their order.
const (
	ofRelated = ` FROM related CROSS JOIN sessions WHERE tenant_id = :tenant_id AND id = relative`
	ofUser    = ` FROM sessions WHERE tenant_id = :tenant_id AND end_user = :key`
	ofNobody  = ` FROM sessions WHERE tenant_id = :tenant_id AND end_user IS NULL`
	ofAll     = ` FROM sessions WHERE tenant_id = :tenant_id`

	near = `WITH related (relative) AS (SELECT id FROM sessions WHERE tenant_id = :tenant_id AND id = :key
		UNION SELECT id FROM sessions WHERE tenant_id = :tenant_id AND parent_id = :key) `
	tree = `WITH RECURSIVE related (relative) AS (SELECT id FROM sessions WHERE tenant_id = :tenant_id AND id = :key AND status = 'active'
		UNION SELECT s.id FROM related JOIN sessions s ON s.tenant_id = :tenant_id AND s.parent_id = relative) `

	// A non-empty owner narrows all of them to one end user.
	wanted = ` AND status = 'active' AND (:owner = '' OR end_user = :owner) AND (CAST(:archived AS BIGINT) = 1 OR archived_at IS NULL) AND updated_at > :since`
	newest = wanted + ` ORDER BY updated_at DESC, id DESC LIMIT :limit`
	number = `SELECT COUNT(*) FROM (SELECT 1 AS one`
	least  = wanted + ` LIMIT :limit) AS found`
)

// view is one setting's statements: the sessions, and how many there are, which is counted up to a limit.
type view struct{ list, count db.ScopedStatement }

var views = map[string]view{
	Self:     {db.Scoped("peers.list_self", near+shown+ofRelated+newest), db.Scoped("peers.count_self", near+number+ofRelated+least)},
	Tree:     {db.Scoped("peers.list_tree", tree+shown+ofRelated+newest), db.Scoped("peers.count_tree", tree+number+ofRelated+least)},
	User:     {db.Scoped("peers.list_user", shown+ofUser+newest), db.Scoped("peers.count_user", number+ofUser+least)},
	nobody:   {db.Scoped("peers.list_nobody", shown+ofNobody+newest), db.Scoped("peers.count_nobody", number+ofNobody+least)},
	Everyone: {db.Scoped("peers.list_all", shown+ofAll+newest), db.Scoped("peers.count_all", number+ofAll+least)},
}

var (
	// root is the highest of those that spawned a session, itself when nobody did.
	root = db.Scoped("peers.root", `WITH RECURSIVE up (id, parent_id, steps) AS (SELECT id, parent_id, 0 FROM sessions WHERE tenant_id = :tenant_id AND id = :id AND status = 'active'
			UNION ALL SELECT s.id, s.parent_id, up.steps + 1 FROM up JOIN sessions s ON s.tenant_id = :tenant_id AND s.id = up.parent_id AND s.status = 'active' WHERE up.steps < 100)
		SELECT id FROM up ORDER BY steps DESC LIMIT 1`)
	older = db.Scoped("peers.older", `SELECT COUNT(*) FROM (SELECT 1 AS one FROM messages WHERE tenant_id = :tenant_id AND session_id = :session_id AND epoch = :epoch AND active = 1
		AND sequence < :before AND (role IN ('user', 'assistant') AND content IS NOT NULL OR role IN ('assistant', 'tool') AND CAST(:tools AS BIGINT) = 1) LIMIT :limit) AS found`)

	// lock keeps others from spawning for a session until the transaction is over. It changes nothing.
	lock     = db.Scoped("peers.lock", `UPDATE sessions SET depth = depth WHERE tenant_id = :tenant_id AND id = :id AND status = 'active'`)
	children = db.Scoped("peers.children", `SELECT COUNT(*) FROM sessions WHERE tenant_id = :tenant_id AND parent_id = :id AND status = 'active' AND archived_at IS NULL`)

	// waiting counts the runs of a session among those that wait for a run: the one that sent the message by which it began, the one that sent that one's, and so on.
	waiting = db.Scoped("peers.waiting", `WITH RECURSIVE up (parent_run_id, session_id, steps) AS (
			SELECT parent_run_id, session_id, 0 FROM runs WHERE tenant_id = :tenant_id AND id = :run_id
			UNION ALL SELECT r.parent_run_id, r.session_id, up.steps + 1 FROM up JOIN runs r ON r.tenant_id = :tenant_id AND r.id = up.parent_run_id
				WHERE r.status = 'running' AND up.steps < 100)
		SELECT COUNT(*) FROM up WHERE session_id = :session_id`)

	getSend = db.Scoped("peers.get_send", `SELECT to_session, COALESCE(run_id, '') AS run_id, created_at FROM session_sends WHERE tenant_id = :tenant_id AND key = :key`)
	claim   = db.Scoped("peers.claim", `INSERT INTO session_sends (tenant_id, key, from_session, to_session, created_at) VALUES (:tenant_id, :key, :from, :to, :now)
		ON CONFLICT (tenant_id, key) DO NOTHING`)
	reclaim = db.Scoped("peers.reclaim", `UPDATE session_sends SET created_at = :now WHERE tenant_id = :tenant_id AND key = :key AND run_id IS NULL AND created_at = :old`)
	release = db.Scoped("peers.release", `DELETE FROM session_sends WHERE tenant_id = :tenant_id AND key = :key AND run_id IS NULL`)
	bind    = db.Scoped("peers.bind", `UPDATE session_sends SET run_id = :run_id WHERE tenant_id = :tenant_id AND key = :key AND run_id IS NULL`)
	sweep   = db.System("peers.sweep", `DELETE FROM session_sends WHERE created_at < :before`)
)

type sessionRow struct {
	ID        string  `db:"id"`
	Title     string  `db:"title"`
	Titled    string  `db:"titled"`
	Model     string  `db:"model"`
	EndUser   string  `db:"end_user"`
	ParentID  string  `db:"parent_id"`
	Depth     int64   `db:"depth"`
	Messages  int64   `db:"last_sequence"`
	Archived  bool    `db:"archived"`
	Running   bool    `db:"running"`
	CreatedAt db.Time `db:"created_at"`
	UpdatedAt db.Time `db:"updated_at"`
}

type sendRow struct {
	To        string  `db:"to_session"`
	RunID     string  `db:"run_id"`
	CreatedAt db.Time `db:"created_at"`
}

// keepSends is how long a repeated call of sessions_send finds its first result.
const keepSends = 7 * 24 * time.Hour

// Bind notes in the transaction that begins a run that it is what a send started. It fails when the send has started one before: then this one must not begin.
func Bind(ctx context.Context, q db.Querier, t db.Tenant, key, runID string) error {
	if key == "" {
		return nil
	}
	n, err := bind.Exec(ctx, q, t, db.Args{"key": key, "run_id": runID})
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "this message was sent already")
	}
	return err
}

// Sweep forgets sends that are older than seven days and returns how many; it is a periodic job.
func Sweep(ctx context.Context, q db.Querier, now time.Time) (int64, error) {
	return sweep.Exec(ctx, q, db.Args{"before": db.At(now.Add(-keepSends))})
}
