package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Problem says what is wrong with one setting and what to write instead. It never repeats a secret.
type Problem struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Validate returns every problem of the settings at once, or nothing. It reads no file and asks no network; CheckFiles does the former.
func (s *Settings) Validate() []Problem {
	var c checker
	s.checkListener(&c)
	s.checkStore(&c)
	s.checkLimits(&c)
	s.checkModels(&c)
	s.checkRouting(&c)
	s.checkProviders(&c)
	return c.problems
}

// CheckFiles returns a problem for each file that the settings name and that cannot be read.
func (s *Settings) CheckFiles() []Problem {
	var c checker
	c.readable("tls_cert", s.TLSCert)
	c.readable("tls_key", s.TLSKey)
	c.readable("prices_file", s.PricesFile)
	for _, name := range s.ProviderNames() {
		c.readable("providers."+name+".api_key_file", s.Providers[name].APIKeyFile)
	}
	return c.problems
}

type checker struct{ problems []Problem }

func (c *checker) bad(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{field, fmt.Sprintf(format, args...)})
}

func (c *checker) readable(field, path string) {
	if path == "" {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		c.bad(field, "%v", err)
		return
	}
	_ = f.Close()
}

func (s *Settings) checkListener(c *checker) {
	host, ok := c.hostPort("addr", s.Addr)
	if ok && !loopback(host) && s.TLSCert == "" && !s.BehindProxy {
		c.bad("addr", "%s can be reached from other machines, and keys would cross the network unencrypted: set tls_cert and tls_key, or behind_proxy when a proxy in front ends TLS",
			s.Addr)
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		missing, given := "tls_key", "tls_cert"
		if s.TLSCert == "" {
			missing, given = given, missing
		}
		c.bad(missing, "%s is set, so this is needed too", given)
	}
	if s.MetricsAddr != "" {
		if _, ok := c.hostPort("metrics_addr", s.MetricsAddr); ok && s.MetricsAddr == s.Addr && !strings.HasSuffix(s.Addr, ":0") {
			c.bad("metrics_addr", "is the same as addr; leave it out to have /metrics there, behind the admin key")
		}
	}
	if s.PublicURL != "" {
		c.webURL("public_url", s.PublicURL)
	}
	for i, origin := range s.CORSOrigins {
		if origin != "*" && !isOrigin(origin) {
			c.bad("cors_origins["+strconv.Itoa(i)+"]", "%q is not an origin: write scheme, host and port only, such as https://app.example.com", origin)
		}
	}
}

func (c *checker) hostPort(field, addr string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		c.bad(field, "%q is not host:port, such as 127.0.0.1:8787", addr)
		return "", false
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		c.bad(field, "port %q is not a number from 0 to 65535", port)
		return "", false
	}
	return host, true
}

// loopback is true only for names and addresses that certainly stay on this machine; looking others up would make the answer depend on the network.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (c *checker) webURL(field, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		c.bad(field, "is not an address such as https://assistant.example.com")
	case u.User != nil:
		c.bad(field, "holds a user name or password; leave them out")
	case u.RawQuery != "" || u.Fragment != "":
		c.bad(field, "has a query or fragment; leave it out")
	}
}

func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && text == u.Scheme+"://"+u.Host
}

func (s *Settings) checkStore(c *checker) {
	if u, err := url.Parse(string(s.RedisURL)); s.RedisURL != "" && (err != nil || u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix") {
		c.bad("redis_url", "is not redis://host:6379/0, rediss://:password@host:6380/0 or unix:///path/redis.sock; leave it out for one server alone")
	}
	if s.DatabaseURL == "" {
		if s.DataDir == "" {
			c.bad("data_dir", "is empty, and neither HOME nor XDG_DATA_HOME says where a user's data goes: set it")
		}
		return
	}
	u, err := url.Parse(string(s.DatabaseURL))
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		c.bad("database_url", "is not postgres://user:password@host:port/database; leave it out for SQLite")
	}
}

