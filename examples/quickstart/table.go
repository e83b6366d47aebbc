package main

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// row is a line of the table.
type row struct {
	way
	address, verified, result string
	took                      time.Duration
	ok                        bool
}

// table collects the rows of a run.
type table struct{ rows []row }

func (t *table) add(r row) { t.rows = append(t.rows, r) }

func (t *table) failed() (n int) {
	for _, r := range t.rows {
		if !r.ok {
			n++
		}
	}
	return n
}

// print writes the table and a verdict. The error is that of writing, or tells
// how many rows failed.
func (t *table) print(out io.Writer) error {
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "CLASS\tADDRESS\tROUTE\tVIA\tVERIFIED AS\tRESULT\tTIME")
	for _, r := range t.rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", dash(r.class), r.address, dash(r.route), dash(r.via),
			dash(r.verified), r.result, r.took.Round(10*time.Microsecond))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if n := t.failed(); n > 0 {
		fmt.Fprintf(out, "\nFAIL: %d of %d checks did not come out as they should\n", n, len(t.rows))
		return fmt.Errorf("%d of %d checks failed", n, len(t.rows))
	}
	_, err := fmt.Fprintf(out, "\n%d checks, all as expected\n", len(t.rows))
	return err
}

// dash makes an empty cell visible.
func dash(s string) string { return cmp.Or(s, "-") }
