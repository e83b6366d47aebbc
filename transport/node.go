package transport

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dialer"
)

// What Kubernetes' signers put into the certificate of a kubelet.
const (
	nodePrefix = "system:node:"
	nodeGroup  = "system:nodes"
)

// NodeError says that the peer's certificate, though valid, is not that of the
// node meant. errors.Is knows it as [dialer.ErrDenied].
type NodeError struct {
	// Host is the host that was asked for, Node the node it stands for; empty
	// when Config.NodeName knows none.
	Host, Node string
	// CommonName and Groups are those of the subject that answered.
	CommonName string
	Groups     []string
}

// Error tells what was expected and what was found.
func (e *NodeError) Error() string {
	if e.Node == "" {
		return fmt.Sprintf("no node name is known for host %q; found %s", e.Host, e.found())
	}
	return fmt.Sprintf("wrong node for host %q: expected %q in %q, found %s", e.Host, nodePrefix+e.Node, nodeGroup, e.found())
}

func (e *NodeError) found() string { return fmt.Sprintf("%q in %q", e.CommonName, e.Groups) }

// Is makes an identity rule's refusal a denial.
func (e *NodeError) Is(target error) bool { return target == dialer.ErrDenied }

// HostAsNode is a [Config.NodeName] for nodes that are addressed by their names:
// the node is the host, in lower case as the names of nodes are.
func HostAsNode(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// verifyNode checks that the peer is the node that host stands for. Only the
// leaf counts: whatever else the peer sent along proves nothing about it.
func (d *Dialer) verifyNode(host string, cs tls.ConnectionState) error {
	node := d.cfg.NodeName(host)
	if len(cs.PeerCertificates) == 0 {
		return &NodeError{Host: host, Node: node}
	}
	leaf := cs.PeerCertificates[0]
	if node != "" && commonNames(leaf) == 1 &&
		leaf.Subject.CommonName == nodePrefix+node &&
		slices.Contains(leaf.Subject.Organization, nodeGroup) {
		return nil
	}
	return &NodeError{
		Host: host, Node: node,
		CommonName: leaf.Subject.CommonName,
		Groups:     slices.Clone(leaf.Subject.Organization),
	}
}

// commonNames counts the common names of c's subject. Of several, readers
// differ on which one counts.
func commonNames(c *x509.Certificate) int {
	oid, n := asn1.ObjectIdentifier{2, 5, 4, 3}, 0
	for _, a := range c.Subject.Names {
		if a.Type.Equal(oid) {
			n++
		}
	}
	return n
}
