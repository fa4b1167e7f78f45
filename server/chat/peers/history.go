package peers

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tool"
)

const (
	maxHistory = 80_000 // bytes of a history
	maxScanned = 2000   // messages that are looked at for one
	maxCalls   = 20     // tool calls that are shown of a message

	maxRedacted = 16 << 10 // bytes of arguments that are searched field by field; of longer ones the beginning is, as a text

	leastAtOnce = 8 // messages that are read at a time
	mostAtOnce  = 64
)

var historySchema = json.RawMessage(`{"type": "object", "additionalProperties": false, "required": ["session_id"], "properties": {
	"session_id": {"type": "string", "minLength": 1, "maxLength": 64, "description": "The session to read, as sessions_list names it"},
	"limit": {"type": "integer", "minimum": 1, "maximum": 200, "description": "How many messages to show; 50 unless given"},
	"before": {"type": "integer", "minimum": 1, "description": "Only messages before this sequence: the before of a result that left out older ones"},
	"include_tools": {"type": "boolean", "description": "Also show which tools were called, and what they returned"}}}`)

type historyArguments struct {
	SessionID string `json:"session_id"`
	Limit     int    `json:"limit"`
	Before    int64  `json:"before"`
	Tools     bool   `json:"include_tools"`
}

// historyResult is what sessions_history returns.
type historyResult struct {
	SessionID string            `json:"session_id"`
	Title     string            `json:"title"`
	Messages  []json.RawMessage `json:"messages"` // oldest first
	Truncated bool              `json:"truncated"`
	Omitted   int               `json:"omitted"`            // older messages
	AndMore   bool              `json:"and_more,omitempty"` // more than Omitted says
	Before    int64             `json:"before,omitempty"`   // gives the older ones when it is passed as before
}

type said struct {
	Sequence     int64      `json:"sequence"`
	Role         string     `json:"role"`
	From         string     `json:"from,omitempty"` // session, for what another session's model wrote
	Text         string     `json:"text"`
	OtherParts   int        `json:"other_parts,omitempty"` // images, files and what else is no text
	Tool         string     `json:"tool,omitempty"`        // whose result it is
	ToolCalls    []toolCall `json:"tool_calls,omitempty"`
	OmittedCalls int        `json:"omitted_tool_calls,omitempty"`
	Truncated    bool       `json:"truncated,omitempty"`
	Omitted      int        `json:"omitted_characters,omitempty"`
	At           time.Time  `json:"at"`
}

type toolCall struct {
	Tool      string `json:"tool"`
	Arguments string `json:"arguments"`
}

// history is sessions_history.
func (p *peers) history(ctx context.Context, c tool.Call) (tool.Result, error) {
	var in historyArguments
	if err := arguments(c, &in); err != nil {
		return tool.Result{}, err
	}
	setting, err := p.setting(ctx, c)
	if err != nil {
		return tool.Result{}, err
	}
	var r reading
	err = p.DB.Read(ctx, func(q db.Querier) error {
		s, err := p.look(ctx, q, c, setting)
		if err != nil {
			return err
		}
		if r.session, err = s.find(ctx, q, in.SessionID); err != nil {
			return err
		}
		return r.read(ctx, q, in)
	})
	if err != nil {
		return tool.Result{}, err
	}
	if in.SessionID != c.SessionID {
		r.taints = []tool.Taint{{Kind: tool.FromSession, Source: in.SessionID}}
	}
	slices.Reverse(r.out.Messages)
	b, err := encode(r.out)
	return tool.Result{Text: string(b), Taints: r.taints}, err
}

// reading collects the newest messages of a session.
type reading struct {
	session sessions.Session
	out     historyResult // its messages are newest first until it is complete
	taints  []tool.Taint  // of the messages
	room    room
}

