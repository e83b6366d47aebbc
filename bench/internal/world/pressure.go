package world

import (
	"os"
	"strconv"
	"strings"
)

// TCPShortages returns how often this machine's TCP has run out of the memory that
// all of its sockets share (tcp_mem) since it booted. From then on until there is
// enough again the kernel takes room from every connection, whoever needed the
// memory. It is 0 where the system does not say.
func TCPShortages() int64 {
	stats, err := os.ReadFile("/proc/net/netstat")
	if err != nil {
		return 0
	}
	return counter(string(stats), "TcpExt:", "TCPMemoryPressures")
}

// counter finds one in netstat's pairs of lines, names above values.
func counter(stats, group, name string) int64 {
	var names []string
	for line := range strings.Lines(stats) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != group {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, value := range fields[:min(len(fields), len(names))] {
			if names[i] == name {
				n, _ := strconv.ParseInt(value, 10, 64)
				return n
			}
		}
	}
	return 0
}
