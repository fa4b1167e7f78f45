package widget_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/widget"
	"github.com/clawless/clawless/widget/widgettest"
)

const publishableKey = "clw_pk_test_0123456789abcdef"

// scripted is a server of the HTTP API whose answers a test writes: the reply to a message is
// found by its text, and what goes wrong on the way by the same.
type scripted struct {
	origin string // of the page that may use the widget
	server *httptest.Server

	mu       sync.Mutex
	tokens   map[string]bool // those that are still valid
	visitors map[string]string
	sessions map[string][]message
	newest   string
	runs     map[string]*scriptedRun
	byKey    map[string]*scriptedRun // by idempotency key
	replies  map[string]reply
	seen     map[string]int // how often a message was sent
	config   map[string]any
	lost     bool // the hashed chunks are gone, as after an upgrade
}

// loseChunk makes the chunk that the loader names answer 404.
func (s *scripted) loseChunk() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = true
}

// reply is what a message is answered with.
type reply struct {
	pieces []string
	cuts   []int // the connection is cut after so many events, once each
	errors []int // status of the first attempts
	retry  string
	fails  string        // code of an error frame after the pieces
	hold   chan struct{} // before the last piece the run waits for this, or for its cancellation
	expire bool          // the token is taken back before the first attempt
	tools  []string      // events of tools before the pieces; after one that waits the run waits for a decision, and is done or denied
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
	Run     string `json:"run_id"`
	ID      string `json:"id"`
}

type scriptedRun struct {
	id, session string
	mu          sync.Mutex
	events      []string
	status      string
	grown       chan struct{} // closed when events or status change
	cancel      chan struct{}
	decided     chan string
	cuts        []int
}

func newScripted(t *testing.T, origin string) *scripted {
	t.Helper()
	assets, err := widget.New()
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{
		origin: origin, tokens: map[string]bool{}, visitors: map[string]string{}, sessions: map[string][]message{}, runs: map[string]*scriptedRun{},
		byKey: map[string]*scriptedRun{}, replies: map[string]reply{}, seen: map[string]int{}, config: map[string]any{},
	}
	mux := http.NewServeMux()
	mux.Handle("/widget/", assets)
	mux.HandleFunc("POST /v1/widget/session", s.openVisitor)
	mux.HandleFunc("POST /v1/sessions", s.visitor(s.createSession))
	mux.HandleFunc("GET /v1/sessions/{id}/messages", s.visitor(s.messages))
	mux.HandleFunc("POST /v1/chat/completions", s.visitor(s.chat))
	mux.HandleFunc("GET /v1/runs/{id}", s.visitor(s.run))
	mux.HandleFunc("GET /v1/runs/{id}/stream", s.visitor(s.stream))
	mux.HandleFunc("POST /v1/runs/{id}/approve", s.visitor(s.approve))
	mux.HandleFunc("POST /v1/runs/{id}/cancel", s.visitor(s.cancel))
	s.server = httptest.NewServer(s.cors(mux))
	t.Cleanup(s.server.Close)
	return s
}

func (s *scripted) target() widgettest.Target {
	return widgettest.Target{Server: s.server.URL, Key: publishableKey}
}

// on sets the reply to a message.
func (s *scripted) on(text string, r reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[text] = r
}

// sent says how many turns a message made.
func (s *scripted) sent(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, messages := range s.sessions {
		for _, m := range messages {
			if m.Role == "user" && m.Content == text {
				n++
			}
		}
	}
	return n
}

