package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// valid returns settings without a problem.
func valid() Settings {
	s := Default()
	s.DataDir = "data"
	return s
}

var validateCases = []struct {
	name string
	set  func(*Settings)
	want string // field and a part of the message; empty when there is no problem
}{
	{"defaults", func(*Settings) {}, ""},
	{"loopback v6", func(s *Settings) { s.Addr = "[::1]:0" }, ""},
	{"localhost", func(s *Settings) { s.Addr = "localhost:8787" }, ""},
	{"127.0.0.2", func(s *Settings) { s.Addr = "127.0.0.2:1" }, ""},
	{"all interfaces", func(s *Settings) { s.Addr = ":8787" }, "addr: :8787 can be reached from other machines"},
	{"public", func(s *Settings) { s.Addr = "0.0.0.0:8787" }, "addr: 0.0.0.0:8787 can be reached"},
	{"mapped v4", func(s *Settings) { s.Addr = "[::ffff:10.0.0.1]:1" }, "addr: [::ffff:10.0.0.1]:1 can be reached"},
	{"a name is not looked up", func(s *Settings) { s.Addr = "localhost.example:1" }, "addr: localhost.example:1 can be"},
	{"public behind proxy", func(s *Settings) { s.Addr, s.BehindProxy = "0.0.0.0:80", true }, ""},
	{"public with TLS", func(s *Settings) { s.Addr, s.TLSCert, s.TLSKey = "0.0.0.0:443", "c", "k" }, ""},
	{"no port", func(s *Settings) { s.Addr = "127.0.0.1" }, `addr: "127.0.0.1" is not host:port`},
	{"port too big", func(s *Settings) { s.Addr = "127.0.0.1:65536" }, `addr: port "65536"`},
	{"port by name", func(s *Settings) { s.Addr = "127.0.0.1:http" }, `addr: port "http"`},
	{"cert alone", func(s *Settings) { s.TLSCert = "c" }, "tls_key: tls_cert is set"},
	{"key alone", func(s *Settings) { s.TLSKey = "k" }, "tls_cert: tls_key is set"},
	{"metrics on addr", func(s *Settings) { s.MetricsAddr = s.Addr }, "metrics_addr: is the same as addr"},
	{"metrics elsewhere", func(s *Settings) { s.MetricsAddr = "0.0.0.0:9090" }, ""},
	{"both on a free port", func(s *Settings) { s.Addr, s.MetricsAddr = "127.0.0.1:0", "127.0.0.1:0" }, ""},
	{"public url", func(s *Settings) { s.PublicURL = "https://a.example/x" }, ""},
	{"public url without scheme", func(s *Settings) { s.PublicURL = "a.example" }, "public_url: is not an address"},
	{"public url with query", func(s *Settings) { s.PublicURL = "https://a.example/?x" }, "public_url: has a query"},
	{"public url with password", func(s *Settings) { s.PublicURL = "https://u:geheim@a.example" }, "public_url: holds a user name"},
	{"origins", func(s *Settings) { s.CORSOrigins = []string{"*", "http://127.0.0.1:3000"} }, ""},
	{"origin with path", func(s *Settings) { s.CORSOrigins = []string{"*", "https://a.example/"} }, "cors_origins[1]: "},
	{"postgres", func(s *Settings) { s.DatabaseURL, s.DataDir = "postgres://u:p@h/d", "" }, ""},
	{"mysql", func(s *Settings) { s.DatabaseURL = "mysql://u:geheim@h/d" }, "database_url: is not postgres://"},
	{"redis", func(s *Settings) { s.RedisURL = "rediss://u:p@h:1/0" }, ""},
	{"redis socket", func(s *Settings) { s.RedisURL = "unix:///run/redis.sock?db=0" }, ""},
	{"not redis", func(s *Settings) { s.RedisURL = "http://u:geheim@h/0" }, "redis_url: is not redis://"},
	{"cache off", func(s *Settings) { s.CacheTTL = 0 }, ""},
	{"negative cache", func(s *Settings) { s.CacheTTL = -1 }, "cache_ttl: "},
	{"bad database url", func(s *Settings) { s.DatabaseURL = "postgres://u:geheim%zz@h/d" }, "database_url: is not postgres://"},
	{"no home", func(s *Settings) { s.DataDir = "" }, "data_dir: is empty"},
	{"tiny body", func(s *Settings) { s.MaxBodyBytes = 12 }, "max_body_bytes: 12 is not between 1KiB and 1GiB"},
	{"huge body", func(s *Settings) { s.MaxBodyBytes = 2 << 30 }, "max_body_bytes: 2GiB is not between"},
	{"no drain", func(s *Settings) { s.DrainTimeout = 0 }, ""},
	{"negative drain", func(s *Settings) { s.DrainTimeout = -1 }, "drain_timeout: -1ns is not a positive"},
	{"no retention", func(s *Settings) { s.RunRetention = 0 }, "run_retention: 0s is not a positive"},
	{"alias", func(s *Settings) { s.Models, s.DefaultModel = map[string]string{"fast": "mock/echo"}, "fast" }, ""},
	{"alias with slash", func(s *Settings) { s.Models = map[string]string{"a/b": "mock/echo"} }, "models.a/b: another name"},
	{"alias default", func(s *Settings) { s.Models = map[string]string{"default": "mock/echo"} }, "models.default: is taken"},
	{"alias of alias", func(s *Settings) { s.Models = map[string]string{"a": "b"} }, `models.a: "b" is not provider/model`},
	{"default model", func(s *Settings) { s.DefaultModel = "workersai/@cf/meta/llama-3" }, ""},
	{"default model without provider", func(s *Settings) { s.DefaultModel = "gpt" }, `default_model: "gpt" is neither`},
	{"provider", func(s *Settings) { s.Providers = map[string]Provider{"box-1": {BaseURL: "http://127.0.0.1:1/v1"}} }, ""},
	{"provider's name", func(s *Settings) { s.Providers = map[string]Provider{"Box": {}} }, "providers.Box: a provider's name"},
	{"provider's url", func(s *Settings) { s.Providers = map[string]Provider{"b": {BaseURL: "box"}} }, "providers.b.base_url: is not an address"},
	{"twins", func(s *Settings) { s.Providers = map[string]Provider{"a-b": {}, "a_b": {}} }, "providers.a_b: cannot be told from a-b"},
	{"key twice", func(s *Settings) {
		s.Providers = map[string]Provider{"b": {APIKey: "geheim", APIKeyFile: "f"}}
	}, "providers.b.api_key_file: api_key is set too"},
}

