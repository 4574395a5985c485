// Whose turn it is: at most one command is in flight for each job id, and the others wait in the
// order in which they came (dispatch.md, rule 4). A pure data structure of the leader, on the
// dispatch lane, lost with its term.
//
// Keyed by a hash of the job id: two ids that share a hash wait for each other, which is harmless,
// and a create with a fresh id costs no copy of it.
//
//   free --TryTake--> taken --Pass, nobody waits--> free
//                     taken --Pass, one waits-----> taken by the one that waited longest
#ifndef SCHEDULED_LIB_SCHEDULER_TURNS_H_
#define SCHEDULED_LIB_SCHEDULER_TURNS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "base/lane.h"
#include "scheduled/types.h"

namespace scheduled {

using TurnKey = StrongInt<struct TurnKeyTag>;

class Turns {
 public:
  // The same for one id on every machine, so that a simulation replays.
  static TurnKey KeyOf(std::string_view job_id);

  // Takes the turn if it is free.
  bool TryTake(TurnKey key);
  // Takes the turn and calls `then` at once if it is free; later, inside of Pass, if it is not.
  void Take(TurnKey key, Task then);
  // Gives up a turn that is taken. Whoever waited longest has it now, and goes on inside of this
  // call.
  void Pass(TurnKey key);

  bool IsTaken(TurnKey key) const { return taken_.contains(key); }
  // Turns that are taken, and those who wait for one.
  size_t taken() const { return taken_.size(); }
  size_t waiting() const { return waiting_count_; }

 private:
  void RunReady();

  // Who waits is kept apart: for most keys nobody does. In an order, for when all are dropped with
  // the term: whoever waits then goes on elsewhere.
  struct State {
    bool contended = false;
  };
  absl::flat_hash_map<TurnKey, State> taken_;
  absl::btree_map<TurnKey, std::deque<Task>> waiting_;
  size_t waiting_count_ = 0;
  // Tasks whose turn has come. Run in a loop by the outermost Pass, so that a long queue of quick
  // commands does not nest.
  std::deque<Task> ready_;
  bool running_ = false;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_TURNS_H_
