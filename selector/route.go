package selector

import (
	"errors"
	"reflect"

	"github.com/sallyport/sallyport/dialer"
)

// A Route is a way out with a name.
type Route struct {
	// Name stands for the route in errors and traces. It must not be empty.
	Name string
	// Dialer goes there. It must not be nil. The selector uses it and does not
	// own it: whoever made it closes it.
	Dialer dialer.Dialer
}

func (r Route) check() error {
	if r.Name == "" {
		//lint:ignore ST1005 it starts with the name of a field
		return errors.New("Name is empty: errors and traces call the route by it")
	}
	if isNil(r.Dialer) {
		//lint:ignore ST1005 it starts with the name of a field
		return errors.New("Dialer is nil: a direct dial has to be asked for by a Dialer that does it")
	}
	return nil
}

// isNil also sees the nil func and the nil pointer inside an interface, which
// would be found only by the first dial, and as a panic.
func isNil(d dialer.Dialer) bool {
	if d == nil {
		return true
	}
	switch v := reflect.ValueOf(d); v.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Chan, reflect.Slice:
		return v.IsNil()
	}
	return false
}
