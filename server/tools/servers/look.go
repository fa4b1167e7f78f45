package servers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/mcp"
)

// look asks a server for its tools and stores what it lists, or why it could not be asked. A tool that is not what was approved any more is disabled and audited.
func (k *Keeper) look(ctx context.Context, s Server) (Server, error) {
	w := k.watch(s.ID)
	w.looking.Lock()
	defer w.looking.Unlock()
	return k.lookNow(ctx, w, s)
}

// lookNow is look for a caller that holds w.looking.
func (k *Keeper) lookNow(ctx context.Context, w *watch, s Server) (Server, error) {
	due := w.take()
	var listed []mcp.Listed
	e, err := k.endpoint(s)
	if err == nil {
		listed, err = k.Pool.List(ctx, e)
	}
	if ctx.Err() != nil {
		return s, ctx.Err() // it is the caller who left
	}
	now := db.At(time.Now())
	s.Status, s.Error, s.CheckedAt = Connected, "", now
	if err != nil {
		s.Status, s.Error = Failing, why(err)
		if due {
			k.Due(s.ID) // still
		}
	}
	t := db.TenantOf(s.TenantID)
	outlive, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	changed := false
	err = k.DB.Write(outlive, func(q db.Querier) error {
		n, err := checked.Exec(outlive, q, t, db.Args{"id": s.ID, "status": s.Status, "error": db.OrNull(s.Error), "now": now})
		if err != nil || s.Status == Failing {
			return err
		}
		if n == 0 {
			return notFound() // deleted meanwhile
		}
		changed, err = k.store(outlive, q, t, s, listed, now)
		return err
	})
	if err != nil {
		return Server{}, err
	}
	if changed {
		k.Changed(s.TenantID)
	}
	return s, nil
}

// why is a failure in words that may be shown.
func why(err error) string {
	var u *mcp.Unreachable
	if errors.As(err, &u) {
		return u.Error()
	}
	return "its secret cannot be opened; delete the server and add it again"
}

// store holds a list against what is known. changed is whether what sessions may use is another now.
func (k *Keeper) store(ctx context.Context, q db.Querier, t db.Tenant, s Server, listed []mcp.Listed, now db.Time) (changed bool, err error) {
	known, err := Tools(ctx, q, t, s.ID)
	if err != nil {
		return false, err
	}
	before := map[string]Tool{}
	for _, b := range known {
		before[b.Name] = b
	}
	for _, l := range listed {
		b, ok := before[l.Name]
		delete(before, l.Name)
		after := judge(s, b, ok, l)
		if ok && after.Hash == b.Hash && after.Status == b.Status {
			_, err = sawTool.Exec(ctx, q, t, db.Args{"server_id": s.ID, "name": l.Name, "now": now})
		} else {
			_, err = putTool.Exec(ctx, q, t, db.Args{"server_id": s.ID, "name": after.Name, "description": after.Description, "parameters": string(after.Parameters),
				"annotations": string(after.Annotations), "problem": after.Problem, "effect": string(after.Effect), "hash": after.Hash, "approved_hash": after.ApprovedHash,
				"status": after.Status, "now": now})
		}
		if err == nil && b.May() && !after.May() {
			err = k.Audit(auth.With(ctx, auth.Principal{}), q, s.TenantID, "mcp_tool.changed", after.target())
		}
		if err != nil {
			return false, err
		}
		changed = changed || b.May() != after.May()
	}
	for _, b := range before {
		if b.Status == Gone {
			continue
		}
		if _, err := gone.Exec(ctx, q, t, db.Args{"server_id": s.ID, "name": b.Name}); err != nil {
			return false, err
		}
		changed = changed || b.May()
	}
	return changed, nil
}

