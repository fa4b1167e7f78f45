package kit

import (
	"strings"
	"unicode"

	tea "github.com/charmbracelet/bubbletea"
)

// Item is one line of a List.
type Item struct {
	// ID tells items apart and is never shown; Title and Note are shown at the left and the right.
	ID, Title, Note string
	// Current marks the item that is in use.
	Current bool
}

// List shows items in a part of the screen and filters them by words of the title and the note. The zero value is an
// empty list.
type List struct {
	Theme Theme
	// Instant filters by whatever is typed; without it a slash begins the filter.
	Instant bool
	// Heading stands above the items, Empty in their place if there are none.
	Heading, Empty string
	// Loading says that more items are on their way; Failure is an error in their place.
	Loading bool
	Failure error

	items  []Item
	shown  []int
	filter string
	typing bool
	cursor int
	top    int
}

// Reset forgets items and filter.
func (l *List) Reset() {
	l.items, l.shown, l.filter, l.typing, l.cursor, l.top, l.Failure = nil, nil, "", false, 0, 0, nil
}

// Filtering reports that letters are part of the filter now.
func (l *List) Filtering() bool { return l.typing || l.Instant }

// Escape gives up the filter and reports whether there was one.
func (l *List) Escape() bool {
	was := l.typing || l.filter != ""
	l.typing = false
	l.find("")
	return was
}

// Append adds items at the end. Their text is made safe to show.
func (l *List) Append(items ...Item) {
	for _, it := range items {
		it.Title, it.Note = Line(it.Title), Line(it.Note)
		l.items = append(l.items, it)
	}
	l.match()
}

// Len is the number of items, shown or not.
func (l *List) Len() int { return len(l.items) }

// Selected is the item under the cursor.
func (l *List) Selected() (Item, bool) {
	if l.cursor >= len(l.shown) {
		return Item{}, false
	}
	return l.items[l.shown[l.cursor]], true
}

// AtEnd reports that no further items follow within a screen of n lines, so that more should be loaded.
func (l *List) AtEnd(n int) bool { return l.cursor+n >= len(l.shown) }

// Select moves the cursor to the item with the id, if it is shown.
func (l *List) Select(id string) {
	for i, at := range l.shown {
		if l.items[at].ID == id {
			l.cursor = i
		}
	}
}

func (l *List) match() {
	words := strings.Fields(strings.ToLower(l.filter))
	l.shown = l.shown[:0]
	for i, it := range l.items {
		text, hit := strings.ToLower(it.Title+" "+it.Note), true
		for _, w := range words {
			hit = hit && strings.Contains(text, w)
		}
		if hit {
			l.shown = append(l.shown, i)
		}
	}
	l.cursor = max(0, min(l.cursor, len(l.shown)-1))
}

// Key takes a key that moves the cursor or edits the filter and reports whether it did.
func (l *List) Key(msg tea.KeyMsg) bool {
	last := len(l.shown) - 1
	switch msg.String() {
	case "up", "ctrl+p":
		l.cursor = max(0, l.cursor-1)
	case "down", "ctrl+n":
		l.cursor = max(0, min(last, l.cursor+1))
	case "pgup":
		l.cursor = max(0, l.cursor-8)
	case "pgdown":
		l.cursor = max(0, min(last, l.cursor+8))
	case "home":
		l.cursor = 0
	case "end":
		l.cursor = max(0, last)
	case "backspace":
		if r := []rune(l.filter); len(r) > 0 {
			l.find(string(r[:len(r)-1]))
		}
	case "ctrl+u":
		l.find("")
	default:
		if !l.Filtering() {
			if len(msg.Runes) == 0 || msg.Runes[0] != '/' || msg.Alt {
				return false
			}
			l.typing, msg.Runes = true, msg.Runes[1:]
		}
		if msg.Type != tea.KeyRunes && msg.Type != tea.KeySpace || msg.Alt {
			return false
		}
		add := strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return -1
		}, string(msg.Runes))
		l.find(l.filter + add)
	}
	return true
}

func (l *List) find(filter string) {
	l.filter, l.cursor, l.top = filter, 0, 0
	l.match()
}

// View is at most height lines of at most width columns.
func (l *List) View(width, height int) []string {
	head := l.Theme.Style(Bold, l.Heading)
	if l.filter != "" || l.typing {
		head += " " + l.Theme.Style(Warning, "/"+l.filter)
	}
	lines := []string{l.Theme.Cut(head, width)}
	room := max(1, height-1)
	switch {
	case l.Failure != nil:
		lines = append(lines, Failed(l.Theme, l.Failure, width)...)
	case len(l.shown) == 0 && l.Loading:
		lines = append(lines, l.Theme.Style(Muted, "  loading"+l.Theme.Sign("…", "...")))
	case len(l.shown) == 0 && l.filter != "":
		lines = append(lines, l.Theme.Style(Muted, l.Theme.Cut("  nothing matches; backspace widens the search", width)))
	case len(l.shown) == 0:
		lines = append(lines, l.Theme.Style(Muted, l.Theme.Cut("  "+l.Empty, width)))
	}
	if l.cursor < l.top {
		l.top = l.cursor
	}
	if l.cursor >= l.top+room {
		l.top = l.cursor - room + 1
	}
	for i := l.top; i < len(l.shown) && i < l.top+room && l.Failure == nil; i++ {
		lines = append(lines, l.row(l.items[l.shown[i]], i == l.cursor, width))
	}
	return lines[:min(len(lines), max(height, 1))]
}

func (l *List) row(it Item, here bool, width int) string {
	mark, look := "  ", Attr(0)
	if here {
		mark, look = l.Theme.Style(Prompt, l.Theme.Sign("❯", ">"))+" ", Bold
	}
	title := it.Title
	if it.Current {
		title += " " + l.Theme.Sign("✓", "*")
	}
	room := width - 2
	if note := Width(it.Note); note > 0 && note < room/2 {
		title = l.Theme.Style(look, l.Theme.Cut(title, room-note-2))
		return mark + l.Theme.Status(title, l.Theme.Style(Muted, it.Note), room)
	}
	return mark + l.Theme.Style(look, l.Theme.Cut(title, room))
}

// Failed is an error as lines: what went wrong and, if the error knows, what to do next.
func Failed(th Theme, err error, width int) []string {
	lines := Wrap(th, th.Sign("✗ ", "error: ")+Line(err.Error()), Failure, width)
	if hint := Hint(err); hint != "" {
		lines = append(lines, Wrap(th, "  "+hint, Warning, width)...)
	}
	return lines
}
