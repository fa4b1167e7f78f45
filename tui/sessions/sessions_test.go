package sessions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/kit"
)

// backend has n sessions in pages of thirty and fails as often as it is told.
type backend struct {
	n     int
	fails int
	asked []string
}

func (b *backend) Sessions(_ context.Context, cursor string) (kit.SessionPage, error) {
	b.asked = append(b.asked, cursor)
	if b.fails > 0 {
		b.fails--
		return kit.SessionPage{}, errors.New("out of reach")
	}
	from := 0
	if cursor != "" {
		if _, err := fmt.Sscan(cursor, &from); err != nil {
			return kit.SessionPage{}, err
		}
	}
	var page kit.SessionPage
	for i := from; i < min(b.n, from+30); i++ {
		page.Sessions = append(page.Sessions, kit.Session{ID: fmt.Sprintf("ses_%d", i), Title: fmt.Sprintf("Talk %d", i), Messages: i})
	}
	if from+30 < b.n {
		page.Next = fmt.Sprint(from + 30)
	}
	return page, nil
}

// run carries out a command and everything that follows from it, and returns the messages for the program.
func run(p *Page, cmd tea.Cmd) (out []tea.Msg) {
	for cmd != nil {
		msg := cmd()
		if _, own := msg.(loaded); !own {
			return append(out, msg)
		}
		cmd = p.Update(msg)
	}
	return out
}

func view(p *Page, width, height int) string { return strings.Join(p.View(width, height), "\n") }

func press(p *Page, s string) []tea.Msg {
	msg := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(s)}
	switch s {
	case "enter":
		msg = tea.KeyMsg{Type: tea.KeyEnter}
	case "esc":
		msg = tea.KeyMsg{Type: tea.KeyEsc}
	case "end":
		msg = tea.KeyMsg{Type: tea.KeyEnd}
	}
	return run(p, p.Update(msg))
}

func newPage(t *testing.T, b Backend) *Page {
	return New(t.Context(), b, kit.Theme{}, func() time.Time { return time.Unix(0, 0) })
}

func TestPagesAreLoadedAsOneScrolls(t *testing.T) {
	b := &backend{n: 70}
	p := newPage(t, b)
	run(p, p.Open("ses_1"))
	if len(b.asked) != 1 {
		t.Errorf("the first screen took %d requests", len(b.asked))
	}
	if got := view(p, 60, 5); !strings.HasPrefix(got, "Sessions\n> Talk 0") || !strings.Contains(got, "Talk 1 *") || !strings.Contains(got, "n new") {
		t.Errorf("the list is\n%s", got)
	}
	press(p, "end")
	press(p, "end")
	press(p, "end")
	if got := view(p, 60, 5); !strings.Contains(got, "> Talk 69") || len(b.asked) != 3 {
		t.Errorf("after %d requests the end is\n%s", len(b.asked), got)
	}
}

func TestFilterLooksInAllPages(t *testing.T) {
	b := &backend{n: 100}
	p := newPage(t, b)
	run(p, p.Open(""))
	press(p, "/")
	press(p, "talk 99")
	got := press(p, "enter")
	if want, ok := any(got[0]).(kit.PickSession); !ok || want.Session.ID != "ses_99" {
		t.Errorf("picked %+v", got)
	}
}

func TestKeys(t *testing.T) {
	p := newPage(t, &backend{n: 3})
	run(p, p.Open(""))
	if got := press(p, "n"); got[0] != (tea.Msg)(kit.PickSession{}) {
		t.Errorf("n gives %+v", got)
	}
	press(p, "/n")
	if got := press(p, "esc"); got != nil {
		t.Errorf("esc gives up the filter first, not %+v", got)
	}
	if got := press(p, "esc"); got[0] != (tea.Msg)(kit.Back{}) {
		t.Errorf("esc gives %+v", got)
	}
}

func TestFailureAndAnotherTry(t *testing.T) {
	b := &backend{n: 2, fails: 1}
	p := newPage(t, b)
	run(p, p.Open(""))
	if got := view(p, 60, 6); !strings.Contains(got, "out of reach") || !strings.Contains(got, "enter tries again") {
		t.Errorf("the failure is\n%s", got)
	}
	press(p, "enter")
	if got := view(p, 60, 6); !strings.Contains(got, "Talk 1") {
		t.Errorf("after another try there is\n%s", got)
	}
}

func TestLatePageOfAnEarlierOpening(t *testing.T) {
	p := newPage(t, &backend{n: 2})
	late := p.Open("")
	run(p, p.Open(""))
	run(p, late)
	if n := p.list.Len(); n != 2 {
		t.Errorf("the list has %d sessions", n)
	}
}
