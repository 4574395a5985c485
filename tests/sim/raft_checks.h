// What Raft promises, checked from outside after every task of a raft lane, against what is on the
// simulated disks and wires: none of it comes from what the nodes say of themselves alone.
//
//   1. One leader in a term, in all lives of all nodes, and a majority of the voters that it knows
//      (in a joint phase, of both sets) has sent it its votes.
//   2. What is committed anywhere is the same entry everywhere, for ever: on commit, on the disks
//      of a majority likewise, and never truncated from any disk again. A disk that was lost since
//      counts until its node has been removed and added again: the others are not to need it.
//   3. A new leader has everything that was committed in earlier terms.
//   4. A vote is given once in a term, and it and every acknowledgement is durable before it is
//      sent.
//   5. While a leader's lease holds by its own clock, nobody leads a later term.
//   6. Commit and applied of one life never go back.
//   7. A leader commits entries of earlier terms by one of its own behind them.
//  11. Once all is quiet, every permit, window and waiting caller has been given back.
//
// Rules 8 to 10 are in log_checks.h, rule 12 is in reload_checks.h.
#ifndef SCHEDULED_TESTS_SIM_RAFT_CHECKS_H_
#define SCHEDULED_TESTS_SIM_RAFT_CHECKS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/core.h"
#include "scheduled/transport.h"
#include "sim/log_checks.h"
#include "sim/reload_checks.h"
#include "sim/world.h"

namespace scheduled::sim {

inline constexpr GroupId kSimGroup{1};
// Once everything has ended: what was lost on its way is noticed and sent again within seconds.
inline constexpr absl::Duration kRestsWithin = absl::Seconds(10);
inline constexpr absl::Duration kLookForRest = absl::Milliseconds(10);

class RaftChecks {
 public:
  explicit RaftChecks(World* world);

  void OnBoot(Machine& machine);
  void OnCrash(Machine& machine);  // its disk as the next life finds it
  void AfterRaft(Machine& machine);
  // All that are up have the same log and the same tables, byte by byte. False: not yet.
  bool AreEqual();
  void CheckEqual();
  // Nobody asks anything any more: goes on until each node that is up has had an instant of rest,
  // and another one in which its disk says all that it knows.
  void AwaitRest();

  // Called with each frame of the application that is sent.
  using ApplicationCheck = void (*)(Machine& from, const std::string& frame);
  void CheckApplication(ApplicationCheck check) { check_application_ = check; }

  // After each task: a disk that fails ends a lease as well.
  void LookAtLease(const Machine& machine);
  // When the machine's last lease ended, as far as tasks have shown it since its boot.
  MonoTime LeaseEnded(int machine) const { return seen_[machine].lease_ended; }
  // The clocks' promise is kept (drift within 1 %), so leases are worth checking.
  void ExpectLeases(bool expect) { expect_leases_ = expect; }

  uint64_t committed() const { return truth_.size() - 1; }
  uint64_t elections() const { return leaders_.size(); }

 private:
  // What is known of one committed entry.
  struct Truth {
    Term term;
    uint64_t hash = 0;
    Term committed_in;  // or later: the term of who was first seen to have committed it
  };
  // Of one life of a node.
  struct Seen {
    LogIndex commit;
    LogIndex applied;
    LogIndex checked;                   // compared with the truth up to here
    Term led;                           // the newest term that it led
    raft::Configuration configuration;  // while it leads
    bool leads = false;
    bool lease = false;    // after the last task
    MonoTime lease_ended;  // the last one
    uint64_t looks = 0;
  };

  const Machine& FirstOfCore() const;
  static std::string InHandAtRest(const Machine& machine);
  void OnFrame(int from, FrameClass frame_class, const std::string& frame);
  void CheckPromise(Machine& from, const raft::Message& message);
  void OnWrite(Machine& machine, const LogWrite& write);
  void LookAtLeading(const Machine& machine, const raft::Core& core);
  void CheckLeader(Machine& machine, const raft::Core& core);
  void CheckCommitted(Machine& machine, LogIndex through);
  bool IsDurableAt(const NodeId& id, LogIndex index, Term term);
  // Has a majority the entry on its disks, that of `without` left out?
  bool IsQuorum(const raft::Configuration& configuration, LogIndex index, Term term,
                const NodeId& without = {});
  void CheckQuorum(const Machine& machine, const raft::Core& core);
  void CheckLeases();

  World& world_;
  LogChecks logs_;
  ReloadChecks reloads_;
  std::vector<Truth> truth_;  // by index, from 1
  std::map<Term, int> leaders_;
  std::map<std::pair<raft::DiskId, Term>, NodeId> votes_;
  // The machines that voted, and the disks that they had, by whom they voted for.
  std::map<std::pair<Term, NodeId>, std::map<int, raft::DiskId>> voters_;
  raft::Configuration quorum_;  // of the newest commit that was looked at ...
  LogPosition quorum_for_;      // ... which is this ...
  Term quorum_in_;              // ... by the leader of this term
  std::vector<Seen> seen_;
  bool expect_leases_ = true;
  ApplicationCheck check_application_ = nullptr;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_RAFT_CHECKS_H_
