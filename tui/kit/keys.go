package kit

import (
	"strings"

	"github.com/charmbracelet/bubbles/key"
)

// Keys are the keys of the chat. Those of plain text editing are the shell's and are not listed here.
type Keys struct {
	Send, Newline, Stop, Cancel, Quit, Clear, Suspend key.Binding
	Up, Down, PageUp, PageDown, Top, Bottom, Complete key.Binding
	Allow, Deny                                       key.Binding
}

// NewKeys is the one key map. A newline never needs shift+enter, which terminals do not report.
func NewKeys() Keys {
	bind := func(show, help string, keys ...string) key.Binding {
		return key.NewBinding(key.WithKeys(keys...), key.WithHelp(show, help))
	}
	return Keys{
		Send:     bind("enter", "send", "enter"),
		Newline:  bind(`alt+enter, ctrl+j or \ enter`, "new line", "alt+enter", "ctrl+j"),
		Stop:     bind("esc", "stop the answer and keep what is there", "esc"),
		Cancel:   bind("ctrl+c", "stop, or clear the input; twice to quit", "ctrl+c"),
		Quit:     bind("ctrl+d", "quit when the input is empty", "ctrl+d"),
		Clear:    bind("ctrl+l", "clear the screen", "ctrl+l"),
		Suspend:  bind("ctrl+z", "suspend", "ctrl+z"),
		Up:       bind("up", "earlier message of yours", "up", "ctrl+p"),
		Down:     bind("down", "later message of yours", "down", "ctrl+n"),
		PageUp:   bind("pgup", "scroll back (full screen)", "pgup"),
		PageDown: bind("pgdown", "scroll forward (full screen)", "pgdown"),
		Top:      bind("ctrl+home", "the beginning (full screen)", "ctrl+home"),
		Bottom:   bind("ctrl+end", "the end (full screen)", "ctrl+end"),
		Complete: bind("tab", "complete a command", "tab"),
		Allow:    bind("y", "allows", "y", "Y"),
		Deny:     bind("n or esc", "denies", "n", "N"),
	}
}

// All is every binding in the order in which help lists them.
func (k Keys) All() []key.Binding {
	return []key.Binding{k.Send, k.Newline, k.Stop, k.Cancel, k.Quit, k.Up, k.Down, k.Complete, k.Clear, k.Suspend,
		k.PageUp, k.PageDown, k.Top, k.Bottom}
}

// Table is two columns of text, the first one as wide as it needs.
func (t Theme) Table(rows [][2]string, width int) []string {
	first := 0
	for _, r := range rows {
		first = max(first, Width(r[0]))
	}
	var out []string
	for _, r := range rows {
		lines := Wrap(t, r[1], Muted, max(width-first-4, 20))
		for i, line := range lines {
			name := ""
			if i == 0 {
				name = r[0]
			}
			out = append(out, t.Cut("  "+t.Style(Accent, name)+strings.Repeat(" ", first-Width(name)+2)+line, width))
		}
	}
	return out
}
