package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode"
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

// maxKeys is how many keys a provider may have.
const maxKeys = 32

// Keys returns the provider's API keys from api_key or api_key_file, in order and without surrounding white space. It is empty when neither is set; the error never
// holds a key.
func (p Provider) Keys() ([]string, error) {
	if p.APIKeyFile == "" {
		keys, err := splitKeys(string(p.APIKey))
		if err != nil {
			return nil, fmt.Errorf("api_key: %w", err)
		}
		return keys, nil
	}
	data, err := os.ReadFile(p.APIKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read api_key_file: %w", err)
	}
	keys, err := splitKeys(string(data))
	if err != nil {
		return nil, fmt.Errorf("api_key_file: %w", err)
	}
	return keys, nil
}

// splitKeys takes keys apart that stand between commas or on lines.
func splitKeys(text string) ([]string, error) {
	var out []string
	for _, k := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		switch k = strings.TrimSpace(k); {
		case k == "":
			continue
		case strings.ContainsFunc(k, unicode.IsControl):
			return nil, errors.New("a key holds a tab or another control character; write commas between several keys, or a line for each in the file")
		case slices.Contains(out, k):
			return nil, errors.New("the same key is there twice")
		}
		out = append(out, k)
	}
	if len(out) > maxKeys {
		return nil, fmt.Errorf("%d keys are more than %d", len(out), maxKeys)
	}
	return out, nil
}
