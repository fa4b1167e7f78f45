package peers
import ("testing";"time";"fmt"
"github.com/clawless/clawless/server/db";"github.com/clawless/clawless/server/sessions")
func TestZZ(t *testing.T){ each(t, func(t *testing.T, r *rig){
 from:=r.session(func(s *sessions.Session){s.EndUser="u1"})
 for b:=range 60 { r.write(func(q db.Querier) error { for i:=range 500 { r.at=r.at.Add(1000); s:=sessions.New(r.a,r.at); switch i%3 {case 0: s.EndUser="u1"; case 1: s.EndUser=fmt.Sprint("x",b,i)}; if err:=sessions.Insert(t.Context(),q,s);err!=nil{return err}}; return nil})}
 for _,set:=range []string{Self,Tree,User,Everyone} { r.setting=set; for range 3 { s:=time.Now(); var l wireList; r.must(NameList,r.call(from,args{}),&l); t.Log(set,len(l.Sessions),l.Omitted,time.Since(s)) } }
 n:=r.session(nil); r.setting=User; for range 3 {s:=time.Now(); var l wireList; r.must(NameList,r.call(n,args{}),&l); t.Log("nobody",len(l.Sessions),l.Omitted,time.Since(s))}
})}
