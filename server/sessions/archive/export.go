package archive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/sessions/serve"
)

const (
	pieceBytes  = 64 << 10
	pieceLength = 64  // messages that are read at a time
	listLength  = 100 // sessions
	partsLength = 200 // epochs and summaries
)

var (
	active = db.Scoped("archive.active", `SELECT sequence FROM messages WHERE tenant_id = :tenant_id AND session_id = :session_id AND active = 1`)
	list   = db.Scoped("archive.list", `SELECT id FROM sessions WHERE tenant_id = :tenant_id AND (:user = '' OR end_user = :user) AND status = 'active' AND id > :after
		ORDER BY id LIMIT :limit`)
)

// paced writes to a reader who may take so long for each piece, and no longer.
type paced struct {
	*bufio.Writer
	rc      *http.ResponseController
	to      http.ResponseWriter
	timeout time.Duration
}

func newPaced(w http.ResponseWriter, timeout time.Duration) *paced {
	p := &paced{rc: http.NewResponseController(w), to: w, timeout: timeout}
	p.Writer = bufio.NewWriterSize(piece{p}, pieceBytes)
	return p
}

// piece is the way out of paced's buffer.
type piece struct{ p *paced }

// Write implements io.Writer.
func (w piece) Write(b []byte) (int, error) {
	if w.p.timeout > 0 {
		_ = w.p.rc.SetWriteDeadline(time.Now().Add(w.p.timeout)) // not every writer has deadlines
	}
	return w.p.to.Write(b)
}

// source is a session as it was at one moment. Its messages are read later, a few at a time: they do not change, only which of them are active does.
type source struct {
	db        *db.DB
	tenant    db.Tenant
	session   sessions.Session
	epochs    []sessions.Epoch
	summaries []sessions.Summary
	active    map[int64]bool
	at        time.Time
}

func (r Routes) open(ctx context.Context, tenantID, owner, id string) (*source, error) {
	s := &source{db: r.DB, tenant: db.TenantOf(tenantID), active: map[int64]bool{}, at: time.Now().UTC()}
	err := r.DB.Read(ctx, func(q db.Querier) (err error) {
		if s.session, err = sessions.Get(ctx, q, s.tenant, owner, id); err != nil {
			return err
		}
		for more, after := true, int64(0); more; {
			rows, err := sessions.Epochs(ctx, q, s.tenant, id, after, partsLength)
			if err != nil {
				return err
			}
			if more = len(rows) == partsLength; more {
				after = rows[len(rows)-1].Epoch
			}
			s.epochs = append(s.epochs, rows...)
		}
		for more, after := true, ""; more; {
			rows, err := sessions.Summaries(ctx, q, s.tenant, id, after, partsLength)
			if err != nil {
				return err
			}
			if more = len(rows) == partsLength; more {
				after = rows[len(rows)-1].ID
			}
			s.summaries = append(s.summaries, rows...)
		}
		var list []int64
		if err := active.Select(ctx, q, s.tenant, &list, db.Args{"session_id": id}); err != nil {
			return err
		}
		for _, n := range list {
			s.active[n] = true
		}
		return nil
	})
	return s, err
}

// messages gives the session's messages as they were, oldest first.
func (s *source) messages(ctx context.Context, yield func(sessions.Message) error) error {
	for at, more := int64(0), true; more && at < s.session.LastSequence; {
		var rows []sessions.Message
		err := s.db.Read(ctx, func(q db.Querier) (err error) {
			rows, more, err = sessions.Messages(ctx, q, s.tenant, s.session.ID, at, pieceLength)
			return err
		})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return fault.New(fault.NotFound, "the session was deleted while it was exported")
		}
		for _, m := range rows {
			if at = m.Sequence; at > s.session.LastSequence {
				return nil
			}
			m.Active, m.Siblings = s.active[at], 0
			if err := yield(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeJSON writes a SessionExport and a line's end.
func (s *source) writeJSON(ctx context.Context, w *paced) error {
	head := SessionExport{Format: Format, ExportedAt: s.at, Session: serve.Wire(ctx, s.session), Epochs: []serve.SessionEpochBody{}, Summaries: []serve.SessionSummaryBody{},
		Messages: []serve.MessageBody{}}
	for _, e := range s.epochs {
		head.Epochs = append(head.Epochs, serve.WireEpoch(e))
	}
	for _, sum := range s.summaries {
		head.Summaries = append(head.Summaries, serve.WireSummary(ctx, sum))
	}
	b, err := plain(head)
	if err != nil {
		return err
	}
	_, _ = w.Write(bytes.TrimSuffix(b, []byte("]}"))) // a bufio.Writer keeps its first failure
	separator := ""
	err = s.messages(ctx, func(m sessions.Message) error {
		b, err := plain(serve.WireMessage(ctx, m))
		if err != nil {
			return err
		}
		_, _ = w.WriteString(separator)
		separator = ","
		_, err = w.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	_, err = w.WriteString("]}\n")
	return err
}

// plain is JSON as the API writes it, with its signs unescaped and without a line's end.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func (r Routes) list(ctx context.Context, tenantID, user, after string) (found []string, err error) {
	err = r.DB.Read(ctx, func(q db.Querier) error {
		return list.Select(ctx, q, db.TenantOf(tenantID), &found, db.Args{"user": user, "after": after, "limit": listLength})
	})
	return found, err
}

// writeLines writes a session a line. One that is deleted before its turn is left out.
func (r Routes) writeLines(ctx context.Context, w *paced, tenantID, user string, batch []string) error {
	for {
		for _, id := range batch {
			s, err := r.open(ctx, tenantID, user, id)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if err := s.writeJSON(ctx, w); err != nil {
				return err
			}
		}
		if len(batch) < listLength {
			return nil
		}
		var err error
		if batch, err = r.list(ctx, tenantID, user, batch[len(batch)-1]); err != nil {
			return err
		}
	}
}
