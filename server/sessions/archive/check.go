package archive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/sessions/serve"
	"github.com/clawless/clawless/server/tool"
)

// What an imported session may hold.
const (
	maxProblems  = 20 // that are told at once
	maxEpochs    = 10_000
	maxSummaries = 1_000
	maxCalls     = 128
	maxTaints    = 200
	maxShort     = 200 // characters of a name, an id, a model
	maxText      = 100_000
	maxArguments = 1 << 20
)

// problems collects what is wrong with an import, so that all of it is told at once.
type problems struct{ list []fault.Detail }

func (p *problems) add(field, format string, args ...any) {
	if len(p.list) < maxProblems {
		p.list = append(p.list, fault.Detail{Field: field, Message: fmt.Sprintf(format, args...)})
	}
}

func (p *problems) require(ok bool, field, message string) {
	if !ok {
		p.add(field, "%s", message)
	}
}

func (p *problems) short(field, value string, most int) {
	p.require(len(value) <= most, field, fmt.Sprintf("is longer than %d", most))
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	f := fault.New(fault.ValidationFailed, "%s: %s", p.list[0].Field, p.list[0].Message).WithParam(p.list[0].Field)
	f.Details = p.list
	return f
}

// read decodes an export and refuses what no session could be.
func read(raw []byte) (*SessionExport, error) {
	if err := api.CheckJSON(raw); err != nil {
		return nil, fault.Wrap(err, fault.InvalidJSON, "%s", err.Error())
	}
	x := &SessionExport{}
	if err := json.Unmarshal(raw, x); err != nil {
		return nil, fault.Wrap(err, fault.ValidationFailed, "the body is not an exported session; send what GET /v1/sessions/{session}/export gave")
	}
	if x.Format != Format {
		return nil, fault.New(fault.ValidationFailed, "format must be %s", Format).WithParam("format")
	}
	if len(x.Messages) > sessions.MaxBuilt || len(x.Epochs) > maxEpochs || len(x.Summaries) > maxSummaries {
		return nil, fault.New(fault.ValidationFailed, "a session that is taken in may have %d messages, %d epochs and %d summaries", sessions.MaxBuilt, maxEpochs, maxSummaries)
	}
	p := &problems{}
	p.settings(x.Session)
	p.epochs(x)
	p.messages(x)
	p.summaries(x)
	if err := p.err(); err != nil {
		return nil, err
	}
	return x, serve.CheckMetadata(x.Session.Metadata)
}

func (p *problems) settings(s serve.SessionBody) {
	for field, v := range map[string]string{"session.title": s.Title, "session.external_id": s.ExternalID, "session.model": s.Model, "session.user": s.User} {
		p.short(field, v, 4*maxShort) // as many characters as in the other operations, in bytes
	}
	p.short("session.system_prompt", s.SystemPrompt, 4*maxText)
	p.require(len(s.Metadata) <= 32, "session.metadata", "has more than 32 texts")
	p.require(slices.Contains([]string{sessions.ByNobody, sessions.ByWords, sessions.ByModel, sessions.ByCaller}, s.Titled), "session.titled", "must be words, model, caller or empty")
	_, isLevel := llm.ParseEffort(s.Thinking)
	p.require(s.Thinking == "" || isLevel, "session.thinking", "must be off, minimal, low, medium, high, or empty")
	p.require(s.Epoch >= 1 && s.Epoch <= s.LastEpoch && s.LastEpoch <= maxEpochs, "session.epoch", "must be from 1 to last_epoch")
}

func (p *problems) epochs(x *SessionExport) {
	seen := map[int64]bool{}
	for i, e := range x.Epochs {
		field := fmt.Sprintf("epochs[%d]", i)
		p.require(e.Epoch >= 1 && e.Epoch <= x.Session.LastEpoch && !seen[e.Epoch], field+".epoch", "must be from 1 to last_epoch, each once")
		p.require(e.Previous >= 0 && e.Previous < e.Epoch, field+".previous", "must be an earlier epoch, or 0")
		p.require(slices.Contains([]string{sessions.Started, sessions.Asked, sessions.Idle, sessions.Daily, sessions.Imported}, e.Reason), field+".reason", "is none")
		seen[e.Epoch] = true
	}
}

