package files

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clawless/clawless/server/tool"
)

func run(t *testing.T, s *Store, name string, arguments any) (tool.Result, error) {
	t.Helper()
	b, err := json.Marshal(arguments)
	if err != nil {
		t.Fatal(err)
	}
	one, ok := tool.New(Tools(s)...).Get(name)
	if !ok {
		t.Fatalf("there is no tool %s", name)
	}
	return tool.Run(t.Context(), one, tool.Call{TenantID: tenant, EndUser: user, Arguments: b})
}

type object = map[string]any

func TestTools(t *testing.T) {
	s := New(t.TempDir(), Limits{OwnerBytes: 1000, OwnerFiles: 10})
	for _, c := range []struct {
		tool      string
		arguments object
		want      string
		taint     string
	}{
		{"file_list", object{}, "There are no files here. Used: 0 of 10 files, 0 of 1000 bytes.", ""},
		{"file_write", object{"path": "notes/a.md", "content": "héllo"}, "notes/a.md is written and has 6 bytes. Used: 1 of 10 files, 6 of 1000 bytes.", ""},
		{"file_write", object{"path": "notes/a.md", "content": "!", "mode": "append"}, "has 7 bytes", ""},
		{"file_read", object{"path": "notes/a.md"}, "notes/a.md, 7 bytes\n\nhéllo!", "file notes/a.md"},
		{"file_read", object{"path": "notes/a.md", "limit": 2}, "notes/a.md, 7 bytes, here 0 to 1; read on with offset 1\n\nh", "file notes/a.md"},
		{"file_read", object{"path": "notes/a.md", "offset": 2}, "here 3 to the end\n\nllo!", "file notes/a.md"},
		{"file_list", object{}, "notes/a.md\t7 bytes\t", "file file_list"},
		{"file_list", object{"folder": "notes/"}, "notes/a.md\t7 bytes\t", "file file_list"},
		{"file_list", object{"folder": "other"}, "There are no files here. Used: 1 of 10 files, 7 of 1000 bytes.", ""},
	} {
		r, err := run(t, s, c.tool, c.arguments)
		taint := ""
		for _, x := range r.Taints {
			taint += string(x.Kind) + " " + x.Source
		}
		if err != nil || !strings.Contains(r.Text, c.want) || taint != c.taint {
			t.Errorf("%s %v: %q, %q, %v", c.tool, c.arguments, r.Text, taint, err)
		}
	}
	for _, c := range []struct {
		tool      string
		arguments object
		want      string
	}{
		{"file_read", object{"path": "none"}, "there is no such file; file_list shows those that there are"}, {"file_read", object{"path": "../x"}, "no part may begin with a dot"}, {"file_read", object{"path": "notes/a.md", "offset": 8}, "the file has only 7 bytes"},
		{"file_read", object{"path": "notes"}, "that of a folder"}, {"file_read", object{}, "path: is missing"}, {"file_read", object{"path": "a", "offset": -1}, "offset: must be at least 0"},
		{"file_write", object{"path": "notes/a.md", "content": "x"}, "is there already"}, {"file_write", object{"path": "/etc/passwd", "content": "x"}, "must be relative"}, {"file_write", object{"path": "a", "content": "a\x00"}, "without NUL"},
		{"file_write", object{"path": "a", "content": strings.Repeat("x", 1001)}, "there is no room left"}, {"file_write", object{"path": "a", "content": "x", "mode": "delete"}, `mode: must be one of "create", "overwrite", "append"`},
		{"file_write", object{"path": "a"}, "content: is missing"}, {"file_list", object{"folder": "../.."}, "no part may begin with a dot"},
	} {
		if r, err := run(t, s, c.tool, c.arguments); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %q, %v", c.tool, c.arguments, r.Text, err)
		}
	}
	if _, _, err := s.Write(t.Context(), tenant, user, "binary", []byte("\xff\xfe"), Create); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, s, "file_read", object{"path": "binary"}); err == nil || !strings.Contains(err.Error(), "is not text") {
		t.Errorf("got %v", err)
	}
	tenantsOwn, err := tool.Run(t.Context(), lister{s}, tool.Call{TenantID: tenant})
	if err != nil || !strings.HasPrefix(tenantsOwn.Text, "There are no files here") {
		t.Errorf("the tenant sees its end user's files: %q, %v", tenantsOwn.Text, err)
	}
}

// TestPartsAreTheWhole reads files in parts of all sizes by following the offsets that the answers name.
func TestPartsAreTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 7))
	letters := []rune("aé世🙂\n")
	for range 300 {
		var b strings.Builder
		for range r.IntN(200) {
			b.WriteRune(letters[r.IntN(len(letters))])
		}
		whole, limit := b.String(), 1+r.IntN(50)
		var got strings.Builder
		for from, parts := 0, 0; ; parts++ {
			text, err := part("f", []byte(whole), from, limit)
			if err != nil || parts > len(whole)+1 {
				t.Fatalf("%q, %v", text, err)
			}
			head, piece, _ := strings.Cut(text, "\n\n")
			if !utf8.ValidString(piece) || len(piece) > max(limit, utf8.UTFMax) {
				t.Fatalf("%q of at most %d", piece, limit)
			}
			got.WriteString(piece)
			_, next, more := strings.Cut(head, "offset ")
			if !more {
				break
			}
			if _, err := fmt.Sscan(next, &from); err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != whole {
			t.Fatalf("%q became %q", whole, got.String())
		}
	}
}

func TestLongLists(t *testing.T) {
	s := New(t.TempDir(), Limits{OwnerFiles: 600})
	for i := range 510 {
		if _, _, err := s.Write(t.Context(), tenant, user, fmt.Sprintf("f%03d", i), nil, Create); err != nil {
			t.Fatal(err)
		}
	}
	r, err := run(t, s, "file_list", object{})
	if err != nil || strings.Count(r.Text, "\tbytes")+strings.Count(r.Text, " bytes\t") != maxListed || !strings.Contains(r.Text, "and 10 more") {
		t.Errorf("%.300q, %v", r.Text, err)
	}
}

func TestSpecs(t *testing.T) {
	want := map[string]struct {
		effect tool.Effect
		taints tool.Kind
	}{"file_read": {tool.Reads, tool.FromFile}, "file_write": {tool.Writes, ""}, "file_list": {tool.Reads, tool.FromFile}}
	for _, one := range Tools(New(t.TempDir(), Limits{})) {
		s := one.Spec()
		w, ok := want[s.Name]
		if !ok || s.Effect != w.effect || s.Taints != w.taints || tool.CheckName(s.Name) != nil || tool.CheckSchema(s.Parameters) != nil || len(s.Description) < 50 || s.Source != tool.BuiltIn {
			t.Errorf("%+v", s)
		}
	}
}
