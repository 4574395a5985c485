// What the dispatcher sees: due rows from the windows, heads, marks, and the observer's calls.
#include <catch2/catch.hpp>
#include <map>

#include "base/random.h"
#include "jobs/limits.h"
#include "jobs/world.h"

namespace scheduled::jobs {
namespace {

class Recorder : public DispatchObserver {
 public:
  void OnLeading(bool leader, Term) override { leading.push_back(leader); }
  void OnQueueHead(std::string_view queue, std::optional<int64_t> ready_us) override {
    heads.emplace_back(queue, ready_us);
  }
  std::vector<bool> leading;
  std::vector<std::pair<std::string, std::optional<int64_t>>> heads;
};

class Watched : public World {
 public:
  Watched() {
    OpenSession();
    machine->SetObserver(&recorder);
  }
  ~Watched() { machine->SetObserver(nullptr); }

  std::vector<SlotKey> Take(int64_t until, size_t room = 1000, size_t max = 1000,
                            const std::string& queue = "noop") {
    const std::vector<QueueRoom> rooms = {{.queue = queue, .room = room}};
    const auto due = machine->TakeDue(term, until, rooms, max);
    REQUIRE(due.ok());
    next = due->next;
    return due->rows;
  }
  std::vector<QueueHead> Return(const std::vector<SlotKey>& rows) {
    return *machine->ReturnDue(term, rows);
  }

