package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestFieldsDescribeThemselves(t *testing.T) {
	flags, vars := map[string]bool{}, map[string]bool{}
	for _, f := range Fields() {
		if f.Name == "" || f.Usage == "" {
			t.Errorf("%+v has no name or no usage", f)
		}
		if strings.HasSuffix(f.Usage, ".") || strings.HasSuffix(f.Note, ".") {
			t.Errorf("%s: a full stop ends its usage or note", f.Name)
		}
		if (f.Value == "") != (f.Kind == KindBool) {
			t.Errorf("%s: every setting but a bool says what the help calls its value, and has %q", f.Name, f.Value)
		}
		if f.Default != "" && f.Note != "" {
			t.Errorf("%s has a default and a note that says another", f.Name)
		}
		if vars[f.Env] || (f.Flag != "" && flags[f.Flag]) {
			t.Errorf("%s shares its flag or variable with another", f.Name)
		}
		vars[f.Env], flags[f.Flag] = true, true
		if f.Secret && f.Flag != "" && f.Name != "database_url" && f.Name != "redis_url" { // its secret part is optional
			t.Errorf("%s is secret and has the flag --%s", f.Name, f.Flag)
		}
		if got, ok := FieldOf(f.Name); !ok || got.Kind != f.Kind {
			t.Errorf("FieldOf(%q) = %+v, %v", f.Name, got, ok)
		}
	}
}

func TestFieldNames(t *testing.T) {
	for _, want := range []Field{
		{Name: "addr", Flag: "addr", Env: "CLAWLESS_ADDR", Kind: KindString, Default: "127.0.0.1:8787"},
		{Name: "max_body_bytes", Flag: "max-body-bytes", Env: "CLAWLESS_MAX_BODY_BYTES", Kind: KindBytes, Default: "20MiB"},
		{Name: "drain_timeout", Flag: "drain-timeout", Env: "CLAWLESS_DRAIN_TIMEOUT", Kind: KindDuration, Default: "30s"},
		{Name: "behind_proxy", Flag: "behind-proxy", Env: "CLAWLESS_BEHIND_PROXY", Kind: KindBool, Default: "false"},
		{Name: "cors_origins", Flag: "cors-origins", Env: "CLAWLESS_CORS_ORIGINS", Kind: KindList},
		{Name: "models", Flag: "models", Env: "CLAWLESS_MODELS", Kind: KindMap},
		{Name: "database_url", Flag: "database-url", Env: "CLAWLESS_DATABASE_URL", Kind: KindString, Secret: true},
		{Name: "providers.openai.api_key", Env: "CLAWLESS_PROVIDERS_OPENAI_API_KEY", Kind: KindString, Secret: true},
		{Name: "providers.my-box.base_url", Env: "CLAWLESS_PROVIDERS_MY_BOX_BASE_URL", Kind: KindString},
	} {
		got, ok := FieldOf(want.Name)
		got.Usage, got.Note, got.Value = "", "", ""
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("FieldOf(%q)\n got %+v, %v\nwant %+v", want.Name, got, ok, want)
		}
	}
	for _, name := range []string{"", "adr", "providers", "providers.openai", "providers..api_key", "providers.openai.apikey", "a.b.c.d", "NAME"} {
		if f, ok := FieldOf(name); ok {
			t.Errorf("FieldOf(%q) = %+v, want none", name, f)
		}
	}
}

func TestSettingOf(t *testing.T) {
	known := []string{"my-box", "ollama"}
	for env, want := range map[string]string{
		"CLAWLESS_ADDR":                         "addr",
		"CLAWLESS_PROVIDERS_OPENAI_API_KEY":     "providers.openai.api_key",
		"CLAWLESS_PROVIDERS_A_B_API_KEY_FILE":   "providers.a_b.api_key_file",
		"CLAWLESS_PROVIDERS_API_KEY_DRIVER":     "providers.api_key.driver",
		"CLAWLESS_PROVIDERS_MY_BOX_BASE_URL":    "providers.my-box.base_url",
		"CLAWLESS_PROVIDERS_WORKERSAI_MODELS":   "providers.workersai.models",
		"CLAWLESS_PROVIDERS_X_ACCOUNT_ID":       "providers.x.account_id",
		"CLAWLESS_PROVIDERS":                    "",
		"CLAWLESS_PROVIDERS_API_KEY":            "",
		"CLAWLESS_PROVIDERS_OPENAI_APIKEY":      "",
		"CLAWLESS_PROVIDERS_openai_API_KEY":     "",
		"CLAWLESS_PROVIDERS_NAME_API_KEY":       "providers.name.api_key",
		"CLAWLESS_ADR":                          "",
		"ADDR":                                  "",
		"CLAWLESS_PROVIDERS_OPENAI_API_KEY_OLD": "",
	} {
		got, ok := SettingOf(env, known)
		if got != want || ok != (want != "") {
			t.Errorf("SettingOf(%q) = %q, %v, want %q", env, got, ok, want)
		}
	}
}

