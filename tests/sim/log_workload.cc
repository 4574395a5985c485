// See log_workload.h.
#include "sim/log_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "consensus/inspect.h"
#include "consensus/raft_parts.h"
#include "sim/finding.h"
#include "sim/raft_checks.h"
#include "storage/applied_row.h"
#include "storage/table_batch.h"

namespace scheduled::sim {
namespace {

constexpr int kKeys = 5;

uint64_t PlaceOf(LogIndex index, uint32_t ordinal) { return index.value << 16 | ordinal; }

}  // namespace

// A command is "key=value"; the register's row is its last value.
class RegisterMachine final : public StateMachine {
 public:
  RegisterMachine(LogWorkload* workload, SimTableStore* tables)
      : workload_(*workload), tables_(*tables), batch_(tables_) {}

  absl::StatusOr<std::vector<std::string>> Apply(std::span<const Command> commands,
                                                 AppliedPosition through) override {
    Require(through.index > applied().index, "entries are applied once and in order");
    batch_.Clear();
    std::vector<std::string> answers;
    for (const Command& command : commands) {
      const size_t equals = command.bytes.find('=');
      const std::string key(command.bytes.substr(0, equals));
      const std::string value(command.bytes.substr(equals + 1));
      workload_.OnApplied(PlaceOf(command.index, command.ordinal), key, value);
      batch_.Put(key, value);
      answers.push_back(value);
    }
    PutApplied(batch_, {through.index, through.term});
    if (absl::Status written = tables_.Apply(batch_); !written.ok()) return written;
    return answers;
  }

  AppliedPosition applied() const override {
    const absl::StatusOr<LogPosition> applied = ReadApplied(tables_);
    if (!applied.ok()) return {};
    return {applied->index, applied->term};
  }
  absl::StatusOr<LogIndex> Durable() const override { return tables_.FlushedIndex(); }
  absl::Status Flush() override { return tables_.Flush(); }
  absl::Status Checkpoint(const std::string& dir) override { return tables_.Checkpoint(dir); }
  absl::Status Install(const std::string& dir, AppliedPosition at) override {
    return tables_.InstallFrom(dir, LogPosition{at.index, at.term});
  }

 private:
  LogWorkload& workload_;
  SimTableStore& tables_;
  TableBatch batch_;
};

namespace {

class RegisterMember final : public Member {
 public:
  RegisterMember(World* world, Machine* machine, LogWorkload* workload)
      : machine_(*machine),
        state_(workload, machine->tables.get()),
        transport_(world->size() > 1 ? world->network().NewTransport(machine->number) : nullptr) {
    for (const char* name : {"raft", "log", "apply", "completions", "flush", "files"}) {
      lanes_.push_back(machine_.runtime->NewLane(name));
    }
  }

  // The log is cut where it is longer than `log_bytes`, unless that is 0.
  absl::Status Open(World* world, uint64_t log_bytes) {
    RaftOptions options;
    options.node_id = machine_.id;
    options.peers = world->peers();
    options.log = world->LogSinkOf(machine_.number);
    if (log_bytes > 0) {
      options.compact_log_bytes = log_bytes;
      options.log_tail_bytes = log_bytes / 4;
      options.snapshot_patience = absl::Seconds(5);
    }
    RaftParts parts;
    parts.runtime = machine_.runtime.get();
    parts.log_store = machine_.log.get();
    parts.state_machine = &state_;
    parts.transport = transport_.get();
    parts.raft = lanes_[0].get();
    parts.log = lanes_[1].get();
    parts.apply = lanes_[2].get();
    parts.completions = lanes_[3].get();
    parts.flush = lanes_[4].get();
    parts.files = lanes_[5].get();
    if (world->size() > 1) parts.snapshots = machine_.snapshots.get();
    parts.disk = machine_.disk;
    absl::StatusOr<std::unique_ptr<RaftNode>> raft = RaftNode::OpenWith(options, parts);
    if (!raft.ok()) return raft.status();
    raft_ = *std::move(raft);
    return absl::OkStatus();
  }

  RaftNode& raft() override { return *raft_; }

