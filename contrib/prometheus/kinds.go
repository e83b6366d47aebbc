package prometheus

import (
	"errors"
	"strings"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

// kind returns the kind of err as a label value.
func kind(err error) string {
	return strings.ReplaceAll(dialer.KindOf(err).String(), " ", "_")
}

// answered reports whether it is the far side's answer that a dial failed with,
// and not that there was none.
func answered(err error) bool {
	de, ok := errors.AsType[*dialer.Error](err)
	return ok && (de.At(dialer.HopTarget) || de.At(dialer.HopPolicy) || de.At(dialer.HopResolve))
}

// ended tells an announced end of a tunnel from a loss.
func ended(err error) string {
	if errors.Is(err, konnectivity.ErrLeft) {
		return "left"
	}
	return "lost"
}
