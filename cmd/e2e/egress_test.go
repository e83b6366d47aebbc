package e2e

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// egress is a kube-apiserver's EgressSelectorConfiguration.
type egress struct {
	APIVersion       string `yaml:"apiVersion"`
	Kind             string
	EgressSelections []struct {
		Name       string
		Connection struct {
			ProxyProtocol string `yaml:"proxyProtocol"`
			Transport     struct {
				UDS *struct {
					UDSName string `yaml:"udsName"`
				}
				TCP *struct {
					URL       string
					TLSConfig struct {
						CABundle   string `yaml:"caBundle"`
						ClientKey  string `yaml:"clientKey"`
						ClientCert string `yaml:"clientCert"`
					} `yaml:"tlsConfig"`
				}
			}
		}
	} `yaml:"egressSelections"`
}

func readEgress(t *testing.T, name string) (e egress) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(readDeploy(t, "egress/"+name)))
	d.KnownFields(true)
	if err := d.Decode(&e); err != nil {
		t.Fatal(err)
	}
	if e.APIVersion != "apiserver.k8s.io/v1beta1" || e.Kind != "EgressSelectorConfiguration" ||
		len(e.EgressSelections) != 1 || e.EgressSelections[0].Name != "cluster" {
		t.Fatalf("%s is %+v", name, e)
	}
	if !strings.Contains(readme(t), "](deploy/egress/"+name+")") {
		t.Errorf("README.md does not name %s", name)
	}
	return e
}

// The files lead to where the unit and the manifest serve.
func TestEgressSelectors(t *testing.T) {
	c := readEgress(t, "grpc-uds.yaml").EgressSelections[0].Connection
	if c.ProxyProtocol != "GRPC" || c.Transport.UDS == nil || c.Transport.TCP != nil {
		t.Fatalf("%+v, want GRPC over a unix socket", c)
	}
	socket := "--uds-name=" + c.Transport.UDS.UDSName + " "
	if !strings.Contains(readDeploy(t, "systemd/konnectivity-server.service"), socket) || !strings.Contains(readme(t), socket) {
		t.Errorf("the unit or README.md has no %s", socket)
	}
	c = readEgress(t, "http-connect-tcp.yaml").EgressSelections[0].Connection
	tcp := c.Transport.TCP
	if c.ProxyProtocol != "HTTPConnect" || c.Transport.UDS != nil || tcp == nil {
		t.Fatalf("%+v, want HTTPConnect over TCP", c)
	}
	if !slices.ContainsFunc(objects(t), func(o object) bool {
		return o.Kind == "Service" && tcp.URL == "https://"+o.Metadata.Name+"."+o.Metadata.Namespace+".svc:8090"
	}) {
		t.Errorf("%s is no service of the manifests", tcp.URL)
	}
	if l := tcp.TLSConfig; l.CABundle == "" || l.ClientKey == "" || l.ClientCert == "" {
		t.Errorf("%+v, want certificates on both sides", l)
	}
}

// The rules of the unit allow what the other unit claims, with a certificate that
// names no address.
func TestUnitsIdentityRules(t *testing.T) {
	if !strings.Contains(readDeploy(t, "systemd/konnectivity-server.service"), "--agent-identity-rules=/etc/konnectivity/identity.yaml ") {
		t.Error("the unit does not use identity.yaml")
	}
	_, rest, _ := strings.Cut(readDeploy(t, "systemd/konnectivity-agent.service"), "--agent-identifiers=")
	claim, _, _ := strings.Cut(rest, " ")
	claim = strings.NewReplacer("${NODE}", "node-1", "${ADDRESS}", "10.0.0.7").Replace(claim)
	w := newWorld(t)
	w.server(false, "--agent-identity-rules="+deploy+"/systemd/identity.yaml")
	w.agent("--agent-identifiers=" + claim)
	w.up()
	for _, want := range []string{claim, "--agent-identity-rules=deploy/systemd/identity.yaml "} {
		if !strings.Contains(readme(t), want) {
			t.Errorf("README.md has no %s", want)
		}
	}
}
