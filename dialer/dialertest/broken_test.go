package dialertest_test

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/dialer/dialertest"
)

// broken pairs each check with a dialer that must fail it, and with words of
// the failure that show it failed for that reason.
var broken = []struct {
	check  string
	dialer func(testing.TB) dialer.Dialer
	want   string
}{
	{"Addresses", conns(nilLocalAddr), "LocalAddr is nil"},
	{"Addresses", conns(emptyRemoteAddr), "RemoteAddr has network"},
	{"Parallel", sharesOneConn, "dials at once"},
	{"ConcurrentMethods", conns(secondCloseHangs), "concurrent calls to end"},
	{"HalfCloseByCaller", conns(closeWriteCloses), "the reply after CloseWrite"},
	{"HalfCloseByCaller", conns(noCloseWrite), "has no CloseWrite"},
	{"HalfCloseByCaller", conns(closeWritePretends), "a Write after CloseWrite succeeds"},
	{"HalfCloseByTarget", conns(closesAtEOF), "after the target's half-close"},
	{"ResetByTarget", conns(resetIsEOF), "looks like EOF"},
	{"ResetByTarget", conns(resetIsSilence), "not noticed"},
	{"CancelBeforeDial", ignoresContext, "succeeded; it must fail"},
	{"CancelBeforeDial", returnsConnAndError, "a conn with its error"},
	{"CancelBeforeDial", namesNoHop, "names no hop"},
	{"DeadlineBeforeDial", ignoresContext, "succeeded; it must fail"},
	{"CancelDuringDial", ignoresContext, "a cancelled dial to return"},
	{"CancelDuringDial", blamesNobody, "want context.Canceled"},
	{"DeadlineDuringDial", ignoresContext, "a dial to fail"},
	{"DeadlineDuringDial", blamesNobody, "want a timeout"},
	{"DeadlineDuringDial", timesOutInItsOwnWords, "is neither"},
	{"CancelAfterDial", tiedToContext, "ended a Read"},
	{"DeadlineAfterDial", tiedToContext, "ended a Read"},
	{"DeadlineAfterDial", leavesDeadline, "ended a Read"},
	{"ReadDeadline", conns(deafToReadDeadline), "a deadline to end Read"},
	{"ReadDeadline", conns(deadlineOnlyAhead), "a past deadline to wake Read"},
	{"ReadDeadline", conns(oddTimeout), "os.ErrDeadlineExceeded"},
	{"WriteDeadline", conns(deafToWriteDeadline), "a past deadline to wake Write"},
	{"WriteDeadline", conns(writeTimeoutBreaks), "after its deadline was cleared"},
	{"WriteDeadline", conns(forgetsPartialWrite), "around the Write that timed out"},
	{"CloseTwice", conns(closeTwiceFails), "Close again"},
	{"UseAfterClose", conns(eofAfterClose), "Read after Close: got EOF"},
	{"CloseWakesRead", conns(deafToClose), "Close to wake Read"},
	{"CloseWakesRead", conns(closeWaitsForRead), "Close to wake Read"},
	{"CloseWakesWrite", conns(deafToClose), "Close to wake Write"},
	{"Refused", returnsBareErrors, "dialer.Wrap(dialer.CauseOf(ctx, err), dialer.HopTarget, network, address)"},
	{"Refused", blamesNobody, "want dialer.ErrRefused"},
	{"UnknownNetwork", anyNetworkIsTCP, "begin DialContext with"},
	{"UnknownNetwork", returnsBareErrors, "it failed with a net.UnknownNetworkError"},
	{"MalformedAddress", anyAddressWorks, "succeeded; it must fail"},
	{"Backpressure", conns(takesEverything), "never blocks"},
	{"StalledNeighbour", sharesWriteLock, "beside a stalled conn"},
	{"Leftovers", leaksGoroutines, "left after"},
	{"WriteThenCloseByCaller1B", conns(losesLastWrite), "before Close"},
	{"WriteThenCloseByCaller64KiB", conns(losesLastWrite), "before Close"},
	{"WriteThenCloseByCaller8MiB", conns(losesLastWrite), "before Close"},
	{"WriteThenCloseByCaller8MiB", conns(swapsBytes), "wrong bytes"},
	{"WriteThenCloseByTarget1B", conns(losesAtEOF), "before Close"},
	{"WriteThenCloseByTarget64KiB", conns(losesAtEOF), "before Close"},
	{"WriteThenCloseByTarget8MiB", conns(losesAtEOF), "before Close"},
}

