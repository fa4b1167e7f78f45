package sessions_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
)

// tree is what a session's messages are, in the plainest way: each epoch's branch is a list of sequences.
type tree struct {
	said        []node
	epoch, last int64
	previous    map[int64]int64
	branch      map[int64][]int64 // of each epoch
	version     int64
}

type node struct {
	id            string
	epoch, parent int64
}

func newTree() *tree {
	return &tree{epoch: 1, last: 1, version: 1, previous: map[int64]int64{}, branch: map[int64][]int64{}}
}

func (m *tree) head() int64 {
	if b := m.branch[m.epoch]; len(b) > 0 {
		return b[len(b)-1]
	}
	return 0
}

func (m *tree) append(id string) {
	m.said = append(m.said, node{id, m.epoch, m.head()})
	m.branch[m.epoch] = append(m.branch[m.epoch], int64(len(m.said)))
}

// way is the path from the start of an epoch to a message.
func (m *tree) way(to int64) (out []int64) {
	for ; to != 0; to = m.said[to-1].parent {
		out = append(out, to)
	}
	slices.Reverse(out)
	return out
}

func (m *tree) choose(at int64) {
	end := at
	for s := int64(len(m.said)); s > at; s-- {
		if slices.Contains(m.way(s), at) {
			end = s
			break
		}
	}
	m.branch[m.epoch] = m.way(end)
}

// TestBranches: after any row of turns, rewinds, choices, resets and undos, a session is what a plain tree says.
func TestBranches(t *testing.T) {
	each(t, func(r *rig) {
		for seed := range uint64(12) {
			random, m := rand.New(rand.NewPCG(seed, 4)), newTree()
			s := r.session(nil)
			for range 12 {
				r.write(func(q db.Querier) error {
					for range 8 {
						if err := r.step(q, random, m, s.ID); err != nil {
							return fmt.Errorf("seed %d: %w", seed, err)
						}
					}
					return nil
				})
				r.compare(seed, m, s.ID)
			}
			if len(m.said) < 15 || m.last < 2 {
				r.Errorf("seed %d: %d messages, %d epochs: the walk was too short", seed, len(m.said), m.last)
			}
		}
	})
}

// step does one thing to the session and to the tree.
func (r *rig) step(q db.Querier, random *rand.Rand, m *tree, id string) error {
	ctx, now := r.ctx(), r.tick()
	someone := func() int64 { return random.Int64N(int64(len(m.said))) + 1 }
	switch n := random.IntN(20); {
	case n < 10 || len(m.said) == 0:
		msg := sessions.Message{ID: ids.New(ids.Message), SessionID: id, Role: "user", Content: llm.Text("hello")}
		if err := sessions.Append(ctx, q, r.t, &msg, now); err != nil {
			return err
		}
		m.append(msg.ID)
		if last := m.said[len(m.said)-1]; msg.Sequence != int64(len(m.said)) || msg.Parent != last.parent || msg.Epoch != last.epoch || !msg.Active {
			return fmt.Errorf("appended %+v, want %+v", msg, last)
		}
	case n < 13:
		to := random.Int64N(int64(len(m.said)) + 1)
		_, err := sessions.Rewind(ctx, q, r.t, id, to, now)
		b := m.branch[m.epoch]
		if i := slices.Index(b, to); i >= 0 || to == 0 {
			m.branch[m.epoch] = b[:i+1]
			return err
		}
		if !fault.Is(err, fault.Conflict) {
			return fmt.Errorf("rewound to %d, which is not in %v: %w", to, b, err)
		}
	case n < 17:
		at := someone()
		_, err := sessions.Select(ctx, q, r.t, "", id, m.said[at-1].id, now)
		if m.said[at-1].epoch == m.epoch {
			m.choose(at)
			return err
		}
		if !fault.Is(err, fault.Conflict) {
			return fmt.Errorf("chose a message of another epoch: %w", err)
		}
	case n < 18:
		m.last++
		m.previous[m.last], m.epoch = m.epoch, m.last
		_, err := sessions.Reset(ctx, q, r.t, "", id, sessions.Asked, "", now)
		return err
	default:
		_, err := sessions.Undo(ctx, q, r.t, "", id, now)
		if m.previous[m.epoch] != 0 {
			m.epoch = m.previous[m.epoch]
			return err
		}
		if !fault.Is(err, fault.Conflict) {
			return fmt.Errorf("undid the first epoch: %w", err)
		}
	}
	return nil
}

