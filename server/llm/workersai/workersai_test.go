package workersai

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/llmtest"
)

const account = "0123456789abcdef0123456789abcdef"

func TestExercise(t *testing.T) { llmtest.Exercise(t, Driver, os.DirFS("testdata")) }

func FuzzAnswers(f *testing.F) { llmtest.Fuzz(f, Driver, os.DirFS("testdata")) }

func TestPaths(t *testing.T) {
	var paths []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.Method+" "+r.URL.Path)
		if r.Header.Get("Authorization") != "Bearer tok" {
			t.Errorf("headers %v", r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"success":true,"result":[],"data":[]}`)
			return
		}
		_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}`)
	}))
	defer srv.Close()
	for _, base := range []string{srv.URL + "/client/v4", srv.URL + "/client/v4/", srv.URL + "/gateway/workers-ai/v1"} {
		p, err := Driver.New(llm.Config{Name: "cf", BaseURL: base, APIKey: "tok", AccountID: account})
		if err != nil {
			t.Fatal(err)
		}
		if a := llmtest.Collect(t, p.Stream(t.Context(), &llm.Request{Model: "@cf/meta/llama-3.1-8b-instruct"})); a.Text != "x" {
			t.Errorf("got %+v", a)
		}
		if _, err := p.(llm.ModelLister).Models(t.Context()); err != nil {
			t.Error(err)
		}
	}
	chat, list := "POST /client/v4/accounts/"+account+"/ai/v1/chat/completions", "GET /client/v4/accounts/"+account+"/ai/models/search"
	if want := []string{chat, list, chat, list, "POST /gateway/workers-ai/v1/chat/completions", "GET /gateway/workers-ai/v1/models"}; fmt.Sprint(paths) != fmt.Sprint(want) {
		t.Errorf("got %q", paths)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for name, cfg := range map[string]llm.Config{
		"no key":         {AccountID: account},
		"no account":     {APIKey: "tok"},
		"a path in it":   {APIKey: "tok", AccountID: "../../other"},
		"a bad base URL": {APIKey: "tok", AccountID: account, BaseURL: "cloudflare"},
	} {
		if p, err := Driver.New(cfg); err == nil || strings.Contains(err.Error(), "tok ") {
			t.Errorf("%s: got %v, %v", name, p, err)
		}
	}
}

func TestModelPages(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := map[string]int{"1": perPage, "2": 3}[r.URL.Query().Get("page")]
		one := fmt.Sprintf(`{"name":"@cf/maker/model-%s","task":{"name":"Text Generation"},"properties":[{"property_id":"context_window","value":"8192"},{"property_id":"price","value":[{"unit":"per M"}]}]}`, r.URL.Query().Get("page"))
		_, _ = io.WriteString(w, `{"success":true,"result":[`+strings.TrimSuffix(strings.Repeat(one+",", n), ",")+`]}`)
	}))
	defer srv.Close()
	p, err := Driver.New(llm.Config{Name: "cf", BaseURL: srv.URL, APIKey: "tok", AccountID: account})
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.(llm.ModelLister).Models(t.Context())
	if err != nil || len(list) != perPage+3 || list[0].ContextWindow != 8192 || list[0].OwnedBy != "maker" || list[perPage].ID != "@cf/maker/model-2" {
		t.Errorf("%d models, %v", len(list), err)
	}
}
