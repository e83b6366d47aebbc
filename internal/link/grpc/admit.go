package grpc

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// admit decides about a stream before there is one: what an agent sends on a
// stream that is refused here is dropped as it arrives. There is one, Connect.
// gRPC calls it on one goroutine.
func (s *Session) admit(ctx context.Context, info *tap.Info) (context.Context, error) {
	if ctx.Err() != nil {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	switch info.FullMethodName {
	case methodConnect:
		if s.called.Swap(true) {
			return nil, status.Error(codes.FailedPrecondition, "one Connect call per connection, and this one has had it")
		}
	default:
		return nil, status.Errorf(codes.Unimplemented, "unknown method %q", short(info.FullMethodName))
	}
	return makeStoppable(ctx), nil
}

// hardStop is where a stream's context keeps the function that ends it. The
// handler could end a stream only by returning, which it cannot do while it
// receives.
type hardStop struct{}

func makeStoppable(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx) // and gRPC cancels the parent
	return context.WithValue(ctx, hardStop{}, cancel)
}

func stopper(ctx context.Context) context.CancelFunc {
	return ctx.Value(hardStop{}).(context.CancelFunc)
}
