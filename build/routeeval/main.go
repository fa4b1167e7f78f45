// Command routeeval trains the router's score on public labelled prompts, measures it, and holds the committed weights to what was recorded.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/clawless/clawless/server/llm/score"
	"github.com/clawless/clawless/server/llm/score/linear"
)

// paths are the files that the program reads and writes, below the root of the repository.
type paths struct {
	weights, record, page string
}

func pathsIn(root string) paths {
	dir := filepath.Join(root, "server", "llm", "score")
	return paths{filepath.Join(dir, "weights.txt"), filepath.Join(dir, "weights.json"), filepath.Join(root, "docs", "routing.md")}
}

func main() {
	data := flag.String("data", "../shared/data/routing", "folder with the labelled prompts")
	root := flag.String("root", ".", "root of the repository")
	compare := flag.Bool("select", false, "compare recipes by cross-validation over the training subjects, and end")
	write := flag.Bool("write", false, "write weights, record and page instead of checking them")
	flag.Parse()
	if err := run(*data, pathsIn(*root), *compare, *write); err != nil {
		fmt.Fprintln(os.Stderr, "routeeval:", err)
		os.Exit(1)
	}
}

func run(data string, at paths, compare, write bool) error {
	c, err := readCorpus(data)
	if err != nil {
		return err
	}
	if compare {
		compareRecipes(os.Stdout, c.training)
		return nil
	}
	m, u := build(c.training, chosen)
	if write {
		return writeAll(c, m, u, at)
	}
	return check(c, m, u, at)
}

// writeAll measures the new model as it will be read from its file, and writes what there is to write.
func writeAll(c *corpus, m *linear.Model, u unseen, at paths) error {
	scores := each(stems(c.held), func(text string) float64 { return m.Predict(text, 0).Probability })
	slices.Sort(scores)
	m.Quantiles = quantiles(scores)
	text, err := m.Encode()
	if err != nil {
		return err
	}
	shipped, err := linear.Decode(text)
	if err != nil {
		return fmt.Errorf("read the weights back: %w", err)
	}
	rec := evaluate(c, func(text string) float64 { return shipped.Predict(text, 0).Probability }, u, chosen)
	rec.Version = score.VersionOf(text)
	page, err := os.ReadFile(at.page)
	if err != nil {
		return err
	}
	if page, err = replaceFigures(page, render(rec)); err != nil {
		return err
	}
	var figures bytes.Buffer
	enc := json.NewEncoder(&figures)
	enc.SetIndent("", "  ")
	if err := enc.Encode(rec); err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	fmt.Println(render(rec))
	for file, content := range map[string][]byte{at.weights: text, at.record: figures.Bytes(), at.page: page} {
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// check measures the committed weights through the package that serves them, and compares them with the record and with what the recipe gives today.
func check(c *corpus, m *linear.Model, u unseen, at paths) error {
	recorded, err := readRecord(at.record)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(at.weights)
	if err != nil {
		return err
	}
	shipped, err := linear.Decode(text)
	if err != nil {
		return fmt.Errorf("the committed weights: %w", err)
	}
	serve := func(text string) float64 { return score.Score(score.Signals{Text: text, Messages: 1}).Failure }
	rec := evaluate(c, serve, u, chosen)
	rec.Version = score.Version()
	fmt.Println(render(rec))
	problems := append(compareRecords(recorded, rec), compareModels(shipped, m)...)
	if len(problems) == 0 {
		fmt.Println("\nThe committed weights are as recorded, and the recipe gives them again.")
		return nil
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, "routeeval:", p)
	}
	return fmt.Errorf("%d differences from the record; with WRITE=1 the record is made anew", len(problems))
}

func readRecord(file string) (*record, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(file), err)
	}
	return &r, nil
}
