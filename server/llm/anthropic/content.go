package anthropic

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// part is one part of a content in OpenAI's dialect.
type part struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Refusal  string `json:"refusal"`
	ImageURL struct {
		URL string `json:"url"`
	} `json:"image_url"`
	File struct {
		Data string `json:"file_data"`
		Name string `json:"filename"`
	} `json:"file"`
}

// contentBlocks converts a content. Empty and blank texts give no block: Anthropic refuses them.
func contentBlocks(content json.RawMessage, where string) ([]block, *llm.Error) {
	if len(content) == 0 || string(content) == "null" {
		return nil, nil
	}
	var text string
	if json.Unmarshal(content, &text) == nil {
		return appendText(nil, text), nil
	}
	var parts []part
	if json.Unmarshal(content, &parts) != nil {
		return nil, invalid(where, "content must be a string or a list of parts")
	}
	var out []block
	for i, p := range parts {
		at := fmt.Sprintf("%s[%d]", where, i)
		switch p.Type {
		case "text":
			out = appendText(out, p.Text)
		case "refusal":
			out = appendText(out, p.Refusal)
		case "image_url":
			source, fail := imageSource(p.ImageURL.URL, at+".image_url.url")
			if fail != nil {
				return nil, fail
			}
			out = append(out, block{json: append(append([]byte(`{"type":"image","source":`), source...), '}')})
		case "file":
			mediaType, data, ok := dataURL(p.File.Data)
			if !ok || mediaType != "application/pdf" {
				return nil, invalid(at+".file", "Anthropic's models take a file only as a base64 data URL of a PDF in file_data")
			}
			b := append([]byte(`{"type":"document","source":`), base64Source(mediaType, data)...)
			if p.File.Name != "" {
				b = wire.AppendString(append(b, `,"title":`...), p.File.Name)
			}
			out = append(out, block{json: append(b, '}')})
		default:
			return nil, invalid(at+".type", "Anthropic's models take the parts text, image_url and file")
		}
	}
	return out, nil
}

func appendText(out []block, text string) []block {
	if strings.TrimSpace(text) == "" {
		return out
	}
	return append(out, textBlock(text))
}

func textBlock(text string) block {
	return block{json: append(wire.AppendString([]byte(`{"type":"text","text":`), text), '}'), text: text}
}

func imageSource(address, where string) ([]byte, *llm.Error) {
	switch {
	case strings.HasPrefix(address, "https://"):
		return append(wire.AppendString([]byte(`{"type":"url","url":`), address), '}'), nil
	case strings.HasPrefix(address, "data:"):
		if mediaType, data, ok := dataURL(address); ok {
			return base64Source(mediaType, data), nil
		}
	}
	return nil, invalid(where, "an image must be an https address or a base64 data URL for Anthropic's models")
}

func base64Source(mediaType, data string) []byte {
	b := wire.AppendString([]byte(`{"type":"base64","media_type":`), mediaType)
	return append(wire.AppendString(append(b, `,"data":`...), data), '}')
}

// dataURL takes data:TYPE;base64,DATA apart; parameters between the two are dropped.
func dataURL(s string) (mediaType, data string, ok bool) {
	head, data, ok := strings.Cut(strings.TrimPrefix(s, "data:"), ",")
	if !ok || !strings.HasPrefix(s, "data:") || !strings.HasSuffix(head, ";base64") {
		return "", "", false
	}
	mediaType, _, _ = strings.Cut(head, ";")
	return strings.ToLower(mediaType), data, mediaType != "" && data != ""
}
