package scripttest

import (
	"fmt"
	"strings"
)

// Long is an answer with every kind of block.
const Long = `# How tides work

Tides are the *rise and fall* of the sea, caused by the **gravity of the moon** and, to a smaller part, of the sun. Most coasts see ` + "`two`" + ` high tides a day; see [an introduction](https://example.com/tides).

## What decides the height

1. **The moon's place.** At new and full moon, sun and moon pull along one line: *spring tides*.
2. **The shape of the coast.** A narrow bay raises the water.
   - The Bay of Fundy: 16 m
   - The Baltic Sea: hardly any
3. **The weather.** Wind and low pressure can add a metre.

` + "```go" + `
// Height is the water level at a moment, in metres above the mean.
func Height(t time.Time, parts []Part) (h float64) {
	for _, p := range parts {
		h += p.Amplitude * math.Cos(p.Speed*t.Sub(p.Epoch).Hours() + p.Phase)
	}
	return h
}
` + "```" + `

| Place | Range | Kind |
|:------|------:|:-----|
| Bay of Fundy | 16.3 m | semidiurnal |
| Saint-Malo | 13.5 m | semidiurnal |
| Gulf of Mexico | 0.5 m | diurnal |

> The sea, once it casts its spell, holds one in its net of wonder forever.

That is the whole story in short. Ask for more detail about any part of it.
`

// World has wide characters of many kinds.
const World = `## 世界のテキスト

日本語の長い段落は、単語の間に空白がないので、どこでも改行できます。ただし、句読点「。」や「、」で行を始めてはいけません。English words が混ざることもあります。

- 中文列表项目，包含**粗体**和` + "`代码`" + `，足够长，以便在小终端中换行。
- 한국어 문장은 띄어쓰기가 있으므로 단어 단위로 줄을 바꿉니다.
- Emoji: 🌍 earth, 👋 wave, 🚀 rocket, ✅ done

| 言語 | 挨拶 |
|------|------|
| 日本語 | こんにちは |
| 中文 | 你好 |
| emoji | 👋🌍 |
`

// Evil tries to steer the terminal.
const Evil = "Before\x1b]52;c;ZXZpbA==\x07 \x1b[2J\x1b[H \x1bc \u009b31m &#27;[31m after \u202eright to left\u202c.\n\n```\n\x1b[?1049h\ttab\rreturn\n```\n"

// Texts are the answers by the word that chooses them.
func Texts() map[string]string {
	return map[string]string{
		"table": "Here is a table:\n\n| Feature | Clawless | Something else | A third thing |\n|---|:-:|---:|---|\n" +
			"| Streaming of answers | yes, with resume | partly | no |\n| Tool calls | yes | **yes** | `maybe` |\n\nThat was it.\n",
		"code":  "```python\n" + strings.Repeat("def f(x):\n\treturn x + 1  # a comment that makes this line rather long, longer than eighty columns\n\n", 12) + "```\n\nDone.\n",
		"world": World,
		"list":  list(),
		"evil":  Evil,
		"hi":    "Hello! How can I help?\n",
	}
}

func list() string {
	var b strings.Builder
	b.WriteString("Forty steps:\n\n")
	for i := range 40 {
		fmt.Fprintf(&b, "%d. **Step %d** of the way, which is described in a sentence that wraps.\n", i+1, i+1)
	}
	return b.String() + "\nThe end.\n"
}

// Title is the title of the n-th session of a list.
func Title(n int) string {
	titles := [...]string{"How tides work", "Refactoring the billing job", "旅行の計画：京都と奈良", "Postgres index advice", "A poem about rain",
		"Why is the build slow?", "Rezept für Apfelkuchen 🥧"}
	return fmt.Sprintf("%s %s", titles[n%len(titles)], strings.Repeat("I", n/len(titles)))
}
