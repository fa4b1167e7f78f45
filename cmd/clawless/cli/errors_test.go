package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/cmd/clawless/cli/settings"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
	"github.com/clawless/clawless/server/fault"
)

// apiError is an error as package client gives it.
type apiError struct {
	status          int
	code, message   string
	requestID, hint string
	cause           error
}

func (e apiError) Error() string     { return e.message }
func (e apiError) HTTPStatus() int   { return e.status }
func (e apiError) ErrorCode() string { return e.code }
func (e apiError) RequestID() string { return e.requestID }
func (e apiError) Hint() string      { return e.hint }
func (e apiError) Unwrap() error     { return e.cause }

// TestExitCodeOfEveryServerError holds the exit codes against the server's catalogue: a code added there must get a place here.
func TestExitCodeOfEveryServerError(t *testing.T) {
	want := map[fault.Code]int{
		fault.InvalidJSON: 1, fault.InvalidRequest: 1, fault.ValidationFailed: 2, fault.UnsupportedParam: 2, fault.UnsupportedMedia: 1, fault.BodyTooLarge: 1,
		fault.MissingKey: 4, fault.InvalidKey: 4, fault.ExpiredKey: 4,
		fault.ScopeMissing: 5, fault.Forbidden: 5, fault.OriginNotAllowed: 5, fault.TenantSuspended: 5, fault.ModelNotAllowed: 5, fault.ModelNotInTier: 5, fault.PriceUnknown: 5,
		fault.NotFound: 3, fault.RouteNotFound: 3, fault.ModelNotFound: 3, fault.RunExpired: 3, fault.MethodNotAllowed: 1,
		fault.Conflict: 6, fault.SessionBusy: 6, fault.IdempotencyInFlight: 6, fault.IdempotencyMismatch: 6, fault.StaleVersion: 6, fault.RunCancelled: 6, fault.ToolLoopLimit: 6, fault.ToolFailed: 1,
		fault.RateLimited: 7, fault.QuotaExceeded: 7,
		fault.ContextTooLong: 1, fault.ContentRefused: 1, fault.ProviderError: 1, fault.NoModel: 1, fault.AnswerInvalid: 1, fault.ProviderUnreachable: 1, fault.ProviderOverloaded: 1, fault.StreamBroken: 1,
		fault.RunInterrupted: 1, fault.ShuttingDown: 8, fault.StoreUnavailable: 1, fault.StoreFull: 1, fault.Canceled: 130, fault.Timeout: 124, fault.Internal: 1,
	}
	for _, spec := range fault.Catalogue {
		code, ok := want[spec.Code]
		if !ok {
			t.Errorf("%s has no exit code in this test", spec.Code)
			continue
		}
		err := fmt.Errorf("create tenant acme: %w", apiError{status: spec.Status, code: string(spec.Code)})
		if got := ExitCode(err); got != code {
			t.Errorf("%s (%d): exit code %d, want %d", spec.Code, spec.Status, got, code)
		}
		if got := typeOf(spec.Status); got != spec.Type && spec.Type != "api_error" && spec.Status != 429 {
			t.Errorf("%s (%d): type %s, want %s", spec.Code, spec.Status, got, spec.Type)
		}
	}
}

func TestExitCode(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	late, stop := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer stop()
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"nil", nil, 0},
		{"any", errors.New("x"), 1},
		{"usage", fmt.Errorf("more: %w", Usagef("x")), 2},
		{"given", WithCode(errors.New("x"), 6), 6},
		{"hint keeps it", WithHint(WithCode(errors.New("x"), 6), "clawless login"), 6},
		{"hint alone", WithHint(errors.New("x"), "clawless login"), 1},
		{"own error without a code", &Error{Err: errors.New("x")}, 1},
		{"silent", ErrSilent, 1},
		{"silent with a code", errors.Join(nil, WithCode(ErrSilent, 2)), 2},
		{"ctrl+c", fmt.Errorf("x: %w", ctx.Err()), 130},
		{"too late", fmt.Errorf("x: %w", late.Err()), 124},
		{"refused", dial(t, context.Background()), 8},
		{"refused by client", apiError{cause: dial(t, context.Background())}, 8},
		{"cancelled call", dial(t, ctx), 130},
		{"cancelled call by client", apiError{cause: dial(t, ctx)}, 130},
		{"late call", dial(t, late), 124},
		{"late call by client", apiError{cause: dial(t, late)}, 124},
		{"bad url", mustFail(url.Parse("http://[::1")), 1}, //nolint:staticcheck // it is meant to be wrong
		{"lookup", &net.DNSError{Err: "no such host", Name: "x.invalid"}, 8},
	} {
		if got := ExitCode(tt.err); got != tt.want {
			t.Errorf("%s (%v): %d, want %d", tt.name, tt.err, got, tt.want)
		}
	}
	if WithCode(nil, 3) != nil || WithHint(nil, "x") != nil {
		t.Error("nil does not stay nil")
	}
}

