package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// line is one line of the load tool's output.
type line struct {
	Label  string
	Round  int
	Meas   string
	Result json.RawMessage
	Error  string
}

// latency is what the load tool says of a set of times, in microseconds.
type latency struct {
	N     int
	P50   float64 `json:"p50_us"`
	P99   float64 `json:"p99_us"`
	Error string
}

// delayed ends the label of a road with a delay in it.
const delayed = "@50ms"

// add takes one line. A measurement with errors is noted, and its numbers are
// not used.
func (r *results) add(text []byte) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	road, slow := strings.CutSuffix(l.Label, delayed)
	if l.Error != "" {
		r.fail(l.Label, l.Meas, l.Round, "%s", l.Error)
		return nil
	}
	take := map[string]func(road string, l line) error{
		"idle": r.addIdle, "dial": r.addDial, "dialrate": r.addDialRate, "pingpong": r.addEcho,
		"hol_up": r.addStall, "hol_down": r.addStall, "halfclose": r.addHalfClose,
	}[l.Meas]
	if strings.HasPrefix(l.Meas, "throughput_") {
		take = r.addThroughput
		if slow {
			take = r.addDelayedThroughput
		}
	}
	if take == nil {
		return fmt.Errorf("there is no measurement %q", l.Meas)
	}
	if err := take(road, l); err != nil {
		return fmt.Errorf("%s of %s: %w", l.Meas, l.Label, err)
	}
	return nil
}

type throughput struct {
	Dir    string
	Conns  int
	Bytes  int64
	MBps   float64
	CPU    float64 `json:"cpu_total_s_gib"`
	Errors []string
}

func (r *results) throughput(l line) (t throughput, key string, err error) {
	if err = json.Unmarshal(l.Result, &t); err != nil {
		return t, "", err
	}
	if t.Bytes == 0 || len(t.Errors) > 0 {
		r.fail(l.Label, l.Meas, l.Round, "%d bytes, errors %q", t.Bytes, t.Errors)
		return t, "", nil
	}
	return t, fmt.Sprintf("%s %d", t.Dir, t.Conns), nil
}

func (r *results) addThroughput(road string, l line) error {
	t, key, err := r.throughput(l)
	if err == nil && key != "" {
		r.number(road, key, l.Round, t.MBps)
		r.number(road, "cpu "+key, l.Round, t.CPU)
	}
	return err
}

func (r *results) addDelayedThroughput(road string, l line) error {
	t, key, err := r.throughput(l)
	if err == nil && key != "" {
		r.number(road, "50ms "+key, l.Round, t.MBps)
	}
	return err
}

func (r *results) addIdle(road string, l line) error {
	var idle struct {
		Want, Opened, Alive, Errors int
		Error                       string
		KiB                         float64            `json:"kib_per_conn_total"`
		Goroutines                  map[string]float64 `json:"goroutines_per_conn"`
	}
	if err := json.Unmarshal(l.Result, &idle); err != nil {
		return err
	}
	if idle.Errors > 0 || idle.Opened < idle.Want || idle.Alive < idle.Opened {
		r.fail(l.Label, l.Meas, l.Round, "%d of %d opened, %d alive at the end, %d errors %q", idle.Opened, idle.Want, idle.Alive, idle.Errors, idle.Error)
		return nil
	}
	r.number(road, "idle", l.Round, idle.KiB)
	if len(idle.Goroutines) > 0 {
		var sum float64
		for _, n := range idle.Goroutines {
			sum += n
		}
		r.number(road, "goroutines", l.Round, sum)
	}
	return nil
}

func (r *results) addDial(road string, l line) error {
	var dial struct {
		latency
		Errors int
	}
	if err := json.Unmarshal(l.Result, &dial); err != nil {
		return err
	}
	if dial.Errors > 0 || dial.N == 0 {
		r.fail(l.Label, l.Meas, l.Round, "%d dials, %d errors %q", dial.N, dial.Errors, dial.Error)
		return nil
	}
	r.number(road, "dial p50", l.Round, dial.P50)
	return nil
}

func (r *results) addDialRate(road string, l line) error {
	var rate struct {
		Errors int
		Error  string
		PerSec float64 `json:"dials_per_s"`
	}
	if err := json.Unmarshal(l.Result, &rate); err != nil {
		return err
	}
	if rate.Errors > 0 || rate.PerSec == 0 {
		r.fail(l.Label, l.Meas, l.Round, "%.0f dials a second, %d errors %q", rate.PerSec, rate.Errors, rate.Error)
		return nil
	}
	r.number(road, "dials", l.Round, rate.PerSec)
	return nil
}

func (r *results) addEcho(road string, l line) error {
	var echo latency
	if err := json.Unmarshal(l.Result, &echo); err != nil {
		return err
	}
	if echo.Error != "" || echo.N == 0 {
		r.fail(l.Label, l.Meas, l.Round, "%d echoes, error %q", echo.N, echo.Error)
		return nil
	}
	r.number(road, "echo p50", l.Round, echo.P50)
	r.number(road, "echo p99", l.Round, echo.P99)
	return nil
}

func (r *results) addStall(road string, l line) error {
	var stall struct {
		Dir, Verdict        string
		Before, Established latency
		Fresh               struct {
			latency
			Errors int
		}
	}
	if err := json.Unmarshal(l.Result, &stall); err != nil {
		return err
	}
	key := "stall " + stall.Dir
	r.word(road, key, stall.Verdict)
	free, held := stall.Before, stall.Established
	if stall.Verdict == "blocked" && road == upstreamAgent {
		return nil // upstream's agent stops by itself; the word says so
	}
	if free.N == 0 || held.N == 0 || held.Error != "" || stall.Fresh.Errors > 0 {
		r.fail(l.Label, l.Meas, l.Round, "%s: %d echoes beside the stall, error %q; %d dials failed, %q", stall.Verdict, held.N, held.Error, stall.Fresh.Errors, stall.Fresh.Error)
		return nil
	}
	r.number(road, key+" p50", l.Round, held.P50/free.P50)
	r.number(road, key+" p99", l.Round, held.P99/free.P99)
	return nil
}

func (r *results) addHalfClose(road string, l line) error {
	var half struct{ Verdict string }
	if err := json.Unmarshal(l.Result, &half); err != nil {
		return err
	}
	r.word(road, "halfclose", half.Verdict)
	return nil
}
