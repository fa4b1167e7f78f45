package llmtest

import (
	"encoding/json"
	"io/fs"
	"strconv"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// Expect is testdata/expect.json: what the vendor's bytes beside it mean.
type Expect struct {
	// Answers are the *.response.json and *.stream.sse files that are good answers.
	Answers map[string]ExpectAnswer `json:"answers"`
	// Errors are the classes of the error.* files: error.STATUS[-what].json is served with that status, error[-what].stream.sse and error[-what].200.json with 200.
	Errors map[string]llm.Class `json:"errors"`
	// Needle is a text that stands in chat.stream.sse once, inside the string of a text chunk; it is replaced by a very long one.
	Needle string `json:"needle"`
	// Finish is what the frame of chat.stream.sse holds that says why the answer ended: cut before the end of that frame, the answer is not complete.
	Finish string `json:"finish"`
	// Models are the ids in models.json, for providers that list.
	Models []string `json:"models"`
	// Probed are the models of the conformance table, at least one.
	Probed []ExpectModel `json:"conformance"`
	// Embeddings is what embeddings.json holds, for providers that make vectors.
	Embeddings *ExpectVectors `json:"embeddings"`
}

// ExpectVectors is what the vectors of two texts come to.
type ExpectVectors struct {
	Model   string      `json:"model"`
	Vectors [][]float32 `json:"vectors"`
	Input   int64       `json:"input_tokens"`
}

// ExpectAnswer is what one good answer comes to. Calls are written as name(arguments).
type ExpectAnswer struct {
	Text      string           `json:"text"`
	Reasoning string           `json:"reasoning"`
	Calls     []string         `json:"calls"`
	Finish    llm.FinishReason `json:"finish"`
	Model     string           `json:"model"`
	Usage     llm.Usage        `json:"usage"`
}

// required are the fixtures without which a driver's tests say little.
var required = []string{"expect.json", "chat.response.json", "chat.stream.sse", "tools.response.json", "tools.stream.sse", "error.401.json", "error.429.json", "error.stream.sse"}

// requiredClasses are the failures of which each vendor has its own form.
var requiredClasses = []llm.Class{llm.ClassAuth, llm.ClassRateLimit, llm.ClassContext, llm.ClassInvalid, llm.ClassNotFound, llm.ClassOverloaded, llm.ClassServer}

// fixtureSet is the vendor's testdata, read and checked.
type fixtureSet struct {
	files  map[string][]byte
	expect Expect
}

func load(t *testing.T, fixtures fs.FS) *fixtureSet {
	t.Helper()
	set := &fixtureSet{files: map[string][]byte{}}
	entries, err := fs.ReadDir(fixtures, ".")
	if err != nil {
		t.Fatalf("the driver has no fixtures: %v", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		b, err := fs.ReadFile(fixtures, e.Name())
		if err != nil {
			t.Fatal(err)
		}
		set.files[e.Name()] = b
	}
	for _, name := range required {
		if len(set.files[name]) == 0 {
			t.Fatalf("the driver lacks the fixture %s", name)
		}
	}
	if err := json.Unmarshal(set.files["expect.json"], &set.expect); err != nil {
		t.Fatalf("expect.json: %v", err)
	}
	set.check(t)
	return set
}

// check makes sure that every file has an expectation and that the files can carry the tests that are made of them.
func (s *fixtureSet) check(t *testing.T) {
	t.Helper()
	classes := map[llm.Class]bool{}
	for name := range s.files {
		_, good := s.expect.Answers[name]
		class, bad := s.expect.Errors[name]
		if !good && !bad && name != "expect.json" && name != "models.json" && name != "embeddings.json" {
			t.Errorf("expect.json does not say what %s means", name)
		}
		classes[class] = true
	}
	for _, c := range requiredClasses {
		if !classes[c] {
			t.Errorf("no error fixture is of the class %s", c)
		}
	}
	if len(s.expect.Probed) == 0 {
		t.Error("expect.json names no model for the conformance table")
	}
	stream := string(s.files["chat.stream.sse"])
	if s.expect.Needle == "" || strings.Count(stream, s.expect.Needle) != 1 {
		t.Fatal("the needle does not stand in chat.stream.sse exactly once")
	}
	if s.expect.Finish == "" || !strings.Contains(stream, s.expect.Finish) {
		t.Fatal("chat.stream.sse does not hold what expect.json calls its finish")
	}
	if len(stream) == len([]rune(stream)) {
		t.Error("chat.stream.sse has no character of several bytes, so that none can be cut in two")
	}
}

// complete is the length of chat.stream.sse up to and with the line that finishes the answer.
func (s *fixtureSet) complete() int {
	stream := string(s.files["chat.stream.sse"])
	at := strings.Index(stream, s.expect.Finish)
	return at + strings.Index(stream[at:], "\n")
}

// statusOf reads the status out of a name like error.429.json; streams have 200.
func statusOf(name string) int {
	part, _, _ := strings.Cut(strings.TrimPrefix(name, "error."), ".")
	part, _, _ = strings.Cut(part, "-")
	if n, err := strconv.Atoi(part); err == nil {
		return n
	}
	return 200
}
