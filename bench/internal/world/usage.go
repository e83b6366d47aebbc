package world

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Usage is what a process holds.
type Usage struct {
	RSS        int64 // resident, in bytes; 0 where the system does not say
	Heap       int64 // live objects and stacks, in bytes
	Goroutines int
}

// ReadUsage reads this process's usage, after two garbage collections: what lies
// in a sync.Pool survives the first.
func ReadUsage() Usage {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{RSS: resident(), Heap: int64(m.HeapAlloc + m.StackInuse), Goroutines: runtime.NumGoroutine()}
}

// resident reads VmRSS, which is in KiB.
func resident() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// Each is what one of n things costs that came between before and u, in KiB.
func (u Usage) Each(before Usage, n int) (rss, heap float64) {
	per := float64(n) * 1024
	return float64(u.RSS-before.RSS) / per, float64(u.Heap-before.Heap) / per
}

// MiB formats a number of bytes.
func MiB(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }
