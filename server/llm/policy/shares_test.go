package policy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// even is the threshold of scores that are spread evenly.
func even(share float64) float64 { return 1 - share }

// TestShares: the share of calls above the threshold comes near what was asked, although the tenant's prompts score unlike those of the shipped distribution.
func TestShares(t *testing.T) {
	for name, score := range map[string]func(*rand.Rand) float64{
		"easy prompts":         func(r *rand.Rand) float64 { return 0.1 + 0.03*r.NormFloat64() },
		"hard prompts":         func(r *rand.Rand) float64 { return 0.9 + 0.02*r.NormFloat64() },
		"two kinds":            func(r *rand.Rand) float64 { return 0.1 + 0.7*float64(r.IntN(2)) + 0.02*r.NormFloat64() },
		"mostly very easy":     func(r *rand.Rand) float64 { return math.Pow(r.Float64(), 6) },
		"as they were shipped": func(r *rand.Rand) float64 { return r.Float64() },
	} {
		t.Run(name, func(t *testing.T) {
			for i := 1; i <= 9; i++ {
				share := float64(i) / 10
				random := rand.New(rand.NewPCG(7, uint64(i)))
				s := NewShares(even)
				strong, n := 0, 0
				for k := range 2500 {
					failure := score(random)
					if k >= 500 {
						n++
						if failure > s.Threshold("acme", share) {
							strong++
						}
					}
					s.Note("acme", failure)
				}
				if got := float64(strong) / float64(n); math.Abs(got-share) > 0.03 {
					t.Errorf("wanted %.2f, got %.3f", share, got)
				}
				if fresh := s.Threshold("other", share); math.Abs(fresh-(1-share)) > 0.02 {
					t.Errorf("another tenant's threshold is %.3f", fresh)
				}
			}
		})
	}
}

func TestSharesAtTheEnds(t *testing.T) {
	s := NewShares(func(float64) float64 { return 0.5 })
	for _, none := range []float64{0, -1, math.NaN()} {
		if at := s.Threshold("t", none); at <= 1 {
			t.Errorf("a share of %v: a score above %v goes up", none, at)
		}
	}
	for _, all := range []float64{1, 2} {
		if at := s.Threshold("t", all); at >= 0 {
			t.Errorf("a share of %v: only a score above %v goes up", all, at)
		}
	}
}

// TestSharesFollow: only the latest scores count, whatever came before.
func TestSharesFollow(t *testing.T) {
	s := NewShares(even)
	for _, level := range []float64{0.9, 0.1, 0.6} {
		for i := range recentScores {
			s.Note("t", level+float64(i)/1e6)
		}
		for _, share := range []float64{0.01, 0.5, 0.99} {
			if at := s.Threshold("t", share); at < level || at > level+0.001 {
				t.Errorf("after scores of %v a share of %v has the threshold %v", level, share, at)
			}
		}
	}
}

// TestSharesForget: of more tenants than are remembered, those that were noted longest ago are forgotten.
func TestSharesForget(t *testing.T) {
	s := NewShares(even)
	for i := range knownTenants {
		s.Note(fmt.Sprint(i), 0.5)
	}
	s.Note("0", 0.5) // in use again
	for i := range 100 {
		s.Note(fmt.Sprint("new", i), 0.5)
	}
	if len(s.tenants) != knownTenants || s.order.Len() != knownTenants {
		t.Errorf("%d tenants in %d places", len(s.tenants), s.order.Len())
	}
	for name, kept := range map[string]bool{"0": true, "1": false, "100": false, "101": true, "new0": true, "new99": true} {
		if s.tenants[name] != nil != kept {
			t.Errorf("tenant %s: kept %t", name, !kept)
		}
	}
}

// TestSharesAtOnce is for the race detector, and for each tenant's scores to stay its own.
func TestSharesAtOnce(t *testing.T) {
	s := NewShares(even)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			tenant := fmt.Sprint(i % 4)
			for range recentScores {
				s.Note(tenant, float64(i%4)/10)
				s.Threshold(tenant, 0.5)
			}
		})
	}
	all.Wait()
	for i := range 4 {
		if at := s.Threshold(fmt.Sprint(i), 0.5); at != float64(i)/10 {
			t.Errorf("tenant %d has the threshold %v", i, at)
		}
	}
}
