package konnectivity

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// flipping resolves each name to the next of its answers, and the last one for
// ever. It counts the lookups.
type flipping struct {
	mu      sync.Mutex
	answers map[string][]string // each of addresses separated by spaces
	asked   []string
}

func (f *flipping) LookupNetIP(_ context.Context, _, host string) (addrs []netip.Addr, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, host)
	left := f.answers[host]
	if len(left) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for s := range strings.FieldsSeq(left[0]) {
		addrs = append(addrs, netip.MustParseAddr(s))
	}
	if len(left) > 1 {
		f.answers[host] = left[1:]
	}
	return addrs, nil
}

func (f *flipping) lookups() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// An agent holds every name to what it resolves to, and dials no other address
// than the one it has held it to.
func TestAgentChecksWhatNamesResolveTo(t *testing.T) {
	leak.Check(t)
	reached := make(chan string, 16)
	forbidden := target(t, func(c net.Conn) { reached <- c.LocalAddr().String() })
	_, port, _ := net.SplitHostPort(forbidden)
	allowedHost := "127.0.0.2"
	ln, err := net.Listen("tcp", net.JoinHostPort(allowedHost, port))
	if err != nil {
		t.Skipf("no second loopback address: %v", err)
	}
	defer ln.Close()

	names := &flipping{answers: map[string][]string{
		"inside.test":   {"127.0.0.2"},
		"outside.test":  {"127.0.0.1"},
		"mapped.test":   {"::ffff:127.0.0.1"},
		"metadata.test": {"169.254.169.254"},
		"flips.test":    {"127.0.0.2", "127.0.0.1"},
		"mixed.test":    {"127.0.0.1 127.0.0.2"},
		"named.test":    {"127.0.0.1"},
		"secret.evil":   {"127.0.0.2"},
	}}
	w := newWorld(t, nil)
	cfg := w.agentConfig("edge", everywhere)
	cfg.Resolver = names
	cfg.Policy, err = NewPolicy(
		PolicyRule{CIDRs: []string{"127.0.0.2/32"}, Names: []string{"*.test"}},
		PolicyRule{Names: []string{"named.test"}}, // wherever that is, special addresses excepted
	)
	if err != nil {
		t.Fatal(err)
	}
	w.run(cfg)
	for _, c := range []struct {
		host    string
		denied  bool
		lookups int
	}{
		{"inside.test", false, 1},
		{"outside.test", true, 1},
		{"mapped.test", true, 1},
		{"metadata.test", true, 1},
		{"flips.test", false, 1}, // the first answer is checked and dialed; nobody asks again
		{"flips.test", true, 1},  // the next dial gets the next answer and is held to that
		{"mixed.test", false, 1}, // by the address that is allowed
		{"named.test", true, 1},
		{"secret.evil", true, 0}, // no rule could allow it, so its name goes nowhere
		{"127.0.0.2", true, 0},   // the rules are about names
	} {
		before := len(names.lookups())
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		conn, err := w.srv.DialContext(ctx, "tcp", net.JoinHostPort(c.host, port))
		cancel()
		if n := len(names.lookups()) - before; n != c.lookups {
			t.Errorf("%s: %d lookups, want %d", c.host, n, c.lookups)
		}
		if !c.denied {
			if err != nil {
				t.Errorf("%s: %v", c.host, err)
				continue
			}
			if got := hostOf(conn.RemoteAddr().String()); got != allowedHost {
				t.Errorf("%s: connected to %s, want %s", c.host, got, allowedHost)
			}
			conn.Close()
			continue
		}
		if err == nil {
			conn.Close()
		}
		de, ok := errors.AsType[*dialer.Error](err)
		if !ok || !de.At(dialer.HopPolicy) || !errors.Is(err, dialer.ErrDenied) || dialer.Retryable(err) {
			t.Errorf("%s: %v, want a denial by the policy that nobody retries", c.host, err)
		}
	}
	select {
	case addr := <-reached:
		t.Errorf("the agent connected to %s, which its policy does not allow", addr)
	default:
	}
}
