package sdk_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/clawless/clawless/sdk"
)

// TestGeneratedFresh generates the package again and again finds the committed files: they are what the description says, and the generator gives the same each time.
func TestGeneratedFresh(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the generator")
	}
	for _, part := range []string{"types", "client"} {
		committed, err := os.ReadFile(part + ".gen.go")
		if err != nil {
			t.Fatal(err)
		}
		config, err := os.ReadFile("../build/sdkgen/" + part + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		out, own := filepath.Join(t.TempDir(), part+".go"), filepath.Join(t.TempDir(), part+".yaml")
		config = bytes.Replace(config, []byte("output: sdk/"+part+".gen.go"), []byte("output: "+out), 1)
		if err := os.WriteFile(own, config, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=build/go.mod", "oapi-codegen", "-config", own, "openapi/openapi.yaml")
		cmd.Dir = ".."
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, msg)
		}
		fresh, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fresh, committed) {
			t.Errorf("sdk/%s.gen.go is not what openapi/openapi.yaml says: make generate", part)
		}
	}
}

// TestEveryOperation looks for a method for each operation of the description, and one more for each stream and list.
func TestEveryOperation(t *testing.T) {
	doc, err := os.ReadFile("../openapi/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := reflect.TypeFor[*sdk.Client]()
	found := regexp.MustCompile(`(?m)^ +operationId: (\S+)$`).FindAllSubmatch(doc, -1)
	if len(found) < 30 {
		t.Fatalf("%d operations", len(found))
	}
	lists := bytes.Count(doc, []byte("x-page-item:"))
	for _, id := range found {
		var name string
		for word := range strings.SplitSeq(string(id[1]), "-") {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		if _, ok := c.MethodByName(name); !ok {
			t.Errorf("%s has no method %s", id[1], name)
		}
		if _, ok := c.MethodByName(name + "All"); ok {
			lists--
		}
	}
	if _, ok := c.MethodByName("CreateChatCompletionStream"); !ok || lists != 0 {
		t.Errorf("a stream or list has no iterator: %v, %d", ok, lists)
	}
}
