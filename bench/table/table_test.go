package main

import (
	"fmt"
	"strings"
	"testing"
)

// given reads lines of the load tool.
func given(t *testing.T, lines ...string) *results {
	t.Helper()
	r := newResults()
	if err := r.read(strings.NewReader(strings.Join(lines, "\n"))); err != nil {
		t.Fatal(err)
	}
	return r
}

func moved(road string, round int, mbps, cpu float64) string {
	return fmt.Sprintf(`{"label":%q,"round":%d,"meas":"throughput_up_1","result":{"dir":"up","conns":1,"bytes":1,"mbps":%v,"cpu_total_s_gib":%v}}`, road, round, mbps, cpu)
}

func echoed(road string, round int, p50 float64) string {
	return fmt.Sprintf(`{"label":%q,"round":%d,"meas":"pingpong","result":{"n":9,"p50_us":%v,"p99_us":300}}`, road, round, p50)
}

// rowOf returns the cells of a row of the rendered table.
func rowOf(t *testing.T, r *results, name string) []string {
	t.Helper()
	var out strings.Builder
	render(&out, r)
	for line := range strings.Lines(out.String()) {
		if rest, ok := strings.CutPrefix(line, "| "+name+" | "); ok {
			return strings.Split(strings.TrimSuffix(rest, " |\n"), " | ")
		}
	}
	t.Fatalf("no row %q in\n%s", name, out.String())
	return nil
}

func TestRatioIsToTheSameRound(t *testing.T) {
	// The second round was slow for both, the third for the yardstick alone.
	r := given(t, moved("limit2", 1, 800, 2), moved("yamux", 1, 760, 2.2),
		moved("limit2", 2, 400, 2), moved("yamux", 2, 360, 2.3), moved("limit2", 3, 600, 2), moved("yamux", 3, 600, 2.9))
	if got, want := rowOf(t, r, "throughput up, 1 connection")[0], "0.95 (0.90 to 1.00); pass, goal 0.9"; got != want {
		t.Errorf("throughput: %q, want %q", got, want)
	}
	if got, want := rowOf(t, r, "CPU s/GiB up, 1 connection")[0], "2.30 (2.20 to 2.90); pass, goal 2.4"; got != want {
		t.Errorf("CPU: %q, want %q", got, want)
	}
	if p := r.problems(); len(p) > 0 {
		t.Errorf("problems %q", p)
	}
}

func TestGoals(t *testing.T) {
	r := given(t, moved("limit2", 1, 1000, 2), moved("uppair", 1, 300, 6), moved("upagent", 1, 400, 5), moved("grpc", 1, 899, 2.9),
		moved("inprocess-yamux", 1, 950, 9), echoed("limit2", 1, 100), echoed("yamux", 1, 116), echoed("upagent", 1, 170))
	for _, c := range []struct {
		row    string
		column int
		want   string
	}{
		{"throughput up, 1 connection", 0, "not measured"},
		{"throughput up, 1 connection", 1, "0.90; **miss**, goal 0.9"}, // 0.899
		{"throughput up, 1 connection", 2, "1.33; pass, goal 1.3"},     // to upstream's pair
		{"throughput up, 1 connection", 3, "0.95; pass, goal 0.9"},
		{"CPU s/GiB up, 1 connection", 1, "2.90; **miss**, goal 2.8"},
		{"CPU s/GiB up, 1 connection", 2, "5.00"},
		{"CPU s/GiB up, 1 connection", 3, "9.00"}, // the client's is in it
		{"echo of 1 KiB, p50", 0, "1.16; **miss**, goal 1.15"},
		{"echo of 1 KiB, p50", 2, "1.70; pass, goal 1.8"}, // to the yardstick
		{"half-close", 0, "not measured"},
	} {
		if got := rowOf(t, r, c.row)[c.column]; got != c.want {
			t.Errorf("%s, column %d: %q, want %q", c.row, c.column, got, c.want)
		}
	}
}

func TestStallIsARatioToTheSameConnection(t *testing.T) {
	r := given(t, `{"label":"yamux","round":1,"meas":"hol_up","result":{"dir":"up","verdict":"free","before":{"n":9,"p50_us":100,"p99_us":200},"established":{"n":9,"p50_us":110,"p99_us":300},"fresh":{"n":9}}}`)
	if got := rowOf(t, r, "echo p50 beside a connection stalled up")[0]; got != "1.10; pass, goal 1.2" {
		t.Errorf("p50: %q", got)
	}
	if got := rowOf(t, r, "echo p99 beside a connection stalled up")[0]; got != "1.50; **miss**, goal 1.2" {
		t.Errorf("p99: %q", got)
	}
}

