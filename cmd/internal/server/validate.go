package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/cmd/internal/check"
	"github.com/sallyport/sallyport/cmd/internal/flags"
	"github.com/sallyport/sallyport/cmd/internal/program"
	"github.com/sallyport/sallyport/konnectivity"
)

// Validate says which flag is wrong, what its value is and what would be right.
func (o *Options) Validate() error {
	return check.First(
		o.checkKubernetes(),
		o.checkFiles(),
		o.checkFront(),
		o.checkPorts(),
		check.Profiling(o.Profiling, o.Contention),
		o.checkAgents(),
		o.checkTLS(),
		o.checkTimes(),
		check.Positive("xfr-channel-size", o.XfrChannelSize),
	)
}

// checkKubernetes refuses what would be switched on by a flag and cannot be done:
// agents that were to be authenticated and are not are worse than no server.
func (o *Options) checkKubernetes() error {
	for _, f := range [][2]string{
		{"agent-namespace", o.AgentNamespace}, {"agent-service-account", o.AgentServiceAccount}, {"authentication-audience", o.Audience},
	} {
		if f[1] != "" {
			return fmt.Errorf("--%s is %q: agents' tokens are reviewed by the Kubernetes API, which this program does not speak to; "+
				"authenticate agents by certificates, with --cluster-ca-cert, and leave the flag out", f[0], f[1])
		}
	}
	if o.EnableLeaseController {
		return errors.New("--enable-lease-controller is true: leases are objects of the Kubernetes API, which this program does not speak to; " +
			"say how many servers there are with --server-count, and leave the flag out")
	}
	return check.File("kubeconfig", o.Kubeconfig)
}

func (o *Options) checkFiles() error {
	if err := check.First(
		check.Pair("server-cert", o.ServerCert, "server-key", o.ServerKey),
		check.File("server-ca-cert", o.ServerCACert),
		check.Pair("cluster-cert", o.ClusterCert, "cluster-key", o.ClusterKey),
		check.File("cluster-ca-cert", o.ClusterCACert),
		check.File("agent-identity-rules", o.IdentityRules),
	); err != nil {
		return err
	}
	if o.ClusterCert == "" {
		return errors.New("--cluster-cert and --cluster-key are empty; want the certificate that agents are shown, and its key")
	}
	if o.ClusterCACert == "" {
		return errors.New("--cluster-ca-cert is empty; want the authorities of the agents' certificates: without them anybody could be an agent")
	}
	return nil
}

func (o *Options) checkFront() error {
	if o.Mode != string(konnectivity.ModeGRPC) && o.Mode != string(konnectivity.ModeHTTPConnect) {
		return fmt.Errorf("--mode is %q; want grpc or http-connect", o.Mode)
	}
	if o.UDSName == "" {
		switch {
		case o.ServerCACert == "":
			return errors.New("--server-ca-cert is empty; want the authorities of the clients' certificates, or --uds-name for a unix socket")
		case o.ServerCert == "":
			return errors.New("--server-cert and --server-key are empty; want the certificate that clients are shown and its key, or --uds-name for a unix socket")
		}
		return nil
	}
	if o.ServerPort != 0 {
		return fmt.Errorf("--server-port is %d; want 0 with --uds-name", o.ServerPort)
	}
	for _, f := range [][2]string{{"server-cert", o.ServerCert}, {"server-key", o.ServerKey}, {"server-ca-cert", o.ServerCACert}} {
		if f[1] != "" {
			return fmt.Errorf("--%s is %q; want none with --uds-name: a unix socket has no TLS", f[0], f[1])
		}
	}
	_, err := o.socketMode()
	return err
}

// socketMode returns the permissions of the unix socket.
func (o *Options) socketMode() (fs.FileMode, error) {
	mode, err := strconv.ParseUint(o.UDSMode, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		return 0, fmt.Errorf("--uds-mode is %q; want octal permissions such as 0770", o.UDSMode)
	}
	return fs.FileMode(mode), nil
}

func (o *Options) checkPorts() error {
	if o.UDSName == "" {
		if err := check.Port("server-port", o.ServerPort); err != nil {
			return err
		}
	}
	return check.First(
		check.Port("agent-port", o.AgentPort),
		check.Port("admin-port", o.AdminPort),
		check.Port("health-port", o.HealthPort),
	)
}