func (s *scripted) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") && r.Header.Get("Origin") == s.origin {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", s.origin)
			h.Set("Access-Control-Expose-Headers", "Clawless-Run-Id, Retry-After, X-Request-Id")
			h.Add("Vary", "Origin")
			if r.Method == http.MethodOptions {
				h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
				h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		s.mu.Lock()
		lost := s.lost && strings.HasPrefix(r.URL.Path, "/widget/v1/app.") && r.URL.Path != "/widget/v1/app.js"
		s.mu.Unlock()
		if lost {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Request-Id", "req_test")
	answer(w, status, map[string]any{"error": map[string]any{"message": "scripted failure", "type": "test", "param": nil, "code": code, "request_id": "req_test"}})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller may be gone
}

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func (s *scripted) openVisitor(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID     string `json:"visitor_id"`
		Secret string `json:"visitor_secret"`
	}
	if bearer(r) != publishableKey || r.Header.Get("Origin") != s.origin || json.NewDecoder(r.Body).Decode(&in) != nil || r.Header.Get("Cookie") != "" {
		fail(w, 403, "origin_not_allowed")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]any{"session_id": nil, "config": s.config, "expires_at": time.Now().Add(15 * time.Minute).UTC().Format(time.RFC3339)}
	switch {
	case in.ID == "":
		in.ID, in.Secret = fmt.Sprintf("vis_%d", len(s.visitors)+1), fmt.Sprintf("secret_%d", len(s.visitors)+1)
		s.visitors[in.ID] = in.Secret
		out["visitor_secret"] = in.Secret
	case s.visitors[in.ID] != in.Secret || in.Secret == "":
		fail(w, 401, "invalid_api_key")
		return
	case s.newest != "":
		out["session_id"] = s.newest
	}
	token := fmt.Sprintf("token_%d", len(s.tokens)+1)
	s.tokens[token] = true
	out["visitor_id"], out["token"] = in.ID, token
	answer(w, 200, out)
}

func (s *scripted) visitor(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		ok := s.tokens[bearer(r)]
		s.mu.Unlock()
		if !ok {
			fail(w, 401, "expired_api_key")
			return
		}
		next(w, r)
	}
}

func (s *scripted) createSession(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = fmt.Sprintf("ses_%d", len(s.sessions)+1)
	s.sessions[s.newest] = []message{}
	answer(w, 201, map[string]any{"id": s.newest})
}

// messages pages by two, so that every history needs several calls.
func (s *scripted) messages(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, ok := s.sessions[r.PathValue("id")]
	if !ok {
		fail(w, 404, "not_found")
		return
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	to := min(from+2, len(all))
	page := map[string]any{"data": all[from:to], "has_more": to < len(all), "next_cursor": nil}
	if to < len(all) {
		page["next_cursor"] = strconv.Itoa(to)
	}
	answer(w, 200, page)
}

func (s *scripted) chat(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Model    string    `json:"model"`
		Session  string    `json:"session_id"`
		Stream   bool      `json:"stream"`
		Messages []message `json:"messages"`
		Again    string    `json:"regenerate"`
	}
	key := r.Header.Get("Idempotency-Key")
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Model != "default" || !in.Stream || (len(in.Messages) == 1) == (in.Again != "") || key == "" || r.Header.Get("Clawless-Event-Ids") != "1" {
		fail(w, 400, "invalid_request")
		return
	}
	s.mu.Lock()
	text := ""
	for _, m := range append(s.sessions[in.Session], in.Messages...) {
		if m.ID == in.Again {
			text = m.Content
		}
	}
	re, known := s.replies[text]
	if !known {
		re = reply{pieces: []string{"You said: ", text}}
	}
	attempt := s.seen[text]
	s.seen[text]++
	if re.expire && attempt == 0 {
		delete(s.tokens, bearer(r))
		s.mu.Unlock()
		fail(w, 401, "expired_api_key")
		return
	}
	if attempt < len(re.errors) {
		s.mu.Unlock()
		if re.retry != "" {
			w.Header().Set("Retry-After", re.retry)
		}
		fail(w, re.errors[attempt], map[int]string{429: "rate_limit_exceeded"}[re.errors[attempt]])
		return
	}
	run := s.byKey[key]
	if run == nil {
		run = &scriptedRun{id: fmt.Sprintf("run_%d", len(s.runs)+1), session: in.Session, status: "running", grown: make(chan struct{}), cancel: make(chan struct{}), decided: make(chan string, 1), cuts: re.cuts}
		s.runs[run.id], s.byKey[key] = run, run
		if in.Again == "" {
			s.sessions[in.Session] = append(s.sessions[in.Session], message{"user", text, run.id, "msg_" + run.id + "u"})
		}
		go s.produce(run, re)
	}
	s.mu.Unlock()
	run.serve(r.Context(), w, 0)
}

