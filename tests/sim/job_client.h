// The client of simulated schedulers: sends a command to some node, and again to others with the
// same request id while its outcome is not known, as a careful client would. Tells each outcome
// once: what the cluster answered; kUnavailable, when certainly nothing was done; kUnknown.
// Driver's lane, and the completions lanes of the nodes.
#ifndef SCHEDULED_TESTS_SIM_JOB_CLIENT_H_
#define SCHEDULED_TESTS_SIM_JOB_CLIENT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/codec.h"
#include "scheduled/job.h"
#include "scheduler/node.h"
#include "sim/world.h"

namespace scheduled::sim {

class JobClient {
 public:
  using WriteDone = std::function<void(const WriteResult&)>;
  // kUnavailable: the read was not served.
  using ReadDone = std::function<void(const absl::StatusOr<JobInfo>&)>;

  JobClient(World* world, Random random) : world_(*world), random_(random) {}

  // `tries` at most, at different nodes. Chooses the request id.
  void Write(pb::Command command, int tries, WriteDone done);
  // A linearizable read at some node.
  void Read(const JobId& id, ReadDone done);
  // Whatever waits for this machine's node is not answered any more.
  void OnCrash(const Machine& machine);

  // Calls that are not answered yet, but those that wait for a node outside of the core.
  size_t open() const;
  static Node* NodeOf(Machine& machine);

 private:
  struct Call {
    int machine = 0;
    bool read = false;
    pb::Command command;
    int tries = 0;
    bool maybe = false;  // an earlier try may have been applied
    WriteDone written;
    ReadDone was_read;
  };

  int Choose();
  void Try(uint64_t number);
  void Answered(uint64_t number, WriteResult result);
  void TryRead(uint64_t number, const JobId& id);

  World& world_;
  Random random_;
  uint64_t last_ = 0;
  std::map<uint64_t, Call> open_;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_JOB_CLIENT_H_
