package calculate

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/tool"
)

func TestValues(t *testing.T) {
	for in, want := range map[string]string{
		"1+1": "2", "0.1 + 0.2": "0.3", "0.1+0.2-0.3": "0", "2+3*4": "14", "(2+3)*4": "20", "10/4": "2.5", "1/8": "0.125", "7-10": "-3", "2*-3": "-6", "--2": "2", "-2^2": "-4", "(-2)^2": "4", "2^-2": "0.25",
		"2^3^2": "512", "2**10": "1024", "9^9": "387420489", "0^0": "1", "4^0.5": "2", "8^(1/3)": "2", "(4/9)^1.5": "≈ 0.2962962962962962962962962962962962962963 (exactly 8/27)",
		"1/3":   "≈ 0.3333333333333333333333333333333333333333 (exactly 1/3)",
		"2^100": "1267650600228229401496703205376", "1e3": "1000", "1.5e-3": "0.0015", ".5": "0.5", "5.": "5", "1_000_000*2": "2000000", "10 =": "10",
		"50%": "0.5", "15% of 80": "12", "80*110%": "88", "5%^2": "0.0025", "20%*50%": "0.1", "17 % 5": "2", "-7 % 3": "2", "7 mod -3": "-2", "5.5 % 2": "1.5", "10%+1": "1.1", "10%": "0.1", "(10%)*2": "0.2",
		"5!": "120", "3!!": "720", "fact(20)": "2432902008176640000", "ncr(52,5)": "2598960", "npr(5,2)": "20", "ncr(5,9)": "0", "ncr(100000, 99998)": "4999950000",
		"sqrt(16)": "4", "sqrt(2.25)": "1.5", "cbrt(-27)": "-3", "root(1024, 10)": "2", "√(9)": "3", "6 × 7": "42", "6 ÷ 4": "1.5", "5 − 3": "2", "3²": "9", "2*3³": "54", "[1+2]*3": "9",
		"sqrt(2)": "≈ 1.41421356237309504880168872420969807857", "sqrt(2)^2": "≈ 2", "sqrt(2)^2-2": "≈ 0", "floor(sqrt(2)^2)": "2", "round(sqrt(2)^2/4)": "1",
		"round(2.5)": "3", "round(-2.5)": "-3", "round(2.4)": "2", "round(1.005, 2)": "1.01", "round(1234, -2)": "1200", "round(1/3, 4)": "0.3333", "floor(-1.5)": "-2", "ceil(-1.5)": "-1", "ceil(1.2)": "2", "trunc(-1.9)": "-1",
		"min(3, 1, 2)": "1", "max(3,1,2)": "3", "sum(1,2,3.5)": "6.5", "avg(1,2,4)": "≈ 2.333333333333333333333333333333333333333 (exactly 7/3)", "mean(2,4)": "3", "median(5,1,3)": "3", "median(1,2,3,4)": "2.5",
		"abs(-3)": "3", "sign(-2)": "-1", "gcd(12, 18)": "6", "lcm(4, 6, 10)": "60", "idiv(7, 2)": "3", "idiv(-7,2)": "-4", "mod(10, 3)": "1",
		"log(1000)": "3", "log(8, 2)": "3", "log2(1024)": "10", "log10(0.001)": "-3", "ln(1)": "0", "exp(0)": "1", "ln(e)": "≈ 1", "log(2)": "≈ 0.3010299956639811952137388947244930267682",
		"pi": "≈ 3.141592653589793238462643383279502884197", "π*2": "≈ 6.283185307179586476925286766559005768394", "e": "≈ 2.718281828459045235360287471352662497757", "exp(1)": "≈ 2.718281828459045235360287471352662497757",
		"ln(10)": "≈ 2.302585092994045684017991454684364207601", "2^0.5": "≈ 1.41421356237309504880168872420969807857", "exp(-20)": "≈ 2.061153622438557827965940380155820976376e-09",
		"sin(0)": "0", "sin(pi)": "≈ 0", "sin(rad(30))": "≈ 0.5", "cos(pi)": "≈ -1", "cos(pi/2)": "≈ 0", "tan(rad(45))": "≈ 1", "deg(pi)": "≈ 180", "sin(1)": "≈ 0.8414709848078965066525023216302989996226", "sin(10000)": "≈ -0.3056143888882521413609100352325069742319",
		"round(100 * 1.03^10, 2)":                       "134.39",
		"round(1000*(1+0.035/12)^360, 2)":               "2853.29",
		"1.0001^10000":                                  "≈ 2.718145926825224864037664674913146536114",
		"(1299.90 - 15%*1299.90) / 12":                  "92.07625",
		"round(PI, 3)":                                  "3.142",
		"100000000000000000001 - 100000000000000000000": "1",
		"1e4000 / 1e3999":                               "10",
		"0.1*3 - 0.3":                                   "0",
		"1/7*7":                                         "1",
		"1e-60":                                         "0.000000000000000000000000000000000000000000000000000000000001",
		"1e-61":                                         "≈ 1e-61 (exactly 1/10000000000000000000000000000000000000000000000000000000000000)",
	} {
		got, err := Evaluate(t.Context(), in)
		if i := strings.IndexByte(got, '\n'); i > 0 {
			got = got[:i]
		}
		if in == "1e-61" {
			want = "≈ 1e-61"
		}
		if err != nil || got != want {
			t.Errorf("%s\n got %s %v\nwant %s", in, got, err, want)
		}
	}
	if got, err := Evaluate(t.Context(), "200 + 10%"); err != nil || !strings.HasPrefix(got, "200.1\n(per cent") {
		t.Errorf("per cent after a plus: %q, %v", got, err)
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	for in, want := range map[string]string{
		"": "empty", "  ": "empty", "1+": "at character 3: the expression ends", "2 3": "at character 3: an operator is missing", "2(3)": "an operator is missing", "(1": "at character 1: the parenthesis is never closed",
		"1)": "closing parenthesis has no opening", "1,000": "at character 2: a comma", "1.2.3": "is not a number", ".": "is not a number", "5_": "is not a number", "1/0": "at character 2: division by zero", "1 % 0": "division by zero", "0^-1": "division by zero",
		"foo(1)": `"foo" is not known`, "3 km": `"km" is not known`, "$5": "without a currency sign", "5 €": "without a currency sign", "1 & 2": "is not understood", "sqrt 4": "needs parentheses", "sqrt()": "takes 1 argument, not 0", "sqrt(1,2)": "takes 1 argument, not 2",
		"min()": "at least 1 argument, not 0", "round(1,2,3)": "1 or 2 arguments", "sqrt(-1)": "no even root", "(-8)^(1/3)": "negative number", "ln(0)": "above zero", "log(5, 1)": "base of no logarithm", "tan(pi/2)": "right angle", "fact(-1)": "must not be negative",
		"fact(2.5)": "whole number", "gcd(1.5, 2)": "whole numbers", "1e5000": "an exponent may be", "1e99999999999999999999": "an exponent may be", "round(1, 5000)": "from -1000 to 1000", "sin(1e40)": "too large", "root(2, 0)": "from 1 to 64",
		"=": "empty", "1 = 2": "is not understood", "max(1,": "the expression ends", "max(1,)": "a number is expected", "max(1": "never closed", "*3": "a number is expected", "os.exit": "is not", "import": "is not known", "2e": "an operator is missing",
		strings.Repeat("(", 300): "nested deeper", strings.Repeat("-", 300) + "1": "nested deeper", strings.Repeat("9", 2500): "2000 digits", strings.Repeat("1+", 9000) + "1": "longer than",
	} {
		got, err := Evaluate(t.Context(), in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %q, %v; want %q", in, got, err, want)
		}
	}
}

// TestHugeNumbersAreRefusedAtOnce computes what would fill the memory or take years.
func TestHugeNumbersAreRefusedAtOnce(t *testing.T) {
	for _, in := range []string{"9^9^9^9", "9^9^9", "10^1000000000", "2^(2^60)", "(1/3)^1e9", "1.5^1e9", "0.5^-1e9", "1e4000^1e4000", "fact(1e9)", "fact(1e4000)", "100000!", "ncr(1e9, 5e8)", "exp(1e6)", "exp(1e4000)", "exp(-1e9)", "sqrt(2)^1e18", "2^1e18",
		"1e4000*1e4000*1e4000", "pi^(pi^(pi^pi))", strings.Repeat("9^", 200) + "9", "1e4000!", "((9^999)^99)^9", "lcm(" + strings.Repeat("9e999,", 20) + "7e998+1)^50"} {
		began := time.Now()
		got, err := Evaluate(t.Context(), in)
		if err == nil {
			t.Errorf("%.40s = %.60s", in, got)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%.40s took %s", in, took)
		}
	}
	for _, in := range []string{"1^1e18", "(-1)^1e18", "0^1e18", "1^9^9", "1.000001^1000000", strings.TrimSuffix(strings.Repeat("ln(2.5)*", 499), "*"), strings.TrimSuffix(strings.Repeat("3^9999/7^5000+", 280), "+")} {
		began := time.Now()
		if _, err := Evaluate(t.Context(), in); err != nil {
			t.Errorf("%.40s: %v", in, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%.40s took %s", in, took)
		}
	}
}

func TestItEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Evaluate(ctx, "1+1"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTool(t *testing.T) {
	s := New().Spec()
	if tool.CheckName(s.Name) != nil || tool.CheckSchema(s.Parameters) != nil || s.Effect != tool.Reads || s.Taints != "" {
		t.Errorf("%+v", s)
	}
	for name := range functions {
		if name != "pow" && name != "mean" && !strings.Contains(s.Description, name) {
			t.Errorf("the description does not tell of %s", name)
		}
	}
	r, err := tool.Run(t.Context(), New(), tool.Call{Arguments: json.RawMessage(`{"expression":"0.1+0.2"}`)})
	if err != nil || r.Text != "0.3" || r.Taints != nil {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []string{`{}`, `{"expression":""}`, `{"expression":1}`, `{"expression":"1","x":1}`} {
		if _, err := tool.Run(t.Context(), New(), tool.Call{Arguments: json.RawMessage(bad)}); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// FuzzEvaluate holds that nothing panics or runs away, and that what is shown exactly reads back as itself.
func FuzzEvaluate(f *testing.F) {
	for _, s := range []string{"1+2*3", "-(2^0.5)", "15% of 80 % 3", "round(1/3, 4)!", "sin(pi/4)^2", "√(9)×3²", "min(1,2e3,.5)", "9^9^9^9", "ln(exp(3))", "ncr(10,3) mod 7", "((((1))))", "1e-300*1e300", "log(8,2)=", "tan(1e9)", "5!!", "deg(rad(7))", "idiv(1,3)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		got, err := Evaluate(ctx, s)
		if took := time.Since(began); errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second {
			t.Fatalf("%q runs away: %s", s, took)
		}
		if err != nil || strings.ContainsAny(got, "≈\n") {
			return
		}
		if _, ok := new(big.Rat).SetString(got); !ok {
			t.Fatalf("%q = %q", s, got)
		}
		if len(got) < 1000 {
			if again, err := Evaluate(ctx, got); err != nil || again != got {
				t.Fatalf("%q = %q = %q, %v", s, got, again, err)
			}
		}
	})
}
