package httptool

import (
	"context"
	"errors"
	"fmt"
	page "github.com/clawless/clawless/server/tool/readable"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"unicode/utf8"
)

// maxRead bounds what is read of an answer before it is made ready for the model.
const maxRead = 2 << 20

// read makes a text for the model of an answer: its status, and its body where that is text.
func (t *Tool) read(res *http.Response) (string, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxRead+1))
	if err != nil {
		return "", err
	}
	cut := ""
	if len(body) > maxRead {
		body, cut = body[:maxRead], fmt.Sprintf("\n\n[the answer is longer than %d bytes; its end is left out]", maxRead)
	}
	status := fmt.Sprintf("HTTP %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	if len(body) == 0 {
		return status + "\n\n[no body]", nil
	}
	kind, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		kind, params, _ = mime.ParseMediaType(http.DetectContentType(body))
	}
	if charset := strings.ToLower(params["charset"]); charset == "iso-8859-1" || charset == "latin1" || charset == "windows-1252" {
		body = fromLatin(body)
	}
	switch {
	case kind == "text/html" || kind == "application/xhtml+xml":
		_, text, err := page.Text(strings.ToValidUTF8(string(body), "\uFFFD"), res.Request.URL)
		if err != nil {
			text, cut = "[the body is HTML that cannot be read]", ""
		}
		return status + "\n\n" + text + cut, nil
	case readable(kind):
		return status + "\n\n" + strings.ToValidUTF8(string(body), "\uFFFD") + cut, nil
	}
	return fmt.Sprintf("%s\n\n[the body is %s, %d bytes, which is not text]", status, kind, len(body)), nil
}

func readable(kind string) bool {
	return strings.HasPrefix(kind, "text/") || kind == "application/json" || kind == "application/xml" || kind == "application/x-ndjson" || kind == "application/yaml" ||
		kind == "application/x-www-form-urlencoded" || kind == "application/javascript" || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml")
}

func fromLatin(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// kind says what sort of failure it was, without the address that net's own words hold.
func kind(err error) string {
	var name *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &name):
		return "its host's name is not known"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the answer was complete"
	case errors.Is(err, context.Canceled):
		return "the request was cancelled"
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection"
	case strings.Contains(err.Error(), "certificate"), strings.Contains(err.Error(), "tls:"):
		return "its certificate cannot be trusted"
	case strings.Contains(err.Error(), "redirects too often"):
		return "it redirects too often"
	}
	return "the connection failed"
}