  Recorder recorder;
  std::vector<QueueHead> next;
};

}  // namespace

TEST_CASE("due rows are taken in order, once, and no more than there is room for") {
  Watched world;
  for (int i = 9; i >= 0; --i) world.Create("j" + std::to_string(i), {.due_in = i * kSecond});
  REQUIRE(world.Take(world.now - 1).empty());
  const std::vector<SlotKey> first = world.Take(world.now + 4 * kSecond, 2);
  REQUIRE(first.size() == 2);
  REQUIRE(first[0].job_id == "j0");
  REQUIRE(first[1].job_id == "j1");
  REQUIRE(world.next ==
          std::vector<QueueHead>{{.queue = "noop", .ready_us = world.now + 2 * kSecond}});
  REQUIRE(world.Take(world.now + 4 * kSecond, 1000, 1).size() == 1);
  REQUIRE(world.Take(world.now + 4 * kSecond).size() == 2);
  REQUIRE(world.Take(world.now + 4 * kSecond).empty());
  REQUIRE(world.Take(world.now + 99 * kSecond, 0).empty());
}

TEST_CASE("a returned row is taken again; one whose claim was applied is gone") {
  Watched world;
  world.Create("a", {.due_in = 0});
  world.Create("b", {.due_in = 0});
  const std::vector<SlotKey> rows = world.Take(world.now);
  REQUIRE(rows.size() == 2);
  world.Claim("a");
  REQUIRE(world.Return(rows) == std::vector<QueueHead>{{.queue = "noop", .ready_us = world.now}});
  const std::vector<SlotKey> again = world.Take(world.now);
  REQUIRE(again.size() == 1);
  REQUIRE(again[0].job_id == "b");
}

TEST_CASE("rows of several queues are taken earliest first, each within its own room") {
  Watched world;
  for (int i = 0; i < 6; ++i) {
    world.Create("a" + std::to_string(i), {.due_in = 2 * i * kSecond, .queue = "qa"});
    world.Create("b" + std::to_string(i), {.due_in = (2 * i + 1) * kSecond, .queue = "qb"});
  }
  const std::vector<QueueRoom> rooms = {
      {.queue = "qb", .room = 2}, {.queue = "qa", .room = 4}, {.queue = "unknown", .room = 9}};
  const auto due = world.machine->TakeDue(world.term, world.now + 100 * kSecond, rooms, 100);
  REQUIRE(due.ok());
  std::string order;
  for (const SlotKey& row : due->rows) order += row.job_id + " ";
  REQUIRE(order == "a0 b0 a1 b1 a2 a3 ");
  REQUIRE(due->next.size() == 2);
}

TEST_CASE("the observer hears of a queue's head when it is another, and only then") {
  Watched world;
  auto& heads = world.recorder.heads;
  world.Create("late", {.due_in = 50 * kSecond});
  REQUIRE(heads.size() == 1);
  REQUIRE(heads.back().second == world.now + 50 * kSecond);
  world.Create("later", {.due_in = 60 * kSecond});
  REQUIRE(heads.size() == 1);
  world.Create("soon", {.due_in = 10 * kSecond});
  REQUIRE(heads.size() == 2);
  REQUIRE(heads.back().second == world.now + 10 * kSecond);
  world.Cancel("later");
  REQUIRE(heads.size() == 2);
  world.Cancel("soon");
  REQUIRE(heads.back().second == world.now + 50 * kSecond);
  world.Cancel("late");
  REQUIRE_FALSE(heads.back().second.has_value());
}

TEST_CASE("a retry, a resume and a put-back are heard of as any other row") {
  Watched world;
  world.Create("a", {.due_in = 0});
  world.Claim("a");
  SECTION("retry") { world.Finish("a", {.status = JobStatus::kFailed, .retry_in = kSecond}); }
  SECTION("put back") { world.PutBack(world.InFlight("a")); }
  SECTION("closed session") { world.CloseSession("n1", {}); }
  SECTION("resume") {
    world.Pause("a", {.withdrawn = world.InFlight("a")});
    world.Resume("a");
  }
  REQUIRE(world.recorder.heads.back().second.has_value());
  REQUIRE(world.Take(world.now + kSecond).size() == 1);
}

TEST_CASE("windows are there only while leading, and are built anew without marks") {
  Watched world;
  world.Create("a", {.due_in = 0});
  world.Create("b", {.due_in = 0, .queue = "other"});
  REQUIRE(world.Take(world.now).size() == 1);
  world.machine->OnLeading(false, world.term);
  REQUIRE(world.Take(world.now).empty());
  REQUIRE(world.machine->Heads()->empty());
  world.Create("c", {.due_in = 0});
  world.term = Term(2);
  world.machine->OnLeading(true, world.term);
  REQUIRE(world.recorder.leading == std::vector<bool>{false, true});
  REQUIRE(world.machine->Heads()->size() == 2);
  REQUIRE(world.Take(world.now).size() == 2);
}

// By a leader that has been slow since: nobody would ever hear of the rows.
TEST_CASE("windows are closed to who asks in another term of the same node") {
  Watched world;
  world.Create("a", {.due_in = 0});
  const std::vector<SlotKey> rows = world.Take(world.now);
  REQUIRE(rows.size() == 1);
  const std::vector<QueueRoom> rooms = {{.queue = "noop", .room = 1}};
  const Term before = world.term;
  world.term = Term(3);
  world.machine->OnLeading(false, before);
  world.machine->OnLeading(true, world.term);
  REQUIRE(world.machine->TakeDue(before, world.now, rooms, 1)->rows.empty());
  REQUIRE(world.Take(world.now) == rows);
  REQUIRE(world.machine->ReturnDue(before, rows)->empty());
  REQUIRE(world.Take(world.now).empty());
}

TEST_CASE("one queue's backlog does not push another's rows out of memory") {
  MemoryTableStore store;
  auto machine = *JobStateMachine::Open(store, {.window = kMaxQueues, .load = 64});
  machine->OnLeading(true, Term(1));
  World commands;  // for its commands alone
  uint64_t index = 0;
  const auto create = [&](const std::string& id, const std::string& queue, int64_t due_in) {
    const std::string bytes =
        commands.CreateCommand(id, {.due_in = due_in, .queue = queue}).SerializeAsString();
    const scheduled::Command command{
        .index = LogIndex(++index), .ordinal = 0, .term = Term(1), .bytes = bytes};
    REQUIRE(machine->Apply({&command, 1}, {.index = LogIndex(index), .term = Term(1)}).ok());
  };
  for (size_t i = 0; i < 2 * kMaxQueues; ++i) create("backlog" + std::to_string(i), "slow", 0);
  create("quick", "fast", 5 * kSecond);
  const std::vector<QueueRoom> rooms = {{.queue = "fast", .room = 1}};
  const auto due = machine->TakeDue(Term(1), commands.now + 5 * kSecond, rooms, 10);
  REQUIRE(due->rows.size() == 1);
  machine->CheckInvariants();
}

TEST_CASE("every row of random jobs comes out of the windows at its time") {
  Watched world;
  Random random(21);
  std::map<std::string, int64_t> expected;
  std::vector<SlotKey> taken;
  for (int step = 0; step < 400; ++step) {
    if (random.Chance(2, 3)) {
      const std::string id = "j" + std::to_string(step);
      const int64_t due_in = static_cast<int64_t>(random.Uniform(20)) * kSecond;
      world.Create(id, {.due_in = due_in, .queue = "q" + std::to_string(random.Uniform(3))});
      expected[id] = world.now + due_in;
      continue;
    }
    world.Advance(2 * kSecond);
    std::vector<QueueRoom> rooms;
    for (int q = 0; q < 3; ++q) {
      rooms.push_back({.queue = "q" + std::to_string(q), .room = random.Uniform(5)});
    }
    const auto due = world.machine->TakeDue(world.term, world.now, rooms, 8);
    for (const SlotKey& row : due->rows) {
      REQUIRE(expected.at(row.job_id) == row.ready_us);
      REQUIRE(row.ready_us <= world.now);
      expected.erase(row.job_id);
      if (random.Chance(1, 3)) {
        world.machine->ReturnDue(world.term, {&row, 1}).IgnoreError();
        expected[row.job_id] = row.ready_us;
      } else {
        world.Claim(row.job_id);
      }
    }
    world.machine->CheckInvariants();
  }
  world.Advance(100 * kSecond);
  size_t left = 0;
  for (int q = 0; q < 3; ++q) {
    left += world.Take(world.now, SIZE_MAX, SIZE_MAX, "q" + std::to_string(q)).size();
  }
  REQUIRE(left == expected.size());
}

TEST_CASE("a job's record tells its definition, schedule and what is in flight") {
  Watched world;
  REQUIRE_FALSE(world.Record("r").has_value());
  const uint64_t revision = world.CreateRecurring("r").jobs(0).revision();
  const uint64_t run = world.Record("r")->schedule.runs(0).run();
  world.Claim("r");
  const JobRecord record = *world.Record("r");
  REQUIRE(record.revision == revision);
  REQUIRE(record.definition.executor() == "noop");
  REQUIRE(record.FindRun(run) != nullptr);
  REQUIRE(record.FindRun(run + 77) == nullptr);
  REQUIRE(record.IsInFlight(run));
  REQUIRE_FALSE(record.IsInFlight(run + 1));
}

TEST_CASE("what is in flight is read in pages") {
  Watched world;
  for (int i = 0; i < 7; ++i) {
    world.Create("j" + std::to_string(i), {.due_in = 0});
    world.Claim("j" + std::to_string(i));
  }
  std::optional<RunKey> after;
  size_t seen = 0;
  while (true) {
    const auto page = ReadInflight(world.store, after, 3);
    REQUIRE(page.ok());
    seen += page->size();
    if (page->size() < 3) break;
    after = page->back().key;
  }
  REQUIRE(seen == 7);
  REQUIRE(ReadSessions(world.store)->size() == 1);
}

}  // namespace scheduled::jobs
