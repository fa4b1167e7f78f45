package upstreamtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Exchange is one call while it is answered.
type Exchange struct {
	Model  string
	Stream bool // the caller asked for a stream

	w http.ResponseWriter
	r *http.Request
}

// Step is one thing that the server does. It reports false when there is nothing more to do, because the connection is gone.
type Step func(*Exchange) bool

// Head sends the status and the headers, given as names and values in turn.
func Head(status int, headers ...string) Step {
	return func(x *Exchange) bool {
		for i := 0; i+1 < len(headers); i += 2 {
			x.w.Header().Set(headers[i], headers[i+1])
		}
		x.w.WriteHeader(status)
		return x.flush()
	}
}

// Write sends bytes at once.
func Write(data string) Step {
	return func(x *Exchange) bool {
		_, err := io.WriteString(x.w, data)
		return err == nil && x.flush()
	}
}

// Wait lets time pass.
func Wait(d time.Duration) Step {
	return func(x *Exchange) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-x.r.Context().Done():
			return false
		}
	}
}

// Hang does nothing until the caller hangs up.
func Hang() Step {
	return func(x *Exchange) bool {
		<-x.r.Context().Done()
		return false
	}
}

// Tear breaks the connection without ending the answer.
func Tear() Step {
	return func(x *Exchange) bool {
		if conn, _, err := http.NewResponseController(x.w).Hijack(); err == nil {
			_ = conn.Close() // that is the point
		}
		return false
	}
}

// Until repeats a step until the caller hangs up.
func Until(s Step) Step {
	return func(x *Exchange) bool {
		for x.r.Context().Err() == nil && s(x) {
		}
		return false
	}
}

func (x *Exchange) flush() bool { return http.NewResponseController(x.w).Flush() == nil }

// Streaming is the head of a stream.
func Streaming() Step { return Head(http.StatusOK, "Content-Type", "text/event-stream") }

// Frame is a frame of a stream with one word.
func Frame(word string) string {
	return `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":` + quote(word) + `},"finish_reason":null}]}` + "\n\n"
}

// End is the end of a stream: the finish reason, the usage and [DONE].
func End(input, output int) string {
	return `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		fmt.Sprintf(`data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`, input, output, input+output) +
		"\n\ndata: [DONE]\n\n"
}

// ErrorFrame is an error inside a stream, with its type.
func ErrorFrame(kind, message string) string {
	return `data: {"error":{"message":` + quote(message) + `,"type":` + quote(kind) + `,"param":null,"code":null}}` + "\n\n"
}

// Words is a whole answer of these words, as a stream or in one piece as the caller asked; each word is a token, and the prompt is seven.
func Words(words ...string) Reply {
	return Reply{func(x *Exchange) bool {
		if !x.Stream {
			body := fmt.Sprintf(`{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"stop"}],`+
				`"usage":{"prompt_tokens":7,"completion_tokens":%d,"total_tokens":%d}}`, quote(strings.Join(words, "")), len(words), len(words)+7)
			return Head(http.StatusOK, "Content-Type", "application/json")(x) && Write(body)(x)
		}
		if !Streaming()(x) {
			return false
		}
		for _, w := range words {
			if !Write(Frame(w))(x) {
				return false
			}
		}
		return Write(End(7, len(words)))(x)
	}}
}

// Failure is a refusal with a status; retryAfter is the header's value, empty for none.
func Failure(status int, retryAfter, message string) Reply {
	headers := []string{"Content-Type", "application/json"}
	if retryAfter != "" {
		headers = append(headers, "Retry-After", retryAfter)
	}
	return Reply{Head(status, headers...), Write(`{"error":{"message":` + quote(message) + `,"type":null,"param":null,"code":null}}`)}
}

// Inside is a stream with these words and then an error of that type, such as overloaded_error, as a frame.
func Inside(kind string, words ...string) Reply {
	return Reply{Streaming(), Write(frames(words) + ErrorFrame(kind, "in the stream"))}
}

// Recorded is a stream as it was recorded, up to so many bytes, and then torn; the whole of it ends in order.
func Recorded(stream string, upTo int) Reply {
	if upTo >= len(stream) {
		return Reply{Streaming(), Write(stream)}
	}
	return Reply{Streaming(), Write(stream[:upTo]), Tear()}
}

// Silent is a stream with these words and then nothing more; without a word not even headers come.
func Silent(words ...string) Reply {
	if len(words) == 0 {
		return Reply{Hang()}
	}
	return Reply{Streaming(), Write(frames(words)), Hang()}
}

// Trickle is a stream that sends one byte now and then.
func Trickle(every time.Duration) Reply {
	return Reply{Streaming(), Until(func(x *Exchange) bool { return Write("d")(x) && Wait(every)(x) })}
}

// Endless is a stream of the same word without end.
func Endless(word string) Reply { return Reply{Streaming(), Until(Write(Frame(word)))} }

// Vectors is the answer to a request of embeddings with one vector of these numbers.
func Vectors(numbers ...float32) Reply {
	vector, err := json.Marshal(numbers)
	if err != nil {
		panic(err) // numbers always can
	}
	return Reply{Head(http.StatusOK, "Content-Type", "application/json"),
		Write(`{"object":"list","data":[{"object":"embedding","index":0,"embedding":` + string(vector) + `}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}`)}
}

func frames(words []string) string {
	var b strings.Builder
	for _, w := range words {
		b.WriteString(Frame(w))
	}
	return b.String()
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always can
	}
	return string(b)
}
