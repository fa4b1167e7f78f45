// Package config is the one struct of the server's settings: flags, variables, file keys, defaults and the reference all derive from its tags, and it checks itself.
package config

import (
	"reflect"
	"strings"
	"time"
)

// Settings is everything an operator can set. A field's tags are its whole definition: `name` is the key in the file, from which the flag (--some-name) and the
// variable (CLAWLESS_SOME_NAME) derive; `default`, `usage`, `value` (what the help calls the value), `type` (when the Go type does not say it), `oneof` and `note` (a default that is worked out) do the rest.
// A field of type Secret has no flag, because a command line is visible to every user of the machine; `flag:"yes"` makes an exception where the secret part is optional.
type Settings struct {
	Addr        string `name:"addr" value:"HOST:PORT" default:"127.0.0.1:8787" usage:"host and port to listen on; port 0 takes a free one"`
	PublicURL   string `name:"public_url" value:"URL" usage:"address under which users reach the server, for links and the widget" note:"derived from addr"`
	BehindProxy bool   `name:"behind_proxy" default:"false" usage:"a proxy in front ends TLS, and its X-Forwarded-For and X-Forwarded-Proto are trusted"`
	TLSCert     string `name:"tls_cert" value:"FILE" usage:"PEM file with the certificate chain; needs tls_key"`
	TLSKey      string `name:"tls_key" value:"FILE" usage:"PEM file with the certificate's private key"`

	DataDir     string `name:"data_dir" value:"FOLDER" usage:"folder of the SQLite database and of files" note:"clawless in the user's data folder"`
	DatabaseURL Secret `name:"database_url" flag:"yes" value:"URL" usage:"postgres://... for Postgres; a command line is visible to others, so put one with a password into the variable or the file" note:"a SQLite file in data_dir"`
	RedisURL    Secret `name:"redis_url" flag:"yes" value:"URL" usage:"redis://..., rediss://... or unix://... of the Redis through which several servers on one Postgres share runs and hear of changes; put one with a password into the variable or the file" note:"none"`

	EncryptionKey Secret `name:"encryption_key" value:"KEY" usage:"key under which the secrets of tenants' tools are kept: 32 bytes as base64 or hex, the same on every server" note:"encryption.key in data_dir, made when first needed; with Postgres there is none"`

	LogLevel  string `name:"log_level" value:"LEVEL" default:"info" oneof:"debug,info,warn,error" usage:"least level that is logged"`
	LogFormat string `name:"log_format" value:"FORMAT" default:"text" oneof:"text,json" usage:"form of log lines"`

	MaxBodyBytes int64         `name:"max_body_bytes" value:"SIZE" type:"bytes" default:"20MiB" usage:"largest request body that is accepted"`
	CORSOrigins  []string      `name:"cors_origins" value:"ORIGIN,..." usage:"web origins that may call the API from a browser, such as https://app.example.com, or *"`
	MetricsAddr  string        `name:"metrics_addr" value:"HOST:PORT" usage:"host and port of a listener of its own for /metrics, which then needs no key" note:"/metrics on addr, with the admin key"`
	DrainTimeout time.Duration `name:"drain_timeout" value:"DURATION" default:"30s" usage:"how long running answers may go on after a stop was asked for"`

	DefaultModel   string              `name:"default_model" value:"MODEL" usage:"model of a tenant that has not chosen one, as provider/model" note:"the first configured provider's, else mock/lorem"`
	SystemPrompt   string              `name:"system_prompt" value:"TEXT" usage:"system prompt of a tenant that has not set one"`
	Models         map[string]string   `name:"models" value:"NAME=MODEL,..." usage:"other names for models, as NAME=provider/model"`
	PricesFile     string              `name:"prices_file" value:"FILE" usage:"JSON file with prices and abilities of models, which goes before the built-in table"`
	TierModels     map[string]string   `name:"tier_models" value:"MODEL=TIER,..." usage:"models, or patterns such as anthropic/*, that need at least this tier" note:"enterprise for anthropic/*"`
	AutoWeak       string              `name:"auto_weak" value:"MODEL" usage:"cheap model of the pair behind the model auto" note:"the small one of the first configured provider"`
	AutoStrong     string              `name:"auto_strong" value:"MODEL" usage:"strong model of the pair behind the model auto" note:"the large one of the first configured provider"`
	StrongShare    float64             `name:"strong_share" value:"SHARE" default:"0.3" usage:"share of the auto calls that may go to the strong model, from 0 to 1"`
	FallbackModels []string            `name:"fallback_models" value:"MODEL,..." usage:"models of a tenant without a list of its own that may answer when the chosen one fails, in order"`
	Providers      map[string]Provider `name:"providers"`
	DiscoverOllama bool                `name:"discover_ollama" default:"true" usage:"look for a local Ollama at start and offer its models"`

	SessionWait        time.Duration `name:"session_wait" value:"DURATION" default:"30s" usage:"how long a turn waits for the one before it in the same session"`
	RunRetention       time.Duration `name:"run_retention" value:"DURATION" default:"10m" usage:"how long the events of a finished run can be read again"`
	SessionRetention   time.Duration `name:"session_retention" value:"DURATION" default:"720h" usage:"how long a session that nobody uses is kept, for tenants without retention_days; whole days, 0 is for ever"`
	ApprovalWait       time.Duration `name:"approval_wait" value:"DURATION" default:"5m" usage:"how long a tool call waits for somebody's approval"`
	StreamWriteTimeout time.Duration `name:"stream_write_timeout" value:"DURATION" default:"10s" usage:"how long one write to a slow reader of a stream may take"`
	ToolsAllowPrivate  []string      `name:"tools_allow_private" value:"CIDR,..." usage:"private networks that tools may reach, such as 10.1.0.0/16; everything but the public Internet is refused otherwise"`
	FilesMaxBytes      int64         `name:"files_max_bytes" value:"SIZE" type:"bytes" default:"100MiB" usage:"bytes that the files of one end user may take, for tenants without files_bytes"`
	CacheTTL           time.Duration `name:"cache_ttl" value:"DURATION" default:"5m" usage:"how long sessions and tenants' settings are kept in memory, where changes by other servers can be heard; 0 keeps nothing"`
	IdempotencyTTL     time.Duration `name:"idempotency_ttl" value:"DURATION" default:"24h" usage:"how long the answer to an Idempotency-Key is kept"`
}

