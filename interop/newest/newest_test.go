package newest_test

import (
	"testing"

	"github.com/sallyport/sallyport/interop/suite"
)

func TestWire(t *testing.T) { suite.Wire(t) }
