package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Whatever stands in <|…|> without a space is taken for a token, so that those of next year's models need no change here: ChatML and Qwen (<|im_start|>), Llama 3 and 4
// (<|start_header_id|>, <|eot|>), Phi (<|user|>), Cohere (<|START_OF_TURN_TOKEN|>), harmony (<|channel|>), Granite (<|start_of_role|>), Kimi (<|im_middle|>), GLM
// (<|observation|>), and with wide bars DeepSeek (<｜User｜>) and Hunyuan; and whatever stands in [|…|], as EXAONE has it. The others are listed.

// isAngled tells the tokens in <> by their names.
func isAngled(name string) bool {
	switch name {
	case "s", "/s", "unk", "pad", // Llama 2, Mistral and their like
		"bos", "eos", "start_of_turn", "end_of_turn", "start_of_image", "end_of_image", "image_soft_token", // Gemma
		"|turn", "turn|", "|channel", "channel|", "|tool", "tool|", "|tool_call", "tool_call|", "|tool_response", "tool_response|", "|think", "|image", "image|", "|audio", "audio|", // Gemma 4
		"tool_call", "/tool_call", "tool_response", "/tool_response", // Qwen, Hermes
		"sop", "eop", // GLM
		"BOS_TOKEN", "EOS_TOKEN", "PAD_TOKEN", "UNK_TOKEN", // Cohere
		"seed:bos", "seed:eos", "seed:pad", "seed:tool_call", "/seed:tool_call", // Seed
		"eoh", "eoa", "eosys": // InternLM
		return true
	}
	for _, n := range numbered {
		if rest, ok := strings.CutPrefix(name, n); ok && rest != "" && strings.Trim(rest, "0123456789") == "" {
			return true
		}
	}
	return false
}

// numbered are the beginnings of tokens that end in a number: T5 and Nemotron, Baichuan, Gemma.
var numbered = [...]string{"extra_id_", "SPECIAL_", "reserved_", "unused"}

// isSquare tells the tokens in [] by their names. Mistral's [ARGS] and [CALL_ID] are not among them: they mean nothing outside a call, and manuals are full of [ARGS].
func isSquare(name string) bool {
	switch name {
	case "INST", "/INST", // Llama 2, Mistral
		"SYSTEM_PROMPT", "/SYSTEM_PROMPT", "AVAILABLE_TOOLS", "/AVAILABLE_TOOLS", "TOOL_CALLS", "TOOL_RESULTS", "/TOOL_RESULTS", "TOOL_CONTENT", "IMG", "IMG_BREAK", "IMG_END",
		"MODEL_SETTINGS", "/MODEL_SETTINGS", // Mistral
		"gMASK", "sMASK": // GLM
		return true
	}
	return false
}

// odds are the tokens of no such form.
var odds = [...]string{"<<SYS>>", "<</SYS>>", "]~!b[", "]~b]", "[e~["} // Llama 2; MiniMax

const ignored rune = -1

// fold is how a character reads: wide forms and look-alikes as the ASCII character, and what nobody sees as ignored.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7F {
			return ignored
		}
		return r
	}
	switch {
	case r >= 0xFF01 && r <= 0xFF5E:
		return r - 0xFEE0
	case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x3164, r == 0xFFA0, // fillers
		r >= 0x180B && r <= 0x180F, r >= 0xFE00 && r <= 0xFE0F, r >= 0xE0000 && r <= 0xE0FFF, unicode.Is(unicode.Cf, r), r >= 0x80 && r <= 0x9F:
		return ignored
	}
	return alike(r)
}

// alike reads a character as the one that it looks like.
func alike(r rune) rune {
	switch r {
	case 0x2039, 0x3008, 0x27E8, 0x02C2, 0x1438, 0x276E, 0xFE64, 0x227A, 0x29FC:
		return '<'
	case 0x203A, 0x3009, 0x27E9, 0x02C3, 0x1433, 0x276F, 0xFE65, 0x227B, 0x29FD:
		return '>'
	case 0x2502, 0x2503, 0x2223, 0x01C0, 0x2758, 0x00A6, 0x2016, 0xFFE8, 0x23D0, 0x23AA, 0x2759:
		return '|'
	case 0x27E6, 0x3010, 0x3014:
		return '['
	case 0x27E7, 0x3011, 0x3015:
		return ']'
	case 0x2044, 0x2215, 0x29F8, 0x2571:
		return '/'
	case 0x2581, 0x2017, 0x02CD:
		return '_'
	}
	return alikeLetter(r)
}

// alikeLetter reads the letters of Greek, Cyrillic and Armenian that no eye tells from the Latin ones as these.
func alikeLetter(r rune) rune {
	switch r {
	case 0x0410, 0x0391:
		return 'A'
	case 0x0412, 0x0392:
		return 'B'
	case 0x0421, 0x03F9:
		return 'C'
	case 0x0415, 0x0395:
		return 'E'
	case 0x041D, 0x0397:
		return 'H'
	case 0x0406, 0x0399, 0x04C0:
		return 'I'
	case 0x041A, 0x039A:
		return 'K'
	case 0x041C, 0x039C:
		return 'M'
	case 0x039D:
		return 'N'
	case 0x041E, 0x039F:
		return 'O'
	case 0x0420, 0x03A1:
		return 'P'
	case 0x0405:
		return 'S'
	case 0x0422, 0x03A4:
		return 'T'
	case 0x0425, 0x03A7:
		return 'X'
	case 0x0423, 0x03A5:
		return 'Y'
	case 0x0396:
		return 'Z'
	}
	return alikeSmall(r)
}

// alikeSmall is alikeLetter for small letters.
func alikeSmall(r rune) rune {
	switch r {
	case 0x0430, 0x0251:
		return 'a'
	case 0x0441, 0x03F2:
		return 'c'
	case 0x0501:
		return 'd'
	case 0x0435:
		return 'e'
	case 0x04BB:
		return 'h'
	case 0x0456, 0x03B9:
		return 'i'
	case 0x0458:
		return 'j'
	case 0x04CF:
		return 'l'
	case 0x0578:
		return 'n'
	case 0x043E, 0x03BF, 0x0585:
		return 'o'
	case 0x0440, 0x03C1:
		return 'p'
	case 0x0433:
		return 'r'
	case 0x0455:
		return 's'
	case 0x03C5, 0x057D:
		return 'u'
	case 0x0445, 0x03C7:
		return 'x'
	case 0x0443, 0x03B3:
		return 'y'
	}
	return r
}
