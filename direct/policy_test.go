package direct

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

var errForbidden = errors.New("forbidden by the test")

// forbid is an Allow that refuses the given IPs.
func forbid(ips ...string) func(context.Context, string, netip.AddrPort) error {
	return func(_ context.Context, _ string, addr netip.AddrPort) error {
		if slices.Contains(ips, addr.Addr().String()) {
			return errForbidden
		}
		return nil
	}
}

// TestRebinding: the name points elsewhere as soon as it was checked, and
// nobody asks it again.
func TestRebinding(t *testing.T) {
	names := &script{answers: [][]string{{"10.0.0.1"}, {"127.0.0.1"}}}
	network := &fakeNet{}
	d := &Dialer{Resolver: names, Allow: forbid("127.0.0.1"), connect: network.connect}
	c, err := d.DialContext(t.Context(), "tcp", "flip.example:80")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if got := network.dialed(); names.lookups != 1 || !slices.Equal(got, []string{"10.0.0.1:80"}) {
		t.Errorf("%d lookups, dialed %v; want 1 lookup, the checked address", names.lookups, got)
	}
	// The second dial gets the second answer, and the policy sees that too.
	_, err = d.DialContext(t.Context(), "tcp", "flip.example:80")
	checkError(t, err, dialer.HopPolicy, dialer.Denied)
	if got := network.dialed(); len(got) != 1 {
		t.Errorf("a denied address was dialed: %v", got)
	}
}

func TestAllDenied(t *testing.T) {
	network := &fakeNet{}
	d := &Dialer{
		Resolver: &script{answers: [][]string{{"10.0.0.1", "fd00::1"}}},
		Allow:    forbid("10.0.0.1", "fd00::1"),
		connect:  network.connect,
	}
	_, err := d.DialContext(t.Context(), "tcp", "secret.example:80")
	checkError(t, err, dialer.HopPolicy, dialer.Denied)
	if !errors.Is(err, dialer.ErrDenied) || !errors.Is(err, errForbidden) {
		t.Errorf("%v hides the policy's reason", err)
	}
	if dialer.Retryable(err) {
		t.Error("a denied dial may be tried by another route")
	}
	if got := network.dialed(); len(got) != 0 {
		t.Errorf("dialed %v; want nothing", got)
	}
}

func TestSomeDenied(t *testing.T) {
	network := &fakeNet{refuse: "10.0.0.2"}
	d := &Dialer{
		Resolver:      &script{answers: [][]string{{"10.0.0.1", "10.0.0.2", "fd00::1", "10.0.0.3"}}},
		Allow:         forbid("10.0.0.1", "fd00::1"),
		FallbackDelay: -1,
		connect:       network.connect,
	}
	c, err := d.DialContext(t.Context(), "tcp", "mixed.example:80")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if got, want := network.dialed(), []string{"10.0.0.2:80", "10.0.0.3:80"}; !slices.Equal(got, want) {
		t.Errorf("dialed %v, want %v", got, want)
	}
}

// TestPolicyInterrupted: giving up while the policy thinks is no denial.
func TestPolicyInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := &Dialer{Allow: func(ctx context.Context, _ string, _ netip.AddrPort) error {
		cancel()
		return fmt.Errorf("asking the policy: %w", ctx.Err())
	}}
	_, err := d.DialContext(ctx, "tcp", "127.0.0.1:80")
	checkError(t, err, dialer.HopPolicy, dialer.Canceled)
}

func TestPolicySeesTheHost(t *testing.T) {
	var hosts []string
	d := &Dialer{
		Resolver: &script{answers: [][]string{{"10.0.0.1"}}},
		Allow: func(_ context.Context, host string, _ netip.AddrPort) error {
			hosts = append(hosts, host)
			return errForbidden
		},
	}
	for _, address := range []string{"web.example:80", "10.0.0.1:80", "[fe80::1%eth0]:80", ":80"} {
		_, err := d.DialContext(t.Context(), "tcp", address)
		checkError(t, err, dialer.HopPolicy, dialer.Denied)
	}
	if want := []string{"web.example", "10.0.0.1", "fe80::1%eth0", ""}; !slices.Equal(hosts, want) {
		t.Errorf("the policy saw %q, want %q", hosts, want)
	}
}
