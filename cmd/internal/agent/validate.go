package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/sallyport/sallyport/cmd/internal/check"
	"github.com/sallyport/sallyport/cmd/internal/program"
	"github.com/sallyport/sallyport/konnectivity"
)

// Validate says which flag is wrong, what its value is and what would be right.
func (o *Options) Validate() error {
	return check.First(
		o.checkKubernetes(),
		o.checkFiles(),
		o.checkServer(),
		check.AnyPort("health-server-port", o.HealthPort),
		check.AnyPort("admin-server-port", o.AdminPort),
		check.Profiling(o.Profiling, o.Contention),
		o.checkTimes(),
		check.Positive("xfr-channel-size", o.XfrChannelSize),
	)
}

// checkKubernetes refuses to count servers in another way than was asked for: an
// agent that keeps too few tunnels looks well and is not.
func (o *Options) checkKubernetes() error {
	if o.CountServerLeases {
		return errors.New("--count-server-leases is true: leases are objects of the Kubernetes API, which this program does not speak to; " +
			"leave the flag out and say at the servers how many there are, with --server-count")
	}
	if s := o.ServerCountSource; s != "" && s != "default" && s != "max" {
		return fmt.Errorf("--server-count-source is %q; want default or max", s)
	}
	return check.File("kubeconfig", o.Kubeconfig)
}

func (o *Options) checkFiles() error {
	if err := check.First(
		check.Pair("agent-cert", o.AgentCert, "agent-key", o.AgentKey),
		check.File("ca-cert", o.CACert),
		check.File("service-account-token-path", o.TokenPath),
		check.File("policy-file", o.PolicyFile),
	); err != nil {
		return err
	}
	switch allow := o.allowed(); {
	case o.PolicyFile != "" && len(allow.CIDRs)+len(allow.Names)+len(allow.Ports) > 0:
		return fmt.Errorf("--policy-file is %q, and there is --allow-cidrs, --allow-names or --allow-ports; want the file or those", o.PolicyFile)
	case o.CACert == "":
		return errors.New("--ca-cert is empty; want the authorities of the servers' certificates: a server is never trusted unseen")
	case o.AgentCert == "" && o.TokenPath == "":
		return errors.New("--agent-cert and --service-account-token-path are empty; want a certificate with its --agent-key, a token, or both: servers know their agents by them")
	}
	return nil
}

func (o *Options) checkServer() error {
	if err := o.checkServerHost(); err != nil {
		return err
	}
	if err := check.AnyPort("proxy-server-port", o.ServerPort); err != nil {
		return err
	}
	_, err := o.protocols()
	return err
}

// checkServerHost refuses what no name and no address can be, and would be tried
// for ever.
func (o *Options) checkServerHost() error {
	if o.ServerHost == "" {
		return errors.New("--proxy-server-host is empty; want a name or an address")
	}
	if _, err := netip.ParseAddr(o.ServerHost); err != nil && strings.ContainsAny(o.ServerHost, ":/[] ") {
		return fmt.Errorf("--proxy-server-host is %q; want a name or an address alone, and the port in --proxy-server-port", o.ServerHost)
	}
	return nil
}

// protocols returns what servers are offered.
func (o *Options) protocols() ([]konnectivity.Protocol, error) {
	return program.Protocols("protocols", o.Protocols)
}

func (o *Options) checkTimes() error {
	if o.SyncInterval > o.SyncIntervalCap {
		return fmt.Errorf("--sync-interval is %v and --sync-interval-cap is %v; want the first no longer than the second", o.SyncInterval, o.SyncIntervalCap)
	}
	return check.NotNegative("drain-timeout", o.DrainTimeout)
}
