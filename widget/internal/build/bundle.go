package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

const banner = "/*! Clawless chat. Licences of the libraries inside: LICENSES.txt beside this file. */"

// bundle makes the app chunk, then the loader that knows its name, then the demo page.
func bundle(root string) (map[string][]byte, error) {
	app, err := build(root, "src/app.ts", api.FormatESModule, nil)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(app)
	chunk := "app." + hex.EncodeToString(sum[:])[:12] + ".js"
	loader, err := build(root, "src/loader.ts", api.FormatIIFE, map[string]string{"APP_CHUNK": fmt.Sprintf("%q", chunk)})
	if err != nil {
		return nil, err
	}
	demo, err := demoPage(root)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{chunk: app, "clawless.js": loader, "demo.html": demo}, nil
}

// markedRules are the names of marked's rules, which no other code uses: shorter ones do.
const markedRules = `^([a-z]+(Regex|GlobalX?|Char|CharGlobal)|codeRemoveIndent|listInterruptsParagraph|indentCodeCompensation|beginningSpace|endingHash|startingSpaceChar|` +
	`endingSpaceChar|endingSpaceTabChar|leadingSpaceTab|multipleSpaceGlobal|blankLine|doubleBlankLine|blockquoteStart|blockquoteSetextReplace2?|blockquoteMarkerWhitespace|` +
	`nestedBlockMarker|listReplaceNesting|listIsTask|listReplaceTask|listTaskCheckbox|anyLine|hrefBrackets|tableDelimiter|tableAlignChars|tableRowBlankLine|tableAlign(Right|Center|Left)|` +
	`inlineQueue|inRawBlock|linkEmitted|linkParenPossible|linkInText|infiniteLoopError|maskedSrc|lastPossible(EmStrong|Del)CloserIndex|(start|end)(ATag|PreScriptTag|AngleBracket)|unicodeAlphaNumeric|numericCharacterReference(OrAmpersand)?|findPipe|splitPipe|slashPipe|carriageReturn|spaceLine|notSpaceStart|` +
	`endingNewline|nestedContainerMarkers|emStrong[LR]Delim(Ast|Und)?|anyPunctuation(OutsideCode)?|del[LR]Delim|blockSkip|reflinkSearch|(fences|heading|html|blockquote)BeginRegex|(listItem|nextBullet)Regex)$`

func build(root, entry string, format api.Format, define map[string]string) ([]byte, error) {
	options := api.BuildOptions{
		AbsWorkingDir:     root,
		EntryPoints:       []string{entry},
		Bundle:            true,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsNone,
		Charset:           api.CharsetUTF8,
		Format:            format,
		Platform:          api.PlatformBrowser,
		Target:            api.ES2022,
		Define:            define,
		MangleProps:       markedRules,
		Plugins:           []api.Plugin{cssAsText(), lexerOfMarked()},
		Write:             false,
	}
	if format == api.FormatESModule {
		options.Banner = map[string]string{"js": banner}
	}
	result := api.Build(options)
	if err := messages(result.Errors, result.Warnings); err != nil {
		return nil, fmt.Errorf("bundle %s: %w", entry, err)
	}
	return result.OutputFiles[0].Contents, nil
}

// cssAsText inlines style sheets, minified, as strings: the widget puts them into constructed
// style sheets, which a strict Content-Security-Policy of the page allows.
func cssAsText() api.Plugin {
	return api.Plugin{Name: "css-as-text", Setup: func(b api.PluginBuild) {
		b.OnLoad(api.OnLoadOptions{Filter: `\.css$`}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			text, err := minifyCSS(args.Path)
			return api.OnLoadResult{Contents: &text, Loader: api.LoaderText}, err
		})
	}}
}

// lexerOfMarked leaves marked's renderer out of the bundle: the widget uses its lexer alone, and
// marked comes as one file whose parts a bundler cannot tell apart. The renderer and all that
// needs it stand behind the lexer; when a release changes that, the build fails here.
func lexerOfMarked() api.Plugin {
	return api.Plugin{Name: "lexer-of-marked", Setup: func(b api.PluginBuild) {
		b.OnLoad(api.OnLoadOptions{Filter: `marked\.esm\.js$`}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			source, err := os.ReadFile(args.Path)
			if err != nil {
				return api.OnLoadResult{}, err
			}
			text, err := lexerOnly(string(source))
			return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, err
		})
	}}
}

var exported = regexp.MustCompile(`(\w+) as (Lexer|Renderer)\b`)

