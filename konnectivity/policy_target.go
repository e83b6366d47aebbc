package konnectivity

import (
	"errors"
	"fmt"
	"net/netip"
)

// policyTarget is a destination as the rules look at it.
type policyTarget struct {
	name    string     // canonical; empty when an address was asked for
	addr    netip.Addr // the literal asked for, or what the name resolved to
	port    uint16
	block   specialBlock // the smallest special block around addr
	special bool         // whether there is one
}

// newPolicyTarget reads host, a name or a literal. It refuses what is neither:
// a resolver might still make an address of it, in a way nobody wrote a rule
// about.
func newPolicyTarget(host string, port uint16) (policyTarget, error) {
	if port == 0 {
		return policyTarget{}, errors.New("port 0 is no destination")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return policyTarget{addr: a, port: port}, checkPolicyAddr(a)
	}
	name, err := canonicalName(host)
	if err != nil {
		return policyTarget{}, err
	}
	if isNumericName(name) {
		return policyTarget{}, errors.New("neither a name nor an address in the usual form")
	}
	return policyTarget{name: name, port: port}, nil
}

// resolved takes the address that would be dialed. A literal stays as it was
// asked for and must mean that very address.
func (t *policyTarget) resolved(a netip.Addr) error {
	if err := checkPolicyAddr(a); err != nil {
		return err
	}
	if t.name == "" {
		if t.addr.Unmap() != a.Unmap() {
			return fmt.Errorf("the address to dial is another one: %s", a)
		}
		return nil
	}
	t.addr = a
	return nil
}

func checkPolicyAddr(a netip.Addr) error {
	switch {
	case !a.IsValid():
		return errors.New("no address to dial")
	case a.Zone() != "":
		return errors.New("addresses with a zone are never allowed")
	}
	return nil
}
