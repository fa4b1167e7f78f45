package tool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// made is a tool for tests.
type made struct {
	spec Spec
	call func(ctx context.Context, c Call) (Result, error)
}

func (m made) Spec() Spec { return m.spec }
func (m made) Call(ctx context.Context, c Call) (Result, error) {
	if m.call == nil {
		return Result{Text: string(c.Arguments)}, nil
	}
	return m.call(ctx, c)
}

func arguments(s string) Call { return Call{Arguments: json.RawMessage(s)} }

const orderSchema = `{"type":"object","required":["city","items"],"additionalProperties":false,"properties":{
	"city":{"type":"string","minLength":2,"maxLength":10,"pattern":"^[A-Z]"},
	"days":{"type":"integer","minimum":1,"maximum":7},
	"unit":{"enum":["c","f"]},
	"items":{"type":"array","minItems":1,"items":{"type":"object","required":["sku"],"properties":{"sku":{"type":"string"},"count":{"type":"integer"}}}},
	"when":{"anyOf":[{"type":"null"},{"type":"string","format":"date"}]}}}`

func TestArgumentsAreHeldAgainstTheSchema(t *testing.T) {
	order := made{spec: Spec{Name: "order", Parameters: json.RawMessage(orderSchema)}}
	for _, c := range []struct {
		arguments string
		want      []string // nothing: accepted
	}{
		{`{"city":"Bonn","items":[{"sku":"a","count":2}],"days":3,"unit":"c"}`, nil},
		{`{"city":"Bonn","items":[{"sku":"a"}],"when":null}`, nil},
		{``, []string{"city: is missing", "items: is missing"}},
		{`null`, []string{"city: is missing"}},
		{`{}`, []string{"city: is missing", "items: is missing"}},
		{`[]`, []string{"must be a JSON object, not a list"}},
		{`"x"`, []string{"must be a JSON object, not a string"}},
		{`7`, []string{"not a number"}},
		{`{"city":`, []string{"must be one valid JSON object; it goes wrong at byte 8 of 8"}},
		{`{} {}`, []string{"must be one valid JSON object"}},
		{"{\"city\":\"\xff\"}", []string{"valid UTF-8"}},
		{`{"city":7,"items":[]}`, []string{"city: must be a string, not a number", "items: must have at least 1 items, not 0"}},
		{`{"city":"bonn","items":[{"count":1.5}],"days":9,"unit":"k","zip":1}`, []string{"city: must match the pattern ^[A-Z]", "items[0].sku: is missing", "items[0].count: must be an integer, not a number",
			"days: must be at most 7", `unit: must be one of "c", "f"`, "zip: is not known; there are city, days, items, unit, when"}},
		{`{"city":"B","items":[{"sku":"a"}],"days":0}`, []string{"city: must have at least 2 characters, not 1", "days: must be at least 1"}},
		{`{"city":"Bonn","items":[{"sku":"a"}],"when":3}`, []string{"when: fits none of its allowed forms", "when: must be null, not a number", "when: must be a string"}},
		{`{"city":"Bonn","items":[{"sku":"a"}],"days":1e999999999}`, []string{"too long a number"}},
		{`{"city":"Bonn","items":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, []string{"nested too deep"}},
		{`{"city":"Bonn","items":[` + strings.Repeat("1,", 200_000) + `1]}`, []string{"too many values"}},
		{`{"city":"` + strings.Repeat("x", MaxArguments) + `"}`, []string{"at most 4194304 bytes"}},
	} {
		result, err := Run(t.Context(), order, arguments(c.arguments))
		if c.want == nil {
			if err != nil || result.Text != c.arguments {
				t.Errorf("%.60s: %v, %q", c.arguments, err, result.Text)
			}
			continue
		}
		var wrong *ArgumentsError
		if !errors.As(err, &wrong) {
			t.Errorf("%.60s: got %v", c.arguments, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%.60s: %q does not say %q", c.arguments, err, w)
			}
		}
	}
}

func TestProblemsAreBoundedAndRepeatNoValue(t *testing.T) {
	order := made{spec: Spec{Name: "order", Parameters: json.RawMessage(orderSchema)}}
	var b strings.Builder
	b.WriteString(`{"city":"hunter2-secret-value","items":[`)
	for range 500 {
		b.WriteString(`{"sku":1},`)
	}
	b.WriteString(`{}],"` + strings.Repeat("n\\n", 3000) + `":1}`)
	_, err := Run(t.Context(), order, arguments(b.String()))
	var wrong *ArgumentsError
	if !errors.As(err, &wrong) || len(wrong.Problems) > maxProblems+1 || len(err.Error()) > 8000 || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("%d bytes: %v", len(fmt.Sprint(err)), err)
	}
	if !strings.Contains(err.Error(), "more") {
		t.Errorf("%v does not say how many more there are", err)
	}
}

// TestSchemaBombs sends what would take years, or the memory, to hold against its schema.
func TestSchemaBombs(t *testing.T) {
	doubling := func(keyword, last string) string {
		var b strings.Builder
		b.WriteString(`{"type":"object","properties":{"x":{"$ref":"#/$defs/d0"}},"$defs":{`)
		for i := range 60 {
			fmt.Fprintf(&b, `"d%d":{%q:[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, keyword, i+1, i+1)
		}
		fmt.Fprintf(&b, `"d60":%s}}`, last)
		return b.String()
	}
	wide := `{"allOf":[` + strings.Repeat(`{"type":"string"},`, 750) + `{}]}`
	long := `{"x":"` + strings.Repeat("a", 1<<20) + `"}`
	many := `{"x":[` + strings.Repeat("[1,2],", 20_000) + `[3]]}`
	for name, c := range map[string]struct{ schema, arguments string }{
		"allOf":           {doubling("allOf", `{"type":"integer"}`), `{"x":1}`},
		"anyOf that fail": {doubling("anyOf", `{"type":"string"}`), `{"x":1}`},
		"oneOf":           {doubling("oneOf", `{"type":"integer"}`), `{"x":1}`},
		"wide leaves":     {doubling("allOf", wide), `{"x":"a"}`},
		"long string":     {doubling("allOf", `{"type":"string","maxLength":9999999}`), long},
		"pattern":         {doubling("allOf", `{"pattern":"(a|b|ab)*c$"}`), long},
		"unique items":    {doubling("allOf", `{"uniqueItems":true}`), many},
		"big pattern":     {`{"type":"object","properties":{"x":{"pattern":"((a{1,99}){1,9}b)+$"}}}`, long},
	} {
		t.Run(name, func(t *testing.T) {
			if err := CheckSchema(json.RawMessage(c.schema)); err != nil {
				t.Fatalf("the schema is refused already: %v", err)
			}
			began := time.Now()
			_, err := Run(t.Context(), made{spec: Spec{Name: "bomb", Parameters: json.RawMessage(c.schema)}}, arguments(c.arguments))
			if err == nil || !strings.Contains(err.Error(), "take too long") {
				t.Errorf("got %.200v", err)
			}
			if took := time.Since(began); took > 20*time.Second { // also with -race on a busy machine; unbounded it is years
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestCheckSchema(t *testing.T) {
	for _, good := range []string{`{"type":"object"}`, orderSchema, `{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"string"}}}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","definitions":{"a":{}},"properties":{"a":{"$ref":"#/definitions/a"}}}`} {
		if err := CheckSchema(json.RawMessage(good)); err != nil {
			t.Errorf("%.80s: %v", good, err)
		}
	}
	for name, bad := range map[string]string{
		"nothing":        ``,
		"no JSON":        `{`,
		"a list":         `[]`,
		"no type":        `{}`,
		"another type":   `{"type":"string"}`,
		"several types":  `{"type":["object","null"]}`,
		"remote ref":     `{"type":"object","properties":{"a":{"$ref":"https://example.com/a.json"}}}`,
		"file ref":       `{"type":"object","properties":{"a":{"$ref":"file:///etc/passwd"}}}`,
		"relative ref":   `{"type":"object","properties":{"a":{"$ref":"other.json"}}}`,
		"missing ref":    `{"type":"object","properties":{"a":{"$ref":"#/$defs/none"}}}`,
		"id and ref":     `{"$id":"https://example.com/x","type":"object","properties":{"a":{"$ref":"y"}}}`,
		"remote dialect": `{"$schema":"https://example.com/dialect","type":"object"}`,
		"invalid":        `{"type":"object","properties":{"a":{"type":"text"}}}`,
		"bad pattern":    `{"type":"object","properties":{"a":{"pattern":"("}}}`,
		"big repetition": `{"type":"object","properties":{"a":{"pattern":"a{1000}"}}}`,
		"long patterns":  `{"type":"object","properties":{"a":{"pattern":"` + strings.Repeat("a", 3000) + `"}}}`,
		"huge number":    `{"type":"object","properties":{"a":{"multipleOf":1e-999999}}}`,
		"deep":           `{"type":"object","properties":{"a":` + strings.Repeat(`{"not":`, 60) + `{}` + strings.Repeat(`}`, 60) + `}}`,
		"many values":    `{"type":"object","enum":[` + strings.Repeat("1,", 2500) + `1]}`,
		"long":           `{"type":"object","description":"` + strings.Repeat("a", MaxSchema) + `"}`,
	} {
		if err := CheckSchema(json.RawMessage(bad)); err == nil {
			t.Errorf("%s is accepted", name)
		} else if len(err.Error()) > 300 {
			t.Errorf("%s: %d bytes of words", name, len(err.Error()))
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, good := range []string{"a", "file_read", "A-1", strings.Repeat("x", 64)} {
		if err := CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a b", "a.b", "ä", "a\n", "a/b", strings.Repeat("x", 65)} {
		if CheckName(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestShelfStaysBounded(t *testing.T) {
	s := shelf{byText: map[string]*compiled{}}
	big := strings.Repeat(`{"type":"string"},`, 900)
	for i := range 80 {
		raw := json.RawMessage(fmt.Sprintf(`{"type":"object","description":"%d","anyOf":[%s{}]}`, i, big))
		if _, err := s.of(raw); err != nil {
			t.Fatal(err)
		}
		if s.nodes > maxCached {
			t.Fatalf("%d values are kept", s.nodes)
		}
	}
	sum := 0
	for _, c := range s.byText {
		sum += c.nodes
	}
	if sum != s.nodes || len(s.byText) < 10 {
		t.Errorf("%d schemas of %d values, counted %d", len(s.byText), sum, s.nodes)
	}
	a, _ := s.of(json.RawMessage(orderSchema))
	if b, _ := s.of(json.RawMessage(orderSchema)); a != b {
		t.Error("a schema is made ready twice")
	}
}

func TestOneToolRunsBesideItself(t *testing.T) {
	order := made{spec: Spec{Name: "order", Parameters: json.RawMessage(orderSchema)}}
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			good := i%2 == 0
			text := `{"city":"Bonn","items":[{"sku":"a"}]}`
			if !good {
				text = `{"city":"bonn","items":[]}`
			}
			if _, err := Run(t.Context(), order, arguments(text)); (err == nil) != good {
				t.Errorf("%s: %v", text, err)
			}
		})
	}
	all.Wait()
}

func TestTimeAndPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := made{spec: Spec{Name: "slow", Timeout: 3 * time.Second}, call: func(ctx context.Context, _ Call) (Result, error) {
			<-ctx.Done()
			return Result{}, errors.New("something else that it says")
		}}
		_, err := Run(t.Context(), slow, Call{})
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "slow took longer than 3s and was stopped" {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err = Run(ctx, slow, Call{}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "was stopped") {
			t.Errorf("got %v", err)
		}
		deaf := make(chan struct{})
		began := time.Now()
		_, err = Run(t.Context(), made{spec: Spec{Name: "deaf", Timeout: time.Second}, call: func(context.Context, Call) (Result, error) {
			<-deaf
			return Result{}, nil
		}}, Call{})
		close(deaf)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second+grace {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		began = time.Now()
		_, err = Run(t.Context(), made{spec: Spec{Name: "default"}, call: func(ctx context.Context, _ Call) (Result, error) {
			<-ctx.Done()
			return Result{}, ctx.Err()
		}}, Call{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != DefaultTimeout {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
	_, err := Run(t.Context(), made{call: func(context.Context, Call) (Result, error) { panic("key sk-secret") }}, Call{})
	var p *PanicError
	if !errors.As(err, &p) || p.Value != "key sk-secret" || !strings.Contains(string(p.Stack), "run_test.go") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestErrorsAreForTheModel(t *testing.T) {
	cause := errors.New("it is closed")
	fails := func(err error) made {
		return made{spec: Spec{Name: "x"}, call: func(context.Context, Call) (Result, error) { return Result{CostMicros: 7}, err }}
	}
	result, err := Run(t.Context(), fails(cause), Call{})
	if !errors.Is(err, cause) || err.Error() != "it is closed" || result.CostMicros != 7 {
		t.Errorf("got %v, %+v", err, result)
	}
	own := fmt.Errorf("the endpoint was slow: %w", context.DeadlineExceeded) // a bound of its own, while the call had time left
	if _, err = Run(t.Context(), fails(own), Call{}); err == nil || !strings.HasPrefix(err.Error(), "the endpoint was slow") {
		t.Errorf("got %v", err)
	}
	long := fmt.Errorf("%w %s\x00\xff", cause, strings.Repeat("é", 5000))
	if _, err = Run(t.Context(), fails(long), Call{}); !errors.Is(err, cause) || len(err.Error()) > maxErrorText || !utf8.ValidString(err.Error()) || strings.Contains(err.Error(), "\x00") {
		t.Errorf("got %d bytes", len(err.Error()))
	}
	if _, err = Run(t.Context(), fails(errors.New("")), Call{}); err.Error() != "x failed" {
		t.Errorf("got %v", err)
	}
}

func TestTaintsOfAResult(t *testing.T) {
	own := []Taint{{FromWeb, "https://example.com/a"}}
	for _, c := range []struct {
		spec   Kind
		result []Taint
		want   string
	}{
		{"", nil, "[]"}, {FromWeb, nil, "[{web x}]"}, {FromWeb, own, "[{web https://example.com/a}]"}, {FromWeb, []Taint{}, "[]"}, {"", own, "[{web https://example.com/a}]"},
	} {
		got, err := Run(t.Context(), made{spec: Spec{Name: "x", Taints: c.spec}, call: func(context.Context, Call) (Result, error) { return Result{Taints: c.result}, nil }}, Call{})
		if err != nil || fmt.Sprint(got.Taints) != c.want {
			t.Errorf("%+v: got %v, %v", c, got.Taints, err)
		}
	}
}

func TestTrimKeepsBothEnds(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	letters := []rune("aé世🙂\n")
	for range 2000 {
		var b strings.Builder
		for range r.IntN(900) {
			b.WriteRune(letters[r.IntN(len(letters))])
		}
		s, most := b.String(), 100+r.IntN(900)
		got := Trim(s, most)
		if len(s) <= most {
			if got != s {
				t.Fatal("a short text was changed")
			}
			continue
		}
		head, rest, _ := strings.Cut(got, "\n\n[… ")
		says, tail, found := strings.Cut(rest, " are left out here …]\n\n")
		if !found || len(got) > most || !utf8.ValidString(got) || !strings.HasPrefix(s, head) || !strings.HasSuffix(s, tail) {
			t.Fatalf("%d of %d bytes: %q", len(got), len(s), got)
		}
		if says != fmt.Sprintf("%d of %d bytes", len(s)-len(head)-len(tail), len(s)) {
			t.Fatalf("it says %q", says)
		}
	}
	result, err := Run(t.Context(), made{spec: Spec{MaxResult: 200}, call: func(context.Context, Call) (Result, error) {
		return Result{Text: "\xff\x00" + strings.Repeat("世", 1000)}, nil
	}}, Call{})
	if err != nil || len(result.Text) > 200 || !utf8.ValidString(result.Text) || strings.Contains(result.Text, "\x00") {
		t.Errorf("%v: %q", err, result.Text)
	}
	result, _ = Run(t.Context(), made{call: func(context.Context, Call) (Result, error) {
		return Result{Text: strings.Repeat("x", DefaultResult+1)}, nil
	}}, Call{})
	if len(result.Text) > DefaultResult || len(result.Text) < DefaultResult-200 {
		t.Errorf("%d bytes", len(result.Text))
	}
}

func TestRegistry(t *testing.T) {
	named := func(name, text string) Tool { return made{spec: Spec{Name: name, Description: text}} }
	r := New(named("b", "1"), named("a", "1"), named("b", "2"))
	more := r.With(named("c", "1"), named("a", "2"))
	list := func(r *Registry) string {
		var out []string
		for _, t := range r.List() {
			out = append(out, t.Spec().Name+t.Spec().Description)
		}
		return strings.Join(out, " ")
	}
	if list(r) != "a1 b1" || list(more) != "a1 b1 c1" {
		t.Errorf("got %s and %s", list(r), list(more))
	}
	if got, ok := more.Get("c"); !ok || got.Spec().Name != "c" {
		t.Error("c is not found")
	}
	if _, ok := r.Get("c"); ok {
		t.Error("With changed its registry")
	}
	var none *Registry
	if _, ok := none.Get("a"); ok || len(none.List()) != 0 || list(none.With(named("a", "1"))) != "a1" {
		t.Error("a nil registry has tools")
	}
}