func lexerOnly(source string) (string, error) {
	names := map[string]string{}
	for _, m := range exported.FindAllStringSubmatch(source, -1) {
		names[m[2]] = m[1]
	}
	lexer, renderer := names["Lexer"], names["Renderer"]
	before, _, found := strings.Cut(source, "var "+renderer+"=class{")
	if !found || lexer == "" || !strings.Contains(before, lexer+"=class ") {
		return "", errors.New("marked is no longer built as lexer first, renderer after")
	}
	before, err := otherGrammars(lexerOptions.Replace(before))
	if err != nil {
		return "", err
	}
	return before + "export{" + lexer + " as Lexer};", nil
}

var (
	blockGrammars  = regexp.MustCompile(`\{normal:(\w+),gfm:(\w+),pedantic:(\w+)\}`)
	inlineGrammars = regexp.MustCompile(`\{normal:(\w+),gfm:(\w+),breaks:(\w+),pedantic:(\w+)\}`)
	namedRegexp    = regexp.MustCompile(`(\w+):/(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*,`)
	rendererRules  = regexp.MustCompile(`^(pedanticHrefTitle|percentDecode|escape(Test|Replace)(NoEncode)?)$`)
	ruleBuilder    = regexp.MustCompile(`\w+=(\w+)\(" \{0,3\}\(\?:</\?\(\?:tag`)
)

// otherGrammars leaves out the grammars that the options do not choose, and the expressions that nothing names.
func otherGrammars(source string) (string, error) {
	block, inline, build := blockGrammars.FindStringSubmatch(source), inlineGrammars.FindStringSubmatch(source), ruleBuilder.FindStringSubmatch(source)
	if block == nil || inline == nil || build == nil {
		return "", errors.New("marked no longer keeps its grammars side by side")
	}
	source = strings.Replace(source, block[0], "{gfm:"+block[2]+"}", 1)
	source = strings.Replace(source, inline[0], "{gfm:"+inline[2]+"}", 1)
	for _, name := range []string{block[3], inline[3], inline[4]} {
		whole := regexp.MustCompile(`,` + regexp.QuoteMeta(name) + `=\{\.\.\.[\s\S]*?\}(,\w+=)`)
		if !whole.MatchString(source) {
			return "", fmt.Errorf("marked no longer defines its grammar %s as an object", name)
		}
		source = whole.ReplaceAllString(source, "$1")
	}
	// What made the expressions of those grammars alone may now go.
	source = strings.ReplaceAll(source, "="+build[1]+"(", "=/* @__PURE__ */"+build[1]+"(")
	return namedRegexp.ReplaceAllStringFunc(source, func(rule string) string {
		if name, _, _ := strings.Cut(rule, ":"); rendererRules.MatchString(name) {
			return ""
		}
		return rule
	}), nil
}

// lexerOptions makes constants of the options that the widget never changes, so that the
// branches for the others fall away.
var lexerOptions = strings.NewReplacer(
	"this.options.gfm", "true",
	"this.options.pedantic", "false",
	"this.options.breaks", "false",
	"this.options.silent", "false",
	"this.options.extensions", "null",
	"this.options.hooks", "null",
)

func minifyCSS(path string) (string, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	result := api.Transform(string(source), api.TransformOptions{
		Loader:           api.LoaderCSS,
		MinifyWhitespace: true,
		MinifySyntax:     true,
		Engines: []api.Engine{
			{Name: api.EngineChrome, Version: "105"},
			{Name: api.EngineFirefox, Version: "113"},
			{Name: api.EngineSafari, Version: "16.4"},
		},
	})
	if err := messages(result.Errors, result.Warnings); err != nil {
		return "", fmt.Errorf("minify %s: %w", filepath.Base(path), err)
	}
	return strings.TrimSpace(string(result.Code)), nil
}

// demoPage puts the style sheet and the script of the demo into its page; the server puts a
// fresh nonce in the place of each NONCE.
func demoPage(root string) ([]byte, error) {
	page, err := os.ReadFile(filepath.Join(root, "src", "demo", "demo.html"))
	if err != nil {
		return nil, err
	}
	css, err := minifyCSS(filepath.Join(root, "src", "demo", "demo.css"))
	if err != nil {
		return nil, err
	}
	script, err := build(root, "src/demo/demo.ts", api.FormatIIFE, nil)
	if err != nil {
		return nil, err
	}
	js := strings.TrimSpace(string(script))
	if strings.Contains(js, "</script") || strings.Contains(css, "</style") {
		return nil, errors.New("the demo's script or style would end its own element")
	}
	out := strings.NewReplacer("/*CSS*/", css, "/*JS*/", js).Replace(string(page))
	return []byte(out), nil
}

func messages(errs, warnings []api.Message) error {
	var texts []string
	for _, m := range append(errs, warnings...) {
		text := m.Text
		if m.Location != nil {
			text = fmt.Sprintf("%s:%d: %s", m.Location.File, m.Location.Line, m.Text)
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}
