package peers

import (
	"cmp"
	"context"
	"encoding/json"
	"path"
	"slices"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tool"
)

const (
	maxDepth      = 1
	maxChildren   = 3   // of a session that are not archived
	someSpawnWait = 240 // seconds, when the model does not say
)

var spawnSchema = json.RawMessage(`{"type": "object", "additionalProperties": false, "required": ["task"], "properties": {
	"task": {"type": "string", "minLength": 1, "maxLength": 20000, "description": "All that the new session needs to know, and what its answer should be"},
	"title": {"type": "string", "minLength": 1, "maxLength": 100, "description": "A short name for it; the first words of the task unless given"},
	"model": {"type": "string", "minLength": 1, "maxLength": 200, "description": "The model that does it, as provider/model; that of this session unless given"},
	"tools": {"type": "array", "maxItems": 50, "items": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "maxLength": 64}, "description": "The only tools that it may use, of those that you have; all of them unless given, none when empty"},
	"archive": {"type": "boolean", "description": "Archive it once it has answered: it can then be read, but not written to"},
	"wait_seconds": {"type": "integer", "minimum": 1, "maximum": 800, "description": "After how long it is stopped; 240 unless given"}}}`)

type spawnArguments struct {
	Task    string    `json:"task"`
	Title   string    `json:"title"`
	Model   string    `json:"model"`
	Tools   *[]string `json:"tools"`
	Archive bool      `json:"archive"`
	Wait    int       `json:"wait_seconds"`
}

// spawned is what sessions_spawn returns.
type spawned struct {
	outcome
	Tokens     int64 `json:"tokens"`
	CostMicros int64 `json:"cost_micros"`
	Archived   bool  `json:"archived"`
}

// spawn is sessions_spawn.
func (p *peers) spawn(ctx context.Context, c tool.Call) (tool.Result, error) {
	var in spawnArguments
	if err := arguments(c, &in); err != nil {
		return tool.Result{}, err
	}
	child, err := p.bear(ctx, c, in)
	if err != nil {
		return tool.Result{}, err
	}
	wait := time.Duration(cmp.Or(in.Wait, someSpawnWait)) * time.Second
	sent, err := p.Core.Send(ctx, Send{From: c, SessionID: child.ID, Text: task(c.SessionID, in.Task), Hops: c.Hops, Wait: wait, Child: true})
	if err != nil {
		p.late(ctx, "a spawned session without a turn was not removed", c, func(ctx context.Context, q db.Querier, t db.Tenant) error {
			return sessions.Delete(ctx, q, t, "", child.ID)
		})
		return tool.Result{}, err
	}
	out := spawned{outcome: outcomeOf(child.ID, sent), Tokens: sent.Tokens, CostMicros: sent.CostMicros}
	if in.Archive && sent.Status != string(runs.Running) {
		out.Archived = p.late(ctx, "a spawned session was not archived", c, func(ctx context.Context, q db.Querier, t db.Tenant) error {
			archived := true
			_, err := sessions.Update(ctx, q, t, "", child.ID, sessions.Change{Archived: &archived}, time.Now())
			return err
		})
	}
	return result(out, sent, child.ID)
}

// task marks the first message of a spawned session as what it is.
func task(from, text string) string {
	return "[Task from session " + from + ", which started this one and gets your answer. A model wrote it, not a person.]\n\n" + text
}

// late writes what is due when a turn may have been stopped already. What cannot be written is logged, and false.
func (p *peers) late(ctx context.Context, failure string, c tool.Call, fn func(context.Context, db.Querier, db.Tenant) error) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateLimit)
	defer cancel()
	err := p.DB.Write(ctx, func(q db.Querier) error { return fn(ctx, q, db.TenantOf(c.TenantID)) })
	if err != nil && !fault.Is(err, fault.NotFound) {
		p.Log.Warn(failure, "run", c.RunID, "error", err.Error())
	}
	return err == nil
}

// bear stores the new session. Others that spawn for the same one wait meanwhile, so that the number of children holds.
func (p *peers) bear(ctx context.Context, c tool.Call, in spawnArguments) (child sessions.Session, err error) {
	t := db.TenantOf(c.TenantID)
	err = p.DB.Write(ctx, func(q db.Querier) error {
		if _, err := lock.Exec(ctx, q, t, db.Args{"id": c.SessionID}); err != nil {
			return err
		}
		seen, err := p.look(ctx, q, c, Self)
		if err != nil {
			return err
		}
		var alive int
		if err := children.Get(ctx, q, t, &alive, db.Args{"id": c.SessionID}); err != nil {
			return err
		}
		switch {
		case seen.from.Depth >= maxDepth:
			return fault.New(fault.Conflict, "sessions spawn sessions at most %d levels deep, and this one is at the last; do the task here", maxDepth)
		case alive >= maxChildren:
			return fault.New(fault.Conflict, "this session has %d sessions of its own already, which is the most; write to one of them with %s, or do the task here", maxChildren, NameSend)
		case in.Model != "" && seen.owner != "":
			return fault.New(fault.Forbidden, "a widget's visitor cannot choose a model; leave it out")
		}
		if child, err = childOf(seen.from, in, time.Now()); err != nil {
			return err
		}
		return sessions.Insert(ctx, q, child)
	})
	return child, err
}

// childOf makes a session that may do no more than its parent. Its title counts as given: the parent's model wrote all of it.
func childOf(parent sessions.Session, in spawnArguments, now time.Time) (sessions.Session, error) {
	s := sessions.New(parent.TenantID, now)
	s.ParentID, s.Depth, s.EndUser = parent.ID, parent.Depth+1, parent.EndUser
	s.Model, s.Thinking, s.SystemPrompt = cmp.Or(in.Model, parent.Model), parent.Thinking, parent.SystemPrompt
	s.Title, s.Titled = sessions.TitleFrom(llm.Text(cmp.Or(in.Title, in.Task))), sessions.ByCaller
	s.Tools = parent.Tools
	if in.Tools == nil {
		return s, nil
	}
	s.Tools = &sessions.Narrowing{Allow: slices.Clone(*in.Tools)}
	if s.Tools.Allow == nil {
		s.Tools.Allow = []string{}
	}
	if parent.Tools == nil {
		return s, nil
	}
	s.Tools.Deny = parent.Tools.Deny
	for _, name := range s.Tools.Allow {
		if parent.Tools.Allow != nil && !slices.ContainsFunc(parent.Tools.Allow, func(pattern string) bool { return matches(pattern, name) }) {
			return s, fault.New(fault.Forbidden, "this session may not use %s itself, so it cannot give it to another; leave it out of tools", name)
		}
	}
	return s, nil
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
