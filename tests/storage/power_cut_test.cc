// The promise of the stores under power cuts: what was acknowledged is there, what was not is there
// whole or not at all, and tables are an exact prefix of what was applied. Random operations on a
// disk that loses what was not synced, cut at a random change, opened again and compared with a
// dumb twin. The same runs on a disk that lies, and without the log's sync, must find the loss.
#include <catch2/catch.hpp>
#include <optional>

#include "base/random.h"
#include "base/sanitized.h"
#include "storage/applied_row.h"
#include "storage/world.h"

namespace scheduled {
namespace {

DiskWorld::Buffers BuffersOf(uint64_t seed) {
  return seed % 2 == 0 ? DiskWorld::Buffers::kSmall : DiskWorld::Buffers::kLarge;
}

// Makes writes that keep the rules of a log, from a seed.
class LogWorkload {
 public:
  LogWorkload(uint64_t seed, ModelLog start) : random_(seed), model_(std::move(start)) {}

  // One random step; the result is what the log would be after it.
  struct Step {
    std::optional<LogWrite> write;
    std::optional<LogIndex> cut;
    ModelLog after;
  };
  Step Next() {
    Step step{.write = std::nullopt, .cut = std::nullopt, .after = model_};
    if (random_.Chance(1, 12) && !model_.entries.empty()) {
      step.cut = LogIndex(model_.before_first.index.value + 1 +
                          random_.Uniform(model_.entries.size() + 1));
      step.after.CutBefore(*step.cut);
    } else {
      step.write = RandomWrite();
      step.after.Write(*step.write);
    }
    return step;
  }
  void Accept(const ModelLog& now) { model_ = now; }

