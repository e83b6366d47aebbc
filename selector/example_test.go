package selector_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/selector"
)

// say stands for a real way out, such as a tunnel, in the examples.
func say(name string) dialer.Dialer {
	return dialer.Func(func(_ context.Context, network, address string) (net.Conn, error) {
		fmt.Println(name, "dials", address)
		near, far := net.Pipe()
		far.Close()
		return near, nil
	})
}

func Example() {
	sel, err := selector.New(selector.Config{
		Rules: []selector.Rule{
			{Class: selector.Kubelet, CIDRs: []string{"192.0.2.0/24"}, Ports: []string{"10250"}},
			{Class: selector.Pod, CIDRs: []string{"10.0.0.0/8", "fd00:10::/32"}},
			{Class: selector.Service, HostSuffixes: []string{".svc.cluster.local"}},
		},
		Routes: map[selector.Class]selector.Route{
			selector.Kubelet: {Name: "tunnel", Dialer: say("tunnel")},
			selector.Pod:     {Name: "tunnel", Dialer: say("tunnel")},
			selector.Service: {Name: "bastion", Dialer: say("bastion")},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for _, address := range []string{"192.0.2.7:10250", "web.shop.svc.cluster.local:443", "203.0.113.9:443"} {
		conn, err := sel.DialContext(ctx, "tcp", address)
		if errors.Is(err, dialer.ErrNoRoute) {
			fmt.Println(err)
			continue
		}
		conn.Close()
	}
	// Output:
	// tunnel dials 192.0.2.7:10250
	// bastion dials web.shop.svc.cluster.local:443
	// dial tcp 203.0.113.9:443: select: no route: no rule gives the address a class
}

// A caller that knows what the address is says so.
func ExampleWithClass() {
	sel, err := selector.New(selector.Config{
		Routes: map[selector.Class]selector.Route{
			selector.Service: {Name: "tunnel", Dialer: say("tunnel")},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := selector.WithClass(context.Background(), selector.Service)
	conn, err := sel.DialContext(ctx, "tcp", "10.96.0.10:443")
	if err != nil {
		fmt.Println(err)
		return
	}
	conn.Close()
	// Output: tunnel dials 10.96.0.10:443
}

// One transport per class, each with its own way out.
func ExampleSelector_For() {
	sel, err := selector.New(selector.Config{
		Routes: map[selector.Class]selector.Route{
			selector.Kubelet: {Name: "tunnel", Dialer: say("tunnel")},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := http.Client{Transport: &http.Transport{DialContext: sel.For(selector.Etcd).DialContext}}
	_, err = client.Get("http://192.0.2.1:2379/health")
	fmt.Println(errors.Is(err, dialer.ErrNoRoute))
	// Output: true
}

func ExampleFailover() {
	broken := dialer.Func(func(_ context.Context, network, address string) (net.Conn, error) {
		return nil, &dialer.Error{Hop: dialer.HopProxy, Network: network, Address: address, Err: dialer.ErrReset}
	})
	d, err := selector.Failover(
		selector.Route{Name: "near", Dialer: broken},
		selector.Route{Name: "far", Dialer: say("far")},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, err := d.DialContext(context.Background(), "tcp", "10.0.0.1:80")
	if err != nil {
		fmt.Println(err)
		return
	}
	conn.Close()
	// Output: far dials 10.0.0.1:80
}
