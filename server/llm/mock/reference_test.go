package mock

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/reference/mock-models.md again")

// TestReference holds the page of the built-in models to what they are.
func TestReference(t *testing.T) {
	const path = "../../../docs/reference/mock-models.md"
	var b strings.Builder
	b.WriteString("# The built-in models\n\nThey run inside the server, need no key and no network, and count a token for every four characters.\n\n| Model | What it does |\n|---|---|\n")
	for _, m := range Table() {
		b.WriteString("| `mock/" + m.ID + "` | " + m.About + " |\n")
	}
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is stale; write it again with make generate", path)
	}
}

// TestSampleIsBounded: a schema of a kilobyte that branches into itself must not ask for more values than any memory holds.
func TestSampleIsBounded(t *testing.T) {
	props, required := []string{}, []string{}
	for i := range 30 {
		name := string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		props = append(props, `"`+name+`":{"$ref":"#"}`)
		required = append(required, `"`+name+`"`)
	}
	schema := `{"type":"object","properties":{` + strings.Join(props, ",") + `},"required":[` + strings.Join(required, ",") + `]}`
	if out := sample([]byte(schema), "x"); len(out) > 1<<20 {
		t.Errorf("the sample has %d bytes", len(out))
	}
}
