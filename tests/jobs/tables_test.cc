// The keys of the tables: they come back as they were, sort as they mean to, and nothing else is
// taken for one. And the pieces beneath Apply that know rows only.
#include "jobs/tables.h"

#include <catch2/catch.hpp>
#include <map>

#include "base/codec.h"
#include "base/random.h"
#include "jobs/apply_context.h"
#include "jobs/recent_rows.h"
#include "storage/applied_row.h"
#include "storage/memory_table_store.h"

namespace scheduled::jobs {
namespace {

std::string AnyName(Random& random) {
  std::string name(1 + random.Uniform(6), 'a');
  for (char& c : name) c = static_cast<char>(1 + random.Uniform(255));
  return name;
}

int64_t AnyTime(Random& random) {
  const auto value = static_cast<int64_t>(random.Next() >> (1 + random.Uniform(62)));
  return random.Chance(1, 4) ? -value : value;
}

// Every proper prefix of a key, and the key with something behind it, is no key.
template <typename Decode>
void CheckStrict(const std::string& key, Decode decode) {
  for (size_t size = 0; size < key.size(); ++size) REQUIRE_FALSE(decode(key.substr(0, size)));
  REQUIRE_FALSE(decode(key + "x"));
  std::string other = key;
  other[0] = '~';
  REQUIRE_FALSE(decode(other));
}

}  // namespace

TEST_CASE("every key comes back as it was, and nothing shorter or longer is one") {
  Random random(5);
  for (int i = 0; i < 300; ++i) {
    const std::string name = AnyName(random);
    std::string name_back;
    REQUIRE(DecodeJobKey(EncodeJobKey(name), &name_back));
    REQUIRE(name_back == name);
    REQUIRE(DecodeScheduleKey(EncodeScheduleKey(name), &name_back));
    REQUIRE(DecodeQueueKey(EncodeQueueKey(name), &name_back));
    REQUIRE(DecodeSessionKey(EncodeSessionKey(name), &name_back));
    REQUIRE(name_back == name);
    CheckStrict(EncodeJobKey(name),
                [&](std::string_view k) { return DecodeJobKey(k, &name_back); });

    const SlotKey slot{.queue = AnyName(random),
                       .ready_us = AnyTime(random),
                       .priority = static_cast<int>(random.Uniform(4)),
                       .job_id = name,
                       .run = random.Next()};
    SlotKey slot_back;
    REQUIRE(DecodeSlotKey(EncodeSlotKey(slot), &slot_back));
    REQUIRE(slot_back == slot);
    CheckStrict(EncodeSlotKey(slot),
                [&](std::string_view k) { return DecodeSlotKey(k, &slot_back); });

    const RunKey run{.job_id = name, .run = random.Next()};
    RunKey run_back;
    REQUIRE(DecodeInflightKey(EncodeInflightKey(run.job_id, run.run), &run_back));
    REQUIRE(run_back == run);

    const DeliveryKey delivery{.job_id = name,
                               .run = random.Next(),
                               .attempt = static_cast<uint32_t>(random.Next()),
                               .delivery = static_cast<uint32_t>(random.Next())};
    DeliveryKey delivery_back;
    REQUIRE(DecodeDeliveryKey(EncodeDeliveryKey(delivery), &delivery_back));
    REQUIRE(delivery_back == delivery);

    const DoneKey done{.status = static_cast<JobStatus>(1 + random.Uniform(8)),
                       .end_us = AnyTime(random),
                       .job_id = name,
                       .run = random.Next()};
    DoneKey done_back;
    REQUIRE(DecodeDoneKey(EncodeDoneKey(done), &done_back));
    REQUIRE(done_back == done);

    const DedupKey dedup{.kind = static_cast<DedupKind>(1 + random.Uniform(3)),
                         .key = std::string("\0any", 4) + name};
    DedupKey dedup_back;
    REQUIRE(DecodeDedupKey(EncodeDedupKey(dedup), &dedup_back));
    REQUIRE(dedup_back == dedup);
    const DedupExpiryKey expiry{.expires_us = AnyTime(random), .key = dedup};
    DedupExpiryKey expiry_back;
    REQUIRE(DecodeDedupExpiryKey(EncodeDedupExpiryKey(expiry), &expiry_back));
    REQUIRE(expiry_back == expiry);
  }
}

TEST_CASE("slots sort by queue, then ready time, then urgency, job and run") {
  const SlotKey base{.queue = "q", .ready_us = 10, .priority = 1, .job_id = "j", .run = 5};
  const std::string key = EncodeSlotKey(base);
  SlotKey later = base;
  SECTION("queue") { later.queue = "q1", later.ready_us = 0; }
  SECTION("ready") { later.ready_us = 11, later.priority = 3; }
  SECTION("urgency") { later.priority = 0, later.job_id = "a"; }
  SECTION("job") { later.job_id = "j1", later.run = 0; }
  SECTION("run") { later.run = 256; }
  REQUIRE(key < EncodeSlotKey(later));
}

TEST_CASE("a job's prefix covers its rows and no other job's") {
  const std::string prefix = RunsPrefix("job");
  const std::string end = PrefixEnd(prefix);
  const auto is_within = [&](const std::string& id) {
    const std::string key =
        EncodeDeliveryKey({.job_id = id, .run = 7, .attempt = 1, .delivery = 1});
    return key >= prefix && key < end;
  };
  REQUIRE(is_within("job"));
  REQUIRE_FALSE(is_within("job1"));
  REQUIRE_FALSE(is_within("jo"));
}

TEST_CASE("names that cannot be part of a key are told") {
  REQUIRE(IsKeyName("a"));
  REQUIRE(IsKeyName(std::string(255, 'x')));
  REQUIRE_FALSE(IsKeyName(""));
  REQUIRE_FALSE(IsKeyName(std::string(256, 'x')));
  REQUIRE_FALSE(IsKeyName(std::string_view("a\0b", 3)));
}

TEST_CASE("a scan within a batch sees what the batch has written") {
  Random random(9);
  for (int round = 0; round < 200; ++round) {
    MemoryTableStore store;
    std::map<std::string, std::string> twin;
    const auto any_key = [&] { return EncodeJobKey(std::string(1, 'a' + random.Uniform(12))); };
    TableBatch batch(store);
    for (int i = 0; i < 8; ++i) {
      const std::string key = any_key();
      batch.Put(key, pb::JobRow().SerializeAsString());
      twin[key] = "";
    }
    PutApplied(batch, {.index = LogIndex(1), .term = Term(1)});
    REQUIRE(store.Apply(batch).ok());

    ApplyContext ctx(store);
    REQUIRE(ctx.Load().ok());
    ctx.BeginBatch(false);
    for (int i = 0; i < 6; ++i) {
      const std::string key = any_key();
      std::string id;
      REQUIRE(DecodeJobKey(key, &id));
      if (random.Chance(1, 2)) {
        pb::JobRow row;
        row.set_revision(random.Next());
        ctx.PutJob(id, row);
        twin[key] = row.SerializeAsString();
      } else {
        ctx.Delete(key);
        twin.erase(key);
      }
    }
    const std::string from = any_key(), to = random.Chance(1, 3) ? "" : any_key();
    const size_t limit = random.Uniform(6);
    std::vector<TableRow> expected;
    for (const auto& [key, value] : twin) {
      if (key < from || (!to.empty() && key >= to) || expected.size() == limit) continue;
      expected.push_back({.key = key, .value = value});
    }
    const std::vector<TableRow> seen = ctx.Scan(from, to, limit);
    // Without an end the scan also sees the other tables.
    std::vector<TableRow> jobs;
    for (const TableRow& row : seen) {
      if (row.key[0] == kJobsTag) jobs.push_back(row);
    }
    REQUIRE(jobs == expected);
  }
}

TEST_CASE("a row that does not parse ends the batch with data loss") {
  MemoryTableStore store;
  TableBatch batch(store);
  batch.Put(EncodeScheduleKey("a"), "\xff\xff");
  PutApplied(batch, {.index = LogIndex(1), .term = Term(1)});
  REQUIRE(store.Apply(batch).ok());
  ApplyContext ctx(store);
  REQUIRE(ctx.Load().ok());
  ctx.BeginBatch(false);
  REQUIRE(ctx.ReadSchedule("a") == nullptr);
  REQUIRE(ctx.Commit({.index = LogIndex(2), .term = Term(1)}).code() ==
          absl::StatusCode::kDataLoss);
  REQUIRE(ReadApplied(store)->index == LogIndex(1));
}

TEST_CASE("recent rows never hold more than their bound, nor anything but the last value") {
  Random random(13);
  RecentRows recent(4);
  std::map<std::string, std::string> twin;
  for (int i = 0; i < 5000; ++i) {
    const std::string key(1, static_cast<char>('a' + random.Uniform(9)));
    const std::string value = std::to_string(i);
    switch (random.Uniform(4)) {
      case 0:
      case 1:
        recent.Hold(key, value);
        twin[key] = value;
        REQUIRE(recent.Find(key) != nullptr);
        break;
      case 2:
        recent.Update(key, value);
        twin[key] = value;
        break;
      case 3:
        recent.Forget(key);
        twin.erase(key);
        break;
    }
    int held = 0;
    for (char c = 'a'; c < 'a' + 9; ++c) {
      const std::string* row = recent.Find(std::string(1, c));
      if (row == nullptr) continue;
      ++held;
      REQUIRE(twin.at(std::string(1, c)) == *row);
    }
    REQUIRE(held <= 4);
  }
}

}  // namespace scheduled::jobs
