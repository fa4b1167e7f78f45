package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm/score"
	"github.com/clawless/clawless/server/llm/score/linear"
)

var repository = pathsIn(filepath.Join("..", ".."))

// TestPageIsWrittenFromTheRecord keeps the numbers of docs/routing.md and those beside the weights the same.
func TestPageIsWrittenFromTheRecord(t *testing.T) {
	rec, err := readRecord(repository.record)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(repository.page)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := replaceFigures(page, render(rec)); err != nil || !bytes.Equal(page, want) {
		t.Errorf("docs/routing.md has other figures than weights.json: run make route-eval WRITE=1 (%v)", err)
	}
	if rec.Version != score.Version() {
		t.Errorf("the record is of the weights %s, the package has %s", rec.Version, score.Version())
	}
	if rec.Recipe != chosen {
		t.Error("the record was made by another recipe")
	}
	if _, err := replaceFigures([]byte("no marks"), ""); err == nil {
		t.Error("a page without marks is accepted")
	}
}

// invented makes questions in which a word decides mostly, over several subjects.
func invented(n int) []prompt {
	rng := rand.New(rand.NewPCG(5, 6))
	subjects := []string{"anatomy", "marketing", "philosophy", "sociology", "astronomy", "prehistory", "econometrics", "virology"}
	var ps []prompt
	for i := range n {
		p := prompt{group: subjects[i%len(subjects)], turn: 1, cheap: 1, strong: 1}
		word := "apple"
		if rng.Float64() < 0.4 {
			word = "tensor"
		}
		if hard := word == "tensor"; hard == (rng.Float64() < 0.85) {
			p.cheap = 0
		}
		p.text = fmt.Sprintf("What about the %s number %d in the garden?\nA. one\nB. two\nC. three\nAnswer:", word, i)
		ps = append(ps, p)
	}
	return ps
}

func TestTrainingLearnsAndRepeats(t *testing.T) {
	ps := invented(800)
	slices.SortStableFunc(ps, func(a, b prompt) int { return strings.Compare(a.group, b.group) })
	r := chosen
	r.CommonIn = 3
	m, u := build(ps, r)
	if a := auc(u.full, failures(ps)); a < 0.75 {
		t.Errorf("AUC %.3f on subjects that were left out", a)
	}
	if m.Slope <= 0 {
		t.Errorf("slope %v", m.Slope)
	}
	if _, ece := reliability(u.full, failures(ps)); ece > 0.1 {
		t.Errorf("calibration error %.3f", ece)
	}
	again, _ := build(ps, r)
	one, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if two, err := again.Encode(); err != nil || !bytes.Equal(one, two) {
		t.Errorf("the same training gives another model (%v)", err)
	}
	if problems := compareModels(m, again); len(problems) > 0 {
		t.Error(problems)
	}
	for i, f := range linear.Features {
		if w := m.Structure[i]; float64(f.Sign)*w < 0 {
			t.Errorf("%s weighs %v against its sign", f.Name, w)
		}
	}
	r.L2 *= 30
	other, _ := build(ps, r)
	if len(compareModels(m, other)) == 0 {
		t.Error("another recipe's model passes for the same")
	}
}

func TestCompareRecords(t *testing.T) {
	make := func() *record {
		return &record{Version: "a", HeldOut: []string{"x"}, Sets: []set{{Name: "s", Prompts: 3, Routers: []row{{APGR: 0.6}}}}, Calibration: calibration{Brier: 0.2}}
	}
	if p := compareRecords(make(), make()); len(p) > 0 {
		t.Errorf("equal records differ: %v", p)
	}
	better := make()
	better.Sets[0].Routers[0].APGR = 0.7
	if p := compareRecords(make(), better); len(p) > 0 {
		t.Errorf("better is a problem: %v", p)
	}
	for name, spoil := range map[string]func(*record){
		"version":  func(r *record) { r.Version = "b" },
		"recipe":   func(r *record) { r.Recipe.Epochs = 99 },
		"held out": func(r *record) { r.HeldOut = nil },
		"sets":     func(r *record) { r.Sets = nil },
		"prompts":  func(r *record) { r.Sets[0].Prompts = 2 },
		"APGR":     func(r *record) { r.Sets[0].Routers[0].APGR = 0.59 },
		"Brier":    func(r *record) { r.Calibration.Brier = 0.3 },
	} {
		r := make()
		spoil(r)
		if len(compareRecords(make(), r)) == 0 {
			t.Errorf("%s: no problem", name)
		}
	}
}