func (r *reading) read(ctx context.Context, q db.Querier, in historyArguments) error {
	title, _ := text(r.session.Title, maxTitle)
	r.out = historyResult{SessionID: r.session.ID, Title: title, Messages: []json.RawMessage{}}
	r.taints = []tool.Taint{}
	var err error
	if r.room, err = roomIn(maxHistory, r.out); err != nil {
		return err
	}
	t := db.TenantOf(r.session.TenantID)
	at, err := r.gather(ctx, q, in)
	if err != nil {
		return err
	}
	var count int
	err = older.Get(ctx, q, t, &count, db.Args{"session_id": r.session.ID, "epoch": r.session.Epoch, "before": at, "tools": in.Tools, "limit": maxCount + 1})
	if r.out.Truncated, r.out.Omitted, r.out.AndMore = cutAt(count, maxCount); r.out.Truncated {
		r.out.Before = at
	}
	return err
}

// gather takes messages, the newest first, while there is room, and returns the sequence before which it took none.
func (r *reading) gather(ctx context.Context, q db.Querier, in historyArguments) (at int64, err error) {
	t, limit := db.TenantOf(r.session.TenantID), min(cmp.Or(in.Limit, someRows), maxRows)
	at = r.session.LastSequence + 1
	if in.Before > 0 {
		at = min(at, in.Before)
	}
	for scanned := 0; scanned < maxScanned; {
		list, err := sessions.Newest(ctx, q, t, r.session.ID, r.session.Epoch, at, min(mostAtOnce, max(leastAtOnce, limit-len(r.out.Messages))), 0)
		if err != nil || len(list) == 0 {
			return at, err
		}
		for _, m := range list {
			if isShown(m, in.Tools) {
				b, fits, err := r.room.take(say(m, in.Tools))
				if err != nil || !fits {
					return at, err
				}
				r.out.Messages = append(r.out.Messages, b)
				r.taint(m.Taint)
			}
			if at = m.Sequence; len(r.out.Messages) == limit {
				return at, nil
			}
		}
		scanned += len(list)
	}
	return at, nil
}

const maxTaints = 50 // sources that are named of a result

func (r *reading) taint(list []tool.Taint) {
	for _, t := range list {
		if len(r.taints) < maxTaints && !slices.Contains(r.taints, t) {
			r.taints = append(r.taints, t)
		}
	}
}

// isShown leaves out instructions, and unless they are asked for the calls of tools and their results. The statement that counts older messages says the same.
func isShown(m sessions.Message, tools bool) bool {
	switch m.Role {
	case "user":
		return len(m.Content) > 0
	case "assistant":
		return len(m.Content) > 0 || tools
	case "tool":
		return tools
	}
	return false
}

// say is a message as it is shown: its texts, which have maxText characters together, and never what the model thought.
func say(m sessions.Message, tools bool) said {
	s := said{Sequence: m.Sequence, Role: m.Role, OtherParts: otherParts(m.Content), At: m.CreatedAt.Time}
	if m.Origin != "" {
		s.From = "session"
	}
	s.Text, s.Omitted = text(llm.TextOf(m.Content), maxText)
	if m.Role == "tool" {
		s.Tool, _ = text(m.Name, maxTitle)
	}
	left := maxText - utf8.RuneCountInString(s.Text)
	if tools {
		for i, call := range m.ToolCalls {
			if i == maxCalls {
				s.OmittedCalls = len(m.ToolCalls) - maxCalls
				break
			}
			name, _ := text(call.Function.Name, maxTitle)
			raw := call.Function.Arguments
			if len(raw) <= maxRedacted {
				raw = string(tool.Redact(json.RawMessage(raw)))
			}
			arguments, omitted := text(raw, left)
			left -= utf8.RuneCountInString(arguments)
			s.Omitted += omitted
			s.ToolCalls = append(s.ToolCalls, toolCall{Tool: name, Arguments: arguments})
		}
	}
	s.Truncated = s.Omitted > 0 || s.OmittedCalls > 0
	return s
}

// otherParts counts the parts of a content that are no text.
func otherParts(content json.RawMessage) (n int) {
	var parts []struct {
		Type string `json:"type"`
	}
	if len(content) == 0 || content[0] != '[' || json.Unmarshal(content, &parts) != nil {
		return 0
	}
	for _, p := range parts {
		if p.Type != "text" {
			n++
		}
	}
	return n
}
