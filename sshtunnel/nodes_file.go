package sshtunnel

import (
	"fmt"
	"sync/atomic"

	"github.com/sallyport/sallyport/internal/reload"
)

// maxNodesFile bounds a nodes file, in bytes.
const maxNodesFile = 8 << 20

// NodesFile is a list of nodes that follows a file. It starts no goroutine and
// needs no Close. It is safe for concurrent use.
type NodesFile struct {
	list *reload.Value[*NodeList]
	err  atomic.Pointer[error] // why the content of the moment cannot be used
}

// NewNodesFile reads the list in the file at path, which is YAML or JSON of at most
// 8 MiB, a list of nodes each with these keys:
//
//	# nodes.yaml
//	- name: node-1
//	  address: 192.0.2.7:22
//	  user: egress
//	  hosts: [node-1, 10.0.0.7]
//	  cidrs: [10.244.1.0/24]
//	  hostKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA...", "SHA256:..."]
//
// They are the fields of [Node]; the last four may be left out. hostKeys are what
// [ParsePinnedKeys] reads, a key or fingerprint each. An unknown key, a list that is
// there but empty, and whatever [NewNodeList] does not take are errors, and so is a
// file without a node.
//
// The file may be replaced by a rename, by swapping a symbolic link anywhere on its
// path, or by writing over it. A content that cannot be used in full is not used at
// all: the last good list goes on, and Current says why, until the file is good
// again. A rename is the safe way: a file that is read while somebody writes over it
// may end early, and where that is a good list of fewer nodes, they are missing until
// the next look.
func NewNodesFile(path string, opts FileOptions) (*NodesFile, error) {
	f := &NodesFile{}
	parse := func(data [][]byte) (*NodeList, error) {
		list, err := parseNodes(data[0])
		if err != nil {
			return nil, &FileError{File: path, Err: err}
		}
		return list, nil
	}
	list, err := reload.New([]string{path}, maxNodesFile, parse, f.follow(opts))
	if err != nil {
		return nil, fmt.Errorf("sshtunnel: nodes file %w", err)
	}
	f.list = list
	return f, nil
}

// follow has f told of what the caller is told of.
func (f *NodesFile) follow(opts FileOptions) FileOptions {
	var next FileTrace
	if opts.Trace != nil {
		next = *opts.Trace
	}
	told := opts.Log != nil
	opts.Trace = &FileTrace{
		Reloaded: func(file string) {
			f.err.Store(nil)
			if next.Reloaded != nil {
				next.Reloaded(file)
			}
		},
		ReloadFailed: func(file string, err error) {
			var stale error = &fileStale{err: err, told: told}
			f.err.Store(&stale)
			if next.ReloadFailed != nil {
				next.ReloadFailed(file, err)
			}
		},
	}
	return opts
}

// fileStale is why the content of the moment cannot be used.
type fileStale struct {
	err  error
	told bool // the log of the file has it
}

func (s *fileStale) Error() string { return "node list not refreshed: " + s.err.Error() }
func (s *fileStale) Unwrap() error { return s.err }

// Current implements [Nodes]: the list as of at most [FileOptions.Recheck] ago.
func (f *NodesFile) Current() (*NodeList, error) {
	list := f.list.Get()
	if err := f.err.Load(); err != nil {
		return list, *err
	}
	return list, nil
}
