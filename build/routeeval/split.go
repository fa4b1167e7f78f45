package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

const (
	splitSeed = "clawless routing split 1/"
	heldOut   = 17 // subjects
	folds     = 5
)

// families groups the subjects by field, as MMLU's authors do; a subject that is not listed is a family of its own.
var families = map[string][]string{
	"biology":     {"anatomy", "college_biology", "high_school_biology", "medical_genetics", "virology"},
	"business":    {"business_ethics", "management", "marketing"},
	"chemistry":   {"college_chemistry", "high_school_chemistry"},
	"computing":   {"college_computer_science", "computer_security", "high_school_computer_science", "machine_learning"},
	"economics":   {"econometrics", "high_school_macroeconomics", "high_school_microeconomics", "professional_accounting"},
	"health":      {"clinical_knowledge", "college_medicine", "human_aging", "nutrition", "professional_medicine"},
	"history":     {"high_school_european_history", "high_school_us_history", "high_school_world_history", "prehistory"},
	"law":         {"international_law", "jurisprudence", "professional_law"},
	"mathematics": {"abstract_algebra", "college_mathematics", "elementary_mathematics", "high_school_mathematics", "high_school_statistics"},
	"philosophy":  {"formal_logic", "logical_fallacies", "moral_disputes", "moral_scenarios", "philosophy", "world_religions"},
	"physics":     {"astronomy", "college_physics", "conceptual_physics", "electrical_engineering", "high_school_physics"},
	"politics":    {"high_school_government_and_politics", "public_relations", "security_studies", "us_foreign_policy"},
	"psychology":  {"high_school_psychology", "human_sexuality", "professional_psychology", "sociology"},
}

// holdOut names the held-out subjects: the first ones by the hash of their names.
func holdOut(prompts []prompt) map[string]bool {
	subjects := subjectsOf(prompts)
	slices.SortFunc(subjects, func(a, b string) int { return cmp.Compare(hash(splitSeed+a), hash(splitSeed+b)) })
	out := map[string]bool{}
	for _, s := range subjects[:min(heldOut, len(subjects))] {
		out[s] = true
	}
	return out
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func subjectsOf(prompts []prompt) []string {
	var subjects []string
	for _, p := range prompts {
		if !slices.Contains(subjects, p.group) {
			subjects = append(subjects, p.group)
		}
	}
	slices.Sort(subjects)
	return subjects
}

// splitBy parts the prompts into those for which out holds and the others, in their order.
func splitBy(prompts []prompt, out func(i int, p prompt) bool) (in, rest []prompt) {
	for i, p := range prompts {
		if out(i, p) {
			rest = append(rest, p)
		} else {
			in = append(in, p)
		}
	}
	return in, rest
}

// familyFolds gives each subject's fold: whole families, the largest first, each into the fold that has the fewest prompts so far.
func familyFolds(prompts []prompt) map[string]int {
	familyOf := map[string]string{}
	for f, subjects := range families {
		for _, s := range subjects {
			familyOf[s] = f
		}
	}
	sizes, members := map[string]int{}, map[string][]string{}
	for _, s := range subjectsOf(prompts) {
		members[cmp.Or(familyOf[s], s)] = append(members[cmp.Or(familyOf[s], s)], s)
	}
	for _, p := range prompts {
		sizes[cmp.Or(familyOf[p.group], p.group)]++
	}
	var names []string
	for n := range sizes {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(sizes[b]-sizes[a], cmp.Compare(a, b)) })
	var load [folds]int
	out := map[string]int{}
	for _, n := range names {
		fold := 0
		for i := range load {
			if load[i] < load[fold] {
				fold = i
			}
		}
		load[fold] += sizes[n]
		for _, s := range members[n] {
			out[s] = fold
		}
	}
	return out
}

// inDomain draws a fifth of the prompts as a test set, whatever their subjects, by the hash of their place.
func inDomain(i int, p prompt) bool {
	h := hash(fmt.Sprint("clawless routing in-domain 1/", p.group, i))
	return h[0] <= '2' // 3 of 16
}
