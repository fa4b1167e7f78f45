package tenants

import (
	"testing"

	"github.com/spf13/pflag"
)

// TestDollars: money is read to the micro-dollar or not at all, and written as it was read.
func TestDollars(t *testing.T) {
	for text, want := range map[string]int64{"25": 25_000_000, "$25.00": 25_000_000, "0": 0, "0.5": 500_000, "0.000001": 1, "1000000000": 1_000_000_000_000_000, "0.1": 100_000, "19.99": 19_990_000} {
		var d dollars
		if err := d.Set(text); err != nil || int64(d) != want {
			t.Errorf("%s is %d, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "$", ".5", "5.", "-1", "+1", "1e3", "1,000", "0.0000001", "1000000000.000001", "99999999999999999999", "$ 5", "1.2.3", "ten"} {
		d := dollars(7)
		if err := d.Set(text); err == nil || d != 7 {
			t.Errorf("%q was taken as %d", text, d)
		}
	}
	for n, want := range map[int64]string{0: "$0.00", 1: "$0.000001", 31_000: "$0.031", 25_000_000: "$25.00", 25_500_000: "$25.50", -1: "-$0.000001"} {
		if got := money(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

// TestSeconds: a cache's time is whole seconds up to a day.
func TestSeconds(t *testing.T) {
	for text, want := range map[string]seconds{"0": 0, "off": 0, "90s": 90, "10m": 600, "24h": 86_400, "1h30m": 5400} {
		var s seconds
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%s is %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "10", "1.5s", "25h", "-1s", "24h0m1s", "1d"} {
		s := seconds(7)
		if err := s.Set(text); err == nil || s != 7 {
			t.Errorf("%q was taken as %d", text, s)
		}
	}
}

// TestSettingsFlags: only what was given is sent, and an empty value is a value.
func TestSettingsFlags(t *testing.T) {
	parse := func(args ...string) *settingsFlags {
		s, fs := &settingsFlags{}, pflag.NewFlagSet("", pflag.ContinueOnError)
		s.add(fs)
		if err := fs.Parse(args); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if in := parse().input(); in != nil {
		t.Errorf("nothing was given: %+v", in)
	}
	in := parse("--monthly-cost", "0", "--strong-share", "0", "--fallback-model", "", "--thinking-in-widget=false", "--weak-model", "").input()
	if *in.MonthlyCostMicros != 0 || *in.StrongShare != 0 || in.FallbackModels == nil || len(in.FallbackModels) != 0 || *in.ThinkingInWidget || *in.WeakModel != "" ||
		in.StrongModel != nil || in.Thinking != nil || in.AnswerCacheSeconds != nil || in.MonthlyTokens != nil {
		t.Errorf("zero values: %+v", in)
	}
	in = parse("--monthly-cost", "25.00", "--fallback-model", "a/b", "--fallback-model", "c/d", "--answer-cache", "1h").input()
	if *in.MonthlyCostMicros != 25_000_000 || len(in.FallbackModels) != 2 || in.FallbackModels[1] != "c/d" || *in.AnswerCacheSeconds != 3600 {
		t.Errorf("values: %+v", in)
	}
}