// Upstream's agent may be blocked, which is no error of a measurement; ours may not.
func TestBlockedByUpstreamsAgent(t *testing.T) {
	blocked := `{"label":%q,"round":%d,"meas":"hol_up","result":{"dir":"up","verdict":"blocked","before":{"n":9,"p50_us":1},"established":{"error":"no progress"}}}`
	r := given(t, fmt.Sprintf(blocked, "upagent", 1), moved("upagent", 1, 9, 2))
	if p := r.problems(); len(p) > 0 {
		t.Errorf("problems %q", p)
	}
	if got := rowOf(t, r, "those beside a connection stalled up are")[2]; got != "blocked" {
		t.Errorf("the word is %q", got)
	}
	if p := given(t, fmt.Sprintf(blocked, "yamux", 1)).problems(); len(p) != 1 {
		t.Errorf("with our agent: problems %q, want one", p)
	}
}

func TestDelayIsAPartOfItsOwn(t *testing.T) {
	r := given(t, moved("limit2", 1, 1000, 2), moved("limit2@50ms", 1, 400, 2), moved("yamux@50ms", 1, 300, 2))
	if got := rowOf(t, r, "50 ms round trip, up, 1 connection")[0]; got != "0.75; pass, goal 0.6" {
		t.Errorf("50 ms: %q", got)
	}
	if got := rowOf(t, r, "throughput up, 1 connection")[0]; got != "not measured" {
		t.Errorf("without a delay: %q", got)
	}
}

func TestErrorsAreProblems(t *testing.T) {
	for name, line := range map[string]string{
		"the tool's own":        `{"label":"yamux","round":1,"meas":"throughput_up_1","error":"connection refused"}`,
		"a connection's":        `{"label":"yamux","round":1,"meas":"throughput_up_1","result":{"dir":"up","conns":8,"bytes":9,"mbps":9,"errors":["reset"]}}`,
		"nothing moved":         `{"label":"yamux","round":1,"meas":"throughput_up_1","result":{"dir":"up","conns":8}}`,
		"a dial":                `{"label":"yamux","round":1,"meas":"dial","result":{"n":9,"p50_us":1,"errors":1}}`,
		"no dial at all":        `{"label":"yamux","round":1,"meas":"dialrate","result":{}}`,
		"a dial among many":     `{"label":"yamux","round":1,"meas":"dialrate","result":{"dials_per_s":9,"errors":1}}`,
		"an echo":               `{"label":"yamux","round":1,"meas":"pingpong","result":{"n":9,"p50_us":1,"error":"EOF"}}`,
		"a lost connection":     `{"label":"yamux","round":1,"meas":"idle","result":{"want":9,"opened":9,"alive":8}}`,
		"too few connections":   `{"label":"yamux","round":1,"meas":"idle","result":{"want":9,"opened":8,"alive":8}}`,
		"nothing beside":        `{"label":"yamux","round":1,"meas":"hol_up","result":{"dir":"up","verdict":"blocked","before":{"n":9,"p50_us":1}}}`,
		"a failed dial beside":  `{"label":"yamux","round":1,"meas":"hol_up","result":{"dir":"up","verdict":"slowed","before":{"n":9},"established":{"n":9},"fresh":{"n":1,"errors":1}}}`,
		"an end with a timeout": `{"label":"yamux","round":1,"meas":"hol_up","result":{"dir":"up","before":{"n":9},"established":{"n":9,"error":"no progress"}}}`,
	} {
		if p := given(t, line).problems(); len(p) != 1 || !strings.Contains(p[0], "yamux") {
			t.Errorf("%s: problems %q, want one", name, p)
		}
	}
	if p := given(t).problems(); len(p) != 1 {
		t.Errorf("no results: problems %q, want one", p)
	}
	if p := given(t, moved("yamux", 1, 9, 2), echoed("yamux", 2, 9)).problems(); len(p) != 4 {
		t.Errorf("two rounds with a half each: problems %q, want two for each metric pair", p)
	}
}

func TestUnknownLinesAreErrors(t *testing.T) {
	for _, text := range []string{"{", `{"label":"yamux","meas":"speed","result":{}}`, `{"label":"yamux","meas":"dial","result":7}`} {
		if err := newResults().read(strings.NewReader(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