// FuzzEnvRoundTrip checks that the variable of a provider's setting leads back to it, whatever the provider is called.
func FuzzEnvRoundTrip(f *testing.F) {
	for _, name := range []string{"openai", "my-box", "a_b", "api_key", "api", "x_api_key", "key_file", "name", "0", "base_url_driver"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, provider string) {
		if !providerName.MatchString(provider) {
			t.Skip("no name of a provider")
		}
		for _, field := range Fields() {
			if !strings.Contains(field.Name, AnyName) {
				continue
			}
			name := strings.Replace(field.Name, AnyName, provider, 1)
			if got, ok := SettingOf(EnvName(name), []string{provider}); !ok || got != name {
				t.Errorf("%s became %s, which names %q", name, EnvName(name), got)
			}
			plain := strings.ReplaceAll(name, "-", "_") // what a provider comes to that only variables configure
			if got, ok := SettingOf(EnvName(name), nil); !ok || got != plain {
				t.Errorf("without known names, %s leads to %q, want %q", EnvName(name), got, plain)
			}
		}
	})
}

func TestDefault(t *testing.T) {
	want := Settings{
		Addr:               "127.0.0.1:8787",
		LogLevel:           "info",
		LogFormat:          "text",
		MaxBodyBytes:       20 << 20,
		DrainTimeout:       30 * time.Second,
		StrongShare:        0.3,
		DiscoverOllama:     true,
		SessionWait:        30 * time.Second,
		RunRetention:       10 * time.Minute,
		StreamWriteTimeout: 10 * time.Second,
		FilesMaxBytes:      100 << 20,
		CacheTTL:           5 * time.Minute,
		SessionRetention:   30 * 24 * time.Hour,
		ApprovalWait:       5 * time.Minute,
		IdempotencyTTL:     24 * time.Hour,
	}
	if got := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEntriesReadBack(t *testing.T) {
	s := Default()
	s.DatabaseURL = "postgres://u:p@db/x"
	s.CORSOrigins = []string{"https://a.example", "*"}
	s.Models = map[string]string{"fast": "mock/echo"}
	s.MaxBodyBytes = 1500
	s.RunRetention = 90 * time.Second
	s.IdempotencyTTL = time.Hour + time.Millisecond
	s.Providers = map[string]Provider{
		"openai": {Driver: "openai", APIKey: "sk-1234567890", Models: []string{"a", "b"}},
		"box":    {BaseURL: "http://127.0.0.1:1/v1", AccountID: "7", APIKeyFile: "key"},
	}
	var back Settings
	for _, e := range s.Entries() {
		value := e.Value
		switch v := value.(type) {
		case Secret:
			value = string(v)
		case bool:
			value = map[bool]string{true: "true", false: "false"}[v]
		}
		if err := back.Set(e.Name, value); err != nil {
			t.Errorf("%s = %v: %v", e.Name, e.Value, err)
		}
	}
	for name, p := range s.Providers {
		s.Providers[name] = p.WithDefaults() // they are shown, and so they are read
	}
	box := s.Providers["box"]
	if !reflect.DeepEqual(back, s) {
		t.Errorf("read back\n got %+v\nwant %+v (box %+v)", back, s, box)
	}
	names := s.Entries()
	if names[len(names)-20].Name != "providers.box.driver" {
		t.Errorf("providers come last and by name; got %s", names[len(names)-20].Name)
	}
}

func TestSet(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value any
		want  any
		err   string
	}{
		{"addr", ":80", ":80", ""},
		{"log_level", "debug", "debug", ""},
		{"log_level", "loud", nil, `"loud" is not one of debug, info, warn, error`},
		{"behind_proxy", "yes", true, ""},
		{"behind_proxy", "OFF", false, ""},
		{"behind_proxy", "maybe", nil, `"maybe" is not true or false`},
		{"drain_timeout", "1m30s", 90 * time.Second, ""},
		{"drain_timeout", "30", nil, `"30" needs a unit: write 30s for seconds`},
		{"drain_timeout", "soon", nil, `"soon" is not a duration such as 30s, 10m or 24h`},
		{"max_body_bytes", "1.5MiB", int64(3 << 19), ""},
		{"max_body_bytes", "2 kb", int64(2000), ""},
		{"max_body_bytes", "7B", int64(7), ""},
		{"max_body_bytes", "1GiB", int64(1 << 30), ""},
		{"max_body_bytes", "1048576", int64(1 << 20), ""},
		{"max_body_bytes", "0.3B", nil, `"0.3B" is not a size such as 20MiB, 500KB or 1048576`},
		{"max_body_bytes", "much", nil, `"much" is not a size such as 20MiB, 500KB or 1048576`},
		{"max_body_bytes", "1e300GiB", nil, `"1e300GiB" is not a size such as 20MiB, 500KB or 1048576`},
		{"max_body_bytes", "NaN", nil, `"NaN" is not a size such as 20MiB, 500KB or 1048576`},
		{"cors_origins", " a , ,b", []string{"a", "b"}, ""},
		{"cors_origins", []string{"a,b"}, []string{"a,b"}, ""},
		{"cors_origins", map[string]string{}, nil, "is a list, such as a,b"},
		{"models", "a=x/y, b = z/w", map[string]string{"a": "x/y", "b": "z/w"}, ""},
		{"models", "a", nil, `"a" is not NAME=VALUE`},
		{"models", []string{"a"}, nil, "is a mapping, such as a=x,b=y"},
		{"addr", []string{"a"}, nil, "is one string, not a list or mapping"},
		{"adr", "x", nil, "there is no setting adr"},
	} {
		var s Settings
		err := s.Set(tt.name, tt.value)
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("Set(%q, %v): error %v, want %s", tt.name, tt.value, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("Set(%q, %v): %v", tt.name, tt.value, err)
			continue
		}
		if got := s.locate(tt.name).Interface(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Set(%q, %v) gave %#v, want %#v", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestDirs(t *testing.T) {
	for _, tt := range []struct {
		goos         string
		env          map[string]string
		data, config string
	}{
		{"linux", map[string]string{"HOME": "/h"}, "/h/.local/share/clawless", "/h/.config/clawless"},
		{"linux", map[string]string{"HOME": "/h", "XDG_DATA_HOME": "/d", "XDG_CONFIG_HOME": "/c"}, "/d/clawless", "/c/clawless"},
		{"linux", map[string]string{"HOME": "/h", "XDG_DATA_HOME": "d", "XDG_CONFIG_HOME": "c"}, "/h/.local/share/clawless", "/h/.config/clawless"},
		{"linux", nil, "", ""},
		{"freebsd", map[string]string{"HOME": "/h"}, "/h/.local/share/clawless", "/h/.config/clawless"},
		{"darwin", map[string]string{"HOME": "/h", "XDG_DATA_HOME": "/d"}, "/h/Library/Application Support/clawless", "/h/Library/Application Support/clawless"},
		{"windows", map[string]string{"AppData": "/a"}, "/a/clawless", "/a/clawless"},
		{"windows", map[string]string{"HOME": "/h"}, "", ""},
	} {
		lookup := func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok }
		if got := DataDir(tt.goos, lookup); got != tt.data {
			t.Errorf("%s %v: DataDir %q, want %q", tt.goos, tt.env, got, tt.data)
		}
		if got := UserConfigDir(tt.goos, lookup); got != tt.config {
			t.Errorf("%s %v: UserConfigDir %q, want %q", tt.goos, tt.env, got, tt.config)
		}
	}
}
