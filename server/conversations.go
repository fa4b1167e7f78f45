package server

import (
	"context"
	"errors"
	"time"

	"github.com/clawless/clawless/server/audit"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions/retention"
	"github.com/clawless/clawless/server/tenants"
)

// errDeleted is why a run ended whose session is gone.
var errDeleted = fault.New(fault.RunCancelled, "the session was deleted while this was being answered")

// sessionChanged makes a change felt at once.
func (s *Server) sessionChanged(tenantID, sessionID string) {
	s.chat.ForgetSession(tenantID, sessionID)
}

// sessionDeleted stops the run of a session that is gone and drops what is kept of it in memory.
func (s *Server) sessionDeleted(ctx context.Context, tenantID, sessionID string) {
	s.hub.StopWhere(func(r runs.Run) bool { return r.TenantID == tenantID && r.SessionID == sessionID }, errDeleted)
	s.chat.ForgetSession(tenantID, sessionID)
	if err := s.hub.Forget(ctx, tenantID, sessionID); err != nil {
		s.log.Warn("the events of a deleted session's runs stay until their time is over", "session", sessionID, "error", err.Error())
	}
}

// keeper deletes sessions that nobody uses.
func (s *Server) keeper() retention.Keeper {
	return retention.Keeper{DB: s.db, Days: s.retentionDays, Audit: audit.Record, Deleted: s.sessionDeleted}
}

// retentionDays is how many days a tenant keeps a session that nobody uses; 0 is for ever.
func (s *Server) retentionDays(ctx context.Context, tenantID string) (int, error) {
	t, err := s.chat.Tenant(ctx, tenantID)
	if err != nil {
		return 0, err
	}
	if days := t.Settings.RetentionDays; days != nil {
		return int(*days), nil
	}
	return int(s.cfg.SessionRetention / (24 * time.Hour)), nil
}

// namedTenant finds a tenant by its id or name.
func namedTenant(ctx context.Context, q db.Querier, idOrName string) (id, name string, err error) {
	t, err := tenants.Get(ctx, q, idOrName)
	return t.ID, t.Name, err
}

// erased removes what other rooms keep of an end user, or of the whole tenant for an empty one.
func (s *Server) erased(ctx context.Context, tenantID, endUser string) error {
	if endUser == "" {
		_, err := s.tooling.files.EraseTenant(tenantID)
		return errors.Join(err, s.hub.Forget(ctx, tenantID))
	}
	_, err := s.tooling.files.Erase(tenantID, endUser)
	return err
}

// tenantGone removes what a tenant that was deleted, and not only suspended, has left outside the database.
func (s *Server) tenantGone(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	err := s.db.Read(ctx, func(q db.Querier) error {
		_, err := tenants.Get(ctx, q, id)
		return err
	})
	if !fault.Is(err, fault.NotFound) {
		return
	}
	s.tooling.set.Forget(id)
	if err := s.erased(ctx, id, ""); err != nil {
		s.log.Error("a deleted tenant has left something behind", "tenant", id, "error", err.Error())
	}
}
