package prometheus

import (
	"context"
	"io"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/dialer"
)

func TestClientReasons(t *testing.T) {
	for want, err := range map[string]error{
		"endpoint":     &dialer.Error{Hop: dialer.HopTarget, Err: dialer.ErrTimeout},
		"context":      &dialer.Error{Hop: dialer.HopProxy, Err: context.Canceled},
		"timeout":      &dialer.Error{Hop: dialer.HopProxy, Err: context.DeadlineExceeded},
		"tunnelclosed": &dialer.Error{Hop: dialer.HopProxy, Err: dialer.ErrReset},
		"unknown":      io.EOF,
	} {
		reg := prom.NewRegistry()
		m, e := NewClientMetrics(reg)
		if e != nil {
			t.Fatal(e)
		}
		for _, err := range []error{err, nil} {
			m.Trace().DialStart("x:1")
			m.Trace().DialDone("x:1", time.Second, err)
		}
		wantValues(t, reg, theirs+"_client_dial_failure_total", map[string]float64{want: 1})
	}
}

func TestClientConnections(t *testing.T) {
	reg := prom.NewRegistry()
	m, err := NewClientMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	tr := m.Trace()
	want := func(dialing, ok float64) {
		t.Helper()
		wantValues(t, reg, theirs+"_client_client_connections", map[string]float64{"dialing": dialing, "ok": ok})
	}
	want(0, 0)
	tr.DialStart("x:1")
	tr.DialStart("y:1")
	want(2, 0)
	tr.DialDone("x:1", time.Second, io.EOF)
	tr.DialDone("y:1", time.Second, nil)
	tr.ConnOpened("y:1")
	want(0, 1)
	tr.ConnClosed("y:1", time.Second)
	want(0, 0)
}