func (s *Settings) checkLimits(c *checker) {
	const least, most = 1 << 10, 1 << 30
	if s.MaxBodyBytes < least || s.MaxBodyBytes > most {
		c.bad("max_body_bytes", "%s is not between %s and %s", formatBytes(s.MaxBodyBytes), formatBytes(least), formatBytes(most))
	}
	for _, d := range []struct {
		field string
		value time.Duration
		zero  bool // whether zero has a meaning
	}{
		{"drain_timeout", s.DrainTimeout, true},
		{"session_wait", s.SessionWait, true},
		{"run_retention", s.RunRetention, false},
		{"cache_ttl", s.CacheTTL, true},
		{"session_retention", s.SessionRetention, true},
		{"approval_wait", s.ApprovalWait, false},
		{"stream_write_timeout", s.StreamWriteTimeout, false},
		{"idempotency_ttl", s.IdempotencyTTL, false},
	} {
		if d.value < 0 || (d.value == 0 && !d.zero) {
			c.bad(d.field, "%s is not a positive duration", formatDuration(d.value))
		}
	}
}

func (s *Settings) checkModels(c *checker) {
	for _, name := range slices.Sorted(maps.Keys(s.Models)) {
		field := "models." + name
		switch {
		case name == "" || strings.ContainsAny(name, "/ "):
			c.bad(field, "another name for a model has no slash and no space")
		case name == "default":
			c.bad(field, "is taken: it stands for the tenant's default model; see default_model")
		case name == "auto":
			c.bad(field, "is taken: it means that a model is chosen; see auto_weak and auto_strong")
		case !isModelID(s.Models[name]):
			c.bad(field, "%q is not provider/model", s.Models[name])
		}
	}
	if _, alias := s.Models[s.DefaultModel]; s.DefaultModel != "" && s.DefaultModel != "auto" && !alias && !isModelID(s.DefaultModel) {
		c.bad("default_model", "%q is neither provider/model, nor auto, nor a name from models", s.DefaultModel)
	}
}

// checkRouting looks at the models behind auto and after a failure.
func (s *Settings) checkRouting(c *checker) {
	model := func(field, name string) {
		if _, alias := s.Models[name]; name != "" && !alias && !isModelID(name) {
			c.bad(field, "%q is neither provider/model nor a name from models", name)
		}
	}
	model("auto_weak", s.AutoWeak)
	model("auto_strong", s.AutoStrong)
	for i, name := range s.FallbackModels {
		model("fallback_models["+strconv.Itoa(i)+"]", name)
	}
	if s.StrongShare < 0 || s.StrongShare > 1 {
		c.bad("strong_share", "%g is not from 0 to 1", s.StrongShare)
	}
}

func isModelID(id string) bool {
	provider, model, ok := strings.Cut(id, "/")
	return ok && provider != "" && model != "" && !strings.ContainsAny(id, " \t\n")
}

var providerName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

func (s *Settings) checkProviders(c *checker) {
	taken := map[string]string{}
	for _, name := range s.ProviderNames() {
		field, p := "providers."+name, s.Providers[name]
		if !providerName.MatchString(name) {
			c.bad(field, "a provider's name has lower-case letters, digits, - and _ only")
		}
		if other, ok := taken[EnvName(name)]; ok {
			c.bad(field, "cannot be told from %s in the name of a variable; rename one", other)
		}
		taken[EnvName(name)] = name
		if p.BaseURL != "" {
			c.webURL(field+".base_url", p.BaseURL)
		}
		if p.APIKey != "" && p.APIKeyFile != "" {
			c.bad(field+".api_key_file", "api_key is set too; keep one of them")
		}
		if _, err := splitKeys(string(p.APIKey)); err != nil {
			c.bad(field+".api_key", "%v", err)
		}
		for _, d := range []struct {
			name  string
			value time.Duration
		}{
			{"connect_timeout", p.ConnectTimeout}, {"first_token_timeout", p.FirstTokenTimeout}, {"idle_timeout", p.IdleTimeout}, {"answer_timeout", p.AnswerTimeout},
		} {
			if d.value < 0 {
				c.bad(field+"."+d.name, "%s is not a positive duration", formatDuration(d.value))
			}
		}
	}
}
