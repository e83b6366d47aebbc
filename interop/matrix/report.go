package main

import "strings"

// header is the head of the table.
func header() string {
	head := []string{"client", "server", "front", "agent"}
	for _, c := range checks {
		head = append(head, c.name)
	}
	return line(head) + "\n" + line(slicesOf("---", len(head)))
}

func row(m mix, results []result) string {
	cells := []string{m.client.String(), m.server.String(), m.front.String(), m.agent.String()}
	for _, r := range results {
		cells = append(cells, r.String())
	}
	return line(cells)
}

func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }

func slicesOf(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

// String is a cell: "ok", or what is wrong, with a note where there is one.
func (r result) String() string {
	note := strings.NewReplacer("|", "/", "\n", " ").Replace(r.note)
	if len(note) > 60 {
		note = note[:60] + "..."
	}
	switch {
	case !r.ok:
		return "**no**: " + note
	case note != "":
		return "ok: " + note
	}
	return "ok"
}
