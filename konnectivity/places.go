package konnectivity

import "fmt"

// places counts the tunnels a server has room for. The server's mutex guards it.
type places struct {
	max, perAgent int
	all           int
	taken         map[string]int // by agent id
}

// take takes a place for agent id, or says why there is none.
func (p *places) take(id string) error {
	switch {
	case p.all >= p.max:
		return fmt.Errorf("the server has its %d agents", p.max)
	case p.taken[id] >= p.perAgent:
		return fmt.Errorf("agent %s has its %d tunnels", id, p.perAgent)
	}
	p.all++
	p.taken[id]++
	return nil
}

// give gives a place back.
func (p *places) give(id string) {
	p.all--
	if p.taken[id]--; p.taken[id] == 0 {
		delete(p.taken, id)
	}
}
