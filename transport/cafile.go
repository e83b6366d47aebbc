package transport

import (
	"crypto/x509"
	"fmt"

	"github.com/sallyport/sallyport/internal/reload"
)

// CAFile is a bundle of authorities that follows its file. It implements
// [Roots], starts no goroutine and needs no Close. It is safe for concurrent
// use.
//
// The file may be replaced by a rename, by swapping a symbolic link anywhere on
// its path, or by writing over it: what counts is its content. A rewrite that
// cannot be used in full is not used at all and keeps the last good bundle.
type CAFile struct {
	bundle *reload.Value[*x509.CertPool]
}

// NewCAFile reads the bundle in file, which the error names when it cannot be
// used. A bundle is PEM: one or more CERTIFICATE blocks, with blank lines and
// lines that begin with # between them and nothing else. A damaged block, text
// between blocks, a private key, no certificate at all, or more than 4 MiB are
// errors. Expired authorities are taken; they fail at verification.
func NewCAFile(file string, opts FileOptions) (*CAFile, error) {
	parse := func(data [][]byte) (*x509.CertPool, error) {
		certs, err := parseBundle(data[0])
		if err != nil {
			return nil, &FileError{File: file, Err: err}
		}
		return newPool(certs), nil
	}
	bundle, err := reload.New([]string{file}, maxBundle, parse, opts)
	if err != nil {
		return nil, fmt.Errorf("transport: CA bundle %w", err)
	}
	return &CAFile{bundle: bundle}, nil
}

// Pool returns the authorities in the file, as of at most [FileOptions.Recheck]
// ago. The same pool is returned until the content changes.
func (f *CAFile) Pool() *x509.CertPool {
	if f == nil {
		return nil // a nil *CAFile in a Roots is refused like a nil Roots
	}
	return f.bundle.Get()
}

func newPool(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool
}
