package sshtest

import (
	"os"
	"strconv"
	"strings"
)

// Descendants returns the processes that pid started, and those that they did,
// parents first, as /proc tells.
func Descendants(pid int) []int {
	children := make(map[int][]int)
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if child, err := strconv.Atoi(e.Name()); err == nil {
			if fields := stat(child); len(fields) > 1 {
				parent, _ := strconv.Atoi(fields[1])
				children[parent] = append(children[parent], child)
			}
		}
	}
	var found []int
	for next := children[pid]; len(next) > 0; {
		found = append(found, next...)
		var below []int
		for _, p := range next {
			below = append(below, children[p]...)
		}
		next = below
	}
	return found
}

// stat returns the fields of /proc/pid/stat behind the command's name, which may
// hold anything: the state, the parent, and so on.
func stat(pid int) []string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// zombie reports whether pid has ended, though nobody has asked for its end yet.
func zombie(pid int) bool {
	fields := stat(pid)
	return len(fields) == 0 || fields[0] == "Z" || fields[0] == "X"
}
