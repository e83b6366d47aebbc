package files_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/files"
	"github.com/sallyport/sallyport/sshtunnel"
	"github.com/sallyport/sallyport/transport"
)

// One Options is for all that follows files, and one Error for all that is wrong with
// them.
func Example() {
	dir, err := os.MkdirTemp("", "files")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	opts := files.Options{Recheck: time.Minute}
	_, noCA := transport.NewCAFile(filepath.Join(dir, "ca.crt"), opts)
	_, noKey := sshtunnel.NewKeyFile(filepath.Join(dir, "id_ed25519"), sshtunnel.KeyFileOptions{FileOptions: opts})
	for _, err := range []error{noCA, noKey} {
		if fe, ok := errors.AsType[*files.Error](err); ok {
			fmt.Println(filepath.Base(fe.File), errors.Is(err, fs.ErrNotExist))
		}
	}
	// Output:
	// ca.crt true
	// id_ed25519 true
}
