// Package yamlfile reads the YAML files that programs are configured with, and
// JSON, which is nearly all YAML as it is.
package yamlfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxSize bounds a file, in bytes.
const maxSize = 1 << 20

// Read decodes the one document of the file at path into v, as [Decode] does. Its
// errors name the file.
func Read(path string, v any) error {
	data, err := read(path)
	if err != nil {
		return err
	}
	if err := Decode(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Decode decodes the one document in data into v. Unknown keys are errors: a rule
// whose condition is misspelled would say something else than was meant.
func Decode(data []byte, v any) error {
	d := yaml.NewDecoder(bytes.NewReader(untabbed(data)))
	d.KnownFields(true)
	switch err := d.Decode(v); {
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case err != nil:
		return plain(err, v)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("it has more than one document; want one")
	}
	return nil
}

// untabbed returns data, and JSON that is indented with tabs, which YAML does not
// allow, without its white space.
func untabbed(data []byte) []byte {
	var out bytes.Buffer
	if bytes.IndexByte(data, '\t') < 0 || json.Compact(&out, data) != nil {
		return data
	}
	return out.Bytes()
}

// What the decoder says in terms of Go's types.
var (
	unknownKey = regexp.MustCompile(`^(line \d+: )field (.*) not found in type .+$`)
	wrongKind  = regexp.MustCompile(`cannot unmarshal !!(\S+) (?:.* )?into (.+)$`)
)

// plain returns err in terms of the file, not of the type of v that it is decoded
// into. What it does not know it leaves as it is.
func plain(err error, v any) error {
	wrong, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return err
	}
	var all []string
	for _, e := range wrong.Errors {
		if m := unknownKey.FindStringSubmatch(e); m != nil {
			e = fmt.Sprintf("%sunknown key %q; want %s", m[1], m[2], strings.Join(keys(reflect.TypeOf(v)), ", "))
		} else if m := wrongKind.FindStringSubmatch(e); m != nil {
			before, _, _ := strings.Cut(e, "cannot unmarshal")
			e = fmt.Sprintf("%sa %s; want %s", before, m[1], kind(m[2]))
		}
		all = append(all, e)
	}
	return errors.New(strings.Join(all, "; "))
}

// kind returns what a Go type is in a file.
func kind(typ string) string {
	switch elem, list := strings.CutPrefix(typ, "[]"); {
	case typ == "string":
		return "a text"
	case typ == "bool":
		return "true or false"
	case list && elem == "string":
		return "a list of texts, as in [a, b]"
	case list:
		return "a list, each of whose elements begins with a dash"
	}
	return "keys with their values"
}

// keys lists the keys of the struct that t is, points to or is a list of.
func keys(t reflect.Type) (all []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == "" {
			name = strings.ToLower(t.Field(i).Name)
		}
		all = append(all, name)
	}
	return all
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
