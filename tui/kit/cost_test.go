package kit

import "testing"

func TestDollars(t *testing.T) {
	for micros, want := range map[int64]string{0: "$0", 3: "$0.000003", 59: "$0.000059", 2100: "$0.0021", 1215: "$0.001215", 500_000: "$0.50", 1_000_000: "$1.00", 1_500_000: "$1.50",
		1_234_567: "$1.234567", 1_234_000_000: "$1,234.00", -59: "-$0.000059"} {
		if got := Dollars(micros); got != want {
			t.Errorf("Dollars(%d) is %s, want %s", micros, got, want)
		}
	}
}

func TestSpent(t *testing.T) {
	known := func(micros int64) Cost { return Cost{Told: true, Micros: micros} }
	unknown := Cost{Told: true, Unknown: true}
	for _, c := range []struct {
		costs []Cost
		want  string
	}{
		{nil, ""},
		{[]Cost{{}}, ""},
		{[]Cost{unknown}, ""},
		{[]Cost{known(0)}, "total $0"},
		{[]Cost{known(0), {}}, ""},
		{[]Cost{known(3), known(59)}, "total $0.000062"},
		{[]Cost{known(3), unknown, known(59)}, "total over $0.000062"},
		{[]Cost{{}, known(3)}, "total over $0.000003"},
	} {
		var s Spent
		for _, cost := range c.costs {
			s.Add(cost)
		}
		if got := s.String(); got != c.want {
			t.Errorf("%+v add up to %q, want %q", c.costs, got, c.want)
		}
	}
	if got := unknown.String() + "|" + known(3).String() + "|" + (Cost{}).String(); got != "price unknown|$0.000003|" {
		t.Errorf("the costs are %s", got)
	}
}
