package files

import (
	"context"
	_ "embed" // the descriptions
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clawless/clawless/server/tool"
)

var (
	//go:embed read.md
	readText string
	//go:embed write.md
	writeText string
	//go:embed list.md
	listText string
)

// The parts in which a file is read, in bytes.
const (
	defaultPart = 32_000
	maxPart     = 60_000
	maxListed   = 500
)

// Tools returns file_read, file_write and file_list over a store. A session of an end user works on that user's files, every other one on the tenant's.
func Tools(s *Store) []tool.Tool {
	return []tool.Tool{reader{s}, writer{s}, lister{s}}
}

func spec(name, text, parameters string, effect tool.Effect, taints tool.Kind) tool.Spec {
	return tool.Spec{Name: name, Description: strings.TrimSpace(text), Parameters: json.RawMessage(parameters), Effect: effect, Source: tool.BuiltIn, Taints: taints, Timeout: 15 * time.Second}
}

type reader struct{ store *Store }

// Spec implements tool.Tool.
func (reader) Spec() tool.Spec {
	return spec("file_read", readText, `{"type":"object","additionalProperties":false,"required":["path"],"properties":{
		"path":{"type":"string","minLength":1,"maxLength":200},
		"offset":{"type":"integer","minimum":0,"maximum":2000000000,"description":"Byte to begin at; 0 when left out"},
		"limit":{"type":"integer","minimum":1,"maximum":60000,"description":"Bytes to read; 32000 when left out"}}}`, tool.Reads, tool.FromFile)
}

// Call implements tool.Tool.
func (t reader) Call(_ context.Context, c tool.Call) (tool.Result, error) {
	in := struct {
		Path   string `json:"path"`
		Offset int    `json:"offset"`
		Limit  int    `json:"limit"`
	}{Limit: defaultPart}
	if err := json.Unmarshal(c.Arguments, &in); err != nil {
		return tool.Result{}, fmt.Errorf("the arguments cannot be read: %w", err)
	}
	b, err := t.store.Read(c.TenantID, c.EndUser, in.Path)
	if errors.Is(err, ErrNotFound) {
		return tool.Result{}, fmt.Errorf("%w; file_list shows those that there are", err)
	}
	if err != nil {
		return tool.Result{}, err
	}
	text, err := part(in.Path, b, in.Offset, min(in.Limit, maxPart))
	return tool.Result{Text: text, Taints: []tool.Taint{{Kind: tool.FromFile, Source: in.Path}}}, err
}

// part cuts a piece out of a file, between characters, and says before it which one it is.
func part(name string, b []byte, from, limit int) (string, error) {
	if !utf8.Valid(b) || strings.IndexByte(string(b), 0) >= 0 {
		return "", fmt.Errorf("%s is not text", name)
	}
	if from > len(b) {
		return "", fmt.Errorf("offset: the file has only %d bytes", len(b))
	}
	for from < len(b) && !utf8.RuneStart(b[from]) {
		from++
	}
	to := min(from+limit, len(b))
	for to < len(b) && to > from && !utf8.RuneStart(b[to]) {
		to--
	}
	if to == from && to < len(b) { // the first character is longer than the limit
		_, size := utf8.DecodeRune(b[from:])
		to = from + size
	}
	head := fmt.Sprintf("%s, %d bytes", name, len(b))
	switch {
	case to < len(b):
		head += fmt.Sprintf(", here %d to %d; read on with offset %d", from, to, to)
	case from > 0:
		head += fmt.Sprintf(", here %d to the end", from)
	}
	return head + "\n\n" + string(b[from:to]), nil
}

type writer struct{ store *Store }

// Spec implements tool.Tool.
func (writer) Spec() tool.Spec {
	return spec("file_write", writeText, `{"type":"object","additionalProperties":false,"required":["path","content"],"properties":{
		"path":{"type":"string","minLength":1,"maxLength":200,"description":"Relative, such as notes/ideas.md"},
		"content":{"type":"string"},
		"mode":{"enum":["create","overwrite","append"],"description":"create when left out"}}}`, tool.Writes, "")
}

// Call implements tool.Tool.
func (t writer) Call(ctx context.Context, c tool.Call) (tool.Result, error) {
	in := struct {
		Path    string `json:"path"`
		Content string `json:"content"`
		Mode    Mode   `json:"mode"`
	}{Mode: Create}
	if err := json.Unmarshal(c.Arguments, &in); err != nil {
		return tool.Result{}, fmt.Errorf("the arguments cannot be read: %w", err)
	}
	if strings.IndexByte(in.Content, 0) >= 0 {
		return tool.Result{}, errors.New("content: must be text, without NUL")
	}
	info, usage, err := t.store.Write(ctx, c.TenantID, c.EndUser, in.Path, []byte(in.Content), in.Mode)
	if err != nil {
		return tool.Result{}, err
	}
	quota, err := t.store.quota(ctx, c.TenantID)
	if err != nil {
		return tool.Result{}, err
	}
	return tool.Result{Text: fmt.Sprintf("%s is written and has %d bytes. %s", info.Path, info.Bytes, t.store.room(usage, quota))}, nil
}

// room says what is used and what there is.
func (s *Store) room(u Usage, quota int64) string {
	return fmt.Sprintf("Used: %d of %d files, %d of %d bytes.", u.Files, s.limits.OwnerFiles, u.Bytes, quota)
}

type lister struct{ store *Store }

// Spec implements tool.Tool. It taints only where there are names to read, so it says so with each result.
func (lister) Spec() tool.Spec {
	return spec("file_list", listText, `{"type":"object","additionalProperties":false,"properties":{
		"folder":{"type":"string","maxLength":200,"description":"Such as notes/2026; all files when left out"}}}`, tool.Reads, tool.FromFile)
}

// Call implements tool.Tool.
func (t lister) Call(ctx context.Context, c tool.Call) (tool.Result, error) {
	var in struct {
		Folder string `json:"folder"`
	}
	if err := json.Unmarshal(c.Arguments, &in); err != nil {
		return tool.Result{}, fmt.Errorf("the arguments cannot be read: %w", err)
	}
	folder := strings.TrimSuffix(in.Folder, "/")
	if folder == "." {
		folder = ""
	}
	list, err := t.store.List(c.TenantID, c.EndUser, folder)
	if err != nil {
		return tool.Result{}, err
	}
	usage := sum(list)
	if folder != "" {
		if usage, err = t.store.Usage(c.TenantID, c.EndUser); err != nil {
			return tool.Result{}, err
		}
	}
	quota, err := t.store.quota(ctx, c.TenantID)
	if err != nil {
		return tool.Result{}, err
	}
	text := t.store.room(usage, quota)
	if len(list) == 0 {
		return tool.Result{Text: "There are no files here. " + text, Taints: []tool.Taint{}}, nil
	}
	var b strings.Builder
	for i, f := range list {
		if i == maxListed {
			fmt.Fprintf(&b, "and %d more; name a folder to see what is in it\n", len(list)-maxListed)
			break
		}
		fmt.Fprintf(&b, "%s\t%d bytes\t%s\n", f.Path, f.Bytes, f.Modified.UTC().Format(time.RFC3339))
	}
	return tool.Result{Text: b.String() + text, Taints: []tool.Taint{{Kind: tool.FromFile, Source: "file_list"}}}, nil
}
