package reload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/sallyport/sallyport/files"
)

// contents is what a set of files held at one look.
type contents struct {
	data [][]byte
	sums []sum
}

// sum stands for the content of one file, which for a key is not worth keeping
// in memory only to compare it.
type sum = [sha256.Size]byte

// readFiles reads each of paths, none larger than limit bytes.
func readFiles(paths []string, limit int64) (contents, error) {
	var c contents
	for _, file := range paths {
		data, err := readFile(file, limit)
		if err != nil {
			return contents{}, &files.Error{File: file, Err: err}
		}
		c.data = append(c.data, data)
		c.sums = append(c.sums, sha256.Sum256(data))
	}
	return c, nil
}

// readFile reads a regular file of at most limit bytes. Its errors do not name
// the file.
func readFile(file string, limit int64) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, bare(err)
	}
	// Opening a FIFO would wait for a writer, in the midst of a handshake.
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, bare(err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return data, nil
}

// bare strips the operation and the path from an error of package os, for a
// files.Error says the path already.
func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
