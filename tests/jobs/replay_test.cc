// The same commands give the same tables: however they are split into batches, and after a crash
// from any point that was durable.
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/random.h"
#include "jobs/limits.h"
#include "jobs/world.h"
#include "storage/applied_row.h"
#include "storage/table_batch.h"

namespace scheduled::jobs {
namespace {

struct Entry {
  LogIndex index;
  std::vector<std::string> commands;
};

// A log of random commands, many of them refused, as a busy group would write it.
class LogWriter {
 public:
  explicit LogWriter(uint64_t seed) : random_(seed) {}

  std::vector<Entry> Write(int entries) {
    std::vector<Entry> log;
    for (int i = 1; i <= entries; ++i) {
      Entry entry{.index = LogIndex(static_cast<uint64_t>(i)), .commands = {}};
      const uint64_t commands = random_.Uniform(4);
      for (uint64_t k = 0; k < commands; ++k) {
        now_ += static_cast<int64_t>(random_.Uniform(kSecond));
        entry.commands.push_back(Any(entry.index.value).SerializeAsString());
      }
      log.push_back(std::move(entry));
    }
    return log;
  }

 private:
  std::string AnyId() { return std::string(1, static_cast<char>('a' + random_.Uniform(6))); }

  pb::Command Any(uint64_t index) {
    pb::Command command;
    command.set_stamp_us(now_);
    if (random_.Chance(1, 3))
      command.set_request_id(RequestId(std::to_string(random_.Uniform(50))));
    switch (random_.Uniform(11)) {
      case 0:
      case 1:
        Create(command.mutable_create());
        break;
      case 2:
      case 3:
        Claims(command.mutable_claims());
        break;
      case 4:
        Finishes(command.mutable_finishes(), index);
        break;
      case 5:
        command.mutable_cancel()->set_job_id(AnyId());
        break;
      case 6:
        command.mutable_trigger()->set_job_id(AnyId());
        break;
      case 7:
        command.mutable_delete_job()->set_job_id(AnyId());
        command.mutable_delete_job()->set_dedup_expires_us(now_ + 5 * kSecond);
        break;
      case 8:
        command.mutable_open_session()->set_node_id("n1");
        command.mutable_open_session()->set_boot(random_.Uniform(8));
        sessions_.push_back(index << 16);
        break;
      case 9:
        command.mutable_retain()->set_before_us(now_ - 20 * kSecond);
        command.mutable_retain()->set_limit(5);
        break;
      case 10:
        command.mutable_sweep_dedup()->set_before_us(now_);
        command.mutable_sweep_dedup()->set_limit(5);
        break;
    }
    return command;
  }

  void Create(pb::Create* create) {
    create->set_dedup_expires_us(now_ + 30 * kSecond);
    pb::CreateItem* item = create->add_items();
    item->set_job_id(AnyId());
    item->set_definition("d");
    item->set_fingerprint(random_.Chance(1, 2) ? "x" : "y");
    if (random_.Chance(1, 3)) item->set_idempotency_key("k" + AnyId());
    item->set_first_due_us(kDue);
    item->set_queue("noop");
    item->set_type(1);
  }

  // Guesses at what waits: numbers are small, so that many hit.
  void Claims(pb::Claims* claims) {
    claims->set_node_id("n1");
    claims->set_session(sessions_.empty() ? 0 : sessions_.back());
    for (const char* id : {"a", "b", "c", "d", "e", "f"}) {
      for (uint64_t revision = 1; revision < 80; ++revision) {
        pb::ClaimItem* item = claims->add_items();
        item->set_job_id(id);
        item->set_queue("noop");
        item->set_ready_us(kDue);
        item->set_due_us(kDue);
        item->set_cursor_us(kDue);
        item->set_revision(revision);
        item->set_run(revision + 1);
      }
    }
  }

  void Finishes(pb::Finishes* finishes, uint64_t index) {
    for (const char* id : {"a", "b", "c", "d", "e", "f"}) {
      for (uint64_t token = index > 6 ? index - 6 : 1; token <= index; ++token) {
        pb::FinishItem* item = finishes->add_items();
        item->set_job_id(id);
        item->set_run(1 + random_.Uniform(80));
        item->set_token(token);
        item->set_status(
            static_cast<int>(random_.Chance(1, 2) ? JobStatus::kCompleted : JobStatus::kFailed));
        if (item->status() != static_cast<int>(JobStatus::kCompleted)) item->set_retry_us(kDue);
      }
    }
  }

