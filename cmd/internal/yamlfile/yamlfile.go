// Package yamlfile reads the small YAML files that the programs are configured
// with.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// maxSize bounds a file, in bytes.
const maxSize = 1 << 20

// Read decodes the one document of the file at path into v. Unknown keys are
// errors: a rule whose condition is misspelled would say something else than was
// meant.
func Read(path string, v any) error {
	data, err := read(path)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	switch err := d.Decode(v); {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: it is empty", path)
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: it has more than one document; want one", path)
	}
	return nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxSize)
	}
	return data, nil
}
