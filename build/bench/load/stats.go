package load

import (
	"slices"
	"time"
)

// Stats is what one run of one target showed. Times are milliseconds.
type Stats struct {
	N, Errors int
	FirstErr  string
	PerSecond float64 // finished requests
	TokensPS  float64
	P50, P99  float64 // whole requests, from the send
	First50   float64 // streams: send to first token
	First99   float64
	Lag50     float64 // streams: the upstream's write to the client's read of the same token
	Lag99     float64
	CPU       float64 // microseconds of the process under test for each request
	CPUToken  float64 // the same for each streamed token
	RSS       float64 // MiB at the end
}

// Median is the middle of values, or the mean of the two in the middle; zero of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	x := slices.Clone(values)
	slices.Sort(x)
	n := len(x)
	if n%2 == 0 {
		return (x[n/2-1] + x[n/2]) / 2
	}
	return x[n/2]
}

// quantile sorts d and returns its q-quantile in milliseconds.
func quantile(d []time.Duration, q float64) float64 {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	k := min(int(q*float64(len(d))), len(d)-1)
	return float64(d[k]) / float64(time.Millisecond)
}
