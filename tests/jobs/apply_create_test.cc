// Creates: what they write, when they are the same, and what they refuse.
#include <catch2/catch.hpp>

#include "base/codec.h"
#include "jobs/limits.h"
#include "jobs/world.h"

namespace scheduled::jobs {
namespace {

constexpr auto kConflict = static_cast<int>(absl::StatusCode::kAlreadyExists);
constexpr auto kExhausted = static_cast<int>(absl::StatusCode::kResourceExhausted);
constexpr auto kInvalid = static_cast<int>(absl::StatusCode::kInvalidArgument);

pb::Command Together(const World& world, std::vector<pb::Command> creates) {
  pb::Command command = world.Stamped();
  command.set_request_id(creates.front().request_id());
  *command.mutable_create() = creates.front().create();
  for (size_t i = 1; i < creates.size(); ++i) {
    *command.mutable_create()->add_items() = creates[i].create().items(0);
  }
  return command;
}

}  // namespace

TEST_CASE("a create writes three rows and answers with the job") {
  World world;
  const pb::Answer answer = world.Create("a", {.due_in = 5 * kSecond});
  REQUIRE(answer.code() == 0);
  REQUIRE(answer.jobs_size() == 1);
  REQUIRE(answer.jobs(0).job_id() == "a");
  REQUIRE(answer.jobs(0).revision() > 0);
  REQUIRE_FALSE(answer.jobs(0).existed());
  REQUIRE(answer.jobs(0).created_us() == world.now);
  REQUIRE(answer.jobs(0).next_due_us() == world.now + 5 * kSecond);
  REQUIRE(world.Status("a") == JobStatus::kPending);
  REQUIRE(world.RowsIn(kJobsTag) + world.RowsIn(kSchedulesTag) + world.RowsIn(kSlotsTag) == 3);
  REQUIRE(world.Slots().front().ready_us == world.now + 5 * kSecond);
  REQUIRE(world.Counters().pending() == 1);
  REQUIRE(world.Counters().total_created() == 1);
}

TEST_CASE("the definition is stored byte for byte as the command brought it") {
  World world;
  pb::Command command = world.CreateCommand("a", {});
  // A field that this version does not know, as a newer client would send it.
  command.mutable_create()->mutable_items(0)->mutable_definition()->append("\xfa\x7f\x03new", 6);
  const std::string sent = command.create().items(0).definition();
  REQUIRE(world.Apply(command).code() == 0);
  pb::JobRow row;
  REQUIRE(row.ParseFromString(**world.store.Get(EncodeJobKey("a"))));
  REQUIRE(row.definition() == sent);
}

TEST_CASE("the same create again finds its job and writes nothing") {
  World world;
  const pb::Answer first = world.Create("a", {.content = "x"});
  const pb::Answer again = world.Create("a", {.content = "x"});
  REQUIRE(again.code() == 0);
  REQUIRE(again.jobs(0).existed());
  REQUIRE(again.jobs(0).revision() == first.jobs(0).revision());
  REQUIRE(world.Counters().jobs() == 1);
  REQUIRE(world.Slots().size() == 1);
}

TEST_CASE("a create whose time is past is refused, unless its job was made before") {
  World world;
  const auto late = [&](const std::string& id, const World::JobOptions& options) {
    pb::Command command = world.CreateCommand(id, options);
    pb::CreateItem* item = command.mutable_create()->mutable_items(0);
    item->clear_first_due_us();
    item->set_refusal("its last occurrence is past");
    return command;
  };
  const pb::Answer refused = world.Apply(late("a", {.content = "x"}));
  REQUIRE(refused.code() == kInvalid);
  REQUIRE(refused.message() == "its last occurrence is past");
  REQUIRE(world.Counters().jobs() == 0);
  const pb::Answer first = world.Create("a", {.content = "x", .idempotency_key = "k"});
  for (const char* id : {"a", "b"}) {  // by its id, and by its key
    const pb::Answer again = world.Apply(late(id, {.content = "x", .idempotency_key = "k"}));
    REQUIRE(again.code() == 0);
    REQUIRE(again.jobs(0).existed());
    REQUIRE(again.jobs(0).revision() == first.jobs(0).revision());
  }
  REQUIRE(world.Counters().total_created() == 1);
}

TEST_CASE("a create under an id that stands for other content is a conflict") {
  World world;
  world.Create("a", {.content = "x"});
  const pb::Answer other = world.Create("a", {.content = "y"});
  REQUIRE(other.code() == kConflict);
  REQUIRE(other.reason() == "conflict");
  REQUIRE(world.Counters().total_created() == 1);
}

TEST_CASE("a retried create answers as the first time, after a replace as well") {
  World world;
  const World::JobOptions options{.content = "x", .request_id = RequestId("r1")};
  const pb::Answer first = world.Create("a", options);
  REQUIRE(world.Replace("a", {}).code() == 0);
  const pb::Answer retried = world.Create("a", options);
  REQUIRE(retried.code() == 0);
  REQUIRE_FALSE(retried.jobs(0).existed());
  REQUIRE(retried.jobs(0).created_us() == first.jobs(0).created_us());
}

TEST_CASE("a retried create whose job was deleted since is answered, not made again") {
  World world;
  const World::JobOptions options{.request_id = RequestId("r1")};
  const pb::Answer first = world.Create("a", options);
  world.Delete("a");
  const pb::Answer retried = world.Create("a", options);
  REQUIRE(retried.code() == 0);
  REQUIRE(retried.jobs(0).revision() == first.jobs(0).revision());
  REQUIRE(retried.jobs(0).status() == static_cast<int>(JobStatus::kPending));
  REQUIRE_FALSE(world.Exists("a"));

  SECTION("another request makes it") {
    REQUIRE(world.Create("a", {.request_id = RequestId("r2")}).code() == 0);
    REQUIRE(world.Exists("a"));
  }
  SECTION("and it is forgotten after a while") {
    world.Advance(601 * kSecond);
    REQUIRE(world.SweepDedup(world.now).removed() == 1);
    REQUIRE(world.Counters().undone_creates() == 0);
    REQUIRE(world.Create("a", options).code() == 0);
    REQUIRE(world.Exists("a"));
  }
}

TEST_CASE("an idempotency key stands for one job until it expires") {
  World world;
  const pb::Answer first = world.Create("a", {.content = "x", .idempotency_key = "k"});
  SECTION("the same content under another id is the first job") {
    const pb::Answer again = world.Create("b", {.content = "x", .idempotency_key = "k"});
    REQUIRE(again.code() == 0);
    REQUIRE(again.jobs(0).job_id() == "a");
    REQUIRE(again.jobs(0).existed());
    REQUIRE(again.jobs(0).revision() == first.jobs(0).revision());
    REQUIRE_FALSE(world.Exists("b"));
  }
  SECTION("other content is a conflict") {
    REQUIRE(world.Create("b", {.content = "y", .idempotency_key = "k"}).code() == kConflict);
  }
  SECTION("a deleted job is answered, not made again") {
    world.Delete("a");
    const pb::Answer again = world.Create("b", {.content = "x", .idempotency_key = "k"});
    REQUIRE(again.jobs(0).job_id() == "a");
    REQUIRE(again.jobs(0).existed());
    REQUIRE(world.Counters().jobs() == 0);
  }
  SECTION("a job that has the id of a deleted one is not mistaken for it") {
    world.Delete("a");
    const pb::Answer other = world.Create("a", {.content = "y"});
    const pb::Answer again = world.Create("b", {.content = "x", .idempotency_key = "k"});
    REQUIRE(again.jobs(0).existed());
    REQUIRE(again.jobs(0).revision() == first.jobs(0).revision());
    REQUIRE(again.jobs(0).revision() != other.jobs(0).revision());
  }
  SECTION("an expired one is free, swept or not") {
    world.Advance(int64_t{25} * 3600 * kSecond);
    REQUIRE(world.Create("b", {.content = "y", .idempotency_key = "k"}).jobs(0).job_id() == "b");
    // The sweep meets the old expiry, and leaves the key that was taken up again.
    world.SweepDedup(world.now);
    REQUIRE(world.RowsIn(kDedupTag) == 1);
    REQUIRE(world.Create("c", {.content = "y", .idempotency_key = "k"}).jobs(0).job_id() == "b");
  }
}

TEST_CASE("a batch is all or nothing") {
  World world;
  world.Create("there", {.content = "x"});
  const pb::Command batch =
      Together(world, {world.CreateCommand("a", {}), world.CreateCommand("there", {.content = "y"}),
                       world.CreateCommand("b", {})});
  REQUIRE(world.Apply(batch).code() == kConflict);
  REQUIRE_FALSE(world.Exists("a"));
  REQUIRE_FALSE(world.Exists("b"));
  const pb::Command fine = Together(
      world, {world.CreateCommand("a", {}), world.CreateCommand("there", {.content = "x"})});
  const pb::Answer answer = world.Apply(fine);
  REQUIRE(answer.code() == 0);
  REQUIRE(answer.jobs(0).job_id() == "a");
  REQUIRE(answer.jobs(1).existed());
}

TEST_CASE("ids and keys in one batch are distinct, or equal in content") {
  World world;
  const auto create = [&](const std::string& id, const std::string& content,
                          const std::string& key) {
    return world.CreateCommand(id, {.content = content, .idempotency_key = key});
  };
  SECTION("an id twice with the same content is one job") {
    const pb::Answer answer =
        world.Apply(Together(world, {create("a", "x", ""), create("a", "x", "")}));
    REQUIRE(answer.code() == 0);
    REQUIRE(answer.jobs(1).existed());
    REQUIRE(answer.jobs(0).revision() == answer.jobs(1).revision());
  }
  SECTION("an id twice with other content is a conflict") {
    REQUIRE(world.Apply(Together(world, {create("a", "x", ""), create("a", "y", "")})).code() ==
            kConflict);
  }
  SECTION("a key twice with the same content is one job") {
    const pb::Answer answer =
        world.Apply(Together(world, {create("a", "x", "k"), create("b", "x", "k")}));
    REQUIRE(answer.code() == 0);
    REQUIRE(answer.jobs(1).job_id() == "a");
    REQUIRE_FALSE(world.Exists("b"));
  }
  SECTION("a key twice with other content is a conflict") {
    REQUIRE(world.Apply(Together(world, {create("a", "x", "k"), create("b", "y", "k")})).code() ==
            kConflict);
    REQUIRE(world.Counters().jobs() == 0);
  }
}

TEST_CASE("creates beyond the limit are refused, a retry at the limit is not") {
  World world;
  const World::JobOptions options{.content = "x", .request_id = RequestId("r"), .max_jobs = 1};
  REQUIRE(world.Create("a", options).code() == 0);
  const pb::Answer refused = world.Create("b", {.max_jobs = 1});
  REQUIRE(refused.code() == kExhausted);
  REQUIRE(refused.reason() == "limit");
  REQUIRE(world.Create("a", options).code() == 0);
}

TEST_CASE("the number of queues is bounded") {
  World world;
  std::vector<pb::Command> creates;
  for (size_t i = 0; i < kMaxQueues; ++i) {
    creates.push_back(
        world.CreateCommand("j" + std::to_string(i), {.queue = "q" + std::to_string(i)}));
  }
  REQUIRE(world.Apply(Together(world, creates)).code() == 0);
  REQUIRE(world.Create("over", {.queue = "another"}).code() == kExhausted);
  REQUIRE(world.Create("fits", {.queue = "q7"}).code() == 0);
  // A queue without runs is gone, and makes room.
  world.Cancel("j0");
  REQUIRE(world.Create("over", {.queue = "another"}).code() == 0);
}

TEST_CASE("a queue that empties makes room at once, within a batch as between two") {
  World world;
  std::vector<pb::Command> creates;
  for (size_t i = 0; i < kMaxQueues; ++i) {
    creates.push_back(
        world.CreateCommand("j" + std::to_string(i), {.queue = "q" + std::to_string(i)}));
  }
  REQUIRE(world.Apply(Together(world, creates)).code() == 0);
  pb::Command cancel = world.Stamped();
  cancel.mutable_cancel()->set_job_id("j0");
  const std::vector<pb::Command> commands = {cancel,
                                             world.CreateCommand("takes it", {.queue = "new"}),
                                             world.CreateCommand("too late", {.queue = "q0"})};
  std::vector<pb::Answer> answers;
  SECTION("one batch") { answers = world.ApplyTogether(commands); }
  SECTION("a batch for each") {
    for (const pb::Command& command : commands) answers.push_back(world.Apply(command));
  }
  REQUIRE(answers[1].code() == 0);
  REQUIRE(answers[2].code() == kExhausted);
}

TEST_CASE("a malformed create is refused and changes nothing") {
  World world;
  pb::Command command = world.CreateCommand("a", {});
  pb::CreateItem* item = command.mutable_create()->mutable_items(0);
  const auto refused = [&] { return world.Apply(command).code() == kInvalid; };
  SECTION("no id") { item->clear_job_id(); }
  SECTION("an id that is too long") { item->set_job_id(std::string(256, 'x')); }
  SECTION("an id with a NUL") { item->set_job_id(std::string("a\0b", 3)); }
  SECTION("no queue") { item->clear_queue(); }
  SECTION("a priority out of range") { item->set_priority(4); }
  SECTION("no definition") { item->clear_definition(); }
  SECTION("an unknown type") { item->set_type(9); }
  SECTION("no items") { command.mutable_create()->clear_items(); }
  SECTION("a request id of another length") { command.set_request_id("short"); }
  SECTION("a key without an expiry") {
    item->set_idempotency_key("k");
    command.mutable_create()->set_dedup_expires_us(0);
  }
  REQUIRE(refused());
  REQUIRE(world.Counters().jobs() == 0);
}

TEST_CASE("a group may begin at the epoch, but not before it or past the year 9999") {
  World world;
  world.now = 0;
  world.OpenSession();
  REQUIRE(world.Create("a").code() == 0);
  world.RunOnce("a");
  REQUIRE(world.Record("a")->schedule.ended_us() == 1);
  for (const int64_t stamp : {int64_t{-1}, INT64_MIN, INT64_MAX}) {
    pb::Command command = world.CreateCommand("b", {});
    command.set_stamp_us(stamp);
    REQUIRE(world.Apply(command).code() == kInvalid);
  }
}

TEST_CASE("bytes that are no command are answered, not fatal") {
  World world;
  for (const std::string& bytes : {std::string("\xff\xff\xff", 3), std::string()}) {
    world.last_index = world.last_index.Next();
    const scheduled::Command command{
        .index = world.last_index, .ordinal = 0, .term = world.term, .bytes = bytes};
    const auto answers =
        world.machine->Apply({&command, 1}, {.index = world.last_index, .term = world.term});
    REQUIRE(answers.ok());
    pb::Answer answer;
    REQUIRE(answer.ParseFromString(answers->front()));
    REQUIRE(answer.code() == kInvalid);
  }
}

}  // namespace scheduled::jobs
