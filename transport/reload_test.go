package transport

import (
	"path/filepath"
	"testing"

	"github.com/sallyport/sallyport/internal/testpki"
)

// BenchmarkPool measures what every handshake and request pays for a file that
// could have changed.
func BenchmarkPool(b *testing.B) {
	file := filepath.Join(b.TempDir(), "ca.crt")
	if err := testpki.WriteFile(file, testpki.MustCA(b, "a").PEM()); err != nil {
		b.Fatal(err)
	}
	ca, err := NewCAFile(file, FileOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ca.Pool() == nil {
			b.Fatal("no pool")
		}
	}
}

// BenchmarkPoolReread measures the look at an unchanged file itself.
func BenchmarkPoolReread(b *testing.B) {
	file := filepath.Join(b.TempDir(), "ca.crt")
	if err := testpki.WriteFile(file, testpki.MustCA(b, "a").PEM()); err != nil {
		b.Fatal(err)
	}
	ca, err := NewCAFile(file, FileOptions{Recheck: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ca.Pool()
	}
}