func (o *Options) checkAgents() error {
	if _, err := o.strategies(); err != nil {
		return err
	}
	if _, err := o.protocols(); err != nil {
		return err
	}
	if o.ServerCount < 1 {
		return fmt.Errorf("--server-count is %d; want at least 1", o.ServerCount)
	}
	return o.checkIdentity()
}

// strategies returns how agents are picked.
func (o *Options) strategies() ([]konnectivity.Strategy, error) {
	list := strings.Join(flags.List(strings.Split(o.ProxyStrategies, ",")), ",")
	all, err := konnectivity.ParseStrategies(list)
	if err != nil {
		return nil, fmt.Errorf("--proxy-strategies: %w", err)
	}
	return all, nil
}

func (o *Options) checkIdentity() error {
	switch o.AgentIdentity {
	case "", identityRules:
		if o.AgentIdentity == identityRules && o.IdentityRules == "" {
			return errors.New("--agent-identity is rules and --agent-identity-rules is empty; want the file with the rules")
		}
		return nil
	case identityAny, identityNode:
		if o.IdentityRules != "" {
			return fmt.Errorf("--agent-identity is %q and --agent-identity-rules is %q; want rules for the first, or no second", o.AgentIdentity, o.IdentityRules)
		}
		return nil
	}
	return fmt.Errorf("--agent-identity is %q; want rules, node or any", o.AgentIdentity)
}

// alpn returns the further ALPN names that mean gRPC.
func (o *Options) alpn() []string { return flags.List(o.AgentALPN) }

// protocols returns what agents may speak.
func (o *Options) protocols() ([]konnectivity.Protocol, error) {
	return program.Protocols("agent-protocols", o.AgentProtocols)
}

func (o *Options) checkTLS() error {
	if _, _, err := o.minTLS(); err != nil {
		return err
	}
	_, err := o.cipherSuites()
	return err
}

// minTLS returns the least TLS version, and whether it is higher than what was
// asked for.
func (o *Options) minTLS() (version uint16, raised bool, err error) {
	switch o.TLSMinVersion {
	case "", "VersionTLS12":
		return tls.VersionTLS12, false, nil
	case "VersionTLS13":
		return tls.VersionTLS13, false, nil
	case "VersionTLS10", "VersionTLS11":
		return tls.VersionTLS12, true, nil
	}
	return 0, false, fmt.Errorf("--tls-min-version is %q; want VersionTLS12 or VersionTLS13", o.TLSMinVersion)
}

// cipherSuites returns the suites of TLS 1.2; nil means Go's own choice.
func (o *Options) cipherSuites() ([]uint16, error) {
	var ids []uint16
	for _, name := range flags.List(o.CipherSuites) {
		i := slices.IndexFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("--cipher-suites has %q, which is unknown or insecure; want some of %s", name, strings.Join(suiteNames(), ", "))
		}
		ids = append(ids, tls.CipherSuites()[i].ID)
	}
	return ids, nil
}

func suiteNames() (names []string) {
	for _, s := range tls.CipherSuites() {
		names = append(names, s.Name)
	}
	return names
}

func (o *Options) checkTimes() error {
	if err := check.First(
		check.NotNegative("graceful-shutdown-timeout", o.GracefulShutdown),
		check.NotNegative("backend-dial-timeout", o.BackendDialTimeout),
		check.NotNegative("drain-timeout", o.DrainTimeout),
	); err != nil {
		return err
	}
	if o.Given("graceful-shutdown-timeout") && o.Given("drain-timeout") && o.GracefulShutdown != o.DrainTimeout {
		return fmt.Errorf("--graceful-shutdown-timeout is %v and --drain-timeout is %v, and they mean the same; want one of them", o.GracefulShutdown, o.DrainTimeout)
	}
	return nil
}

// drain returns how long connections may go on after the signal.
func (o *Options) drain() time.Duration {
	if o.Given("graceful-shutdown-timeout") {
		return o.GracefulShutdown
	}
	return o.DrainTimeout
}
