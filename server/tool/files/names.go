package files

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a file's path.
const (
	maxPath    = 200 // bytes
	maxName    = 100 // bytes of each part
	maxFolders = 8   // parts
)

// temporary begins the names of files that are being written. No name begins with a dot.
const temporary = ".tmp-"

// CheckPath says in words what is wrong with the path of a file; nil when it is a plain relative one that means the same on every system.
func CheckPath(name string) error {
	switch {
	case name == "":
		return errors.New("path: is empty")
	case !utf8.ValidString(name):
		return errors.New("path: must be valid UTF-8")
	case len(name) > maxPath:
		return fmt.Errorf("path: may have %d bytes", maxPath)
	case strings.HasPrefix(name, "/"):
		return errors.New("path: must be relative, such as notes/ideas.md")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`\:*?"<>|`, r) }):
		return errors.New(`path: must not hold \ : * ? " < > | or signs that cannot be seen`)
	}
	parts := strings.Split(name, "/")
	if len(parts) > maxFolders {
		return fmt.Errorf("path: may have %d parts", maxFolders)
	}
	for _, p := range parts {
		if err := checkName(p); err != nil {
			return err
		}
	}
	if path.Clean(name) != name {
		return errors.New("path: must be written plainly, such as notes/ideas.md")
	}
	return nil
}

// devices are names that mean no file on Windows, whatever follows the first dot.
var devices = []string{"con", "prn", "aux", "nul", "conin$", "conout$", "com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt0", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9"}

func checkName(p string) error {
	base, _, _ := strings.Cut(strings.ToLower(p), ".")
	switch {
	case p == "":
		return errors.New("path: has an empty part")
	case len(p) > maxName:
		return fmt.Errorf("path: each part may have %d bytes", maxName)
	case strings.HasPrefix(p, "."):
		return errors.New("path: no part may begin with a dot")
	case strings.HasSuffix(p, ".") || strings.TrimSpace(p) != p:
		return errors.New("path: no part may end with a dot, or begin or end with a space")
	case slices.Contains(devices, strings.TrimSpace(base)):
		return fmt.Errorf("path: %q is a reserved name", p)
	}
	return nil
}
