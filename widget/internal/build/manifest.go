package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
)

// manifest says what is in dist; embed.go reads it.
type manifest struct {
	App   string           `json:"app"` // the name of the app chunk
	Files map[string]entry `json:"files"`
}

type entry struct {
	Bytes     int    `json:"bytes"`
	Gzip      int    `json:"gzip"`
	Brotli    int    `json:"brotli"`
	SHA256    string `json:"sha256"`
	Integrity string `json:"integrity,omitempty"` // for the integrity attribute; scripts only
}

// addManifest adds the compressed forms of every file, and the manifest. The demo page is sent
// with a nonce and so is never compressed in advance.
func addManifest(files map[string][]byte) error {
	m := manifest{Files: map[string]entry{}}
	for _, name := range sortedNames(files) {
		content := files[name]
		sum := sha256.Sum256(content)
		e := entry{Bytes: len(content), SHA256: hex.EncodeToString(sum[:])}
		if strings.HasPrefix(name, "app.") {
			m.App = name
		}
		if strings.HasSuffix(name, ".js") {
			sri := sha512.Sum384(content)
			e.Integrity = "sha384-" + base64.StdEncoding.EncodeToString(sri[:])
		}
		if name != "demo.html" {
			gz, br, err := compress(content)
			if err != nil {
				return fmt.Errorf("compress %s: %w", name, err)
			}
			files[name+".gz"], files[name+".br"] = gz, br
			e.Gzip, e.Brotli = len(gz), len(br)
		}
		m.Files[name] = e
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	files["manifest.json"] = append(text, '\n')
	return nil
}

func compress(content []byte) (gz, br []byte, err error) {
	var g, b bytes.Buffer
	zw, err := gzip.NewWriterLevel(&g, gzip.BestCompression)
	if err != nil {
		return nil, nil, err
	}
	bw := brotli.NewWriterLevel(&b, brotli.BestCompression)
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{zw, bw} {
		if _, err := w.Write(content); err != nil {
			return nil, nil, err
		}
		if err := w.Close(); err != nil {
			return nil, nil, err
		}
	}
	return g.Bytes(), b.Bytes(), nil
}

// library is one npm package that becomes part of the app chunk.
type library struct {
	Name, Version, Licence string
}

// readLibraries reads the licences of the installed packages and checks that their versions are
// the ones package.json pins, so that dist never comes from something else.
func readLibraries(root string) ([]library, error) {
	var pinned struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := readJSON(filepath.Join(root, "package.json"), &pinned); err != nil {
		return nil, err
	}
	var all []library
	for name, want := range pinned.Dependencies {
		dir := filepath.Join(root, "node_modules", name)
		var got struct {
			Version string `json:"version"`
		}
		if err := readJSON(filepath.Join(dir, "package.json"), &got); err != nil {
			return nil, fmt.Errorf("%s is not installed, run npm ci in the widget folder: %w", name, err)
		}
		if got.Version != want {
			return nil, fmt.Errorf("%s %s is installed, package.json pins %s: run npm ci in the widget folder", name, got.Version, want)
		}
		licence, err := os.ReadFile(filepath.Join(dir, "LICENSE"))
		if err != nil {
			return nil, fmt.Errorf("licence of %s: %w", name, err)
		}
		all = append(all, library{name, got.Version, strings.TrimSpace(string(licence))})
	}
	slices.SortFunc(all, func(a, b library) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func licences(all []library) []byte {
	var b bytes.Buffer
	b.WriteString("The Clawless chat contains these libraries.\n")
	for _, l := range all {
		fmt.Fprintf(&b, "\n%s\n%s %s\n\n%s\n", strings.Repeat("=", 72), l.Name, l.Version, l.Licence)
	}
	return b.Bytes()
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return nil
}
