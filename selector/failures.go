package selector

import (
	"errors"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dialer"
)

// failures are the errors of a failover's attempts, in the order they happened.
// There is at least one when it is asked for the result.
type failures []error

// decidedByFirst is for attempts that all failed on the way: the preferred
// route's failure is the one to mend.
func (f failures) decidedByFirst() error { return summarize(f[0], f[1:]) }

// decidedByLast is for a last attempt after which no other route mattered. It
// must give the result its kind, or a failover around this one would see a
// broken route and try to get around what the destination or a policy said.
func (f failures) decidedByLast() error {
	last := len(f) - 1
	return summarize(f[last], f[:last])
}

func summarize(main error, others []error) error {
	if len(others) == 0 {
		return main
	}
	s := &summary{main: main, others: slices.Clone(others)}
	de, _ := errors.AsType[*dialer.Error](main) // attempts return nothing else
	return &dialer.Error{
		Class: de.Class, Route: de.Route, Hop: de.Hop, Network: de.Network, Address: de.Address,
		Err: s,
	}
}

// summary is the cause of a failover's error: one failure that counts and the
// others. The one that counts comes first when it is unwrapped, and dialer.KindOf
// takes the first it finds.
type summary struct {
	main   error
	others []error
}

// Error says what the *dialer.Error around it has not said yet.
func (s *summary) Error() string {
	var b strings.Builder
	b.WriteString(cause(s.main))
	b.WriteString(" (also failed:")
	for i, err := range s.others {
		if i > 0 {
			b.WriteString(";")
		}
		b.WriteString(" " + brief(err))
	}
	b.WriteString(")")
	return b.String()
}

// Unwrap returns all failures.
func (s *summary) Unwrap() []error { return append([]error{s.main}, s.others...) }

func cause(err error) string {
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		return de.Err.Error()
	}
	return err.Error()
}

// brief is route, hop and cause; the address is the same for all.
func brief(err error) string {
	de, ok := errors.AsType[*dialer.Error](err)
	if !ok {
		return err.Error()
	}
	parts := slices.DeleteFunc([]string{de.Route, de.Hop, de.Err.Error()}, func(s string) bool { return s == "" })
	return strings.Join(parts, ": ")
}
