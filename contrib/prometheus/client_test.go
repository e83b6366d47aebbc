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
		m.Trace().DialDone("x:1", time.Second, err)
		m.Trace().DialDone("x:1", time.Second, nil)
		wantValues(t, reg, theirs+"_client_dial_failure_total", map[string]float64{want: 1})
	}
}
