package linear

// The structural features, which do not depend on a subject's words.
const (
	length = iota
	lengthOver16
	lengthOver64
	sentences
	sentenceLength
	wordLength
	longWords
	rareWords
	numbers
	digitShare
	mathSymbols
	mathWords
	codeMarks
	negations
	extremes
	constraints
	conditions
	tasks
	quantity
	recall
	asksWhat
	asksWhy
	asksWhich
	lines
	foreign
	quotes
	parentheses
	commas
	capitals
	// Structural is how many structural features there are.
	Structural
)

// Feature says what a structural feature is called, and which way it may move the score: 1 only up, -1 only down, 0 both.
type Feature struct {
	Name string
	Sign int
}

// Features are the structural features in the order of Vector.Structure.
var Features = [Structural]Feature{
	length: {"length", 1}, lengthOver16: {"length over 16 words", 1}, lengthOver64: {"length over 64 words", 1},
	sentences: {"sentences", 1}, sentenceLength: {"words in a sentence", 1}, wordLength: {"letters in a word", 0}, longWords: {"share of long words", 0},
	rareWords: {"share of rare words", 1}, numbers: {"numbers", 1}, digitShare: {"share of digits", 1}, mathSymbols: {"signs of mathematics", 1},
	mathWords: {"words of mathematics", 1}, codeMarks: {"signs of code", 1}, negations: {"negations", 1}, extremes: {"superlatives", 0},
	constraints: {"constraints", 1}, conditions: {"conditions", 1}, tasks: {"words for work in several steps", 1}, quantity: {"asks how many or how much", 1},
	recall: {"asks who, where or when", -1}, asksWhat: {"asks what", 0}, asksWhy: {"asks why or how", 0}, asksWhich: {"asks which", 0},
	lines: {"lines", 1}, foreign: {"share of letters outside ASCII", 0}, quotes: {"quotation marks", 0}, parentheses: {"parentheses", 0},
	commas: {"commas in a sentence", 0}, capitals: {"share of names", 0},
}

// kinds maps a word to the feature that counts it.
var kinds = wordKinds(map[int]string{
	negations:   "not no never none neither nor cannot without except false incorrect wrong unlikely isn't doesn't don't can't won't unless",
	extremes:    "most best least main primarily primary mainly largest smallest greatest highest lowest first correct true",
	constraints: "exactly only must each every all both between such any unless precisely minimum maximum distinct respectively constraint constraints",
	conditions:  "if suppose assume assuming assumes given let when whenever then therefore hence because although however while",
	tasks: "prove disprove derive explain justify compare calculate compute determine evaluate solve show analyse analyze design implement debug refactor " +
		"optimize optimise simplify estimate conclude infer deduce approximate classify rewrite fix why step steps",
	mathWords: "integral derivative matrix matrices polynomial equation theorem function functions prime integer integers vector vectors ring field group subgroup " +
		"graph probability variance mean median deviation angle triangle circle radius area volume velocity acceleration force mass energy sum product " +
		"factor root roots limit continuous differentiable finite infinite ratio percent rate interest algorithm array recursive complexity valid formula",
})

func wordKinds(lists map[int]string) map[string]int {
	m := map[string]int{}
	for feature, list := range lists {
		for w := range fieldsSeq(list) {
			if old, ok := m[w]; !ok || feature < old { // a word in two lists belongs to the first feature, whatever the order of the map
				m[w] = feature
			}
		}
	}
	return m
}