 private:
  LogWrite RandomWrite() {
    LogWrite write{.group = kGroup};
    HardState next = model_.hard_state;
    LogIndex last = model_.last();
    if (random_.Chance(1, 4)) {
      next = {.term = next.term.Next(), .vote = std::nullopt};
      if (random_.Chance(1, 2)) next.vote = NodeId("n" + std::to_string(random_.Uniform(5)));
      write.hard_state = next;
    }
    if (random_.Chance(1, 40)) {
      write.installing = LogPosition{LogIndex(last.value + 10), next.term};
    }
    if (random_.Chance(1, 30)) {
      last = LogIndex(last.value + 1 + random_.Uniform(20));
      write.reset_to = LogPosition{last, next.term};
    } else if (random_.Chance(1, 8) && !model_.entries.empty()) {
      write.truncate_from = LogIndex(
          last.value + 1 - random_.Uniform(std::min<size_t>(model_.entries.size(), 9) + 1));
      last = write.truncate_from->Prev();
    }
    const uint64_t count = random_.Uniform(6);
    for (uint64_t i = 0; i < count; ++i) {
      last = last.Next();
      const size_t size = random_.Chance(1, 20) ? random_.Uniform(40'000) : random_.Uniform(300);
      write.entries.push_back(Entry(last.value, next.term.value,
                                    std::string(size, static_cast<char>(random_.Uniform(256)))));
    }
    return write;
  }

  Random random_;
  ModelLog model_;
};

// Runs rounds of random writes, each ended by a power cut; says what was lost, if anything was.
std::optional<std::string> RunLogPowerCuts(uint64_t seed, const RocksLogOptions& options,
                                           bool lying_disk) {
  DiskWorld world(seed, BuffersOf(seed));
  Random random(seed);
  ModelLog acknowledged;
  std::optional<ModelLog> in_flight;  // may be there, whole, after the cut
  for (int round = 0; round < 12; ++round) {
    absl::StatusOr<std::unique_ptr<RocksLogStore>> store = world.OpenLog(options);
    if (!store.ok()) return "open: " + std::string(store.status().message());
    absl::StatusOr<LogContents> found = ContentsOf(**store);
    if (!found.ok()) return "load: " + std::string(found.status().message());
    if (in_flight.has_value() && *found == in_flight->Contents()) {
      acknowledged = *in_flight;
    } else if (*found != acknowledged.Contents()) {
      return "round " + std::to_string(round) + ": the log is neither before nor after the write";
    }
    in_flight.reset();
    world.disk.IgnoreSyncs(lying_disk);
    world.disk.CutPowerAfter(1 + random.Uniform(random.Chance(1, 4) ? 2'000 : 200));
    LogWorkload workload(random.Next(), acknowledged);
    while (true) {
      LogWorkload::Step step = workload.Next();
      const absl::Status status = step.cut.has_value() ? (*store)->CutBefore(kGroup, *step.cut)
                                                       : (*store)->Write({&*step.write, 1});
      if (!status.ok()) {
        in_flight = step.after;
        break;
      }
      acknowledged = step.after;
      workload.Accept(acknowledged);
      if (random.Chance(1, 200) && !(*store)->MarkCleanStop().ok()) break;
    }
    store->reset();
    world.disk.IgnoreSyncs(false);
    world.disk.Reboot(Tail::kAny);
  }
  return std::nullopt;
}

// Applies numbered batches with a flush, a copy or an install now and then, each round ended by a
// power cut; says what was wrong, if anything was.
class TablePowerCuts {
 public:
  explicit TablePowerCuts(uint64_t seed) : world_(seed, BuffersOf(seed)), random_(seed) {}

  std::optional<std::string> Run(bool lying_disk) {
    for (int round = 0; round < 10; ++round) {
      absl::StatusOr<std::unique_ptr<RocksTableStore>> store = world_.OpenTables();
      if (!store.ok()) return "open: " + std::string(store.status().message());
      if (std::optional<std::string> wrong = Check(**store)) return wrong;
      world_.disk.IgnoreSyncs(lying_disk);
      world_.disk.CutPowerAfter(1 + random_.Uniform(random_.Chance(1, 3) ? 60 : 600));
      while (Step(**store).ok()) {
      }
      store->reset();
      world_.disk.IgnoreSyncs(false);
      world_.disk.Reboot(Tail::kAny);
    }
    return std::nullopt;
  }

 private:
  // After a cut: an exact prefix, no shorter than what was flushed.
  std::optional<std::string> Check(const RocksTableStore& store) {
    absl::StatusOr<LogPosition> applied = ReadApplied(store);
    if (!applied.ok()) return std::string(applied.status().message());
    const uint64_t index = applied->index.value;
    if (index < flushed_) return "what was flushed is lost";
    if (index >= history_.size()) return "a batch is there that was never applied";
    if (RowsOf(store) != history_[index]) return "the tables are no prefix of what was applied";
    history_.resize(index + 1);
    copy_at_.reset();
    return std::nullopt;
  }

  absl::Status Step(RocksTableStore& store) {
    const uint64_t kind = random_.Uniform(30);
    if (kind == 0) {
      absl::Status status = store.Flush();
      if (status.ok()) flushed_ = history_.size() - 1;
      return status;
    }
    if (kind == 1 && !copy_at_.has_value()) {
      copy_at_ = history_.size() - 1;
      return store.Checkpoint("/data/copy" + std::to_string(++copies_));
    }
    if (kind == 2 && copy_at_.has_value()) return Install(store);
    return Apply(store);
  }

  // Goes back to the copy, as a node does that was given an older snapshot by an operator; the
  // store itself does not mind which way the position moves.
  absl::Status Install(RocksTableStore& store) {
    const uint64_t at = *copy_at_;
    copy_at_.reset();
    // Until it returns either of the two may be found, and both are in the history.
    flushed_ = std::min(flushed_, at);
    absl::Status status = store.InstallFrom("/data/copy" + std::to_string(copies_), std::nullopt);
    if (status.ok()) {
      history_.resize(at + 1);
      flushed_ = at;
    }
    return status;
  }

  absl::Status Apply(RocksTableStore& store) {
    Rows changes;
    Rows after = history_.back();
    const uint64_t index = history_.size();
    for (uint64_t i = random_.Uniform(5); i > 0; --i) {
      const std::string key = "k" + std::to_string(random_.Uniform(40));
      const bool remove = random_.Chance(1, 3);
      changes[key] = remove ? "" : std::string(random_.Uniform(600) + 1, 'a' + index % 26);
      if (remove) {
        after.erase(key);
      } else {
        after[key] = changes[key];
      }
    }
    after[std::string(kAppliedRowKey)] = AppliedRowOf(index);
    absl::Status status = ApplyRows(store, index, changes);
    // A batch that failed is in memory or nowhere, and memory is lost with the power.
    if (status.ok()) history_.push_back(std::move(after));
    return status;
  }

  DiskWorld world_;
  Random random_;
  std::vector<Rows> history_ = {Rows()};  // by applied index
  uint64_t flushed_ = 0;
  std::optional<uint64_t> copy_at_;
  uint64_t copies_ = 0;
};

constexpr uint64_t kSeeds = testing::kSanitized ? 6 : 20;

TEST_CASE("a log that lost power holds what was acknowledged and nothing half") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    const std::optional<std::string> wrong = RunLogPowerCuts(seed, {}, /*lying_disk=*/false);
    INFO(wrong.value_or(""));
    REQUIRE_FALSE(wrong.has_value());
  }
}

TEST_CASE("power cuts find a log whose sync was left out") {
  int found = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    if (RunLogPowerCuts(seed, {.sync = false}, /*lying_disk=*/false).has_value()) ++found;
  }
  REQUIRE(found == 10);
}

TEST_CASE("power cuts find a disk that lies to the log") {
  int found = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    if (RunLogPowerCuts(seed, {}, /*lying_disk=*/true).has_value()) ++found;
  }
  REQUIRE(found == 10);
}

TEST_CASE("tables that lost power are an exact prefix of what was applied") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    const std::optional<std::string> wrong = TablePowerCuts(seed).Run(/*lying_disk=*/false);
    INFO(wrong.value_or(""));
    REQUIRE_FALSE(wrong.has_value());
  }
}

TEST_CASE("power cuts find a disk that lies to the tables") {
  int found = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    if (TablePowerCuts(seed).Run(/*lying_disk=*/true).has_value()) ++found;
  }
  REQUIRE(found >= 5);
}

}  // namespace
}  // namespace scheduled
