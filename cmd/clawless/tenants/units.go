package tenants

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dollars is an amount of money as a flag, in micro-dollars. It is read digit by digit, because no fraction of a dollar may get lost.
type dollars int64

const micros = 1_000_000 // a dollar

// Set implements pflag.Value.
func (d *dollars) Set(text string) error {
	whole, cents, _ := strings.Cut(strings.TrimPrefix(text, "$"), ".")
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	if whole == "" || !digits(whole) || !digits(cents) || len(cents) > 6 || strings.HasSuffix(text, ".") {
		return errors.New("write dollars such as 25 or 25.00, with six decimals at most")
	}
	n, err := strconv.ParseInt(whole+cents+strings.Repeat("0", 6-len(cents)), 10, 64)
	if err != nil || n > 1_000_000_000*micros {
		return errors.New("that is more than 1000000000 dollars; 0 is no limit")
	}
	*d = dollars(n)
	return nil
}

// String implements pflag.Value.
func (d *dollars) String() string {
	if *d == 0 {
		return ""
	}
	return money(int64(*d))
}

// Type implements pflag.Value.
func (*dollars) Type() string { return "dollars" }

// money writes micro-dollars with at least cents and no more digits than there are.
func money(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	cents := strings.TrimRight(fmt.Sprintf("%06d", n%micros), "0")
	return fmt.Sprintf("%s$%d.%s%s", sign, n/micros, cents, strings.Repeat("0", max(0, 2-len(cents))))
}

// seconds is a duration as a flag, in whole seconds.
type seconds int64

// Set implements pflag.Value.
func (s *seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if text == "0" || text == "off" {
		d, err = 0, nil
	}
	if err != nil || d < 0 || d > 24*time.Hour || d%time.Second != 0 {
		return errors.New("write whole seconds up to a day, such as 90s, 10m or 24h; 0 is off")
	}
	*s = seconds(d / time.Second)
	return nil
}

// String implements pflag.Value.
func (s *seconds) String() string {
	if *s == 0 {
		return "off"
	}
	return (time.Duration(*s) * time.Second).String()
}

// Type implements pflag.Value.
func (*seconds) Type() string { return "seconds" }
