// Command build makes widget/dist from widget/src with esbuild's Go API.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// main needs no Node, only the sources of the two libraries that npm put into node_modules:
//
//	go run -C widget/internal/build .          writes dist
//	go run -C widget/internal/build . -check   fails when dist is not what it would write
func main() {
	root := flag.String("widget", "../..", "the widget folder")
	check := flag.Bool("check", false, "compare dist with the sources instead of writing it")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "widget build:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	libraries, err := readLibraries(root)
	if err != nil {
		return err
	}
	files, err := bundle(root)
	if err != nil {
		return err
	}
	files["LICENSES.txt"] = licences(libraries)
	if err := addManifest(files); err != nil {
		return err
	}
	dist := filepath.Join(root, "dist")
	if check {
		return compare(dist, files)
	}
	return write(dist, files)
}

// write replaces the content of dist.
func write(dist string, files map[string][]byte) error {
	if err := os.RemoveAll(dist); err != nil {
		return fmt.Errorf("empty dist: %w", err)
	}
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return fmt.Errorf("make dist: %w", err)
	}
	for _, name := range sortedNames(files) {
		if err := os.WriteFile(filepath.Join(dist, name), files[name], 0o644); err != nil {
			return fmt.Errorf("write dist: %w", err)
		}
	}
	fmt.Print(string(files["manifest.json"]))
	return nil
}

// compare names every file of dist that is missing, different or too many.
func compare(dist string, files map[string][]byte) error {
	var stale []string
	entries, err := os.ReadDir(dist)
	if err != nil {
		return fmt.Errorf("read dist: %w", err)
	}
	for _, entry := range entries {
		if _, ok := files[entry.Name()]; !ok {
			stale = append(stale, entry.Name())
		}
	}
	for _, name := range sortedNames(files) {
		have, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read dist: %w", err)
		}
		if !bytes.Equal(have, files[name]) {
			stale = append(stale, name)
		}
	}
	if len(stale) > 0 {
		return fmt.Errorf("dist differs from the sources in %s; run: make widget", strings.Join(stale, ", "))
	}
	return nil
}

func sortedNames(files map[string][]byte) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
