package wire

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a provider may ask for; a longer wait is a mistake or an outage, and nobody waits for it.
const maxRetryAfter = time.Hour

// RetryAfter reads how long a provider asks to wait: milliseconds in retry-after-ms, or seconds or a date in Retry-After. Absent, unreadable and past ones are zero,
// more than an hour is an hour.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(strings.TrimSpace(h.Get("Retry-After-Ms")), 64); err == nil && ms > 0 {
		return bounded(ms / 1000)
	}
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		return bounded(s)
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

func bounded(seconds float64) time.Duration {
	if seconds > 0 && seconds < maxRetryAfter.Seconds() {
		return time.Duration(seconds * float64(time.Second))
	}
	if seconds >= maxRetryAfter.Seconds() {
		return maxRetryAfter
	}
	return 0 // negative or not a number
}