// TestEveryCheckCanFail is the test of the suite: each promise, broken on
// purpose, is noticed.
func TestEveryCheckCanFail(t *testing.T) {
	checks := make(map[string]dialertest.Check)
	for _, c := range dialertest.Checks() {
		if checks[c.Name] = c; c.Name == "" {
			t.Error("a check without a name")
		}
	}
	if len(checks) != len(dialertest.Checks()) {
		t.Error("two checks share a name")
	}
	covered := make(map[string]bool)
	for _, tt := range broken {
		covered[tt.check] = true
		t.Run(tt.check+"/"+strings.ReplaceAll(tt.want, " ", "-"), func(t *testing.T) {
			if !alone[tt.check] {
				t.Parallel()
			}
			r := record(t, func(t testing.TB) {
				checks[tt.check].Test(t, dialertest.Fixture{Dialer: tt.dialer(t), Patience: patienceFor(tt.check)})
			})
			if !strings.Contains(r.story(), tt.want) {
				t.Errorf("a broken dialer fails with %q (skipped: %v); want %q in it", r.story(), r.skipped, tt.want)
			}
		})
	}
	for name := range checks {
		if !covered[name] {
			t.Errorf("no broken dialer shows that %s can fail", name)
		}
	}
}

// alone are the checks that others beside them would mislead: Leftovers counts
// what the whole process holds, and the rest go by how long nothing is written,
// which on a busy machine is no sign of a call that blocks.
var alone = map[string]bool{
	"Leftovers": true, "Backpressure": true, "StalledNeighbour": true, "WriteDeadline": true, "CloseWakesWrite": true,
}

// patienceFor is short, for most of these dialers are found out by waiting; a
// check that gives up too soon would not fail in the words that are wanted.
func patienceFor(check string) time.Duration {
	special := map[string]time.Duration{
		"Backpressure":               10 * time.Second, // the limit of bytes must come first
		"DeadlineAfterDial":          5 * time.Second,  // a tenth of it is the dial's deadline
		"WriteDeadline":              2 * time.Second,  // the sockets have to fill up
		"CloseWakesWrite":            3 * time.Second,
		"StalledNeighbour":           3 * time.Second,
		"WriteThenCloseByCaller8MiB": 2 * time.Second,
		"WriteThenCloseByTarget8MiB": 2 * time.Second,
	}
	return cmp.Or(special[check], 500*time.Millisecond)
}

// TestExcusesAreChecked: a protocol that claims to lack half-close must not
// have it in name only.
func TestExcusesAreChecked(t *testing.T) {
	for _, c := range dialertest.Checks() {
		if c.Name != "HalfCloseByCaller" {
			continue
		}
		r := record(t, func(t testing.TB) {
			c.Test(t, dialertest.Fixture{Dialer: plain(), NoHalfClose: true})
		})
		if want := "claims to have worked"; !strings.Contains(r.story(), want) {
			t.Errorf("got %q, want %q in it", r.story(), want)
		}
		r = record(t, func(t testing.TB) {
			c.Test(t, dialertest.Fixture{Dialer: conns(noCloseWrite)(t), NoHalfClose: true})
		})
		if r.Failed() || !r.skipped {
			t.Errorf("a conn without CloseWrite under NoHalfClose: failed with %q, skipped %v", r.story(), r.skipped)
		}
		return
	}
	t.Error("no such check")
}

// A fixture without a Dialer is a mistake in the test, not a panic in the suite.
func TestFixtureWithoutDialer(t *testing.T) {
	uses := map[string]func(testing.TB){"Pair": func(t testing.TB) { dialertest.Fixture{}.Pair(t) }}
	for _, c := range dialertest.Checks() {
		uses[c.Name] = func(t testing.TB) { c.Test(t, dialertest.Fixture{}) }
	}
	for name, use := range uses {
		r := record(t, use)
		if want := "set Fixture.Dialer"; !strings.Contains(r.story(), want) {
			t.Errorf("%s: %q, want %q in it", name, r.story(), want)
		}
	}
}
