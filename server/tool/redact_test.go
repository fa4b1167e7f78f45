package tool

import (
	"encoding/json"
	"strings"
	"testing"
)

const token = "abcDEF0123456789abcDEF0123456789" // stands for the secret part of every credential below

func TestRedactText(t *testing.T) {
	for _, s := range []string{
		"clw_sk_" + token, "key clw_admin_" + token + " end", "sk-" + token, "sk-proj-" + token, "sk-ant-api03-" + token, "sk_live_" + token, "ghp_" + token, "github_pat_" + token,
		"glpat-" + token, "AIza" + token + "xyz", "ya29." + token, "xoxb-1-" + token, "hf_" + token, "SG." + token + "." + token,
		"eyJhbGciOiJIUzI1NiJ9." + token + "." + token, "Authorization: Bearer " + token, "authorization: basic " + token, "postgres://bob:" + token + "@db.example.com/x",
		"password=" + token, `"api_key": "` + token + `"`, "?access_token=" + token + "&x=1", "Cookie: sid=" + token,
		"-----BEGIN RSA PRIVATE KEY-----\n" + token + "\n-----END RSA PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n" + token,
	} {
		if got := RedactText(s); strings.Contains(got, token) || !strings.Contains(got, Redacted) {
			t.Errorf("%q became %q", s, got)
		}
	}
	if got := RedactText("AKIAIOSFODNN7EXAMPLE"); got != Redacted {
		t.Errorf("got %q", got)
	}
	for _, s := range []string{"", "the skill of asking", "a token is 4 characters", "max_tokens: many", "https://example.com:8080/a@b", "task-force-of-the-month", "bearer of news", "1 + 2"} {
		if got := RedactText(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	once := RedactText("password=" + token + " Bearer " + token)
	if RedactText(once) != once {
		t.Errorf("%q changes again", once)
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":"x"}`: `{"b":1,"a":"x"}`,
		` {"n" : 12345678901234567890.10, "t":true}`:         `{"n":12345678901234567890.10,"t":true}`,
		`{"password":"x","Api-Key":"y","user":"z"}`:          `{"password":"[redacted]","Api-Key":"[redacted]","user":"z"}`,
		`{"auth":{"user":"a","n":1,"l":["b",null,true,""]}}`: `{"auth":{"user":"[redacted]","n":"[redacted]","l":["[redacted]",null,true,""]}}`,
		`{"max_tokens":5,"tokens":7,"access_token":"q"}`:     `{"max_tokens":5,"tokens":7,"access_token":"[redacted]"}`,
		`{"q":"use sk-` + token + ` now"}`:                   `{"q":"use [redacted] now"}`,
		`["Bearer ` + token + `"]`:                           `["Bearer [redacted]"]`,
		`{"sk-` + token + `":1}`:                             `{"[redacted]":1}`,
		`{"a":1,"a":"clw_sk_` + token + `"}`:                 `{"a":1,"a":"[redacted]"}`,
		`{"html":"<b>&"}`:                                    `{"html":"<b>&"}`,
		`"x"`:                                                `"x"`,
		``:                                                   ``,
		`{"a": password=` + token:                            `"{\"a\": password=[redacted]"`,
	} {
		got := string(Redact(json.RawMessage(in)))
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
		if in != "" && !json.Valid([]byte(got)) {
			t.Errorf("%s became no JSON: %s", in, got)
		}
	}
}

func TestRedactURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://example.com/a?q=1&lang=de#frag":               "https://example.com/a?q=1&lang=de",
		"https://bob:pw@example.com/":                          "https://example.com/",
		"https://example.com/?api_key=" + token + "&q=a%20b":   "https://example.com/?api_key=%5Bredacted%5D&q=a%20b",
		"https://example.com/?q=sk-" + token:                   "https://example.com/?q=%5Bredacted%5D",
		"https://example.com/?X-Amz-Signature=abc&key=1&sig=2": "https://example.com/?X-Amz-Signature=%5Bredacted%5D&key=%5Bredacted%5D&sig=%5Bredacted%5D",
		"https://example.com/?%ff=1&a=%zz":                     "https://example.com/?%ff=1&a=%5Bredacted%5D",
		"https://example.com/ghp_" + token + "/x":              "https://example.com/[redacted]/x",
		"://": "",
	} {
		if got := RedactURL(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add([]byte(`{"a":["b",{"token":1e5}],"c":null}`))
	f.Add([]byte(`{"a":`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := Redact(raw)
		if len(strings.TrimSpace(string(raw))) > 0 && !json.Valid(got) {
			t.Errorf("%q became %q", raw, got)
		}
		if json.Valid(raw) && strings.Contains(string(got), "[redacted]") == false {
			var before, after any
			if json.Unmarshal(raw, &before) != nil || json.Unmarshal(got, &after) != nil {
				t.Errorf("%q became %q", raw, got)
			}
		}
	})
}
