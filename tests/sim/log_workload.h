// The workload of Raft alone: a toy state machine of appendable registers on RaftNode, and clients
// that append unique values and read. Every answer has a place in the log, so that linearizability
// is exact and cheap to check: an operation that began after another had been answered stands
// behind it; what was refused is nowhere; what was answered is where it was said to be.
#ifndef SCHEDULED_TESTS_SIM_LOG_WORKLOAD_H_
#define SCHEDULED_TESTS_SIM_LOG_WORKLOAD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/workload.h"

namespace scheduled::sim {

class LogWorkload final : public Workload {
 public:
  explicit LogWorkload(Random random);

  absl::StatusOr<std::unique_ptr<Member>> Boot(World& world, Machine& machine) override;
  void Begin(World& world) override;
  void OnCrash(World& world, Machine& machine) override;
  void Quiet(World& world) override;
  bool IsSettled(World& world) override;
  std::string Unsettled(World& world) override;
  void CheckEnd(World& world) override;

 private:
  friend class RegisterMachine;

  // A place in the log that orders everything: index << 16 | ordinal.
  using Place = uint64_t;

  enum class Outcome : uint8_t { kOpen, kDone, kRefused, kUnknown };
  struct Operation {
    bool read = false;
    int machine = 0;
    uint64_t boot = 0;
    std::string key;
    std::string value;  // written
    Place floor = 0;    // of what had been answered when it began
    Outcome outcome = Outcome::kOpen;
    Place place = 0;  // where it was applied; 0: nowhere yet
  };

  void Next(World& world);
  void Append(World& world, int machine);
  void Read(World& world, int machine);
  void OnApplied(Place place, const std::string& key, const std::string& value);
  void OnAppendDone(World& world, size_t number, absl::StatusOr<Applied> outcome);
  void OnReadDone(World& world, size_t number, const absl::Status& outcome);
  std::string ValueAt(const std::string& key, Place place) const;

  Random random_;
  absl::Duration every_;    // at most between two operations
  size_t padding_ = 0;      // of a value
  uint64_t log_bytes_ = 0;  // that a log may have before it is cut; 0: as many as it likes
  bool quiet_ = false;
  std::vector<Operation> operations_;
  std::map<std::string, size_t> by_value_;
  Place answered_ = 0;  // the highest place of an answered operation
  // What the log is, by whoever applied a place first.
  std::map<Place, std::string> applied_;
  std::map<std::string, std::map<Place, std::string>> registers_;
  uint64_t settled_writes_ = 0;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_LOG_WORKLOAD_H_
