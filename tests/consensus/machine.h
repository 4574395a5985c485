// The state machine of these tests, and the disk that it and its log are kept on: it keeps what it
// applies, and copies itself into snapshots. Used by world.h.
#ifndef SCHEDULED_TESTS_CONSENSUS_MACHINE_H_
#define SCHEDULED_TESTS_CONSENSUS_MACHINE_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/codec.h"
#include "scheduled/state_machine.h"
#include "storage/memory_log_store.h"
#include "storage/memory_snapshot_files.h"

namespace scheduled::testing {

// Whoever waits for something in a world of threads is woken by everything that happens.
class Signal {
 public:
  void Notify() {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  bool WaitFor(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::unique_lock lock(mutex_);
    while (true) {
      lock.unlock();
      const bool holds = condition();
      lock.lock();
      if (holds) return true;
      if (std::chrono::steady_clock::now() >= deadline) return false;
      changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

struct AppliedCommand {
  LogIndex index;
  uint32_t ordinal = 0;
  Term term;
  std::string bytes;
  bool operator==(const AppliedCommand&) const = default;
};

// What a crash leaves of a node.
struct Disk {
  MemoryLogStore log;
  MemorySnapshotFiles snapshots;
  std::vector<AppliedCommand> flushed;  // the state, as far as it was flushed
  AppliedPosition flushed_position;
};

// Keeps what it applies, and answers "<bytes>!".
class Machine : public StateMachine {
 public:
  Machine(Disk* disk, Signal* signal)
      : disk_(*disk),
        signal_(*signal),
        commands_(disk->flushed),
        applied_(disk->flushed_position),
        durable_(disk->flushed_position.index) {}

  absl::StatusOr<std::vector<std::string>> Apply(std::span<const Command> commands,
                                                 AppliedPosition through) override {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return !held_; });
    if (fail_apply_) return absl::DataLossError("the tables are damaged");
    std::vector<std::string> answers;
    for (const Command& command : commands) {
      commands_.push_back(
          {command.index, command.ordinal, command.term, std::string(command.bytes)});
      answers.push_back(std::string(command.bytes) + "!");
    }
    calls_.push_back(commands.size());
    applier_ = std::this_thread::get_id();
    applied_ = through;
    signal_.Notify();
    return answers;
  }
  AppliedPosition applied() const override {
    std::lock_guard lock(mutex_);
    return applied_;
  }
  absl::StatusOr<LogIndex> Durable() const override {
    std::lock_guard lock(mutex_);
    return durable_;
  }
  absl::Status Flush() override {
    std::lock_guard lock(mutex_);
    disk_.flushed = commands_;
    disk_.flushed_position = applied_;
    durable_ = applied_.index;
    ++flushes_;
    signal_.Notify();
    return absl::OkStatus();
  }
  void OnLeading(bool leader, Term term) override {
    std::lock_guard lock(mutex_);
    leading_.push_back({leader, term, applied_.index});
    signal_.Notify();
  }
  absl::Status Checkpoint(const std::string& dir) override {
    std::lock_guard lock(mutex_);
    if (absl::Status made = disk_.snapshots.Create(dir); !made.ok()) return made;
    std::string position = KeyWriter().U64(applied_.index.value).U64(applied_.term.value).Take();
    absl::Status written = disk_.snapshots.Append(dir, "position", position);
    if (written.ok()) written = disk_.snapshots.Append(dir, "empty", "");
    std::string all;
    for (const AppliedCommand& command : commands_) {
      AppendU64(&all, command.index.value);
      AppendU32(&all, command.ordinal);
      AppendU64(&all, command.term.value);
      AppendU32(&all, static_cast<uint32_t>(command.bytes.size()));
      all += command.bytes;
    }
    if (written.ok()) written = disk_.snapshots.Append(dir, "commands", all);
    return written;
  }
  absl::Status Install(const std::string& dir, AppliedPosition expected) override {
    std::lock_guard lock(mutex_);
    installer_ = std::this_thread::get_id();
    if (refuse_installs_ > 0) {
      --refuse_installs_;
      return absl::InvalidArgumentError("the copy is damaged");
    }
    auto position = ReadSnapshotFile(disk_.snapshots, dir, "position");
    auto all = ReadSnapshotFile(disk_.snapshots, dir, "commands");
    auto empty = ReadSnapshotFile(disk_.snapshots, dir, "empty");
    if (!position.ok() || !all.ok() || !empty.ok()) return absl::InvalidArgumentError("not whole");
    AppliedPosition found;
    KeyReader at(*position);
    at.U64(&found.index.value);
    at.U64(&found.term.value);
    if (found != expected) return absl::InvalidArgumentError("of another position");
    applied_ = found;
    commands_.clear();
    for (KeyReader reader(*all); !reader.rest().empty();) {
      AppliedCommand command;
      uint32_t size = 0;
      std::string_view bytes;
      reader.U64(&command.index.value);
      reader.U32(&command.ordinal);
      reader.U64(&command.term.value);
      reader.U32(&size);
      reader.Raw(size, &bytes);
      command.bytes = bytes;
      commands_.push_back(std::move(command));
    }
    disk_.flushed = commands_;
    disk_.flushed_position = applied_;
    durable_ = applied_.index;
    ++installs_;
    signal_.Notify();
    return absl::OkStatus();
  }
  // The threads that last called Apply and Install. Not in virtual time.
  std::pair<std::thread::id, std::thread::id> callers() const {
    std::lock_guard lock(mutex_);
    return {applier_, installer_};
  }
  int installs() const {
    std::lock_guard lock(mutex_);
    return installs_;
  }
  void RefuseInstalls(int times) {
    std::lock_guard lock(mutex_);
    refuse_installs_ = times;
  }

  struct Leading {
    bool leader = false;
    Term term;
    LogIndex at;
  };
  std::vector<AppliedCommand> commands() const {
    std::lock_guard lock(mutex_);
    return commands_;
  }
  size_t command_count() const {
    std::lock_guard lock(mutex_);
    return commands_.size();
  }
  std::vector<size_t> calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }
  std::vector<Leading> leading() const {
    std::lock_guard lock(mutex_);
    return leading_;
  }
  int flushes() const {
    std::lock_guard lock(mutex_);
    return flushes_;
  }
  // Holds Apply up, or lets it go on. Not in virtual time.
  void HoldApply(bool hold) {
    std::lock_guard lock(mutex_);
    held_ = hold;
    opened_.notify_all();
  }
  void FailApply() {
    std::lock_guard lock(mutex_);
    fail_apply_ = true;
  }

 private:
  Disk& disk_;
  Signal& signal_;
  mutable std::mutex mutex_;
  std::vector<AppliedCommand> commands_;
  AppliedPosition applied_;
  LogIndex durable_;
  std::vector<size_t> calls_;  // commands in each
  std::vector<Leading> leading_;
  std::thread::id applier_, installer_;
  int flushes_ = 0;
  int installs_ = 0;
  int refuse_installs_ = 0;
  bool fail_apply_ = false;
  bool held_ = false;
  std::condition_variable opened_;
};

}  // namespace scheduled::testing

#endif  // SCHEDULED_TESTS_CONSENSUS_MACHINE_H_
