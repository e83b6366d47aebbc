package selector_test

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/selector"
	"github.com/sallyport/sallyport/transport"
)

func TestDescribe(t *testing.T) {
	s := mustNew(t, selector.Config{Rules: cluster()[2:3], Routes: routesFor(&fake{}, selector.Pod)})
	for name, tt := range map[string]struct {
		d              dialer.Dialer
		address        string
		class, byRoute string
	}{
		"by rule":        {s, "10.0.0.1:80", "pod", "to-pod"},
		"by class":       {s.For(selector.Pod), "203.0.113.1:80", "pod", "to-pod"},
		"no class":       {s, "203.0.113.1:80", "", ""},
		"no route":       {s.For("nobody"), "10.0.0.1:80", "nobody", ""},
		"zero selector":  {new(selector.Selector), "10.0.0.1:80", "", ""},
		"broken address": {s, "x", "", ""},
	} {
		want := dialer.Attempt{Class: tt.class, Route: tt.byRoute, Network: "tcp", Address: tt.address}
		if got := dialer.Describe(t.Context(), tt.d, "tcp", tt.address); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// A handshake that fails above the selector still says by which way the
// connection came.
func TestTLSAboveNamesTheWay(t *testing.T) {
	ca, other := testpki.MustCA(t, "ca"), testpki.MustCA(t, "other")
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{other.MustPair(t, testpki.Leaf{Names: []string{"127.0.0.1"}})},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.(*tls.Conn).HandshakeContext(t.Context())
			c.Close()
		}
	}()
	s := mustNew(t, selector.Config{
		Rules:  []selector.Rule{{Class: selector.Pod, CIDRs: []string{"127.0.0.0/8"}}},
		Routes: map[selector.Class]selector.Route{selector.Pod: {Name: "tunnel", Dialer: new(net.Dialer)}},
	})
	for name, below := range map[string]dialer.Dialer{"the selector": s, "one class": s.For(selector.Pod)} {
		d, err := transport.New(transport.Config{Dialer: below, Roots: transport.StaticRoots(ca.Pool())})
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.DialContext(t.Context(), "tcp", ln.Addr().String())
		de, ok := errors.AsType[*dialer.Error](err)
		if !ok || de.Class != "pod" || de.Route != "tunnel" || de.Hop != dialer.HopTLS {
			t.Errorf("over %s: %v, want class pod, route tunnel and hop tls", name, err)
		}
	}
}