func TestValidate(t *testing.T) {
	for _, tt := range validateCases {
		t.Run(tt.name, func(t *testing.T) {
			s := valid()
			tt.set(&s)
			got := s.Validate()
			if tt.want == "" {
				if len(got) != 0 {
					t.Errorf("got %v, want no problem", got)
				}
				return
			}
			if len(got) != 1 || !strings.HasPrefix(got[0].Field+": "+got[0].Message, tt.want) {
				t.Errorf("got %v, want one that begins with %s", got, tt.want)
			}
			if strings.Contains(fmt.Sprint(got), "geheim") {
				t.Errorf("a problem shows a secret: %v", got)
			}
		})
	}
}

func TestValidateTellsAllAtOnce(t *testing.T) {
	s := Settings{Addr: "x", TLSCert: "c", PublicURL: "y", CORSOrigins: []string{"z"}, DefaultModel: "m", Providers: map[string]Provider{"P": {BaseURL: "q"}}}
	var fields []string
	for _, p := range s.Validate() {
		fields = append(fields, p.Field)
	}
	want := []string{
		"addr", "tls_key", "public_url", "cors_origins[0]", "data_dir", "max_body_bytes", "run_retention", "approval_wait", "stream_write_timeout", "idempotency_ttl", "default_model",
		"providers.P", "providers.P.base_url",
	}
	if !slices.Equal(fields, want) {
		t.Errorf("got  %v\nwant %v", fields, want)
	}
}

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte(" sk-from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := valid()
	s.TLSCert, s.TLSKey = there, filepath.Join(dir, "gone")
	s.Providers = map[string]Provider{"a": {APIKeyFile: there}, "b": {APIKeyFile: filepath.Join(dir, "gone")}}
	got := s.CheckFiles()
	if len(got) != 2 || got[0].Field != "tls_key" || got[1].Field != "providers.b.api_key_file" {
		t.Errorf("got %v", got)
	}
	if keys, err := s.Providers["a"].Keys(); !slices.Equal(keys, []string{"sk-from-a-file"}) || err != nil {
		t.Errorf("keys of the file are %q, %v", keys, err)
	}
	if _, err := s.Providers["b"].Keys(); err == nil {
		t.Error("a missing key file gave no error")
	}
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		text string
		want []string
		err  string
	}{
		{"", nil, ""}, {" , ", nil, ""}, {" sk-1 ", []string{"sk-1"}, ""}, {"sk-1, sk-2,", []string{"sk-1", "sk-2"}, ""}, {"sk-1\r\n\nsk-2\n", []string{"sk-1", "sk-2"}, ""},
		{"sk-geheim\tsk-2", nil, "a key holds a tab"}, {"sk-geheim,sk-2,sk-geheim", nil, "twice"}, {strings.Repeat("x", 40) + "," + numbers(maxKeys), nil, "33 keys are more than 32"},
	} {
		file := filepath.Join(dir, "keys")
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, p := range map[string]Provider{"api_key": {APIKey: Secret(tt.text)}, "api_key_file": {APIKeyFile: file}} {
			keys, err := p.Keys()
			if !slices.Equal(keys, tt.want) || (err != nil) != (tt.err != "") || err != nil && (!strings.HasPrefix(err.Error(), name+": ") || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "geheim")) {
				t.Errorf("%s %q: %q, %v", name, tt.text, keys, err)
			}
		}
		s := valid()
		s.Providers = map[string]Provider{"a": {APIKey: Secret(tt.text)}}
		if problems := s.Validate(); (len(problems) == 1) != (tt.err != "") || len(problems) == 1 && (problems[0].Field != "providers.a.api_key" || strings.Contains(problems[0].Message, "geheim")) {
			t.Errorf("%q: %v", tt.text, problems)
		}
	}
}

