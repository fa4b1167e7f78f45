package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// source is where the data comes from; it is named in every error about data that is missing.
const source = "the data of the public repository github.com/lm-sys/RouteLLM at commit 0b64fdaf: mmlu/*.csv, mt_bench_judgements.jsonl, mt_bench_questions.jsonl, mt_bench_contaminated.jsonl"

const (
	cheapModel  = "mistralai/Mixtral-8x7B-Instruct-v0.1"
	strongModel = "gpt-4-1106-preview"
)

// prompt is one labelled prompt. Quality is 0 or 1 for MMLU and 0 to 10 for MT-bench.
type prompt struct {
	text          string
	group         string // the subject, or the MT-bench question: what is drawn together in a resample
	turn          int
	cheap, strong float64
}

// failed is the target: whether the cheap model's answer is wrong.
func (p prompt) failed() bool { return p.cheap < 0.5 }

// readMMLU gives all questions, by subject in alphabetical order.
func readMMLU(dir string) ([]prompt, error) {
	files, err := filepath.Glob(filepath.Join(dir, "mmlu", "mmlu_*.csv"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no mmlu/mmlu_*.csv in %q; ROUTING_DATA names a folder with %s", dir, source)
	}
	slices.Sort(files)
	var all []prompt
	for _, f := range files {
		ps, err := readSubject(f)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Base(f), err)
		}
		all = append(all, ps...)
	}
	return all, nil
}

func readSubject(file string) ([]prompt, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || !slices.Equal(rows[0], []string{"prompt", cheapModel, strongModel}) {
		return nil, errors.New("the columns are not the prompt and the two models")
	}
	subject := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "mmlu_"), ".csv")
	ps := make([]prompt, 0, len(rows))
	for _, r := range rows[1:] {
		ps = append(ps, prompt{text: r[0], group: subject, turn: 1, cheap: right(r[1]), strong: right(r[2])})
	}
	return ps, nil
}

func right(cell string) float64 {
	if cell == "True" {
		return 1
	}
	return 0
}

// readBench gives the turns of MT-bench that are not contaminated, first turns before second ones within a question.
func readBench(dir string) ([]prompt, error) {
	type question struct {
		ID    int      `json:"question_id"`
		Turns []string `json:"turns"`
	}
	type judgement struct {
		ID    int     `json:"question_id"`
		Model string  `json:"model"`
		Score float64 `json:"score"`
		Turn  int     `json:"turn"`
	}
	questions, err := readLines[question](filepath.Join(dir, "mt_bench_questions.jsonl"))
	if err != nil {
		return nil, err
	}
	judgements, err := readLines[judgement](filepath.Join(dir, "mt_bench_judgements.jsonl"))
	if err != nil {
		return nil, err
	}
	known, err := readLines[struct {
		Prompt string `json:"eval_prompt"`
	}](filepath.Join(dir, "mt_bench_contaminated.jsonl"))
	if err != nil {
		return nil, err
	}
	contaminated := map[string]bool{}
	for _, k := range known {
		contaminated[strings.TrimSpace(k.Prompt)] = true
	}
	scores := map[string]float64{}
	for _, j := range judgements {
		scores[fmt.Sprint(j.ID, j.Turn, j.Model)] = j.Score
	}
	var ps []prompt
	for _, q := range questions {
		if contaminated[strings.TrimSpace(q.Turns[0])] {
			continue
		}
		for i, text := range q.Turns {
			cheap, ok := scores[fmt.Sprint(q.ID, i+1, cheapModel)]
			strong, both := scores[fmt.Sprint(q.ID, i+1, strongModel)]
			if !ok || !both {
				return nil, fmt.Errorf("MT-bench question %d turn %d is not judged for both models", q.ID, i+1)
			}
			ps = append(ps, prompt{text: text, group: fmt.Sprint(q.ID), turn: i + 1, cheap: cheap, strong: strong})
		}
	}
	return ps, nil
}

// firstTurns routes a whole conversation by its first message: the quality is the mean of both turns.
func firstTurns(turns []prompt) []prompt {
	var out []prompt
	for i := 0; i+1 < len(turns); i += 2 {
		p := turns[i]
		p.cheap, p.strong = (p.cheap+turns[i+1].cheap)/2, (p.strong+turns[i+1].strong)/2
		out = append(out, p)
	}
	return out
}

func readLines[T any](file string) ([]T, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%w; ROUTING_DATA names a folder with %s", err, source)
	}
	defer f.Close()
	var out []T
	for dec := json.NewDecoder(f); dec.More(); {
		var row T
		if err := dec.Decode(&row); err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Base(file), err)
		}
		out = append(out, row)
	}
	return out, nil
}
