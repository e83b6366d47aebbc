package relay

// Prepare runs f on a goroutine of its own and waits for it. A stack never gets
// small again to speak of: a goroutine that is about to call [Pipe], and will then
// do little for hours, leaves to Prepare what goes deep, such as a dial.
func Prepare(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}
