package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Set reads a value into the setting of that name. The value is a text, or a []string or map[string]string as a file holds them. The error says what form is
// expected; it repeats the value only when it is no secret.
func (s *Settings) Set(name string, value any) error {
	f, ok := FieldOf(name)
	if !ok {
		return fmt.Errorf("there is no setting %s", name)
	}
	parsed, err := f.parse(value)
	if err != nil {
		return err
	}
	parts := strings.Split(name, ".")
	if len(parts) == 1 {
		assign(member(reflect.ValueOf(s).Elem(), name), parsed)
		return nil
	}
	p := s.Providers[parts[1]]
	assign(member(reflect.ValueOf(&p).Elem(), parts[2]), parsed)
	if s.Providers == nil {
		s.Providers = map[string]Provider{}
	}
	s.Providers[parts[1]] = p
	return nil
}

func assign(to reflect.Value, v any) { to.Set(reflect.ValueOf(v).Convert(to.Type())) }

func (f Field) parse(value any) (any, error) {
	switch f.Kind {
	case KindList:
		return parseList(value)
	case KindMap:
		return parseMap(value)
	}
	text, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("is one %s, not a list or mapping", f.Kind)
	}
	switch f.Kind {
	case KindBool:
		return parseBool(text)
	case KindDuration:
		return parseDuration(text)
	case KindBytes:
		return parseBytes(text)
	case KindNumber:
		return parseNumber(text)
	}
	if len(f.OneOf) > 0 && !slices.Contains(f.OneOf, text) {
		return nil, fmt.Errorf("%q is not one of %s", text, strings.Join(f.OneOf, ", "))
	}
	return text, nil
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is not true or false", text)
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return 0, fmt.Errorf("%q needs a unit: write %ss for seconds", text, text)
		}
		return 0, fmt.Errorf("%q is not a duration such as 30s, 10m or 24h", text)
	}
	return d, nil
}

func parseNumber(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%q is not a number such as 0.3", text)
	}
	return n, nil
}

var byteUnits = []struct {
	suffix string
	size   float64
}{ // the longer suffixes first, since B ends them all
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"b", 1}, {"", 1},
}

func parseBytes(text string) (int64, error) {
	bad := fmt.Errorf("%q is not a size such as 20MiB, 500KB or 1048576", text)
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(strings.ToLower(text), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		size := n * u.size
		if err != nil || size != math.Trunc(size) || math.Abs(size) > 1<<53 {
			return 0, bad
		}
		return int64(size), nil
	}
	return 0, bad
}

func parseList(value any) ([]string, error) {
	switch v := value.(type) {
	case []string:
		return v, nil
	case string:
		var out []string
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("is a list, such as a,b")
}

func parseMap(value any) (map[string]string, error) {
	switch v := value.(type) {
	case map[string]string:
		return v, nil
	case string:
		items, _ := parseList(v)
		out := make(map[string]string, len(items))
		for _, item := range items {
			key, val, ok := strings.Cut(item, "=")
			if !ok {
				return nil, fmt.Errorf("%q is not NAME=VALUE", item)
			}
			out[strings.TrimSpace(key)] = strings.TrimSpace(val)
		}
		return out, nil
	}
	return nil, fmt.Errorf("is a mapping, such as a=x,b=y")
}

// formatDuration writes 10m rather than 10m0s, and what it writes parseDuration reads back.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func formatBytes(n int64) string {
	for _, u := range []struct {
		suffix string
		size   int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}
