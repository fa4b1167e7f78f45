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

// Feature says what a structural feature is called and what is believed of it before any data.
type Feature struct {
	Name  string
	Sign  int     // which way it may move the score: 1 only up, -1 only down, 0 both
	Prior float64 // log-odds for one standard deviation where the data says nothing
	Share bool    // a share of the words, which says little about a text of few
}

// Features are the structural features in the order of Vector.Structure.
var Features = [Structural]Feature{
	length:         {Name: "length", Sign: 1, Prior: 0.2},
	lengthOver16:   {Name: "length over 16 words", Sign: 1, Prior: 0.05},
	lengthOver64:   {Name: "length over 64 words", Sign: 1},
	sentences:      {Name: "sentences", Sign: 1, Prior: 0.05},
	sentenceLength: {Name: "words in a sentence", Sign: 1, Prior: 0.05},
	wordLength:     {Name: "letters in a word", Share: true},
	longWords:      {Name: "share of long words", Share: true},
	rareWords:      {Name: "share of rare words", Sign: 1, Prior: 0.05, Share: true},
	numbers:        {Name: "numbers", Sign: 1, Prior: 0.1},
	digitShare:     {Name: "share of digits", Sign: 1, Prior: 0.05, Share: true},
	mathSymbols:    {Name: "signs of mathematics", Sign: 1, Prior: 0.1},
	mathWords:      {Name: "words of mathematics", Sign: 1, Prior: 0.1},
	codeMarks:      {Name: "signs of code", Sign: 1, Prior: 0.1},
	negations:      {Name: "negations", Sign: 1, Prior: 0.05},
	extremes:       {Name: "superlatives"},
	constraints:    {Name: "constraints", Sign: 1, Prior: 0.1},
	conditions:     {Name: "conditions", Sign: 1, Prior: 0.1},
	tasks:          {Name: "words for work in several steps", Sign: 1, Prior: 0.1},
	quantity:       {Name: "asks how many or how much", Sign: 1, Prior: 0.05},
	recall:         {Name: "asks who, where or when", Sign: -1, Prior: -0.05},
	asksWhat:       {Name: "asks what"},
	asksWhy:        {Name: "asks why or how"},
	asksWhich:      {Name: "asks which"},
	lines:          {Name: "lines", Sign: 1, Prior: 0.05},
	foreign:        {Name: "share of letters outside ASCII", Share: true},
	quotes:         {Name: "quotation marks"},
	parentheses:    {Name: "parentheses"},
	commas:         {Name: "commas in a sentence"},
	capitals:       {Name: "share of names", Share: true},
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
