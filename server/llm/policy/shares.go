package policy

import (
	"container/list"
	"slices"
	"sync"
)

const (
	recentScores = 256    // of each tenant
	priorScores  = 64     // how many scores the shipped distribution counts as
	knownTenants = 10_000 // whose scores are remembered at once
)

// Shares turn the share of strong calls that a tenant wants into a threshold, from what its own prompts scored lately and the distribution that is shipped, which
// stands in until there are enough of them. It is safe for concurrent use and its memory is bounded.
type Shares struct {
	prior []float64

	mu      sync.Mutex
	tenants map[string]*list.Element
	order   *list.List // of *scores, the newest in use first
}

type scores struct {
	tenant string
	ring   []float64 // the latest, in no order
	next   int
}

// NewShares makes an empty memory. prior gives the shipped distribution's threshold of a share.
func NewShares(prior func(share float64) float64) *Shares {
	s := &Shares{tenants: map[string]*list.Element{}, order: list.New()}
	for i := range priorScores {
		s.prior = append(s.prior, prior((float64(i)+0.5)/priorScores))
	}
	return s
}

// Note remembers a prompt's score.
func (s *Shares) Note(tenant string, failure float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.tenants[tenant]
	if e == nil {
		if s.order.Len() >= knownTenants {
			oldest := s.order.Back()
			delete(s.tenants, oldest.Value.(*scores).tenant)
			s.order.Remove(oldest)
		}
		e = s.order.PushFront(&scores{tenant: tenant})
		s.tenants[tenant] = e
	}
	s.order.MoveToFront(e)
	t := e.Value.(*scores)
	if len(t.ring) < recentScores {
		t.ring = append(t.ring, failure)
		return
	}
	t.ring[t.next] = failure
	t.next = (t.next + 1) % recentScores
}

// Threshold is the score above which the share of the tenant's prompts lies. At a share of 0 no score is above it, at 1 every score is.
func (s *Shares) Threshold(tenant string, share float64) float64 {
	switch {
	case !(share > 0): // not a number counts as none
		return 2
	case share >= 1:
		return -1
	}
	all := slices.Clone(s.prior)
	s.mu.Lock()
	if e := s.tenants[tenant]; e != nil {
		ring := e.Value.(*scores).ring
		// The more of its own scores there are, the less the shipped ones count.
		keep := priorScores * (recentScores - len(ring)) / recentScores
		all = spread(all, keep)
		all = append(all, ring...)
	}
	s.mu.Unlock()
	slices.Sort(all)
	// The value between the two neighbours, so that scores that are equal to it do not all fall on one side by chance of rounding.
	at := float64(len(all)) * (1 - share)
	i := min(int(at), len(all)-1)
	if i == 0 {
		return all[0]
	}
	return (all[i-1] + all[i]) / 2
}

// spread takes n values at even distances.
func spread(values []float64, n int) []float64 {
	out := make([]float64, 0, n+recentScores)
	for i := range n {
		out = append(out, values[i*len(values)/n])
	}
	return out
}
