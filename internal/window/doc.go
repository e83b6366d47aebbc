// Package window decides how much a peer may send on each stream of a session,
// and holds the whole session to one amount of memory.
//
// A [Window] is the receiving side's account of one stream. It starts with what
// both ends assume, is granted a little more at once while memory is plentiful,
// and doubles, or grows up to fourfold, as long as the reader is held back by the
// window and not by itself: as long as the bytes of less than four round trips fill
// it. So it follows the product of bandwidth and delay. The round trip is the
// shortest of late, see [RTT], or else the queues of a busy session would count as
// distance.
//
// A [Memory] is the account of a session. What is granted may be on its way, so
// a stream that stalls keeps all of it, and what one stream can take must leave
// something for the next. Growth gets five eighths of the memory, and no stream
// more of that than half of what the others leave; one that has more because it
// was there first gives it up again as its reader takes bytes. The first windows
// get an eighth, for what they have beyond the start window. The rest, a quarter,
// neither of them can take. It is what start windows are sure of, whatever others
// hold: with 64 MiB and start windows of 4 KiB a new stream finds room as long as
// fewer than 4,096 others are open. Beyond that it takes what the rest has left,
// and finds none when that is nothing.
package window
