// Reading jobs back: one, its attempts, and lists by index, page by page.
#include "jobs/queries.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "jobs/page_cursor.h"
#include "jobs/world.h"
#include "storage/applied_row.h"
#include "storage/table_batch.h"

namespace scheduled::jobs {
namespace {

constexpr char kCluster[] = "0123456789abcdef";

class Read : public OpenWorld {
 public:
  Queries queries{store, kCluster};

  // All ids of a list, page by page, each once.
  std::vector<std::string> Ids(const JobFilter& filter, int limit = 3) {
    std::vector<std::string> ids;
    PageToken token{.value = "", .limit = limit};
    for (int pages = 0;; ++pages) {
      REQUIRE(pages < 1000);
      const auto page = queries.List(filter, token);
      INFO(page.status().ToString());
      REQUIRE(page.ok());
      REQUIRE(page->jobs.size() <= static_cast<size_t>(limit));
      for (const JobInfo& info : page->jobs) {
        if (filter.status.has_value()) REQUIRE(info.status == *filter.status);
        ids.push_back(info.job.id.value);
      }
      if (page->next.empty()) return ids;
      token.value = page->next;
    }
  }
  std::set<std::string> Set(const JobFilter& filter, int limit = 3) {
    const std::vector<std::string> ids = Ids(filter, limit);
    const std::set<std::string> set(ids.begin(), ids.end());
    REQUIRE(set.size() == ids.size());
    return set;
  }
};

using Names = std::set<std::string>;

// One job in each state, and recurring ones with runs in several places.
class Zoo : public Read {
 public:
  Zoo() {
    for (const char* id :
         {"pending", "running", "done", "failed", "late", "cancelled", "paused", "stopping"}) {
      Create(id, {.due_in = 10 * kSecond});
      Advance(kSecond);
    }
    Claim("running");
    RunOnce("done");
    RunOnce("failed", JobStatus::kFailed);
    RunOnce("late", JobStatus::kTimeout);
    Cancel("cancelled");
    Pause("paused");
    Claim("stopping");
    Cancel("stopping");
    CreateRecurring("again");  // runs behind it, one to come
    RunOnce("again");
    RunOnce("again", JobStatus::kFailed);
    CreateRecurring("again running");  // one in flight, one to come
    Claim("again running");
    CreateRecurring("twice");  // two that wait
    Trigger("twice");
  }
};

}  // namespace

TEST_CASE("a job is read back as it was created") {
  Read world;
  world.Create("a", {.due_in = 7 * kSecond});
  const auto info = world.queries.Get("a");
  REQUIRE(info.ok());
  REQUIRE(info->job.id == JobId("a"));
  REQUIRE(info->job.payload == "content");
  REQUIRE(info->status == JobStatus::kPending);
  REQUIRE(info->created_at == absl::FromUnixMicros(world.now));
  REQUIRE(info->next_run_at == absl::FromUnixMicros(world.now + 7 * kSecond));
  REQUIRE(info->attempt_count == 0);
  REQUIRE_FALSE(info->first_attempt_at.has_value());
  REQUIRE(world.queries.Get("b").status().code() == absl::StatusCode::kNotFound);
  REQUIRE(world.queries.Get("").status().code() == absl::StatusCode::kNotFound);
  REQUIRE(world.queries.Attempts("b").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("a job in progress tells its node and attempt, an ended one when it ended") {
  Read world;
  world.Create("a", {.due_in = 0});
  world.Claim("a");
  JobInfo info = *world.queries.Get("a");
  REQUIRE(info.status == JobStatus::kInProgress);
  REQUIRE(info.executing_node == NodeId("n1"));
  REQUIRE(info.attempt_count == 1);
  REQUIRE(info.first_attempt_at.has_value());
  REQUIRE_FALSE(info.next_run_at.has_value());
  world.Finish("a", {.status = JobStatus::kFailed, .retry_in = kSecond});
  world.Claim("a");
  world.Advance(kSecond);
  world.Finish("a");
  info = *world.queries.Get("a");
  REQUIRE(info.attempt_count == 2);
  REQUIRE(info.executing_node.empty());
  REQUIRE(info.completed_at == absl::FromUnixMicros(world.now));
  REQUIRE(*info.first_attempt_at < *info.last_attempt_at);
}

TEST_CASE("a cancelled job tells when and why") {
  Read world;
  world.Create("a");
  world.Cancel("a");
  const JobInfo info = *world.queries.Get("a");
  REQUIRE(info.cancelled_at == absl::FromUnixMicros(world.now));
  REQUIRE(info.cancellation_reason == "not needed");
  REQUIRE(info.completed_at.has_value());
  REQUIRE_FALSE(info.next_run_at.has_value());
}

TEST_CASE("each list has the jobs whose status it is, each once") {
  Zoo zoo;
  const int limit = GENERATE(1, 2, 3, 100);
  CAPTURE(limit);
  const auto list = [&](JobStatus status) { return zoo.Set({.status = status}, limit); };
  REQUIRE(list(JobStatus::kPending) == Names{"pending", "again", "twice"});
  REQUIRE(list(JobStatus::kInProgress) == Names{"running", "again running"});
  REQUIRE(list(JobStatus::kCompleted) == Names{"done"});
  REQUIRE(list(JobStatus::kFailed) == Names{"failed"});
  REQUIRE(list(JobStatus::kTimeout) == Names{"late"});
  REQUIRE(list(JobStatus::kCancelled) == Names{"cancelled", "stopping"});
  REQUIRE(list(JobStatus::kPaused) == Names{"paused"});
  REQUIRE(zoo.Set({}, limit).size() == 11);
}

TEST_CASE("without a filter jobs come in the order of their ids") {
  Zoo zoo;
  const std::vector<std::string> ids = zoo.Ids({}, 4);
  REQUIRE(std::is_sorted(ids.begin(), ids.end()));
}

TEST_CASE("a total is told where it is known") {
  Zoo zoo;
  const PageToken page{.value = "", .limit = 1};
  REQUIRE(zoo.queries.List({}, page)->total == 11);
  REQUIRE(zoo.queries.List({.status = JobStatus::kPending}, page)->total == 3);
  REQUIRE(zoo.queries.List({.status = JobStatus::kCancelled}, page)->total == 2);
  REQUIRE_FALSE(zoo.queries.List({.executor = "noop"}, page)->total.has_value());
}

TEST_CASE("lists are filtered by executor and due time") {
  Read world;
  for (int i = 0; i < 6; ++i) {
    world.Create("a" + std::to_string(i), {.due_in = i * kSecond, .queue = "qa"});
    world.Create("b" + std::to_string(i), {.due_in = i * kSecond, .queue = "qb"});
  }
  const absl::Time two = absl::FromUnixMicros(world.now + 2 * kSecond);
  const auto status = GENERATE(as<std::optional<JobStatus>>(), std::nullopt, JobStatus::kPending);
  const int limit = GENERATE(1, 2, 50);
  REQUIRE(world.Set({.status = status, .executor = "qb"}, limit) ==
          Names{"b0", "b1", "b2", "b3", "b4", "b5"});
  REQUIRE(world.Set({.status = status, .executor = "", .due_before = two}, limit) ==
          Names{"a0", "a1", "b0", "b1"});
  REQUIRE(world.Set({.status = status, .executor = "qa", .due_before = two}, limit) ==
          Names{"a0", "a1"});
  REQUIRE(world.Set({.status = status, .executor = "other"}, limit).empty());
}

TEST_CASE("a page that finds nothing in a thousand rows ends with a cursor") {
  Read world;
  std::vector<pb::Command> creates;
  for (int i = 0; i < 2500; ++i) {
    char id[16];
    snprintf(id, sizeof(id), "j%04d", i);
    creates.push_back(world.CreateCommand(id, {.queue = i == 2400 ? "rare" : "noop"}));
  }
  world.ApplyTogether(creates);
  const auto page = world.queries.List({.executor = "rare"}, {.value = "", .limit = 10});
  REQUIRE(page->jobs.empty());
  REQUIRE_FALSE(page->next.empty());
  REQUIRE(world.Ids({.executor = "rare"}) == std::vector<std::string>{"j2400"});
  world.Pause("j2300");
  REQUIRE(world.Ids({.status = JobStatus::kPaused}) == std::vector<std::string>{"j2300"});
}

TEST_CASE("a page with large payloads ends early") {
  Read world;
  std::vector<pb::Command> creates;
  for (int i = 0; i < 20; ++i) {
    creates.push_back(
        world.CreateCommand("j" + std::to_string(i), {.content = std::string(1 << 20, 'x')}));
  }
  for (const pb::Command& command : creates) world.Apply(command);
  const auto page = world.queries.List({}, {.value = "", .limit = 100});
  REQUIRE(page->jobs.size() == 8);
  REQUIRE(world.Set({}, 100).size() == 20);
}

TEST_CASE("what is no cursor of the list at hand is refused") {
  Zoo zoo;
  const PageToken first{.value = "", .limit = 1};
  const std::string of_pending = zoo.queries.List({.status = JobStatus::kPending}, first)->next;
  const std::string of_failed = EncodePageCursor(
      JobStatus::kFailed,
      EncodeDoneKey({.status = JobStatus::kCompleted, .end_us = 1, .job_id = "a", .run = 1}));
  REQUIRE_FALSE(of_pending.empty());
  for (const std::string& bad :
       {std::string("x"), std::string("%%%"), std::string("AQE"), of_pending + "A",
        of_pending.substr(0, of_pending.size() - 2), of_failed, std::string(5000, 'A')}) {
    CAPTURE(bad);
    for (const auto status : {JobStatus::kPending, JobStatus::kFailed}) {
      if (status == JobStatus::kPending && bad == of_pending) continue;
      const auto page = zoo.queries.List({.status = status}, {.value = bad, .limit = 1});
      REQUIRE(page.status().code() == absl::StatusCode::kInvalidArgument);
    }
  }
  REQUIRE_FALSE(zoo.queries.List({}, {.value = of_pending, .limit = 1}).ok());
}

TEST_CASE("a list with a limit or status that makes no sense is refused") {
  Read world;
  for (const int limit : {0, -1, 1001}) {
    REQUIRE(world.queries.List({}, {.value = "", .limit = limit}).status().code() ==
            absl::StatusCode::kInvalidArgument);
  }
  REQUIRE_FALSE(world.queries.List({.status = JobStatus::kSkipped}, {}).ok());
  REQUIRE_FALSE(world.queries.List({.executor = "a b"}, {}).ok());
}

TEST_CASE("a cursor goes on though its row has gone") {
  Read world;
  for (const char* id : {"a", "b", "c", "d"}) world.Create(id);
  const auto first = world.queries.List({}, {.value = "", .limit = 2});
  world.Delete("b");
  const auto second = world.queries.List({}, {.value = first->next, .limit = 2});
  REQUIRE(second->jobs.size() == 2);
  REQUIRE(second->jobs[0].job.id == JobId("c"));
}

TEST_CASE("attempts come newest last, with one run id a run") {
  Read world;
  world.CreateRecurring("r");
  for (int i = 0; i < 3; ++i) {
    world.Claim("r");
    world.Finish("r", {.status = JobStatus::kFailed, .retry_in = kSecond});
    world.RunOnce("r");
  }
  const auto attempts = world.queries.Attempts("r");
  REQUIRE(attempts.ok());
  REQUIRE(attempts->size() == 6);
  for (size_t i = 0; i < 6; i += 2) {
    REQUIRE((*attempts)[i].run_id == (*attempts)[i + 1].run_id);
    REQUIRE((*attempts)[i].attempt == 1);
    REQUIRE((*attempts)[i + 1].attempt == 2);
    REQUIRE((*attempts)[i].run_id.size() == 36);
    if (i > 0) REQUIRE((*attempts)[i].run_id != (*attempts)[i - 1].run_id);
  }
}

TEST_CASE("of many attempts the newest thousand are told") {
  Read world;
  world.Create("a");
  TableBatch batch(world.store);
  pb::RunRow row;
  for (uint32_t i = 1; i <= 5000; ++i) {
    row.set_due_us(i);
    batch.Put(EncodeDeliveryKey({.job_id = "a", .run = 1 + i / 3, .attempt = i, .delivery = 1}),
              row.SerializeAsString());
  }
  pb::CountersRow counters = world.Counters();
  counters.set_next_number(9000);
  batch.Put(kCountersKey, counters.SerializeAsString());
  PutApplied(batch, {.index = world.last_index, .term = world.term});
  REQUIRE(world.store.Apply(batch).ok());
  const auto attempts = world.queries.Attempts("a");
  REQUIRE(attempts.ok());
  REQUIRE(attempts->size() == Queries::kMaxAttempts);
  REQUIRE(attempts->front().due == absl::FromUnixMicros(4001));
  REQUIRE(attempts->back().due == absl::FromUnixMicros(5000));
}

TEST_CASE("slots are told over all queues") {
  Read world;
  world.now = 1000 * kSecond;
  world.Create("a", {.due_in = 5 * kSecond, .queue = "qa"});
  world.Create("b", {.due_in = 6 * kSecond, .queue = "qb"});
  world.Create("c", {.due_in = 15 * kSecond, .queue = "qa"});
  world.Create("d", {.due_in = 16 * kSecond, .queue = "qb"});
  SlotRange range{.gap = absl::Seconds(10), .from = absl::UnixEpoch(), .limit = 1};
  const auto first = world.queries.Slots(range);
  REQUIRE(first->slots.size() == 1);
  REQUIRE(first->slots.front().key == 100);
  REQUIRE(first->slots.front().job_ids == std::vector<std::string>{"a", "b"});
  range.after = first->next;
  const auto second = world.queries.Slots(range);
  REQUIRE(second->slots.front().job_ids == std::vector<std::string>{"c", "d"});
  REQUIRE(second->next.empty());
  range.gap = absl::Milliseconds(10);
  REQUIRE_FALSE(world.queries.Slots(range).ok());
}

TEST_CASE("a list reads a job away that vanished after its row was seen") {
  Read world;
  world.Create("a");
  world.Create("b");
  // A row of slots whose job is gone, as one sees it who reads between two commits.
  TableBatch batch(world.store);
  batch.Delete(EncodeScheduleKey("a"));
  PutApplied(batch, {.index = world.last_index, .term = world.term});
  REQUIRE(world.store.Apply(batch).ok());
  const auto page = world.queries.List({.status = JobStatus::kPending}, {.value = "", .limit = 9});
  REQUIRE(page.ok());
  REQUIRE(page->jobs.size() == 1);
}

}  // namespace scheduled::jobs
