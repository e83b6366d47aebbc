package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// lines are what the table has to say, in order: a class, the beginning of the
// address, the route, the agent or SSH server, who was verified and the beginning of the
// result.
var lines = [][6]string{
	{"kubelet", "node-1:", "tunnel", "node-1", "system:node:node-1 (kubelet CA 1)", "ok: HTTP/2.0"},
	{"node", "node-1:", "tunnel", "node-1", "-", "ok: HTTP/1.1"},
	{"pod", "127.1.0.7:", "tunnel", "gateway", "-", "ok: HTTP/1.1"},
	{"service", "web.shop.svc.cluster.local:", "tunnel", "gateway", "web.shop.svc.cluster.local (service CA)", "ok: "},
	{"etcd", "etcd-0:", "direct", "-", "etcd-0 (etcd CA)", "ok: put a key and got it back"},
	{"controlplane", "webhook.control-plane:", "direct", "-", "webhook.control-plane (control plane CA)", "ok: "},
	{"edge", "meter.site-1.edge:", "ssh", "site-1", "-", "ok: HTTP/1.1"},
	{"kubelet", "node-1:", "tunnel", "node-1", "-", "refused: tls: certificate signed by unknown authority"},
	{"kubelet", "node-1:", "tunnel", "node-1", "-", "refused: tls: wrong node, it is system:node:node-2"},
	{"kubelet", "node-1:", "tunnel", "node-1", "-", "refused: certificate required"},
	{"pod", "127.1.0.7:", "tunnel", "gateway", "-", "refused: policy via agent gateway: no rule allows port"},
	{"-", "203.0.113.9:", "-", "-", "-", "refused: select: no rule gives the address a class"},
	{"-", "127.0.0.1:", "-", "node-1", "-", `refused: it may not claim the host "node-2"`},
	{"edge", "meter.site-2.edge:", "ssh", "-", "-", "refused: ssh site-2: the server has another key"},
	{"edge", "meter.site-3.edge:", "ssh", "-", "-", `refused: select: no node has "meter.site-3.edge", and there is no default`},
	{"kubelet", "node-1:", "tunnel", "node-1", "system:node:node-1 (kubelet CA 1)", "ok: log stream opened"},
	{"kubelet", "node-1:", "tunnel", "node-1", "system:node:node-1 (kubelet CA 1)", "ok: CA replaced on disk"},
	{"kubelet", "node-1:", "tunnel", "node-1", "-", "refused: tls: certificate signed by unknown authority"},
	{"kubelet", "node-1:", "tunnel", "node-1", "system:node:node-1 (kubelet CA 2)", "ok: new certificate"},
	{"kubelet", "node-1:", "tunnel", "node-1", "system:node:node-1 (kubelet CA 1)", "ok: the same log stream"},
}

func TestRun(t *testing.T) {
	leak.Check(t)
	t.Setenv("TMPDIR", t.TempDir())
	descriptors := leak.Descriptors()
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Logf("\n%s", &out)
	checkTable(t, out.String())
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
	// The poller's own descriptors come with the first connection and stay.
	if now := leak.Descriptors(); descriptors >= 0 && now > descriptors+3 {
		t.Errorf("%d descriptors before, %d after", descriptors, now)
	}
}

// checkTable compares out with lines, cell by cell.
func checkTable(t *testing.T, out string) {
	t.Helper()
	if strings.Contains(out, "PRIVATE KEY") {
		t.Error("the output has a private key in it")
	}
	table, verdict, _ := strings.Cut(out, "\n\n")
	got := strings.Split(table, "\n")[1:]
	if len(got) != len(lines) || verdict != "20 checks, all as expected\n" {
		t.Fatalf("%d lines, want %d; verdict %q", len(got), len(lines), verdict)
	}
	columns := regexp.MustCompile(` {2,}`)
	for i, line := range got {
		cells := columns.Split(line, -1)
		if len(cells) != 7 {
			t.Errorf("line %d has %d cells: %q", i, len(cells), line)
			continue
		}
		for j, want := range lines[i] {
			begins := j == 1 || j == 5
			if cells[j] != want && !(begins && strings.HasPrefix(cells[j], want)) {
				t.Errorf("line %d: cell %d is %q, want %q", i, j, cells[j], want)
			}
		}
		if refused := strings.HasPrefix(cells[5], "refused: "); refused != strings.Contains(cells[5], "(as expected: ") {
			t.Errorf("line %d: a refusal has to say that it was expected, and only that: %q", i, cells[5])
		}
	}
}

// A run that is interrupted while it starts ends, and leaves nothing.
func TestRunInterrupted(t *testing.T) {
	leak.Check(t)
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := run(ctx, &out); err == nil {
		t.Errorf("no error for a run that was interrupted:\n%s", &out)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
}

// Each way to come out wrong is a FAIL.
func TestJudge(t *testing.T) {
	succeed := check{want: toPod, verified: "pod"}
	fail := check{want: toPod, refusal: &refusal{"a test", is(dialer.ErrDenied)}}
	for _, tt := range []struct {
		name  string
		check check
		went  way
		got   outcome
		err   error
		want  string
	}{
		{"success", succeed, toPod, outcome{verified: "pod", said: "hello"}, nil, "ok: hello"},
		{"refusal", fail, toPod, outcome{}, dialer.ErrDenied, "refused: denied (as expected: a test)"},
		{"failure", succeed, toPod, outcome{}, dialer.ErrReset, "FAIL: connection reset"},
		{"another error", fail, toPod, outcome{}, dialer.ErrReset, "FAIL: refused for another reason: connection reset"},
		{"no refusal", fail, toPod, outcome{}, nil, "FAIL: it should have been refused"},
		{"another route", succeed, toEtcd, outcome{verified: "pod"}, nil, "FAIL: it went by "},
		{"refusal of another agent", fail, toNode, outcome{}, dialer.ErrDenied, "FAIL: it went by "},
		{"another peer", succeed, toPod, outcome{verified: "x"}, nil, `FAIL: verified as "x", want "pod"`},
	} {
		result, ok := tt.check.judge(tt.went, tt.got, tt.err)
		if !strings.HasPrefix(result, tt.want) || ok == strings.HasPrefix(tt.want, "FAIL") {
			t.Errorf("%s: %q, %v; want %q", tt.name, result, ok, tt.want)
		}
	}
}

// One failed row is enough to fail the run.
func TestTableFails(t *testing.T) {
	var tab table
	tab.add(row{result: "ok: fine", ok: true})
	tab.add(row{result: "FAIL: not fine"})
	var out bytes.Buffer
	err := tab.print(&out)
	if err == nil || !strings.HasSuffix(out.String(), "\nFAIL: 1 of 2 checks did not come out as they should\n") {
		t.Errorf("error %v, output:\n%s", err, &out)
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestTableReportsWriteErrors(t *testing.T) {
	if err := new(table).print(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
}
