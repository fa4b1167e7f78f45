package tools

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/tools/executions"
)

func TestStatementsNameTheirTenant(t *testing.T) { dbtest.Lint(t) }

// endpoint is a real endpoint that says what it got.
func endpoint(t *testing.T) (url string, got func() []string) {
	t.Helper()
	var mu sync.Mutex
	var list []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, r.RequestURI, r.Header.Get("Authorization"), b)))
		mu.Unlock()
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://localhost:1/x?token=zzz", http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"auth":%q}`, r.Header.Get("Authorization"))
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

func definition(name, url, more string) string {
	return fmt.Sprintf(`{"name":%q,"description":"d","url":%q%s}`, name, url, more)
}

const orderSchema = `,"parameters":{"type":"object","properties":{"id":{"type":"string"}},"required":["id"],"additionalProperties":false}`

// TestLifeOfATool: defined, shown without its secret, offered, called with it, changed under its version, disabled, deleted; each change audited and felt at once.
func TestLifeOfATool(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		url, got := endpoint(t)
		var made ServerToolBody
		a := r.want(201, &made, "POST", "/v1/tools", definition("order", url+"/orders/{id}", orderSchema+`,"auth":"bearer","secret":"`+secret+`"`))
		if made.HTTP == nil || !made.HTTP.HasSecret || made.HTTP.SecretLast4 != "0042" || made.Effect != "send" || made.Status != "active" || made.HTTP.Method != "POST" || made.HTTP.TimeoutMS != 30_000 ||
			made.HTTP.MaxBytes != 65_536 || !made.Offered || a.header.Get("ETag") == "" {
			t.Errorf("%s %v", a.body, a.header)
		}
		var sealed string
		r.read(readSealed, &sealed, db.Args{"id": made.ID})
		if strings.Contains(sealed, secret) || sealed == "" {
			t.Errorf("stored: %s", sealed)
		}
		for _, path := range []string{"/v1/tools/" + made.ID, "/v1/tools/order", "/v1/tools"} {
			r.want(200, nil, "GET", path, "")
		}
		if r.offered()[0] != "order" {
			t.Errorf("offered: %v", r.offered())
		}
		res, err := r.call("order", `{"id":"7"}`)
		if err != nil || got()[0] != "POST /orders/7 Bearer "+secret+" {}" || res.Text != `HTTP 200 OK`+"\n\n"+`{"auth":"Bearer [secret]"}` {
			t.Errorf("%v %v %v", res, err, got())
		}
		if _, err := r.call("order", `{"id":7}`); err == nil || len(got()) != 1 {
			t.Errorf("arguments that the schema refuses: %v", err)
		}
		old := r.get("order")
		tag := a.header.Get("ETag")
		var changed ServerToolBody
		b := r.want(200, &changed, "PATCH", "/v1/tools/order", `{"description":"new","effect":"read"}`, "If-Match", tag)
		if changed.Description != "new" || changed.Effect != "read" || !changed.HTTP.HasSecret || b.header.Get("ETag") == tag {
			t.Errorf("%s", b.body)
		}
		r.want(412, nil, "PATCH", "/v1/tools/order", `{"description":"newer"}`, "If-Match", tag)
		if _, err := r.run(old, `{"id":"7"}`); err == nil || !strings.Contains(err.Error(), "was changed a moment ago") {
			t.Errorf("the old version: %v", err)
		}
		if _, err := r.call("order", `{"id":"8"}`); err != nil || got()[1] != "POST /orders/8 Bearer "+secret+" {}" {
			t.Errorf("after the change: %v %v", err, got())
		}
		now := r.get("order")
		r.want(200, nil, "PATCH", "/v1/tools/order", `{"status":"disabled"}`)
		if len(r.offered()) != 0 {
			t.Errorf("offered: %v", r.offered())
		}
		if _, err := r.run(now, `{"id":"7"}`); err == nil || !strings.Contains(err.Error(), "not offered any more") {
			t.Errorf("disabled: %v", err)
		}
		r.want(204, nil, "DELETE", "/v1/tools/"+made.ID, "")
		r.want(404, nil, "GET", "/v1/tools/"+made.ID, "")
		if want := []string{"tool.create", "tool.update", "tool.update", "tool.delete"}; !slices.Equal(r.actions(), want) {
			t.Errorf("audit: %v", r.audited())
		}
		if len(got()) != 2 || strings.Contains(r.log.String(), secret) {
			t.Errorf("%v %s", got(), r.log)
		}
	})
}

