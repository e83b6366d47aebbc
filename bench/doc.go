// Package bench measures what the tunnel costs, from outside and from inside.
//
//	bash bench/run.sh -h
//
// table turns the load tool's output into the table of BENCHMARKS.md. growth,
// fairness and memory are programs that measure what the load tool cannot: many
// connections and agents, a bulk stream beside interactive ones, and what
// connections hold that nobody reads. inprocess serves the tunnel in the load
// tool's own process. ssh measures package sshtunnel beside ssh -L. BENCHMARKS.md
// explains all of it.
package bench
