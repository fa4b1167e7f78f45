package upstream

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	chunkHead = `data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini","choices":[{"index":0,"delta":`
	chunkLast = chunkHead + `{},"finish_reason":"stop"}]}` + "\n\n"
	chunkUse  = `data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":%d,"total_tokens":%d}}` + "\n\n"
)

func (s *Server) stream(w http.ResponseWriter, usage bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	rc := http.NewResponseController(w)
	buf := make([]byte, 0, 512)
	for i := range s.Tokens {
		buf = append(buf[:0], chunkHead...)
		if i == 0 {
			buf = append(buf, `{"role":"assistant","content":"tok`...)
		} else {
			buf = append(buf, `{"content":"tok`...)
		}
		buf = strconv.AppendInt(buf, time.Now().UnixNano(), 10)
		buf = append(buf, " \"},\"finish_reason\":null}]}\n\n"...)
		if _, err := w.Write(buf); err != nil || rc.Flush() != nil {
			return
		}
	}
	io.WriteString(w, chunkLast)
	if usage {
		fmt.Fprintf(w, chunkUse, s.Tokens, s.Tokens+12)
	}
	io.WriteString(w, "data: [DONE]\n\n")
}
