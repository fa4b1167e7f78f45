package picker

import (
	"context"
	"errors"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/kit"
)

// backend fails once if it is told.
type backend struct{ fails bool }

func (b *backend) Models(context.Context) ([]kit.Model, error) {
	if b.fails {
		b.fails = false
		return nil, errors.New("out of reach")
	}
	return []kit.Model{{ID: "mock/echo", Note: "repeats\x1b"}, {ID: "openai/gpt-4o"}}, nil
}

func view(p *Page, width, height int) string { return strings.Join(p.View(width, height), "\n") }

func press(p *Page, s string) tea.Msg {
	msg := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(s)}
	switch s {
	case "enter":
		msg = tea.KeyMsg{Type: tea.KeyEnter}
	case "esc":
		msg = tea.KeyMsg{Type: tea.KeyEsc}
	}
	if cmd := p.Update(msg); cmd != nil {
		return cmd()
	}
	return nil
}

func TestChoosing(t *testing.T) {
	p := New(t.Context(), &backend{}, kit.Theme{})
	load := p.Open("openai/gpt-4o")
	if got := view(p, 60, 5); !strings.Contains(got, "loading...") {
		t.Errorf("before the models there is\n%s", got)
	}
	p.Update(load())
	if got := view(p, 60, 5); !strings.Contains(got, "> openai/gpt-4o *") || !strings.Contains(got, "repeats␛") {
		t.Errorf("the list is\n%s", got)
	}
	press(p, "echo")
	if got := press(p, "enter"); got != (tea.Msg)(kit.PickModel{ID: "mock/echo"}) {
		t.Errorf("enter gives %+v", got)
	}
	if got := press(p, "esc"); got != nil {
		t.Errorf("esc gives up the filter first, not %+v", got)
	}
	if got := press(p, "esc"); got != (tea.Msg)(kit.Back{}) {
		t.Errorf("esc gives %+v", got)
	}
}

func TestFailureAndAnotherTry(t *testing.T) {
	p := New(t.Context(), &backend{fails: true}, kit.Theme{})
	p.Update(p.Open("")())
	if got := view(p, 60, 6); !strings.Contains(got, "out of reach") {
		t.Errorf("the failure is\n%s", got)
	}
	p.Update(press(p, "enter"))
	if got := view(p, 60, 6); !strings.Contains(got, "mock/echo") {
		t.Errorf("after another try there is\n%s", got)
	}
}
