package sshtunnel

import (
	"fmt"
	"sync/atomic"
)

// LiveNodes is a list of nodes that its owner keeps up to date, from an informer or
// whatever else knows them. It starts no goroutine and needs no Close. It is safe
// for concurrent use; of two updates at the same time either may be the last.
type LiveNodes struct {
	state atomic.Pointer[liveState]
}

// liveState is what LiveNodes knows. It is never changed.
type liveState struct {
	list *NodeList
	err  error
}

// NewLiveNodes returns a list that begins with nodes, which may be none: until the
// first update every dial is refused then, and Current says [ErrNoNodes].
func NewLiveNodes(nodes ...Node) (*LiveNodes, error) {
	s := &liveState{list: newNodeList(0), err: ErrNoNodes}
	if len(nodes) > 0 {
		list, err := NewNodeList(nodes...)
		if err != nil {
			return nil, err
		}
		s = &liveState{list: list}
	}
	l := &LiveNodes{}
	l.state.Store(s)
	return l, nil
}

// Update puts nodes, which it copies, in place of those before; dials that begin
// after it obey them. A list that [NewNodeList] does not take, and so an empty one,
// changes nothing: the nodes before go on, the error is returned, and Current
// tells it until the next good update. To be rid of all nodes close the Pool.
func (l *LiveNodes) Update(nodes ...Node) error {
	list, err := NewNodeList(nodes...)
	if err != nil {
		l.Failed(err)
		return err
	}
	l.state.Store(&liveState{list: list})
	return nil
}

// Failed says that the nodes could not be listed. Those known go on, and Current
// tells err until the next good update. A nil err says that a listing found
// nothing new, and ends that.
func (l *LiveNodes) Failed(err error) {
	for {
		old := l.state.Load()
		next := &liveState{list: old.list, err: err}
		if err == nil && old.list.Len() == 0 {
			next.err = ErrNoNodes
		} else if err != nil {
			next.err = fmt.Errorf("node list not refreshed: %w", err)
		}
		if l.state.CompareAndSwap(old, next) {
			return
		}
	}
}

// Current implements [Nodes].
func (l *LiveNodes) Current() (*NodeList, error) {
	s := l.state.Load()
	return s.list, s.err
}
