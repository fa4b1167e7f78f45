package config

import (
	"fmt"
	"net/url"
	"os"
	"strings"
)

// Secret is a text that never shows itself: printing, logging or encoding it gives a mask. string(s) is the only way to the real value.
type Secret string

// String returns **** and the last four characters, or an address without its password. It is empty for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	if u, err := url.Parse(string(s)); err == nil && u.Host != "" && u.Scheme != "" {
		return maskURL(u)
	}
	if len(s) < 12 {
		return "****" // four characters would be too much of a short one
	}
	return "****" + string(s[len(s)-4:])
}

// GoString keeps %#v from showing the secret.
func (s Secret) GoString() string { return fmt.Sprintf("config.Secret(%q)", s.String()) }

// MarshalText keeps JSON, YAML and slog from showing the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// maskURL drops whatever may be a credential: the password and the whole query.
func maskURL(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	text := shown.String()
	if u.User != nil {
		who := url.User(u.User.Username()).String()
		if _, ok := u.User.Password(); ok {
			who += ":****"
		}
		text = u.Scheme + "://" + who + "@" + strings.TrimPrefix(text, u.Scheme+"://")
	}
	if u.RawQuery != "" {
		text += "?****"
	}
	return text
}

// Key returns the provider's API key from api_key or api_key_file, without surrounding white space. It is empty when neither is set; the error never holds the key.
func (p Provider) Key() (string, error) {
	if p.APIKeyFile == "" {
		return strings.TrimSpace(string(p.APIKey)), nil
	}
	data, err := os.ReadFile(p.APIKeyFile)
	if err != nil {
		return "", fmt.Errorf("read api_key_file: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
