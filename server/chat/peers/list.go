package peers

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tool"
)

const (
	maxList  = 64 << 10 // bytes of a list
	maxRows  = 200
	someRows = 50   // when the model does not say
	maxCount = 1000 // of what is left out; beyond that it is only said that there are more
)

var listSchema = json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {
	"limit": {"type": "integer", "minimum": 1, "maximum": 200, "description": "How many sessions to show; 50 unless given"},
	"active_minutes": {"type": "integer", "minimum": 1, "maximum": 5256000, "description": "Only sessions that were used within so many minutes"},
	"archived": {"type": "boolean", "description": "Also sessions that are archived"}}}`)

type listArguments struct {
	Limit    int   `json:"limit"`
	Active   int64 `json:"active_minutes"`
	Archived bool  `json:"archived"`
}

// listResult is what sessions_list returns.
type listResult struct {
	Sessions  []json.RawMessage `json:"sessions"`
	Truncated bool              `json:"truncated"`
	Omitted   int               `json:"omitted"`
	AndMore   bool              `json:"and_more,omitempty"` // more than Omitted says
}

type listed struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Relation  string    `json:"relation"`
	ParentID  string    `json:"parent_id,omitempty"`
	User      string    `json:"user,omitempty"`
	Model     string    `json:"model,omitempty"`
	Depth     int64     `json:"depth"`
	Messages  int64     `json:"messages"`
	Running   bool      `json:"running"`
	Archived  bool      `json:"archived"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// list is sessions_list.
func (p *peers) list(ctx context.Context, c tool.Call) (tool.Result, error) {
	var in listArguments
	if err := arguments(c, &in); err != nil {
		return tool.Result{}, err
	}
	setting, err := p.setting(ctx, c)
	if err != nil {
		return tool.Result{}, err
	}
	limit := cmp.Or(in.Limit, someRows)
	since := int64(-1 << 62)
	if in.Active > 0 {
		since = time.Now().Add(-time.Duration(in.Active) * time.Minute).UnixMicro()
	}
	var s sight
	var rows []sessionRow
	var count int
	err = p.DB.Read(ctx, func(q db.Querier) (err error) {
		if s, err = p.look(ctx, q, c, setting); err != nil {
			return err
		}
		t, v := db.TenantOf(c.TenantID), views[s.setting]
		args, err := s.args(ctx, q, db.Args{"archived": in.Archived, "since": since, "limit": min(limit, maxRows)})
		if err != nil {
			return err
		}
		if err = v.list.Select(ctx, q, t, &rows, args); err != nil || len(rows) < limit {
			count = len(rows)
			return err
		}
		args["limit"] = len(rows) + maxCount + 1
		return v.count.Get(ctx, q, t, &count, args)
	})
	if err != nil {
		return tool.Result{}, err
	}
	return s.listOf(rows, count)
}

// listOf shows as many of the rows as there is room for. Titles that come from what others wrote taint the result.
func (s sight) listOf(rows []sessionRow, count int) (tool.Result, error) {
	out := listResult{Sessions: []json.RawMessage{}}
	room, err := roomIn(maxList, out)
	if err != nil {
		return tool.Result{}, err
	}
	taints := []tool.Taint{}
	for _, r := range rows {
		b, fits, err := room.take(s.listed(r))
		if err != nil {
			return tool.Result{}, err
		}
		if !fits {
			break
		}
		out.Sessions = append(out.Sessions, b)
		if r.ID != s.from.ID && r.Title != "" && r.Titled != sessions.ByCaller {
			taints = append(taints, tool.Taint{Kind: tool.FromSession, Source: r.ID})
		}
	}
	out.Truncated, out.Omitted, out.AndMore = cutAt(count-len(out.Sessions), maxCount)
	b, err := encode(out)
	return tool.Result{Text: string(b), Taints: taints}, err
}

// cutAt says what is left out, counted up to a limit.
func cutAt(omitted, most int) (truncated bool, shown int, more bool) {
	return omitted > 0, min(omitted, most), omitted > most
}

func (s sight) listed(r sessionRow) listed {
	title, _ := text(r.Title, maxTitle)
	l := listed{ID: r.ID, Title: title, Relation: s.relation(r.ID, r.ParentID), ParentID: r.ParentID, User: r.EndUser, Model: r.Model, Depth: r.Depth, Messages: r.Messages,
		Running: r.Running, Archived: r.Archived, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time}
	if s.setting == Self && l.Relation != "child" {
		l.ParentID = "" // of a session that is not seen
	}
	if s.from.EndUser != "" && r.EndUser != s.from.EndUser {
		l.User = ""
	}
	return l
}