// TestSecretsStay: a secret goes to the host and in the way for which it was given, whoever changes the tool; one that was tampered with or belongs to another row opens nothing.
func TestSecretsStay(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		url, got := endpoint(t)
		other, stolen := endpoint(t)
		var one, two ServerToolBody
		r.want(201, &one, "POST", "/v1/tools", definition("one", url+"/a", `,"auth":"bearer","secret":"`+secret+`"`))
		r.want(201, &two, "POST", "/v1/tools", definition("two", other+"/a", `,"auth":"bearer","secret":"another-secret-0123456789"`))
		for _, change := range []string{`{"url":"` + other + `/a"}`, `{"auth":"query","auth_name":"x"}`, `{"url":"https://api.example.com/"}`, `{"auth":"none"}`} {
			a := r.do("PATCH", "/v1/tools/one", change)
			if a.status == 200 && !strings.Contains(change, "none") || a.status != 200 && !strings.Contains(string(a.body), `"field":"secret"`) {
				t.Errorf("%s: %d %s", change, a.status, a.body)
			}
		}
		r.want(422, nil, "PATCH", "/v1/tools/one", `{"auth":"bearer"}`)
		r.want(200, nil, "PATCH", "/v1/tools/one", `{"auth":"bearer","secret":"`+secret+`"}`)
		r.want(200, nil, "PATCH", "/v1/tools/one", `{"url":"`+url+`/b"}`)
		if _, err := r.call("one", `{}`); err != nil || len(got()) != 1 || got()[0] != "POST /b Bearer "+secret+" {}" {
			t.Errorf("%v %v", err, got())
		}
		var sealed string
		r.read(readSealed, &sealed, db.Args{"id": one.ID})
		flipped := []byte(sealed)
		flipped[len(flipped)/2] ^= 1
		for what, text := range map[string]string{"moved to another tool": sealed, "cut": sealed[:20], "changed": string(flipped), "plain": secret} {
			r.exec(writeSeal, db.Args{"id": two.ID, "secret": text})
			r.set.Forget(r.a)
			if _, err := r.call("two", `{}`); err == nil || !strings.Contains(err.Error(), "secret cannot be opened") || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", what, err)
			}
			var shown ServerToolBody
			if r.want(200, &shown, "GET", "/v1/tools/two", ""); shown.HTTP.SecretLast4 != "" || !shown.HTTP.HasSecret {
				t.Errorf("%s: %+v", what, shown.HTTP)
			}
		}
		if len(stolen()) != 0 {
			t.Errorf("sent: %v", stolen())
		}
		if _, err := r.call("one", `{}`); err != nil {
			t.Errorf("another tool's broken secret: %v", err)
		}
	})
}

// TestDefinitionsRefused: every bad field at once, names that are taken, and no more tools than a tenant may have.
func TestDefinitionsRefused(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		url, _ := endpoint(t)
		for body, field := range map[string]string{
			definition("a b", url, ""):                            "name",
			definition("x", "http://example.com/", ""):            "url",
			definition("x", url, `,"parameters":[]`):              "parameters",
			definition("x", url, `,"parameters":{"type":"list"}`): "parameters",
			definition("x", url, `,"parameters":{"type":"object","properties":{"a":{"$ref":"file:///etc/passwd"}}}`): "parameters",
			definition("x", url+"/{id}", ""):                                           "parameters",
			definition("x", url, `,"auth":"bearer"`):                                   "secret",
			definition("x", url, `,"secret":"abc"`):                                    "auth",
			definition("x", url, `,"auth":"header","secret":"abc"`):                    "auth_name",
			definition("x", url, `,"auth":"basic","secret":"abc"`):                     "secret",
			definition("x", url, `,"timeout_ms":1`):                                    "timeout_ms",
			definition("x", url, `,"method":"TRACE"`):                                  "method",
			definition("x", url, `,"auth":"bearer","secret":"a\r\nb"`):                 "secret",
			definition("x", url, `,"auth":"header","auth_name":"Host","secret":"abc"`): "auth_name",
		} {
			a := r.want(422, nil, "POST", "/v1/tools", body)
			if !strings.Contains(string(a.body), field) {
				t.Errorf("%s: %s", body, a.body)
			}
		}
		a := r.want(422, nil, "POST", "/v1/tools", definition("a b", "ftp://x", `,"auth":"bearer"`))
		for _, field := range []string{`"name"`, `"url"`, `"secret"`} {
			if !strings.Contains(string(a.body), field) {
				t.Errorf("%s is not reported: %s", field, a.body)
			}
		}
	})
}

