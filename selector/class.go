package selector

import "context"

// Class is a kind of destination that has one way out. It is compared as it is,
// upper and lower case are different. The empty Class is no class: nothing is
// ever routed for it.
type Class string

// The classes of a Kubernetes control plane. A caller may define others.
const (
	Kubelet      Class = "kubelet"      // the kubelet's own port on a node
	Node         Class = "node"         // any other port on a node
	Pod          Class = "pod"          // pod addresses
	Service      Class = "service"      // service addresses and names
	Etcd         Class = "etcd"         // the control plane's store
	ControlPlane Class = "controlplane" // webhooks, issuers and collectors beside the control plane
)

type classKey struct{}

// WithClass returns a context that tells a [Selector] the class of the dials
// made with it, for callers that know better than the address: a service's
// cluster IP says nothing about the pod behind it. The rules are not asked.
//
// It overrides a class set earlier. A class the selector has no route for fails
// the dial with [dialer.ErrNoRoute], and so does the empty class: a class that
// was meant to be known and is not must not become a guess.
func WithClass(ctx context.Context, class Class) context.Context {
	return context.WithValue(ctx, classKey{}, class)
}

// ClassFrom returns the class that [WithClass] put into ctx, and whether there
// is one. The Dialers a [Selector] calls find the chosen class there.
func ClassFrom(ctx context.Context) (Class, bool) {
	class, ok := ctx.Value(classKey{}).(Class)
	return class, ok
}