// dial is the error of a call to a server that has just gone.
func dial(t *testing.T, ctx context.Context) error {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		_ = res.Body.Close()
		t.Fatal("a closed server answered")
	}
	return err
}

func mustFail(_ *url.URL, err error) error { return err }

func TestReport(t *testing.T) {
	api := apiError{status: 429, code: "quota_exceeded", message: "the budget of this month is used up", requestID: "req_1", hint: "clawless tenant update acme --monthly-tokens N"}
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"nil", nil, ""},
		{"silent", WithCode(ErrSilent, 2), ""},
		{"plain", errors.New("cannot"), "clawless: cannot\n"},
		{"usage", WithHint(Usagef("NAME is missing"), "clawless tenant create NAME"), "clawless: NAME is missing\ntry: clawless tenant create NAME\n"},
		{"sentence", WithHint(errors.New("x"), "check the key"), "clawless: x\nhint: check the key\n"},
		{"api", fmt.Errorf("send: %w", api), "clawless: send: the budget of this month is used up\ntry: clawless tenant update acme --monthly-tokens N\nrequest id: req_1\n"},
		{"own hint first", WithHint(api, "clawless usage"), "clawless: the budget of this month is used up\ntry: clawless usage\nrequest id: req_1\n"},
		{"login", apiError{status: 401, code: "invalid_api_key", message: "the key is unknown"}, "clawless: the key is unknown\ntry: clawless login\n"},
		{"unreachable", apiError{message: "no answer"}, "clawless: no answer\ntry: clawless doctor\n"},
		{"ctrl+c", fmt.Errorf("read the answer: %w", context.Canceled), "clawless: interrupted\n"},
		{"too late", fmt.Errorf("wait for the server: %w", context.DeadlineExceeded), "clawless: wait for the server: it took too long\n"},
		{"hostile", errors.New("a\nb\x1b[2J"), "clawless: a b\uFFFD[2J\n"},
		{
			"details",
			SettingsError(&settings.Invalid{Problems: []settings.Problem{{Field: "addr", Where: "--addr", Message: "is bad"}, {Where: "CLAWLESS_X", Message: "is unknown"}}}),
			"clawless: 2 settings are wrong\n  addr (--addr): is bad\n  CLAWLESS_X: is unknown\ntry: clawless config show --origin\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := NewFake(t.TempDir())
			Report(f.Env, tt.err)
			if got := f.Stderr.String(); got != tt.want || f.Stdout.Len() > 0 {
				t.Errorf("got %q, want %q, and on Out %q", got, tt.want, f.Stdout)
			}
		})
	}
	f := NewFake(t.TempDir())
	f.Terminal(80)
	Report(f.Env, errors.New("x"))
	if got := f.Stderr.String(); got != "\x1b[1;31mclawless:\x1b[0m x\n" {
		t.Errorf("on a terminal: %q", got)
	}
}

func TestReportAsJSON(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{Usagef("bad <flag>"), `{"error":{"message":"bad <flag>","type":"cli_error","param":null,"code":"usage"}}`},
		{
			apiError{status: 404, code: "not_found", message: "there is no such tenant", requestID: "req_1", hint: "clawless tenant list"},
			`{"error":{"message":"there is no such tenant","type":"invalid_request_error","param":null,"code":"not_found","hint":"clawless tenant list","request_id":"req_1"}}`,
		},
		{
			SettingsError(&settings.Invalid{Problems: []settings.Problem{{Field: "addr", Where: "--addr", Message: "m"}}}),
			`{"error":{"message":"a setting is wrong","type":"cli_error","param":null,"code":"usage","details":[{"field":"addr","where":"--addr","message":"m"}],"hint":"clawless config show --origin"}}`,
		},
	} {
		for _, format := range []show.Format{show.JSON, show.JSONL} {
			f := NewFake(t.TempDir())
			f.Flags.Output = format
			Report(f.Env, tt.err)
			if got := strings.TrimSuffix(f.Stderr.String(), "\n"); got != tt.want || !json.Valid([]byte(got)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		}
	}
}

func TestExitCodesAreToldOnce(t *testing.T) {
	seen := map[int]bool{}
	text := exitCodesText()
	for _, c := range ExitCodes {
		if seen[c.Code] {
			t.Errorf("%d is there twice", c.Code)
		}
		seen[c.Code] = true
		if !strings.Contains(text, fmt.Sprintf(" %d  %s ", c.Code, c.Name)) || !strings.Contains(text, c.Meaning) {
			t.Errorf("help exit-codes does not tell %d", c.Code)
		}
	}
	for _, code := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 124, 130} {
		if !seen[code] {
			t.Errorf("%d is not told", code)
		}
	}
}