  static constexpr int64_t kDue = 1000 * kSecond;
  Random random_;
  int64_t now_ = 1000 * kSecond;
  std::vector<uint64_t> sessions_;
};

// Applies log[from, to) in batches of up to `most` entries.
void ApplyAll(JobStateMachine& machine, const std::vector<Entry>& log, size_t from, size_t to,
              Random& random, uint64_t most) {
  while (from < to) {
    const size_t end = std::min<size_t>(to, from + 1 + random.Uniform(most));
    std::vector<scheduled::Command> commands;
    for (size_t i = from; i < end; ++i) {
      for (uint32_t k = 0; k < log[i].commands.size(); ++k) {
        commands.push_back(
            {.index = log[i].index, .ordinal = k, .term = Term(1), .bytes = log[i].commands[k]});
      }
    }
    const auto answers = machine.Apply(commands, {.index = log[end - 1].index, .term = Term(1)});
    REQUIRE(answers.ok());
    REQUIRE(answers->size() == commands.size());
    from = end;
  }
}

std::vector<TableRow> All(const TableStore& store) { return *store.Scan("", "", SIZE_MAX); }

}  // namespace

TEST_CASE("tables do not depend on how a log is split into batches") {
  const uint64_t seed = GENERATE(range(1, 9));
  CAPTURE(seed);
  const std::vector<Entry> log = LogWriter(seed).Write(300);
  Random random(seed);
  std::vector<std::vector<TableRow>> tables;
  for (const uint64_t most : {1, 2, 7, 300}) {
    MemoryTableStore store;
    auto machine = *JobStateMachine::Open(store);
    // One of them leads: its windows see the same rows, and change none.
    if (most == 7) machine->OnLeading(true, Term(1));
    ApplyAll(*machine, log, 0, log.size(), random, most);
    machine->CheckInvariants();
    tables.push_back(All(store));
  }
  REQUIRE(tables[0].size() > 20);
  for (size_t i = 1; i < tables.size(); ++i) REQUIRE(tables[i] == tables[0]);
}

TEST_CASE("a log that is replayed from where the tables were durable gives the same tables") {
  const std::vector<Entry> log = LogWriter(77).Write(60);
  Random random(77);
  MemoryTableStore whole;
  auto machine = *JobStateMachine::Open(whole);
  ApplyAll(*machine, log, 0, log.size(), random, 3);
  for (size_t crash = 0; crash <= log.size(); ++crash) {
    CAPTURE(crash);
    // The tables as a crash leaves them: those of an exact prefix.
    MemoryTableStore store;
    {
      auto before = *JobStateMachine::Open(store);
      ApplyAll(*before, log, 0, crash, random, 5);
    }
    auto after = *JobStateMachine::Open(store);
    REQUIRE(after->applied().index.value == crash);
    ApplyAll(*after, log, crash, log.size(), random, 5);
    REQUIRE(All(store) == All(whole));
  }
}

TEST_CASE("an empty call moves the applied position alone") {
  MemoryTableStore store;
  auto machine = *JobStateMachine::Open(store);
  REQUIRE(machine->Apply({}, {.index = LogIndex(3), .term = Term(2)}).ok());
  REQUIRE(machine->applied() == AppliedPosition{.index = LogIndex(3), .term = Term(2)});
  REQUIRE(JobStateMachine::Open(store).value()->applied().index == LogIndex(3));
}

TEST_CASE("a node that installs another's checkpoint goes on from there") {
  World leader;
  leader.OpenSession();
  for (int i = 0; i < 20; ++i) leader.Create("j" + std::to_string(i));
  leader.RunOnce("j3");
  const std::string dir = SCHEDULED_BIN_DIR "/jobs-checkpoint";
  std::filesystem::remove_all(dir);
  REQUIRE(leader.machine->Checkpoint(dir).ok());
  MemoryTableStore store;
  auto follower = *JobStateMachine::Open(store);
  REQUIRE(follower->Install(dir, leader.machine->applied()).ok());
  REQUIRE(follower->applied().index == leader.last_index);
  REQUIRE(All(store) == All(leader.store));
  follower->CheckInvariants();
}

TEST_CASE("tables of a newer format or feature level are refused") {
  MemoryTableStore store;
  TableBatch batch(store);
  pb::GroupRow group;
  SECTION("format") { group.set_format(kFormat + 1); }
  SECTION("level") {
    group.set_format(kFormat);
    group.set_level(kLastLevel + 1);
  }
  batch.Put(kGroupKey, group.SerializeAsString());
  PutApplied(batch, {.index = LogIndex(1), .term = Term(1)});
  REQUIRE(store.Apply(batch).ok());
  REQUIRE(JobStateMachine::Open(store).status().code() == absl::StatusCode::kFailedPrecondition);
}

}  // namespace scheduled::jobs
