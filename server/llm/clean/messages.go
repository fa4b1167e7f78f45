package clean

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/llm"
)

// Messages cleans everything but instructions: texts, names, ids, the arguments of calls and their results. What needs no change is shared with list, which stays as it is.
func Messages(list []llm.Message) []llm.Message {
	for i := range list {
		m, changed := message(list[i])
		if !changed {
			continue
		}
		out := slices.Clone(list)
		out[i] = m
		for j := i + 1; j < len(out); j++ {
			out[j], _ = message(out[j])
		}
		return out
	}
	return list
}

func message(m llm.Message) (llm.Message, bool) {
	if m.Role == "system" || m.Role == "developer" {
		return m, false
	}
	changed := false
	text := func(s string) string {
		c := Text(s)
		changed = changed || len(c) != len(s)
		return c
	}
	m.Name, m.ToolCallID = text(m.Name), text(m.ToolCallID)
	if c, cleaned := content(m.Content); cleaned {
		m.Content, changed = c, true
	}
	for i, t := range m.ToolCalls {
		before := changed
		changed = false
		t.ID, t.Function.Name = text(t.ID), text(t.Function.Name)
		if a := Arguments(t.Function.Arguments); a != t.Function.Arguments {
			t.Function.Arguments, changed = a, true
		}
		if changed {
			m.ToolCalls = slices.Clone(m.ToolCalls)
			m.ToolCalls[i] = t
		}
		changed = changed || before
	}
	return m, changed
}

// Tools cleans what tools say of themselves: those of a tenant's servers were written by others.
func Tools(list []llm.Tool) []llm.Tool {
	out := list
	for i, t := range list {
		parameters, changed := texts(t.Function.Parameters)
		if !changed && !Has(t.Function.Description) {
			continue
		}
		if &out[0] == &list[0] {
			out = slices.Clone(list)
		}
		out[i].Function.Description, out[i].Function.Parameters = Text(t.Function.Description), parameters
	}
	return out
}

// Arguments cleans the texts in the arguments of a call. What was valid JSON stays so; what was none is cleaned as a text.
func Arguments(s string) string {
	if !strings.ContainsRune(s, '\\') && !Has(s) {
		return s
	}
	if !json.Valid([]byte(s)) {
		return Text(s)
	}
	if c, changed := texts([]byte(s)); changed {
		return string(c)
	}
	return s
}

// Content cleans a message's content: a text, or the texts of its parts. Parts that are no text are not touched, and content without control tokens is returned as it is.
// A token that was cut up and spread over several parts makes one part of these texts.
func Content(raw json.RawMessage) json.RawMessage {
	c, _ := content(raw)
	return c
}

func content(raw json.RawMessage) (json.RawMessage, bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return texts(raw)
	}
	parts, ok := llm.Parts(raw)
	if !ok {
		return raw, false
	}
	changed := false
	var all strings.Builder
	for i, p := range parts {
		kind, text, ok := spoken(p)
		if !ok {
			continue
		}
		if c := Text(text); len(c) != len(text) {
			parts[i], text, changed = say(p, kind, c), c, true
		}
		all.WriteString(text)
	}
	if whole := Text(all.String()); whole != all.String() {
		parts, changed = gather(parts, whole), true
	}
	if !changed {
		return raw, false
	}
	out := []byte("[")
	for i, p := range parts {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, p...)
	}
	return append(out, ']'), true
}

// spoken returns what a part says, and the name of the member in which it does.
func spoken(part json.RawMessage) (kind, text string, ok bool) {
	var p struct {
		Type    string `json:"type"`
		Text    string `json:"text"`
		Refusal string `json:"refusal"`
	}
	if bytes.IndexByte(part, '\\') < 0 && !bytes.Contains(part, []byte(`"text"`)) && !bytes.Contains(part, []byte(`"refusal"`)) {
		return "", "", false // the megabytes of an image need no decoding
	}
	if json.Unmarshal(part, &p) != nil {
		return "", "", false
	}
	switch p.Type {
	case "text":
		return "text", p.Text, true
	case "refusal":
		return "refusal", p.Refusal, true
	}
	return "", "", false
}

func say(part json.RawMessage, kind, text string) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(part, &fields) != nil {
		return part
	}
	fields[kind] = quote(text)
	out, err := json.Marshal(fields)
	if err != nil {
		return part
	}
	return out
}

// gather puts the text into the first part that says something and takes out the others.
func gather(parts []json.RawMessage, text string) []json.RawMessage {
	out := parts[:0]
	said := false
	for _, p := range parts {
		kind, _, ok := spoken(p)
		if ok && said {
			continue
		}
		if ok {
			p, said = say(p, kind, text), true
		}
		out = append(out, p)
	}
	return out
}

// texts cleans every text in a JSON value, whichever way it is escaped, and leaves the rest as it is, byte for byte. What is no JSON is returned as it is.
func texts(raw json.RawMessage) (json.RawMessage, bool) {
	if n := len(raw); n > 1 && raw[0] == '"' && raw[n-1] == '"' {
		return literal(raw, bytes.IndexByte(raw, '\\') >= 0)
	}
	if bytes.IndexByte(raw, '\\') < 0 && !has(raw) || !json.Valid(raw) {
		return raw, false
	}
	var out []byte // nil until something changes
	kept := 0      // what of raw is in out
	for i := 0; i < len(raw); i++ {
		if raw[i] != '"' {
			continue
		}
		end := i + 1
		escaped := false
		for raw[end] != '"' {
			if raw[end] == '\\' {
				escaped = true
				end++
			}
			end++
		}
		end++
		if c, changed := literal(raw[i:end], escaped); changed {
			out = append(append(out, raw[kept:i]...), c...)
			kept = end
		}
		i = end - 1
	}
	if out == nil {
		return raw, false
	}
	return append(out, raw[kept:]...), true
}

// quote writes a text as JSON, as it is.
func quote(s string) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// literal cleans a JSON string with its quotation marks.
func literal(quoted []byte, escaped bool) (json.RawMessage, bool) {
	if !escaped && !has(quoted[1:len(quoted)-1]) {
		return quoted, false
	}
	s, ok := llm.Unquote(quoted)
	if !ok || !Has(s) {
		return quoted, false
	}
	return quote(Text(s)), true
}
