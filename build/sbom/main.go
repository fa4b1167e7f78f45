// Command sbom writes the bill of materials of a Go binary as CycloneDX, from what the Go toolchain put into the binary itself.
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime/debug"
)

// document is the part of CycloneDX 1.6 that a list of modules needs.
type document struct {
	BOMFormat   string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"`
	Metadata    metadata    `json:"metadata"`
	Components  []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Ref        string     `json:"bom-ref"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version,omitempty"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("sbom: ")
	out := flag.String("o", "", "the file to write; standard output when empty")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: sbom [-o FILE] BINARY")
	}
	if err := run(flag.Arg(0), *out); err != nil {
		log.Fatal(err)
	}
}

func run(binary, out string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	if out == "" {
		return write(os.Stdout, filepath.Base(binary), info)
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	if err := write(f, filepath.Base(binary), info); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// write lists the main module, the toolchain's standard library and every module that was linked.
func write(w io.Writer, name string, info *debug.BuildInfo) error {
	main := module(&info.Main)
	main.Type, main.Name = "application", name
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED", "-tags", "vcs.revision":
			main.Properties = append(main.Properties, property{"go:build:" + s.Key, s.Value})
		}
	}
	std := component{Ref: "std", Type: "library", Name: "std", Version: info.GoVersion, PURL: "pkg:golang/std@" + info.GoVersion}
	doc := document{BOMFormat: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{main}, Components: []component{std}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		doc.Components = append(doc.Components, module(m))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

func module(m *debug.Module) component {
	purl := fmt.Sprintf("pkg:golang/%s@%s", m.Path, m.Version)
	c := component{Ref: purl, Type: "library", Name: m.Path, Version: m.Version, PURL: purl}
	if m.Sum != "" {
		c.Properties = []property{{"go:sum", m.Sum}}
	}
	return c
}