func (r *rig) compare(seed uint64, m *tree, id string) {
	r.Helper()
	s, all := r.get(id), r.all(id)
	if s.Epoch != m.epoch || s.LastEpoch != m.last || s.Head != m.head() || s.LastSequence != int64(len(m.said)) || s.Version <= m.version {
		r.Fatalf("seed %d: session %+v, want epoch %d of %d, head %d, version after %d", seed, s, m.epoch, m.last, m.head(), m.version)
	}
	m.version = s.Version
	siblings := map[node]int64{}
	for _, n := range m.said {
		siblings[node{"", n.epoch, n.parent}]++
	}
	for i, got := range all {
		want := m.said[i]
		if got.ID != want.id || got.Parent != want.parent || got.Epoch != want.epoch || got.Active != slices.Contains(m.branch[want.epoch], got.Sequence) ||
			got.Siblings != siblings[node{"", want.epoch, want.parent}] {
			r.Fatalf("seed %d: message %d is %+v, want %+v in %v", seed, i+1, got, want, m.branch[want.epoch])
		}
	}
	r.read(func(q db.Querier) error {
		rows, err := sessions.Newest(r.ctx(), q, r.t, id, m.epoch, s.LastSequence+1, 1000, 0)
		var got []int64
		for _, n := range slices.Backward(rows) {
			got = append(got, n.Sequence)
		}
		if !slices.Equal(got, m.branch[m.epoch]) {
			r.Fatalf("seed %d: the context is %v, want %v", seed, got, m.branch[m.epoch])
		}
		return err
	})
}

// TestBranchOwners: nobody chooses in another's session, or a message of another session.
func TestBranchOwners(t *testing.T) {
	each(t, func(r *rig) {
		mine := r.session(func(s *sessions.Session) { s.EndUser = "vis_a" })
		other := r.session(func(s *sessions.Session) { s.EndUser = "vis_b" })
		said, elsewhere := r.say(mine.ID, "one", "two"), r.say(other.ID, "one")
		for who, try := range map[string]func(q db.Querier) error{
			"another's session": func(q db.Querier) error {
				_, err := sessions.Select(r.ctx(), q, r.t, "vis_b", mine.ID, said[0].ID, r.now)
				return err
			},
			"another session's message": func(q db.Querier) error {
				_, err := sessions.Select(r.ctx(), q, r.t, "vis_a", mine.ID, elsewhere[0].ID, r.now)
				return err
			},
			"another's message": func(q db.Querier) error {
				_, err := sessions.Find(r.ctx(), q, r.t, "vis_b", mine.ID, said[0].ID)
				return err
			},
			"another tenant's": func(q db.Querier) error {
				_, err := sessions.Rewind(r.ctx(), q, db.TenantOf("ten_other"), mine.ID, 0, r.now)
				return err
			},
			"another's epoch": func(q db.Querier) error {
				_, err := sessions.Reset(r.ctx(), q, r.t, "vis_b", mine.ID, sessions.Asked, "", r.now)
				return err
			},
		} {
			if err := r.d.Write(r.ctx(), try); !fault.Is(err, fault.NotFound) {
				r.Errorf("%s: %v", who, err)
			}
		}
		if s := r.get(mine.ID); s.Head != 2 || s.Epoch != 1 {
			r.Errorf("it has changed: %+v", s)
		}
	})
}

// TestClockOfSessions: a server whose clock is behind does not move a session back in the list.
func TestClockOfSessions(t *testing.T) {
	each(t, func(r *rig) {
		s := r.session(nil)
		behind := s.UpdatedAt.Add(-time.Hour)
		r.write(func(q db.Querier) error {
			m := sessions.Message{ID: ids.New(ids.Message), SessionID: s.ID, Role: "user", Content: llm.Text("x")}
			if err := sessions.Append(r.ctx(), q, r.t, &m, behind); err != nil {
				return err
			}
			_, err := sessions.Reset(r.ctx(), q, r.t, "", s.ID, sessions.Asked, "", behind)
			return err
		})
		if got := r.get(s.ID); !got.UpdatedAt.Equal(s.UpdatedAt.Time) {
			r.Errorf("updated at %s, and before at %s", got.UpdatedAt, s.UpdatedAt)
		}
	})
}