func TestSplits(t *testing.T) {
	var ps []prompt
	for family, subjects := range families {
		for i, s := range subjects {
			for range 10 * (i + 1) {
				ps = append(ps, prompt{group: s, text: family})
			}
		}
	}
	slices.SortStableFunc(ps, func(a, b prompt) int { return strings.Compare(a.group, b.group) })
	if held := holdOut(ps); len(held) != heldOut {
		t.Errorf("%d subjects held out", len(held))
	}
	fold := familyFolds(ps)
	used := map[int]bool{}
	for family, subjects := range families {
		for _, s := range subjects {
			used[fold[s]] = true
			if fold[s] != fold[subjects[0]] {
				t.Errorf("the family %s is torn apart", family)
			}
		}
	}
	if len(used) != folds {
		t.Errorf("%d folds are used", len(used))
	}
	_, test := splitBy(ps, inDomain)
	if part := float64(len(test)) / float64(len(ps)); part < 0.12 || part > 0.26 {
		t.Errorf("%.2f of the prompts are the test in domain", part)
	}
}

func TestHeldOutIsTheRecorded(t *testing.T) {
	rec, err := readRecord(repository.record)
	if err != nil {
		t.Fatal(err)
	}
	var training []string
	for _, subjects := range families {
		for _, s := range subjects {
			if !slices.Contains(rec.HeldOut, s) {
				training = append(training, s)
			}
		}
	}
	for _, out := range rec.HeldOut { // every held-out subject comes before every training one
		for _, in := range training {
			if hash(splitSeed+out) >= hash(splitSeed+in) {
				t.Errorf("%s is held out and %s is not", out, in)
			}
		}
	}
}

func TestReadWithoutData(t *testing.T) {
	_, err := readCorpus(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "lm-sys/RouteLLM") || !strings.Contains(err.Error(), "ROUTING_DATA") {
		t.Errorf("the error does not say where the data comes from: %v", err)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("mmlu/mmlu_marketing.csv", "prompt,"+cheapModel+","+strongModel+"\n\"Why?\nA. x\",False,True\nHow?,True,True\n")
	write("mt_bench_questions.jsonl", `{"question_id":1,"turns":["one","two"]}`+"\n"+`{"question_id":2,"turns":["seen ","x"]}`+"\n")
	write("mt_bench_contaminated.jsonl", `{"eval_prompt":"seen"}`+"\n")
	var judged strings.Builder
	for turn := 1; turn <= 2; turn++ {
		fmt.Fprintf(&judged, `{"question_id":1,"model":%q,"score":%d,"turn":%d}`+"\n", cheapModel, turn, turn)
		fmt.Fprintf(&judged, `{"question_id":1,"model":%q,"score":9,"turn":%d}`+"\n", strongModel, turn)
	}
	write("mt_bench_judgements.jsonl", judged.String())
	c, err := readCorpus(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.all) != 2 || !c.all[0].failed() || c.all[0].strong != 1 || c.all[1].failed() || c.all[0].group != "marketing" {
		t.Errorf("MMLU: %+v", c.all)
	}
	if len(c.bench) != 2 || c.bench[1].text != "two" || c.bench[1].cheap != 2 || c.bench[1].strong != 9 {
		t.Errorf("MT-bench: %+v", c.bench)
	}
	if f := firstTurns(c.bench); len(f) != 1 || f[0].cheap != 1.5 || f[0].text != "one" {
		t.Errorf("first turns: %+v", f)
	}
}
