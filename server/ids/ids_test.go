package ids

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var prefixes = []string{AdminKey, SecretKey, PublishableKey, VisitorSecret}

// TestEverySecretIsValid: what is issued is accepted, for its own kind alone, and no two are the same.
func TestEverySecretIsValid(t *testing.T) {
	seen := map[string]bool{}
	for i := range 40_000 {
		prefix := prefixes[i%len(prefixes)]
		s := NewSecret(prefix)
		for _, p := range prefixes {
			if ValidSecret(p, s) != (p == prefix) {
				t.Fatalf("%s as %s: %v", s, p, p != prefix)
			}
		}
		if seen[s] || len(Last4(s)) != 4 || !strings.HasSuffix(s, Last4(s)) {
			t.Fatalf("secret %s", s)
		}
		seen[s] = true
	}
}

// TestNoMutatedSecretIsValid: any one character changed, dropped, doubled or moved makes a secret that costs no look-up.
func TestNoMutatedSecretIsValid(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyzABCDEFilou_-= \x00é"
	for range 2_000 {
		s := NewSecret(SecretKey)
		i := len(SecretKey) + random.IntN(len(s)-len(SecretKey)-1)
		c := alphabet[random.IntN(len(alphabet))]
		mutants := []string{s[:i] + string(c) + s[i+1:], s[:i] + s[i+1:], s[:i] + s[i:i+1] + s[i:], s[:i] + s[i+1:i+2] + s[i:i+1] + s[i+2:], strings.ToUpper(s), s + "0", " " + s, s[:len(s)-1]}
		for _, m := range mutants {
			if m != s && ValidSecret(SecretKey, m) {
				t.Fatalf("%q passes for %q", m, s)
			}
		}
	}
}

// FuzzValidSecret: nothing that a caller can send makes the check fail in another way than false.
func FuzzValidSecret(f *testing.F) {
	for _, s := range []string{"", "clw_sk_", NewSecret(SecretKey), strings.Repeat("0", 66), "clw_sk_" + strings.Repeat("\xff", 59)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ValidSecret(SecretKey, s) && s != strings.ToLower(s) {
			t.Errorf("%q is valid in capitals", s)
		}
		Valid(Session, s)
		Digest(s)
	})
}

// TestIDs: ids have one form and sort in the order in which they were made.
func TestIDs(t *testing.T) {
	var list []string
	for range 10_000 {
		list = append(list, New(Session))
	}
	if !slices.IsSorted(list) {
		t.Error("ids do not sort by time")
	}
	for _, id := range list[:100] {
		if !Valid(Session, id) || Valid(Run, id) || Valid(Session, id[:len(id)-1]) || Valid(Session, strings.ToUpper(id)) {
			t.Errorf("form of %s", id)
		}
	}
}