// produce plays a reply into a run and records what was said.
func (s *scripted) produce(run *scriptedRun, re reply) {
	text, last := "", `"stop"`
	run.add(chunk("", "null"), "running")
	for _, event := range re.tools {
		run.add(toolChunk(event), "running")
		if !strings.Contains(event, `"waiting"`) {
			continue
		}
		status := `"done","ms":12`
		if <-run.decided != "approve" {
			status = `"denied","why":"a person said no"`
		}
		run.add(toolChunk(strings.Replace(event, `"waiting"`, status, 1)), "running")
	}
	for i, piece := range re.pieces {
		if re.hold != nil && i == len(re.pieces)-1 {
			select {
			case <-re.hold:
			case <-run.cancel:
				s.record(run, text)
				run.add(`{"error":{"message":"cancelled","type":"test","param":null,"code":"run_cancelled"}}`, "cancelled")
				return
			}
		}
		text += piece
		run.add(chunk(piece, "null"), "running")
	}
	s.record(run, text)
	if re.fails != "" {
		run.add(fmt.Sprintf(`{"error":{"message":"scripted","type":"test","param":null,"code":%q,"request_id":"req_test"}}`, re.fails), "failed")
		return
	}
	run.add(chunk("", last), "running")
	run.add("[DONE]", "completed")
}

func (s *scripted) record(run *scriptedRun, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[run.session] = append(s.sessions[run.session], message{"assistant", text, run.id, "msg_" + run.id + "a"})
}

func chunk(content, finish string) string {
	text, _ := json.Marshal(content)
	return fmt.Sprintf(`{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":%s},"finish_reason":%s}]}`, text, finish)
}

// toolChunk tells of a tool, beside an empty delta.
func toolChunk(event string) string {
	return `{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":null}],"clawless":{"model":"m","tool":` + event + `}}`
}

func (r *scriptedRun) add(event, status string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events, r.status = append(r.events, event), status
	close(r.grown)
	r.grown = make(chan struct{})
}

// serve writes the events after one until the run ends, or cuts the connection in the middle of
// an event when the script says so.
func (r *scriptedRun) serve(ctx context.Context, w http.ResponseWriter, after int) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Clawless-Run-Id", r.id)
	w.WriteHeader(http.StatusOK)
	for {
		r.mu.Lock()
		events, ended, grown := r.events, r.status != "running", r.grown
		cut := -1
		if len(r.cuts) > 0 {
			cut = r.cuts[0]
		}
		r.mu.Unlock()
		for ; after < len(events); after++ {
			frame := fmt.Sprintf("id: %d\ndata: %s\n\n", after+1, events[after])
			if after == cut {
				r.mu.Lock()
				r.cuts = r.cuts[1:]
				r.mu.Unlock()
				fmt.Fprint(w, frame[:len(frame)/2])
				_ = http.NewResponseController(w).Flush() // half an event, then the end of the line
				panic(http.ErrAbortHandler)
			}
			fmt.Fprint(w, frame)
		}
		if http.NewResponseController(w).Flush() != nil || ended {
			return
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return
		}
	}
}

func (s *scripted) find(w http.ResponseWriter, r *http.Request) *scriptedRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.runs[r.PathValue("id")]
	if run == nil {
		fail(w, 404, "not_found")
	}
	return run
}

func (s *scripted) run(w http.ResponseWriter, r *http.Request) {
	if run := s.find(w, r); run != nil {
		run.mu.Lock()
		defer run.mu.Unlock()
		answer(w, 200, map[string]any{"id": run.id, "session_id": run.session, "status": run.status})
	}
}

func (s *scripted) stream(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	if run := s.find(w, r); run != nil {
		run.serve(r.Context(), w, after)
	}
}

func (s *scripted) approve(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ApprovalID string `json:"approval_id"`
		Decision   string `json:"decision"`
	}
	run := s.find(w, r)
	switch {
	case run == nil:
	case json.NewDecoder(r.Body).Decode(&in) != nil || in.ApprovalID != "apr_1":
		fail(w, 409, "conflict")
	default:
		run.decided <- in.Decision
		answer(w, 200, map[string]any{"id": in.ApprovalID})
	}
}

func (s *scripted) cancel(w http.ResponseWriter, r *http.Request) {
	if run := s.find(w, r); run != nil {
		close(run.cancel)
		answer(w, 200, map[string]any{"id": run.id, "status": "cancelled"})
	}
}
