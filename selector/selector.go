package selector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// Config is what [New] builds a [Selector] from. New copies it; changes made
// later have no effect.
type Config struct {
	// Rules give classes to addresses; the first that matches counts. Without
	// rules only callers that name the class get through.
	Rules []Rule

	// Routes is the way out of each class. It must name every class of Rules,
	// and may name others for callers that choose the class themselves.
	Routes map[Class]Route

	// Trace sees each dial once, under its class and the name of its route;
	// both are empty for an address of no class. It sees what happens from the
	// choice of the class to the conn that the route returns. A layer above, such
	// as the TLS of package transport, may still fail after DialDone had a nil
	// error; its failures are in what that layer returns. Nil means none.
	Trace *dialer.Trace

	// Timeout bounds each dial as a whole. Zero means [dialer.DefaultTimeout],
	// a negative value means no bound but the caller's context.
	Timeout time.Duration
}

// A Selector is a [dialer.Dialer] that hands each dial to the route of the
// destination's class. It is safe for concurrent use. The zero Selector has no
// routes and fails every dial.
type Selector struct {
	rules []matcher
	ways  map[Class]*way
	trace *dialer.Trace
}

var (
	_ dialer.Dialer    = (*Selector)(nil)
	_ dialer.Readier   = (*Selector)(nil)
	_ dialer.Describer = (*Selector)(nil)
)

// New checks cfg and compiles its rules. It starts nothing.
//
// It fails where a dial would fail later for everyone: on a rule that makes no
// sense (see [RuleError]), a rule whose class has no route, a route without a
// name or a Dialer, and when there are no routes at all. The error tells all of
// them.
func New(cfg Config) (*Selector, error) {
	s := &Selector{ways: make(map[Class]*way, len(cfg.Routes))}
	if cfg.Trace != nil {
		trace := *cfg.Trace
		s.trace = &trace
	}
	err := errors.Join(s.addRoutes(cfg.Routes, cfg.Timeout), s.addRules(cfg.Rules, cfg.Routes))
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Selector) addRoutes(routes map[Class]Route, timeout time.Duration) error {
	if len(routes) == 0 {
		return errors.New("selector: Config.Routes is empty: no dial could ever succeed")
	}
	var errs []error
	for _, class := range slices.Sorted(maps.Keys(routes)) {
		route := routes[class]
		if class == "" {
			errs = append(errs, errors.New(`selector: Routes[""]: a route needs a class to serve`))
			continue
		}
		if err := route.check(); err != nil {
			errs = append(errs, fmt.Errorf("selector: Routes[%q]: %w", class, err))
			continue
		}
		s.ways[class] = &way{
			class: class,
			route: route.Name,
			d:     dialer.WithTimeout(strict{route.Dialer}, timeout),
			trace: s.trace,
		}
	}
	return errors.Join(errs...)
}

func (s *Selector) addRules(rules []Rule, routes map[Class]Route) error {
	var errs []error
	for i, rule := range rules {
		m, err := compile(i, rule)
		errs = append(errs, err)
		// Without any routes that has been said.
		if _, ok := routes[rule.Class]; !ok && rule.Class != "" && len(routes) > 0 {
			errs = append(errs, &RuleError{
				Index: i, Class: rule.Class, Field: "Class", Value: string(rule.Class),
				Problem: "the class has no route; there are routes for " + names(routes),
			})
		}
		s.rules = append(s.rules, m)
	}
	return errors.Join(errs...)
}

func names(routes map[Class]Route) string {
	var out []string
	for class := range routes {
		out = append(out, string(class))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// DialContext dials address by the route of its class. An address of no class
// and a class of no route fail with [dialer.ErrNoRoute] at [dialer.HopSelect].
// The network must be tcp, tcp4 or tcp6.
func (s *Selector) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	class, err := s.classify(ctx, network, address)
	if err != nil {
		return nil, refuse(ctx, s.trace, "", network, address, err)
	}
	return s.For(class).DialContext(ctx, network, address)
}

// Classify returns the class a dial would have: the one of [WithClass], which
// is taken at its word whether it has a route or not, or that of the first rule
// that matches. The error is a [*dialer.Error] that matches
// [dialer.ErrNoRoute]. Nothing is dialled or resolved.
func (s *Selector) Classify(ctx context.Context, network, address string) (Class, error) {
	class, err := s.classify(ctx, network, address)
	if err != nil {
		return "", noRoute(network, address, err)
	}
	return class, nil
}

func (s *Selector) classify(ctx context.Context, network, address string) (Class, error) {
	if err := checkNetwork(network); err != nil {
		return "", err
	}
	if class, ok := ClassFrom(ctx); ok {
		return class, nil
	}
	d, err := parseDestination(address)
	if err != nil {
		return "", err
	}
	for i := range s.rules {
		if s.rules[i].match(&d) {
			return s.rules[i].class, nil
		}
	}
	return "", errors.New("no rule gives the address a class")
}

// Describe returns the class and the route that a dial would have, empty where
// there is none. It is for the layers above, whose own failures are to name both.
func (s *Selector) Describe(ctx context.Context, network, address string) dialer.Attempt {
	class, err := s.classify(ctx, network, address)
	if err != nil {
		return dialer.Attempt{Network: network, Address: address}
	}
	return dialer.Describe(ctx, s.For(class), network, address)
}

// For returns the Dialer of one class. It asks neither the rules nor the
// context for a class, so a class that is only ever asked for here needs a route
// and no rule. It is a [dialer.Readier] and a [dialer.Describer].
//
// It is never nil: some embedders read a nil dial function as "directly". For a
// class without a route it is a Dialer that fails each dial with
// [dialer.ErrNoRoute]. Two calls for one class return equal values, so they can
// be keys of a cache of transports.
func (s *Selector) For(class Class) dialer.Dialer {
	if w, ok := s.ways[class]; ok {
		return w
	}
	return nowhere{class: class, trace: s.trace}
}

// Classes returns the classes that have a route, sorted.
func (s *Selector) Classes() []Class {
	return slices.Sorted(maps.Keys(s.ways))
}

// Ready returns nil when the routes of all classes are ready, otherwise why
// not, class by class. A selector without routes is not ready.
func (s *Selector) Ready() error {
	if len(s.ways) == 0 {
		return fmt.Errorf("%w: the selector has no routes", dialer.ErrNoRoute)
	}
	var errs []error
	for _, class := range s.Classes() {
		errs = append(errs, s.ReadyClass(class))
	}
	return errors.Join(errs...)
}

// ReadyClass returns nil when the route of class is ready, otherwise why not: a
// class without a route is not, with [dialer.ErrNoRoute].
func (s *Selector) ReadyClass(class Class) error {
	return dialer.Ready(s.For(class))
}
