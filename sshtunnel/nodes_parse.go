package sshtunnel

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/sallyport/sallyport/internal/yamlfile"
)

// fileNode is a [Node] as a nodes file has it.
type fileNode struct {
	Name     string   `yaml:"name"`
	Address  string   `yaml:"address"`
	User     string   `yaml:"user"`
	Hosts    []string `yaml:"hosts"`
	CIDRs    []string `yaml:"cidrs"`
	HostKeys []string `yaml:"hostKeys"`
}

// parseNodes reads the content of a nodes file.
func parseNodes(data []byte) (*NodeList, error) {
	var read []fileNode
	if err := yamlfile.Decode(data, &read); err != nil {
		return nil, err
	}
	if err := checkNulls(data); err != nil {
		return nil, err
	}
	nodes := make([]Node, 0, len(read))
	var errs []error
	for i := range read {
		n, err := read[i].node()
		if err != nil {
			errs = append(errs, fmt.Errorf("node %d, %.40q: %w", i, read[i].Name, err))
			if len(errs) == maxProblems {
				break
			}
		}
		nodes = append(nodes, n)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return NewNodeList(nodes...)
}

func (f *fileNode) node() (Node, error) {
	n := Node{Name: f.Name, Address: f.Address, User: f.User, Hosts: f.Hosts}
	if err := f.checkLists(); err != nil {
		return n, err
	}
	for i, text := range f.CIDRs {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return n, fmt.Errorf("cidrs[%d] %.80q: no network; want one such as 10.244.1.0/24", i, text)
		}
		n.CIDRs = append(n.CIDRs, p)
	}
	if f.HostKeys == nil {
		return n, nil
	}
	keys, err := ParsePinnedKeys(strings.Join(f.HostKeys, "\n"))
	if err != nil {
		return n, fmt.Errorf("hostKeys: %w", err)
	}
	n.HostKeys = keys
	return n, nil
}

// checkNulls refuses a key without a value, which decodes as one that is left out: of
// hostKeys that would mean the template's.
func checkNulls(data []byte) error {
	var read []map[string]any
	if err := yamlfile.Decode(data, &read); err != nil {
		return err
	}
	for i, node := range read {
		for _, key := range []string{"hosts", "cidrs", "hostKeys"} {
			if value, there := node[key]; there && value == nil {
				return fmt.Errorf("node %d: %s is there but empty: fill it or leave it out", i, key)
			}
		}
	}
	return nil
}

// checkLists refuses a list without elements: it may have been meant as "none" or
// as "any", and for host keys the two are worlds apart.
func (f *fileNode) checkLists() error {
	for _, l := range []struct {
		key  string
		list []string
	}{{"hosts", f.Hosts}, {"cidrs", f.CIDRs}, {"hostKeys", f.HostKeys}} {
		if l.list != nil && len(l.list) == 0 {
			return fmt.Errorf("%s is there but empty: fill it or leave it out", l.key)
		}
	}
	return nil
}