// Provider is one configured server that runs models, under the name by which model ids begin (name/model).
type Provider struct {
	Driver     string   `name:"driver" value:"DRIVER" usage:"kind of the provider" note:"its name when that is a driver, else openai"`
	BaseURL    string   `name:"base_url" value:"URL" usage:"root of its API" note:"the driver's"`
	APIKey     Secret   `name:"api_key" value:"KEY" usage:"its API key, or several with commas between them, which take over from each other" note:"the vendor's own variable"`
	APIKeyFile string   `name:"api_key_file" value:"FILE" usage:"file that holds the API key, or several on lines of their own"`
	AccountID  string   `name:"account_id" value:"ID" usage:"account, for vendors whose address holds one"`
	Models     []string `name:"models" value:"MODEL,..." usage:"models to offer, for servers that cannot list their own" note:"those that it lists"`

	ConnectTimeout    time.Duration `name:"connect_timeout" value:"DURATION" default:"10s" usage:"how long making a connection may take"`
	FirstTokenTimeout time.Duration `name:"first_token_timeout" value:"DURATION" default:"2m" usage:"how long a streamed answer may take to begin"`
	IdleTimeout       time.Duration `name:"idle_timeout" value:"DURATION" default:"1m" usage:"longest wait between two pieces of a streamed answer"`
	AnswerTimeout     time.Duration `name:"answer_timeout" value:"DURATION" default:"10m" usage:"how long an answer in one piece may take"`
}

// WithDefaults returns the provider with the defaults where it sets nothing.
func (p Provider) WithDefaults() Provider {
	v := reflect.ValueOf(&p).Elem()
	for i := range v.NumField() {
		f := describe(v.Type().Field(i), "providers."+AnyName+"."+v.Type().Field(i).Tag.Get("name"))
		if f.Default == "" || !v.Field(i).IsZero() {
			continue
		}
		value, err := f.parse(f.Default)
		if err != nil {
			panic("config: default of " + f.Name + ": " + err.Error()) // a tag of this file is wrong, and every test of it fails
		}
		assign(v.Field(i), value)
	}
	return p
}

// Default returns the settings of an installation that sets nothing. DataDir is empty: it depends on the user, see DataDir.
func Default() Settings {
	var s Settings
	for _, f := range Fields() {
		if f.Default == "" || strings.Contains(f.Name, AnyName) {
			continue
		}
		if err := s.Set(f.Name, f.Default); err != nil {
			panic("config: default of " + f.Name + ": " + err.Error()) // a tag of this file is wrong, and every test of it fails
		}
	}
	return s
}
