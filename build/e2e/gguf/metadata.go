package gguf

import (
	"bytes"
	"fmt"
)

// field is one entry of the file's header.
type field struct {
	key   string
	value any // uint32, float32, string, []string, []float32 or []int32
}

func (f field) put(b *bytes.Buffer) error {
	switch v := f.value.(type) {
	case uint32:
		put(b, uint32(typeUint32), v)
	case float32:
		put(b, uint32(typeFloat32), v)
	case string:
		put(b, uint32(typeString))
		putString(b, v)
	case []string:
		put(b, uint32(typeArray), uint32(typeString), uint64(len(v)))
		for _, s := range v {
			putString(b, s)
		}
	case []float32:
		put(b, uint32(typeArray), uint32(typeFloat32), uint64(len(v)), v)
	case []int32:
		put(b, uint32(typeArray), uint32(typeInt32), uint64(len(v)), v)
	default:
		return fmt.Errorf("no form for %T", v)
	}
	return nil
}

// metadata says what the model is and how text becomes tokens: a word with the space before it, or bytes.
func metadata() []field {
	tokens := []string{"<unk>", "<s>", "</s>"}
	types := []int32{tokenUnknown, tokenControl, tokenControl}
	for i := range 256 {
		tokens, types = append(tokens, fmt.Sprintf("<0x%02X>", i)), append(types, tokenByte)
	}
	for _, w := range words {
		tokens, types = append(tokens, "▁"+w), append(types, tokenNormal)
	}
	scores := make([]float32, len(tokens))
	for i := firstWord; i < len(scores); i++ {
		scores[i] = -float32(i - firstWord)
	}
	return []field{
		{"general.architecture", "llama"},
		{"general.name", "tiny random llama"},
		{"general.file_type", uint32(0)},
		{"general.alignment", uint32(alignment)},
		{"llama.vocab_size", uint32(len(tokens))},
		{"llama.context_length", uint32(context)},
		{"llama.embedding_length", uint32(width)},
		{"llama.block_count", uint32(layers)},
		{"llama.feed_forward_length", uint32(forward)},
		{"llama.rope.dimension_count", uint32(width / heads)},
		{"llama.attention.head_count", uint32(heads)},
		{"llama.attention.head_count_kv", uint32(heads)},
		{"llama.attention.layer_norm_rms_epsilon", float32(1e-5)},
		{"tokenizer.ggml.model", "llama"},
		{"tokenizer.ggml.tokens", tokens},
		{"tokenizer.ggml.scores", scores},
		{"tokenizer.ggml.token_type", types},
		{"tokenizer.ggml.unknown_token_id", uint32(0)},
		{"tokenizer.ggml.bos_token_id", uint32(1)},
		{"tokenizer.ggml.eos_token_id", uint32(2)},
		{"tokenizer.chat_template", template},
	}
}