// judge says what a tool is that was listed again, or for the first time. One that changed after its approval loses it; one that was away and is what was approved has it back.
func judge(s Server, before Tool, known bool, l mcp.Listed) Tool {
	after := Tool{TenantID: s.TenantID, ServerID: s.ID, ServerName: s.Name, Name: l.Name, Description: l.Description, Parameters: l.Parameters, Annotations: l.Annotations,
		Problem: l.Problem, Effect: tool.Sends, Hash: l.Hash, Status: Pending}
	if known {
		after.Effect, after.ApprovedHash, after.Status = before.Effect, before.ApprovedHash, before.Status
	}
	if len(offeredName(s.Name, l.Name)) > maxOffered && after.Problem == "" {
		after.Problem = fmt.Sprintf("with the server's name in front its name is longer than %d characters", maxOffered)
	}
	switch {
	case after.Problem != "":
		after.Status, after.ApprovedHash = Unusable, ""
	case known && before.Hash != l.Hash && before.ApprovedHash != "":
		after.Status, after.ApprovedHash = Changed, ""
	case after.Status == Gone && before.ApprovedHash != "":
		after.Status = Approved
	case after.Status == Gone, after.Status == Unusable:
		after.Status = Pending
	}
	return after
}

// Ready is asked ahead of each call of a tool: it returns the endpoint when the tool still is what was approved. A list that is too old is read again first.
// Its errors are words for the model.
func (k *Keeper) Ready(ctx context.Context, t Tool) (mcp.Endpoint, error) {
	s, err := k.callable(ctx, t)
	if err != nil {
		return mcp.Endpoint{}, err
	}
	if w := k.watch(s.ID); w.stale(s) {
		s, err = k.again(ctx, w, s)
		switch {
		case ctx.Err() != nil:
			return mcp.Endpoint{}, ctx.Err()
		case err != nil:
			return mcp.Endpoint{}, k.unknown(t, err)
		case s.Status == Failing:
			return mcp.Endpoint{}, fmt.Errorf("%s cannot be called: %s", t.Offered(), s.Error)
		}
		if s, err = k.callable(ctx, t); err != nil {
			return mcp.Endpoint{}, err
		}
	}
	e, err := k.endpoint(s)
	if err != nil {
		k.Log.Warn("secret of an MCP server not opened", "server", s.ID, "error", err.Error())
		return mcp.Endpoint{}, fmt.Errorf("%s cannot be called: %s", t.Offered(), why(err))
	}
	return e, nil
}

// stale reports whether the list has to be read before the next call.
func (w *watch) stale(s Server) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.due || s.Status != Connected || time.Since(s.CheckedAt.Time) >= lookAgain
}

// again looks at the server, unless somebody did so while this call waited for its turn.
func (k *Keeper) again(ctx context.Context, w *watch, s Server) (Server, error) {
	asked := time.Now()
	w.looking.Lock()
	defer w.looking.Unlock()
	now, err := k.get(ctx, s.TenantID, s.ID)
	if err != nil || now.CheckedAt.After(asked) {
		return now, err
	}
	return k.lookNow(ctx, w, now)
}

// callable reads the tool as it is now, and refuses one that is not approved any more or is another one than the turn was offered.
func (k *Keeper) callable(ctx context.Context, offered Tool) (s Server, err error) {
	var now Tool
	err = k.DB.Read(ctx, func(q db.Querier) error {
		t := db.TenantOf(offered.TenantID)
		if s, err = Get(ctx, q, t, offered.ServerID); err != nil {
			return err
		}
		now, err = GetTool(ctx, q, t, offered.ServerID, offered.Name)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return s, ctx.Err()
	case err != nil && !fault.Is(err, fault.NotFound):
		return s, k.unknown(offered, err)
	case err == nil && now.May() && now.Hash == offered.Hash:
		return s, nil
	case err == nil && (now.Status == Changed || now.May()):
		return s, fmt.Errorf("%s has changed since it was approved, and is not called before a person approves it again", offered.Offered())
	}
	return s, fmt.Errorf("%s is not offered any more", offered.Offered())
}

// unknown hides a failure of the store, which says nothing to a model.
func (k *Keeper) unknown(t Tool, err error) error {
	k.Log.Warn("state of an MCP tool not read", "server", t.ServerID, "error", err.Error())
	return fmt.Errorf("whether %s may be called cannot be looked up at the moment", t.Offered())
}

// Failed stores why a server could not be called, for those who look at how it stands.
func (k *Keeper) Failed(ctx context.Context, tenantID, serverID string, u *mcp.Unreachable) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	err := k.DB.Write(ctx, func(q db.Querier) error {
		_, err := failing.Exec(ctx, q, db.TenantOf(tenantID), db.Args{"id": serverID, "error": u.Error()})
		return err
	})
	if err != nil {
		k.Log.Warn("state of an MCP server not stored", "server", serverID, "error", err.Error())
	}
}