// TestNamesAndNumbers: names are unique over every source, a tenant has so many tools and no more, and pages of them neither repeat nor miss one.
func TestNamesAndNumbers(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		url, _ := endpoint(t)
		r.want(409, nil, "POST", "/v1/tools", definition("time_now", url, ""))
		r.want(201, nil, "POST", "/v1/tools", definition("x", url, ""))
		r.want(409, nil, "POST", "/v1/tools", definition("x", url, ""))
		r.want(201, nil, "POST", "/v1/tools", definition("x", url, ""), as("key", r.b, "key_2")...)
		r.want(201, nil, "POST", "/v1/tools", definition("y", url, ""))
		r.want(409, nil, "PATCH", "/v1/tools/y", `{"name":"x"}`)
		for i := range MaxTools - 2 {
			r.want(201, nil, "POST", "/v1/tools", definition(fmt.Sprintf("z%02d", i), url, ""))
		}
		r.want(409, nil, "POST", "/v1/tools", definition("one-too-many", url, ""))
		if len(r.offered()) != MaxTools {
			t.Errorf("%d offered", len(r.offered()))
		}
		var names []string
		for path := "/v1/tools?limit=7"; path != ""; {
			var page struct {
				Data []ServerToolBody `json:"data"`
				Next *string          `json:"next_cursor"`
			}
			r.want(200, &page, "GET", path, "")
			for _, b := range page.Data {
				names = append(names, b.Name)
			}
			if path = ""; page.Next != nil {
				path = "/v1/tools?limit=7&cursor=" + *page.Next
			}
		}
		if len(names) != MaxTools+1 || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) || names[0] != "time_now" {
			t.Errorf("%d names: %v", len(names), names)
		}
	})
}

// TestTrial: what people try is validated, run and recorded; what is refused says by which layer.
func TestTrial(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		url, got := endpoint(t)
		r.want(201, nil, "POST", "/v1/tools", definition("order", url+"/orders/{id}", orderSchema+`,"auth":"bearer","secret":"`+secret+`","status":"disabled"`))
		r.want(201, nil, "POST", "/v1/tools", definition("away", url+"/away", ""))
		r.want(201, nil, "POST", "/v1/tools", definition("hidden", "http://127.0.0.1:1/", ""))
		r.want(201, nil, "POST", "/v1/tools", definition("inside", "https://169.254.169.254/latest", ""))
		var trial ToolTrialBody
		r.want(200, &trial, "POST", "/v1/tools/order/test", `{"arguments":{"id":"7"}}`)
		if trial.Status != "done" || trial.HTTPStatus != 200 || !strings.Contains(trial.Result, "[secret]") || trial.Offered || len(trial.Taint) != 1 || trial.ResultBytes != int64(len(trial.Result)) {
			t.Errorf("%+v", trial)
		}
		for _, c := range []struct{ tool, body, status, layer, message string }{
			{"order", `{"arguments":{"id":7}}`, "refused", "arguments", "id"},
			{"order", `{}`, "refused", "arguments", "id: is missing"},
			{"order", ``, "refused", "arguments", "id: is missing"},
			{"away", ``, "refused", "address", "redirects to another host"},
			{"inside", ``, "refused", "address", "may not reach"},
			{"hidden", ``, "failed", "", "no connection"},
		} {
			trial = ToolTrialBody{}
			r.want(200, &trial, "POST", "/v1/tools/"+c.tool+"/test", c.body)
			if trial.Status != c.status || trial.Layer != c.layer || !strings.Contains(trial.Error, c.message) || strings.Contains(trial.Error, "zzz") || trial.Offered != (c.tool == "away" || c.tool == "inside") {
				t.Errorf("%s %s: %+v", c.tool, c.body, trial)
			}
		}
		r.want(409, nil, "POST", "/v1/tools/time_now/test", "")
		r.want(404, nil, "POST", "/v1/tools/nothing/test", "")
		r.want(404, nil, "POST", "/v1/tools/order/test", "", as("key", r.b, "key_2")...)
		if len(got()) != 2 {
			t.Errorf("sent: %v", got())
		}
		var page struct {
			Data []executions.ToolExecutionBody `json:"data"`
		}
		r.want(200, &page, "GET", "/v1/tool-executions", "")
		if len(page.Data) != 7 || page.Data[0].Status != "failed" || page.Data[1].Decision != "denied" || page.Data[1].Layer != "address" || page.Data[6].Status != "done" ||
			string(page.Data[6].Arguments) != `{"id":"7"}` || page.Data[6].RunID != "" || page.Data[6].SessionID != "" {
			t.Errorf("%+v", page.Data)
		}
		r.want(200, &page, "GET", "/v1/tool-executions", "", as("key", r.b, "key_2")...)
		if len(page.Data) != 0 {
			t.Error("another tenant sees executions")
		}
	})
}

