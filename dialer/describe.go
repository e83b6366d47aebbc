package dialer

import "context"

// A Describer can say how a dial of it will go. A layer above a selector can
// fail once the selector is done, in a TLS handshake for one, and then has to
// name the class and the route it came by.
type Describer interface {
	// Describe returns the class and the route that a dial with these arguments
	// takes, as far as they are known, and the arguments. It is quick: it dials
	// and resolves nothing.
	Describe(ctx context.Context, network, address string) Attempt
}

// Describe returns what d says about a dial: the answer of its [Describer], or
// the bare arguments where d is none.
func Describe(ctx context.Context, d Dialer, network, address string) Attempt {
	if x, ok := d.(Describer); ok {
		return x.Describe(ctx, network, address)
	}
	return Attempt{Network: network, Address: address}
}
