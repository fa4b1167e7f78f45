package llm

import (
	"strings"
	"testing"
)

func TestPublic(t *testing.T) {
	tests := []struct{ in, want string }{
		{"Invalid 'temperature': expected a value <= 2, but got 3 instead.", "Invalid 'temperature': expected a value <= 2, but got 3 instead."},
		{"see https://platform.example.com/docs?x=1 for more", "see [link] for more"},
		{"dial tcp 10.1.2.3:443: refused", "dial tcp [address]: refused"},
		{"bad key sk-proj-abcdef123456 of org-0123456789", "bad key [hidden] of [hidden]"},
		{"Authorization: Bearer abc.def-ghi", "Authorization: [hidden]"},
		{"two\r\n\tlines\x00 and\u0085 more", "two lines and more"},
		{"<!DOCTYPE html><html><body>nginx</body></html>", ""},
		{"<h1>502</h1>", ""},
		{"a < b and <tool> is fine", "a < b and <tool> is fine"},
		{"max_tokens: token-level limits are integers", "max_tokens: token-level limits are integers"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := (&Error{Message: tt.in}).Public(); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
	if got := (&Error{Message: strings.Repeat("ü", 5000)}).Public(); len([]rune(got)) != maxPublic+1 {
		t.Errorf("%d characters", len([]rune(got)))
	}
}