func numbers(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i)
	}
	return strings.Join(out, ",")
}

func TestProviderDefaults(t *testing.T) {
	got := Provider{Driver: "openai", FirstTokenTimeout: time.Second}.WithDefaults()
	want := Provider{Driver: "openai", ConnectTimeout: 10 * time.Second, FirstTokenTimeout: time.Second, IdleTimeout: time.Minute, AnswerTimeout: 10 * time.Minute}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	s := valid()
	if s.Providers != nil {
		t.Errorf("a default made the providers %v", s.Providers)
	}
	s.Providers = map[string]Provider{"a": {IdleTimeout: -time.Second}}
	if problems := s.Validate(); len(problems) != 1 || problems[0].Field != "providers.a.idle_timeout" {
		t.Errorf("got %v", problems)
	}
	for _, e := range s.Entries() {
		if e.Name == "providers.a.connect_timeout" && e.Value != "10s" {
			t.Errorf("shown as %v", e.Value)
		}
	}
}

func TestSecretNeverShowsItself(t *testing.T) {
	for secret, want := range map[Secret]string{
		"":                                      "",
		"short":                                 "****",
		"elevenchars":                           "****",
		"sk-abcdefghijklWXYZ":                   "****WXYZ",
		"postgres://u:geheim@db.example:5432/x": "postgres://u:****@db.example:5432/x",
		"postgres://u@db/x":                     "postgres://u@db/x",
		"postgres://db/x?password=geheim&sslmode=require":          "postgres://db/x?****",
		"host=db user=u password=geheim dbname=x sslmode=disabled": "****bled",
	} {
		if got := secret.String(); got != want {
			t.Errorf("%q is shown as %q, want %q", string(secret), got, want)
		}
	}
	s := Settings{DatabaseURL: "postgres://u:geheim@h/d", Providers: map[string]Provider{"p": {APIKey: "geheim-geheim-geheim-wort"}}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "settings", s, "key", s.Providers["p"].APIKey)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "settings", s, "key", s.Providers["p"].APIKey)
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %q %v", s, s, s.DatabaseURL, &s), fmt.Sprintf("%x", s.Providers["p"].APIKey), log.String(), string(data)} {
		if strings.Contains(text, "geheim") || strings.Contains(text, fmt.Sprintf("%x", "geheim")) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}

func BenchmarkFields(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Fields()
	}
}