 private:
  Machine& machine_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  RegisterMachine state_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<RaftNode> raft_;
};

}  // namespace

LogWorkload::LogWorkload(Random random) : random_(random) {
  every_ = random_.Between(absl::Milliseconds(2), absl::Milliseconds(40));
  // Where nothing is written for a while, whoever was cut off is as good a leader as any.
  if (random_.Chance(1, 5)) every_ = random_.Between(absl::Milliseconds(300), absl::Seconds(3));
  if (random_.Chance(1, 8)) padding_ = random_.Uniform(100'000);
  // Half a megabyte a second is enough.
  every_ = std::max(every_, absl::Microseconds(static_cast<int64_t>(padding_ * 2)));
  // Half of the seeds cut their logs so short that whoever is away for a while needs a snapshot.
  if (random_.Chance(1, 2)) log_bytes_ = 4096 + random_.Uniform(60'000);
}

absl::StatusOr<std::unique_ptr<Member>> LogWorkload::Boot(World& world, Machine& machine) {
  auto member = std::make_unique<RegisterMember>(&world, &machine, this);
  if (absl::Status opened = member->Open(&world, log_bytes_); !opened.ok()) return opened;
  return member;
}

void LogWorkload::Begin(World& world) { Next(world); }

void LogWorkload::Next(World& world) {
  world.After(random_.Between(absl::Microseconds(1), 2 * every_), [this, &world] {
    if (quiet_) return;
    // One in ten operations comes with a burst of others at the same instant.
    const int count = random_.Chance(1, 10) ? static_cast<int>(random_.Uniform(20)) : 1;
    for (int i = 0; i < count; ++i) {
      const int leader = world.Leader();
      const int machine = leader >= 0 && random_.Chance(3, 4)
                              ? leader
                              : static_cast<int>(random_.Uniform(world.size()));
      if (!world.machine(machine).up()) continue;
      if (random_.Chance(2, 3)) {
        Append(world, machine);
      } else {
        Read(world, machine);
      }
    }
    Next(world);
  });
}

void LogWorkload::Append(World& world, int machine) {
  const size_t number = operations_.size();
  Operation operation{.machine = machine, .boot = world.machine(machine).boots};
  operation.key = fmt::format("k{}", random_.Uniform(kKeys));
  operation.value = fmt::format("v{}", number);
  operation.value.append(padding_, '.');
  operation.floor = answered_;
  const std::string command = operation.key + "=" + operation.value;
  by_value_[operation.value] = number;
  operations_.push_back(std::move(operation));
  world.machine(machine).member->raft().Propose(
      command,
      [this, &world, number](absl::StatusOr<Applied> outcome) {
        OnAppendDone(world, number, std::move(outcome));
      },
      {.alone = random_.Chance(1, 20)});
}

void LogWorkload::Read(World& world, int machine) {
  const size_t number = operations_.size();
  Operation operation{.read = true, .machine = machine, .boot = world.machine(machine).boots};
  operation.key = fmt::format("k{}", random_.Uniform(kKeys));
  operation.floor = answered_;
  operations_.push_back(std::move(operation));
  world.machine(machine).member->raft().Barrier(
      [this, &world, number](absl::Status outcome) { OnReadDone(world, number, outcome); });
}

void LogWorkload::OnApplied(Place place, const std::string& key, const std::string& value) {
  const auto [known, fresh] = applied_.try_emplace(place, key + "=" + value);
  Require(fresh || known->second == key + "=" + value, "two commands were applied at one place");
  if (!fresh) return;
  const auto number = by_value_.find(value);
  Require(number != by_value_.end(), "a command was applied that nobody proposed");
  Operation& operation = operations_[number->second];
  Require(operation.key == key, "a command was applied to another register");
  Require(operation.place == 0, [&] { return fmt::format("{} was applied twice", key); });
  Require(operation.outcome != Outcome::kRefused, "a command that was refused is applied");
  Require(place > operation.floor, "a command stands before one that was answered before it began");
  operation.place = place;
  registers_[key][place] = value;
}

void LogWorkload::OnAppendDone(World& world, size_t number, absl::StatusOr<Applied> outcome) {
  Operation& operation = operations_[number];
  Require(operation.outcome == Outcome::kOpen, "an operation ended twice");
  world.Digest(number * 8 + static_cast<uint64_t>(outcome.status().code()));
  if (outcome.ok()) {
    Require(outcome->answer == operation.value, "a command got another's answer");
    Require(operation.place == PlaceOf(outcome->index, outcome->ordinal),
            "a command was answered from a place where it was not applied");
    operation.outcome = Outcome::kDone;
    answered_ = std::max(answered_, operation.place);
  } else if (absl::IsUnknown(outcome.status())) {
    operation.outcome = Outcome::kUnknown;
  } else {
    Require(operation.place == 0, [&] {
      return fmt::format("a command was applied and refused: {}", outcome.status().ToString());
    });
    operation.outcome = Outcome::kRefused;
  }
}

std::string LogWorkload::ValueAt(const std::string& key, Place place) const {
  const auto written = registers_.find(key);
  if (written == registers_.end()) return "";
  auto next = written->second.upper_bound(place);
  return next == written->second.begin() ? "" : std::prev(next)->second;
}

void LogWorkload::OnReadDone(World& world, size_t number, const absl::Status& outcome) {
  Operation& operation = operations_[number];
  Require(operation.outcome == Outcome::kOpen, "an operation ended twice");
  world.Digest(number * 8 + static_cast<uint64_t>(outcome.code()));
  if (!outcome.ok()) {
    operation.outcome = Outcome::kRefused;
    return;
  }
  const SimTableStore& tables = *world.machine(operation.machine).tables;
  operation.place = PlaceOf(tables.applied(), UINT16_MAX);
  Require(operation.place >= operation.floor, "a read missed what was answered before it began");
  const auto row = tables.rows().find(operation.key);
  const std::string value = row == tables.rows().end() ? "" : row->second;
  Require(value == ValueAt(operation.key, operation.place), "a read saw what nobody wrote there");
  operation.outcome = Outcome::kDone;
  answered_ = std::max(answered_, operation.place);
}

void LogWorkload::OnCrash(World&, Machine& machine) {
  for (Operation& operation : operations_) {
    if (operation.outcome != Outcome::kOpen || operation.machine != machine.number) continue;
    operation.outcome = Outcome::kUnknown;
  }
}

void LogWorkload::Quiet(World&) {
  quiet_ = true;
  settled_writes_ = operations_.size();
}

// Settled: every operation has ended, a leader leads that commits, and all nodes are equal.
bool LogWorkload::IsSettled(World& world) {
  // What was asked of a node outside of the core may wait until that has caught up.
  const bool open = std::any_of(operations_.begin(), operations_.end(), [&world](const auto& each) {
    return each.outcome == Outcome::kOpen && world.IsInCore(each.machine);
  });
  if (open || !world.checks().AreEqual()) return false;
  const int leader = world.Leader();
  if (leader < 0) return false;
  if (operations_.size() > settled_writes_ && operations_.back().outcome == Outcome::kDone &&
      !operations_.back().read) {
    return true;
  }
  settled_writes_ = operations_.size();
  Append(world, leader);
  return false;
}

std::string LogWorkload::Unsettled(World& world) {
  const auto open = std::count_if(operations_.begin(), operations_.end(),
                                  [](const auto& each) { return each.outcome == Outcome::kOpen; });
  return fmt::format("{} operations are open, the nodes are {}", open,
                     world.checks().AreEqual() ? "equal" : "not equal");
}

void LogWorkload::CheckEnd(World& world) {
  world.checks().CheckEqual();
  world.checks().AwaitRest();
  for (const Operation& operation : operations_) {
    Require(operation.read || operation.outcome != Outcome::kDone || operation.place != 0,
            "an acknowledged command is lost");
  }
  for (const auto& [key, written] : registers_) {
    const auto row = world.machine(0).tables->rows().find(key);
    Require(row != world.machine(0).tables->rows().end() && row->second == written.rbegin()->second,
            "a register ends with another value than was last applied");
  }
}

}  // namespace scheduled::sim