// messages checks the trees: each epoch's active messages have to be one path from its start.
func (p *problems) messages(x *SessionExport) {
	heads := map[int64]int64{}
	for i, m := range x.Messages {
		field := fmt.Sprintf("messages[%d]", i)
		p.require(m.Sequence == int64(i)+1, field+".sequence", "must count 1, 2, 3…")
		p.require(m.Epoch >= 1 && m.Epoch <= x.Session.LastEpoch, field+".epoch", "must be from 1 to last_epoch")
		isParent := m.Parent == 0 || m.Parent > 0 && m.Parent <= int64(i) && x.Messages[m.Parent-1].Epoch == m.Epoch
		p.require(isParent, field+".parent", "must be an earlier message of the same epoch, or 0")
		if m.Active {
			p.require(m.Parent == heads[m.Epoch], field+".active", "the active messages of an epoch must follow one another from its start")
			heads[m.Epoch] = m.Sequence
		}
		p.said(field, m)
		if len(p.list) == maxProblems {
			return
		}
	}
}

func (p *problems) said(field string, m serve.MessageBody) {
	p.require(m.Role == "user" || m.Role == "assistant" || m.Role == "tool", field+".role", "must be user, assistant or tool")
	p.require(m.Role != "tool" || m.ToolCallID != "", field+".tool_call_id", "is missing")
	p.require(len(m.ToolCalls) == 0 || m.Role == "assistant", field+".tool_calls", "only the assistant has tool calls")
	p.require(len(m.ToolCalls) <= maxCalls, field+".tool_calls", "are too many")
	for _, c := range m.ToolCalls {
		p.require(c.ID != "" && c.Function.Name != "" && len(c.ID) <= maxShort && len(c.Function.Name) <= maxShort && len(c.Function.Arguments) <= maxArguments,
			field+".tool_calls", "each needs an id and a name, and arguments of a mebibyte at most")
	}
	p.require(isContent(m.Content), field+".content", "must be a text, a list of parts with a type, or null")
	for name, v := range map[string]string{"tool_call_id": m.ToolCallID, "name": m.Name, "model": m.Model, "finish_reason": m.FinishReason, "origin": m.Origin} {
		p.short(field+"."+name, v, maxShort)
	}
	p.taint(field, m.Taint)
}

func (p *problems) taint(field string, list []tool.Taint) {
	p.require(len(list) <= maxTaints, field+".taint", "are too many")
	for _, t := range list {
		p.require(t.Kind != "" && len(t.Kind) <= maxShort && len(t.Source) <= 10*maxShort, field+".taint", "each needs a kind, and a source that is not too long")
	}
}

func isContent(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" || raw[0] == '"' {
		return true
	}
	var parts []struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(raw, &parts) != nil {
		return false
	}
	return !slices.ContainsFunc(parts, func(part struct {
		Type string `json:"type"`
	}) bool {
		return part.Type == ""
	})
}

func (p *problems) summaries(x *SessionExport) {
	for i, s := range x.Summaries {
		field := fmt.Sprintf("summaries[%d]", i)
		p.require(s.Epoch >= 1 && s.Epoch <= x.Session.LastEpoch, field+".epoch", "must be from 1 to last_epoch")
		known := s.UpTo >= 0 && s.UpTo <= int64(len(x.Messages)) && s.FromSequence >= 0 && s.FromSequence <= s.UpTo
		p.require(known && (s.UpTo == 0 || x.Messages[s.UpTo-1].Epoch == s.Epoch), field+".up_to", "must be a message of its epoch, or 0 with from_sequence 0")
		p.require(strings.TrimSpace(s.Content) != "" && len(s.Content) <= 4*maxText, field+".content", "is empty or too long")
		p.require(s.Messages >= 0 && s.InputTokens >= 0 && s.OutputTokens >= 0 && s.CostMicros >= 0, field, "has a negative number")
		p.short(field+".model", s.Model, maxShort)
		p.taint(field, s.Taint)
	}
}