// TestReplicas: what one server changes, another does not call any more, though it remembers it.
func TestReplicas(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		url, got := endpoint(t)
		r.want(201, nil, "POST", "/v1/tools", definition("one", url, ""))
		other := r.replica()
		if _, err := other.call("one", `{}`); err != nil {
			t.Fatal(err)
		}
		r.want(200, nil, "PATCH", "/v1/tools/one", `{"status":"disabled"}`)
		if _, err := other.call("one", `{}`); err == nil || !strings.Contains(err.Error(), "not offered any more") {
			t.Errorf("disabled elsewhere: %v", err)
		}
		r.want(200, nil, "PATCH", "/v1/tools/one", `{"status":"active"}`)
		if _, err := other.call("one", `{}`); err == nil || !strings.Contains(err.Error(), "changed a moment ago") {
			t.Errorf("changed elsewhere: %v", err)
		}
		if _, err := other.call("one", `{}`); err != nil || len(got()) != 2 {
			t.Errorf("read anew: %v %v", err, got())
		}
	})
}

// TestConcurrentChanges: of changes that name one version exactly one is made.
func TestConcurrentChanges(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		url, _ := endpoint(t)
		tag := r.want(201, nil, "POST", "/v1/tools", definition("one", url, "")).header.Get("ETag")
		var wg sync.WaitGroup
		status := make([]int, 8)
		for i := range status {
			wg.Go(func() {
				status[i] = r.do("PATCH", "/v1/tools/one", fmt.Sprintf(`{"description":"d%d"}`, i), "If-Match", tag).status
			})
		}
		wg.Wait()
		slices.Sort(status)
		if status[0] != 200 || status[1] != 412 || status[7] != 412 {
			t.Errorf("%v", status)
		}
		for i := range status {
			wg.Go(func() {
				status[i] = r.do("PATCH", "/v1/tools/one", fmt.Sprintf(`{"description":"e%d"}`, i)).status
			})
		}
		wg.Wait()
		if slices.Sort(status); status[7] != 200 {
			t.Errorf("without a version: %v", status)
		}
	})
}

// TestNoKey: where there is no encryption key, secrets are refused with what to do, and everything else works.
func TestNoKey(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		url, _ := endpoint(t)
		r.key.Dir = ""
		a := r.want(400, nil, "POST", "/v1/tools", definition("one", url, `,"auth":"bearer","secret":"`+secret+`"`))
		if !strings.Contains(string(a.body), "encryption_key") {
			t.Errorf("%s", a.body)
		}
		r.want(201, nil, "POST", "/v1/tools", definition("one", url, ""))
	})
}

// TestSchemaOrder: a schema comes back with its fields in the order in which they were sent, and numbers as they were.
func TestSchemaOrder(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		url, _ := endpoint(t)
		const schema = `{"type":"object","properties":{"zeta":{"type":"integer","maximum":9007199254740993},"alpha":{"type":"string"}}}`
		r.want(201, nil, "POST", "/v1/tools", definition("one", url, `,"parameters":`+schema))
		var got struct {
			Parameters json.RawMessage `json:"parameters"`
		}
		r.want(200, &got, "GET", "/v1/tools/one", "")
		if string(got.Parameters) != schema {
			t.Errorf("%s", got.Parameters)
		}
	})
}
