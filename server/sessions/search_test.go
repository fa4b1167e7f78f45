package sessions_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/sessions/words"
)

// find gives the sessions that a search finds, and where.
func (r *rig) find(by sessions.Query) (out []string) {
	r.Helper()
	if by.Limit == 0 {
		by.Limit = 100
	}
	r.read(func(q db.Querier) error {
		list, err := sessions.List(r.ctx(), q, r.t, by)
		out = nil
		for _, f := range list {
			out = append(out, fmt.Sprint(f.ID, " ", f.Match.Sequence, " ", f.Match.Snippet))
		}
		return err
	})
	return out
}

// vocabulary is of many scripts, with signs that one database or the other could take for something.
var vocabulary = []string{"Hello", "hello-world", "user@example.com", "https://example.com/a?b=c", "3.14", "-5", "1e5", "crème", "BRÛLÉE", "naïve", "Zürich", "zurich", "foo_bar", "don't",
	"日本語", "テスト", "привет", "ΟΔΥΣΣΕΥΣ", "שלום", "हिन्दी", "thanks😀", "👍", "C++", "AND", "NOT", "NEAR(a b)", "a:*", "'quoted'", `"double"`, "(paren)", "tenant_id", "x|y&z!", "<b>bold</b>", "\\", "2026-07-01", "ﬁne"}

// TestSearchIsTheSame: what a search finds is what a plain reading of the texts says, on either database.
func TestSearchIsTheSame(t *testing.T) {
	each(t, func(r *rig) {
		random := rand.New(rand.NewPCG(7, 7))
		some := func(n int) string {
			list := make([]string, n)
			for i := range list {
				list[i] = vocabulary[random.IntN(len(vocabulary))]
			}
			return strings.Join(list, " ")
		}
		texts := map[string][]string{}
		var order []string
		for range 25 {
			s := r.session(func(s *sessions.Session) { s.Title = some(2) })
			texts[s.ID] = []string{s.Title}
			for range 3 {
				text := some(1 + random.IntN(6))
				texts[s.ID] = append(texts[s.ID], text)
				r.say(s.ID, text)
			}
			order = append(order, s.ID)
		}
		slices.Reverse(order)
		hits := 0
		for range 150 {
			text := some(1 + random.IntN(2))
			if random.IntN(2) == 0 {
				runes := []rune(text)
				text = string(runes[:1+random.IntN(len(runes))])
			}
			query := words.Parse(text)
			if len(query) == 0 {
				continue
			}
			var want []string
			for _, id := range order {
				for i, body := range slices.Backward(texts[id]) {
					if plainly(query, body) {
						want = append(want, fmt.Sprint(id, " ", i, " ", query.Snippet(body)))
						break
					}
				}
			}
			hits += len(want)
			if got := r.find(sessions.Query{Search: text}); !slices.Equal(got, want) {
				r.Errorf("%q finds\n%q, want\n%q", text, got, want)
			}
		}
		if hits < 200 {
			r.Errorf("only %d hits: the searches look for nothing", hits)
		}
	})
}

// plainly says whether a text has all words and one that begins with the last.
func plainly(query words.Query, text string) bool {
	for i, w := range query {
		has := false
		for got := range words.Split(text) {
			has = has || got.Form == w || i == len(query)-1 && strings.HasPrefix(got.Form, w)
		}
		if !has {
			return false
		}
	}
	return true
}

// TestSearchHasNoSyntax: whatever is looked for, a search finds its words or nothing; no sign is an operator, and no tenant finds another's texts.
func TestSearchHasNoSyntax(t *testing.T) {
	each(t, func(r *rig) {
		s := r.session(nil)
		r.say(s.ID, "secret plan")
		other := newRig(r.T, r.d)
		mine := other.session(nil)
		other.say(mine.ID, "my own plan")
		for _, text := range []string{`plan" OR "secret`, `secret OR plan`, `tenant_id : ` + r.t.ID(), r.t.ID(), `words:secret`, `{tenant_id words} : secret`, `"secret`, `'secret`, `secret' | 'plan`,
			`secret*`, `NOT my`, `plan NOT my`, `NEAR(secret plan)`, `^secret`, `secret + plan`, `secret & !my`, `secret <-> plan`, `secret:*A`, `secret\`, `%secret%`, `') OR 1=1 --`, "plan\u0000secret"} {
			for _, f := range other.find(sessions.Query{Search: text}) {
				if !strings.HasPrefix(f, mine.ID) {
					r.Errorf("%q finds another tenant's %s", text, f)
				}
			}
		}
		if got := other.find(sessions.Query{Search: "PLAN my"}); len(got) != 1 {
			r.Errorf("its own text is not found: %q", got)
		}
		err := r.d.Read(r.ctx(), func(q db.Querier) error {
			_, err := sessions.List(r.ctx(), q, r.t, sessions.Query{Search: `"*' :`, Limit: 5})
			return err
		})
		if !fault.Is(err, fault.InvalidRequest) {
			r.Errorf("a search without a word: %v", err)
		}
	})
}

