package sessions

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/sessions/words"
)

const (
	searched = 16_384 // characters of a text that can be found
	oldBatch = 200    // texts of an older release that are indexed at a time
)

// A text without a word is not kept: nobody could find it. The tenant's id is in the index, so that a search reads the tenant's postings alone; on Postgres it is one of the
// words, led by a sign that no word has, so that none is its beginning.
var (
	addText = db.ScopedPair("sessions.add_text",
		`INSERT INTO search_texts (tenant_id, session_id, sequence, body, words) SELECT :tenant_id, :session_id, :sequence, :body, :words WHERE :words <> ''`,
		`WITH added AS (INSERT INTO search_texts (tenant_id, session_id, sequence, body, words)
				SELECT :tenant_id, :session_id, CAST(:sequence AS BIGINT), :body, '' WHERE CAST(:words AS TEXT) <> '' RETURNING id)
			INSERT INTO search_words (id, words) SELECT id, array_to_tsvector(string_to_array('_' || CAST(:tenant_id AS TEXT) || ' ' || CAST(:words AS TEXT), ' ')) FROM added`)
	removeText = db.Scoped("sessions.remove_text", `DELETE FROM search_texts WHERE tenant_id = :tenant_id AND session_id = :session_id AND sequence = :sequence`)
	search     = db.ScopedPair("sessions.search", searchList(`SELECT x.session_id AS hit_session, MAX(x.sequence) AS hit_sequence FROM search_words w
			JOIN search_texts x ON x.id = w.rowid AND x.tenant_id = :tenant_id
			WHERE w.tenant_id MATCH '"' || :tenant_id || '"' AND w.words MATCH replace(replace(replace(:match, ':*', '*'), '&', 'AND'), '''', '"') GROUP BY x.session_id`),
		searchList(`SELECT x.session_id AS hit_session, MAX(x.sequence) AS hit_sequence FROM search_words w
			JOIN search_texts x ON x.id = w.id AND x.tenant_id = :tenant_id
			WHERE w.words @@ CAST('''_' || CAST(:tenant_id AS TEXT) || ''' & ' || CAST(:match AS TEXT) AS tsquery) GROUP BY x.session_id`))
	oldTexts = db.System("sessions.old_texts", `SELECT tenant_id, session_id, sequence, body FROM search_texts WHERE words IS NULL ORDER BY id LIMIT :limit`)
)

// searchList is the list of sessions that a statement finds, with the newest text of each that it finds.
func searchList(found string) string {
	return `SELECT ` + columns + `, hit_sequence, (SELECT b.body FROM search_texts b WHERE b.tenant_id = :tenant_id AND b.session_id = hit_session AND b.sequence = hit_sequence) AS hit_body
		FROM (` + found + `) AS hits JOIN sessions ON tenant_id = :tenant_id AND id = hit_session
		WHERE (:owner = '' OR end_user = :owner) AND (:parent = '' OR parent_id = :parent) AND (:external_id = '' OR external_id = :external_id)` + filters
}

// Match is where a search found its words.
type Match struct {
	Sequence int64 // of the message; 0 is the title
	Snippet  string
}

type foundRow struct {
	row
	Sequence int64  `db:"hit_sequence"`
	Body     string `db:"hit_body"`
}

// index makes a text of a session findable in place of the one that had its sequence; 0 is the title.
func index(ctx context.Context, q db.Querier, t db.Tenant, sessionID string, sequence int64, text string) error {
	if sequence == 0 { // a message's text never changes
		return reindex(ctx, q, t, sessionID, sequence, text)
	}
	return addWords(ctx, q, t, sessionID, sequence, text)
}

func reindex(ctx context.Context, q db.Querier, t db.Tenant, sessionID string, sequence int64, text string) error {
	if _, err := removeText.Exec(ctx, q, t, db.Args{"session_id": sessionID, "sequence": sequence}); err != nil {
		return err
	}
	return addWords(ctx, q, t, sessionID, sequence, text)
}

func addWords(ctx context.Context, q db.Querier, t db.Tenant, sessionID string, sequence int64, text string) error {
	text = first(text)
	list := words.Index(text)
	if list == "" {
		return nil
	}
	_, err := addText.Exec(ctx, q, t, db.Args{"session_id": sessionID, "sequence": sequence, "body": text, "words": list})
	return err
}

// first is as much of a text as can be found, in a form that both databases keep.
func first(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", " "), "�")
	if len(text) <= searched {
		return text
	}
	at := 0
	for range searched {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return text[:at]
}

// IndexOld makes some of the texts findable that an older release stored, and reports whether it may have left any.
func IndexOld(ctx context.Context, d *db.DB) (more bool, err error) {
	err = d.Write(ctx, func(q db.Querier) error {
		var rows []struct {
			TenantID  string `db:"tenant_id"`
			SessionID string `db:"session_id"`
			Sequence  int64  `db:"sequence"`
			Body      string `db:"body"`
		}
		if err := oldTexts.Select(ctx, q, &rows, db.Args{"limit": oldBatch}); err != nil {
			return err
		}
		more = len(rows) == oldBatch
		for _, r := range rows {
			if err := reindex(ctx, q, db.TenantOf(r.TenantID), r.SessionID, r.Sequence, r.Body); err != nil {
				return err
			}
		}
		return nil
	})
	return more, err
}
