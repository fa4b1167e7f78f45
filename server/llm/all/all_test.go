package all

import (
	"testing"

	"github.com/clawless/clawless/server/llm"
)

func TestDriversAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Drivers() {
		if seen[d.Name] {
			t.Errorf("two drivers are called %s", d.Name)
		}
		seen[d.Name] = true
		if d.Title == "" || d.New == nil || d.NeedsKey && len(d.Env) == 0 {
			t.Errorf("%s lacks its title, maker or environment", d.Name)
		}
		p, err := d.New(llm.Config{Name: "lab", BaseURL: d.DefaultURL, APIKey: "key", AccountID: "0123456789abcdef0123456789abcdef"})
		if err != nil || p.Name() != "lab" {
			t.Errorf("%s: %v", d.Name, err)
			continue
		}
		if _, ok := p.(llm.ModelLister); !ok {
			t.Errorf("%s cannot list its models", d.Name)
		}
		if got, ok := Lookup(d.Name); !ok || got.Name != d.Name {
			t.Errorf("%s is not found by its name", d.Name)
		}
		if _, err := d.New(llm.Config{Name: "lab", APIKey: "key"}); (err != nil) != (len(d.AccountEnv) > 0) {
			t.Errorf("%s says it needs an account: %v, without one it says %v", d.Name, len(d.AccountEnv) > 0, err)
		}
		if d.NeedsKey {
			if _, err := d.New(llm.Config{Name: "lab", AccountID: "0123456789abcdef0123456789abcdef"}); err == nil {
				t.Errorf("%s was made without a key", d.Name)
			}
		}
	}
	if _, ok := Lookup("nobody"); ok {
		t.Error("an unknown driver was found")
	}
	Drivers()[0].Name = "changed"
	if Drivers()[0].Name == "changed" {
		t.Error("the list can be changed from outside")
	}
}