// TestSearchFollows: a title that changes, a session that is archived, deleted or another's, a page that follows, a branch that is left.
func TestSearchFollows(t *testing.T) {
	each(t, func(r *rig) {
		var made []string
		for i := range 7 {
			s := r.session(func(s *sessions.Session) { s.EndUser = []string{"u1", "u2"}[i%2] })
			r.say(s.ID, "common words", "answer", "last words")
			made = append(made, s.ID)
		}
		slices.Reverse(made)
		count := func(want int, by sessions.Query) {
			r.Helper()
			if got := r.find(by); len(got) != want {
				r.Errorf("%+v finds %q, want %d", by, got, want)
			}
		}
		count(7, sessions.Query{Search: "common"})
		count(0, sessions.Query{Search: "common answer"}) // in one text
		count(3, sessions.Query{Search: "common", EndUser: "u2"})
		set := func(c sessions.Change) {
			r.write(func(q db.Querier) error {
				_, err := sessions.Update(r.ctx(), q, r.t, "", made[0], c, r.tick())
				return err
			})
		}
		title, isArchived := "Zebra crossing", true
		set(sessions.Change{Title: &title})
		if got := r.find(sessions.Query{Search: "zeb"}); len(got) != 1 || got[0] != made[0]+" 0 Zebra crossing" {
			r.Errorf("by its title: %q", got)
		}
		title = "Horse"
		set(sessions.Change{Title: &title, Archived: &isArchived})
		count(0, sessions.Query{Search: "zebra"})
		count(6, sessions.Query{Search: "common"})
		count(1, sessions.Query{Search: "common", Archived: sessions.OnlyArchived})
		r.write(func(q db.Querier) error { _, err := sessions.Rewind(r.ctx(), q, r.t, made[1], 0, r.tick()); return err })
		count(6, sessions.Query{Search: "last"})
		r.write(func(q db.Querier) error { return sessions.Delete(r.ctx(), q, r.t, "", made[1]) })
		count(5, sessions.Query{Search: "last"})
		var seen []string
		by := sessions.Query{Search: "words", Limit: 2}
		for {
			var page []sessions.Found
			r.read(func(q db.Querier) (err error) { page, err = sessions.List(r.ctx(), q, r.t, by); return err })
			if len(page) == 0 {
				break
			}
			for _, f := range page {
				seen = append(seen, f.ID)
			}
			by.At, by.ID = page[len(page)-1].UpdatedAt.Time, page[len(page)-1].ID
		}
		if !slices.Equal(seen, made[2:]) {
			r.Errorf("page by page %q, want %q", seen, made[2:])
		}
	})
}

var addOld = db.System("test.add_old", `INSERT INTO search_texts (tenant_id, session_id, sequence, body) VALUES (:tenant, :session, :sequence, :body)`)

// TestIndexOld: texts that an older release stored are found once they are indexed, and those without a word are let go.
func TestIndexOld(t *testing.T) {
	each(t, func(r *rig) {
		s := r.session(nil)
		r.write(func(q db.Querier) error {
			for i := range 450 {
				body := fmt.Sprintf("Öld %d", i)
				if i%10 == 0 {
					body = "…"
				}
				if _, err := addOld.Exec(r.ctx(), q, db.Args{"tenant": r.t.ID(), "session": s.ID, "sequence": i + 1, "body": body}); err != nil {
					return err
				}
			}
			return nil
		})
		if got := r.find(sessions.Query{Search: "old"}); len(got) != 0 {
			r.Fatalf("found before it is indexed: %q", got)
		}
		for more := true; more; {
			var err error
			if more, err = sessions.IndexOld(r.ctx(), r.d); err != nil {
				r.Fatal(err)
			}
		}
		for text, want := range map[string]string{"old": " 450 Öld 449", "old 411": " 412 Öld 411", "410": ""} {
			if got := strings.Join(r.find(sessions.Query{Search: text}), "|"); got != want && got != s.ID+want {
				r.Errorf("%q finds %q, want %q", text, got, want)
			}
		}
		if more, err := sessions.IndexOld(r.ctx(), r.d); more || err != nil {
			r.Error(more, err)
		}
	})
}

// TestSearchIsBounded: the first 16,384 characters of a text can be found; what comes after does no harm, nor does a word that no index takes.
func TestSearchIsBounded(t *testing.T) {
	r := newRig(t, dbtest.New(t))
	bounded(r)
	t.Run("postgres", func(t *testing.T) {
		bounded(newRig(t, dbtest.Open(t, db.Options{URL: dbtest.PostgresURL(t), Migrate: true})))
	})
}

func bounded(r *rig) {
	r.Helper()
	s := r.session(nil)
	m := sessions.Message{ID: ids.New(ids.Message), SessionID: s.ID, Role: "assistant", Content: llm.Text("begin " + strings.Repeat("é", 16_000) + " near " + strings.Repeat("x ", 4000) + "beyond")}
	r.write(func(q db.Querier) error { return sessions.Append(r.ctx(), q, r.t, &m, r.tick()) })
	for text, want := range map[string]int{"begin": 1, "near": 1, "eeee": 1, "beyond": 0} {
		if got := r.find(sessions.Query{Search: text}); len(got) != want {
			r.Errorf("%s: %q", text, got)
		}
	}
}
