package dialertest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer/dialertest"
)

const brokenRun = "DIALERTEST_BROKEN_RUN"

// TestBrokenRun runs the whole suite against a broken dialer, in the process
// that TestRunFails starts.
func TestBrokenRun(t *testing.T) {
	if os.Getenv(brokenRun) == "" {
		t.Skip("TestRunFails runs this")
	}
	dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
		return dialertest.Fixture{Dialer: conns(oddTimeout)(t), Patience: time.Second}
	})
}

// TestRunFails: Run reports what its parts find, nettest among them.
func TestRunFails(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestBrokenRun$", "-test.v")
	cmd.Env = append(os.Environ(), brokenRun+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the suite accepts a broken dialer")
	}
	for _, want := range []string{
		"--- FAIL: TestBrokenRun/Conn/ReadTimeout", // not a net.Error
		"--- FAIL: TestBrokenRun/ReadDeadline",
		"--- PASS: TestBrokenRun/Addresses",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in the output:\n%s", want, out)
		}
	}
}

const emptyRun = "DIALERTEST_EMPTY_RUN"

// TestEmptyRun runs the whole suite without a Dialer, in the process that
// TestRunWithoutDialer starts.
func TestEmptyRun(t *testing.T) {
	if os.Getenv(emptyRun) == "" {
		t.Skip("TestRunWithoutDialer runs this")
	}
	dialertest.Run(t, func(t *testing.T) dialertest.Fixture { return dialertest.Fixture{} })
}

// TestRunWithoutDialer: what is wrong with the Fixture is said once.
func TestRunWithoutDialer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestEmptyRun$", "-test.v")
	cmd.Env = append(os.Environ(), emptyRun+"=1")
	out, err := cmd.CombinedOutput()
	if n := strings.Count(string(out), "set Fixture.Dialer"); err == nil || n != 1 {
		t.Errorf("%v, said %d times, want once:\n%s", err, n, out)
	}
}
