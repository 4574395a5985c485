// A scenario of Raft as a text: commands, and behind each, indented, everything that came of it.
//
//   # Two to five lines: what it shows, and its source.
//   nodes a b c
//   elect a
//       role candidate term 1 leader -
//       ...
//
// Run gives the same text with the output as it is now; the test compares. RAFT_REWRITE=1 in the
// environment of the test program writes it into the file, to be reviewed as a diff.
//
// The stage: commands before the first other one
//   nodes a b (c) d=learner e=outside    voters, (c) has no core, the scenario speaks for it
//   disks on                             members are known by their disks: a's is 1, b's is 2, ...
//   disks a b                            the same, but those of the others are not written down yet
//   members (a b) joint with (a b c)     what the group was founded with, if not simply the voters
//   past a: 1 1 2 term 3 vote b applied 2 base 5@1 members 2 (a b)
//   option max_append_entries 2
// Time
//   wait a               a's next deadline comes; nobody else's does
//   time 50ms            passes, and no deadline fires
//   run 200ms            deadlines fire as they come, messages arrive at once
//   elect a [by b c]     waits and delivers until a leads; b and c have no core and vote for it
// Network; LINK is a->b, *->b or a->*; KIND as in the headers (append, taken, vote?, ...)
//   deliver [LINK] [KIND] [first|last]   all until it is quiet; with a choice, what is on its way
//   drop, duplicate, delay               the same choice; what is delayed waits for `arrive`
//   cut a b · cut a->b · isolate a · heal
//   b->a [term 2] [disk 9]: append taken through 3       arrives from b, by default of a's term
// Nodes
//   crash a [keeping 1] · restart a · wipe a disk 9
//   disk a slow|quick · sync a [1] · done a 2 · apply a slow|quick · applied a 3
//   reads a slow|quick · answer a [cut] · cut log a 3
//   snapshot a->b · install b · sent a->b 7 installed|failed
//   damaged a                              the snapshot that was to be installed is of no use
//   received a from b [term 2]: 3@1 with (a b c) of 0       a snapshot of somebody without a core
// Requests
//   propose a x y · propose a 100 bytes · read a · transfer a [to b]
//   change a add d · change a learner d, remove c · change a replace c by d/4
// What there is to see
//   show · peers a · members of a · lease a · dropped a · waiting
//
// `quietly` before a command leaves its output out. In a picture, "2n." is a no-op of term 2 that
// is committed, "3m~" a configuration of term 3 that is not durable, "-" an entry that was cut.
#ifndef SCHEDULED_TESTS_RAFT_SCENARIO_H_
#define SCHEDULED_TESTS_RAFT_SCENARIO_H_

#include <string>

namespace scheduled::raft {

// The text of the scenario with its output as it is now. What a command does not like, and a failed
// assertion, are output as well.
std::string RunScenario(const std::string& text);

}  // namespace scheduled::raft

#endif  // SCHEDULED_TESTS_RAFT_SCENARIO_H_
