// The leader's book of runs in flight.
#include "scheduler/run_book.h"

#include <catch2/catch.hpp>

namespace scheduled {
namespace {

RunEntry Held(uint64_t run, const std::string& job, int second, SessionId session = SessionId(7)) {
  RunEntry entry;
  entry.start.key = {JobId(job), RunNumber(run), FencingToken(100 + run)};
  entry.start.ready = absl::FromUnixSeconds(second);
  entry.start.job = std::make_shared<const Job>();
  entry.session = session;
  entry.queue = "work";
  entry.placed_here = true;
  return entry;
}

std::vector<uint64_t> Numbers(const std::vector<RunEntry*>& entries) {
  std::vector<uint64_t> numbers;
  for (const RunEntry* entry : entries) numbers.push_back(entry->start.key.run.value);
  return numbers;
}

TEST_CASE("held runs come up in the order of their time") {
  RunBook book;
  book.Add(Held(1, "a", 30));
  book.Add(Held(2, "b", 10));
  book.Add(Held(3, "c", 20));
  CHECK(book.FirstTime() == absl::FromUnixSeconds(10));
  CHECK(Numbers(book.Due(absl::FromUnixSeconds(20), 10)) == std::vector<uint64_t>{2, 3});
  CHECK(Numbers(book.Due(absl::FromUnixSeconds(20), 1)) == std::vector<uint64_t>{2});
  CHECK(book.Due(absl::FromUnixSeconds(9), 10).empty());
  book.CheckInvariants();
}

TEST_CASE("a withdrawn run is not started until both who withdrew it gave it back") {
  RunBook book;
  RunEntry& entry = book.Add(Held(1, "a", 10));
  book.Update(entry, [](RunEntry& run) { run.withdrawn_by_command = true; });
  book.Update(entry, [](RunEntry& run) { run.withdrawn_by_session = true; });
  CHECK(book.FirstTime() == absl::InfiniteFuture());
  book.Update(entry, [](RunEntry& run) { run.withdrawn_by_command = false; });
  CHECK(book.Startable().empty());
  book.CheckInvariants();
  book.Update(entry, [](RunEntry& run) { run.withdrawn_by_session = false; });
  CHECK(Numbers(book.Startable()) == std::vector<uint64_t>{1});
  book.CheckInvariants();
}

TEST_CASE("runs are found by job, by session and by the exact delivery") {
  RunBook book;
  book.Add(Held(2, "a", 10, SessionId(7)));
  book.Add(Held(1, "a", 20, SessionId(8)));
  book.Add(Held(3, "b", 20, SessionId(8)));
  CHECK(Numbers(book.OfJob("a")) == std::vector<uint64_t>{1, 2});
  CHECK(Numbers(book.OfSession(SessionId(8))) == std::vector<uint64_t>{1, 3});
  CHECK(book.OfJob("c").empty());
  CHECK(book.Find({JobId("a"), RunNumber(2), FencingToken(102)}) != nullptr);
  CHECK(book.Find({JobId("a"), RunNumber(2), FencingToken(101)}) == nullptr);
  book.Erase(RunNumber(2));
  CHECK(Numbers(book.OfJob("a")) == std::vector<uint64_t>{1});
  book.CheckInvariants();
}

TEST_CASE("only what an earlier leader claimed is unresolved") {
  RunBook book;
  RunEntry old = Held(1, "a", 10);
  old.state = RunState::kUnresolved;
  RunEntry& entry = book.Add(std::move(old));
  CHECK(book.HasUnresolved("a"));
  CHECK_FALSE(book.HasUnresolved("b"));
  entry.state = RunState::kSent;
  CHECK_FALSE(book.HasUnresolved("a"));
}

TEST_CASE("room is taken by what is placed here and comes back when it leaves") {
  RunBook book;
  book.Add(Held(1, "a", 10));
  book.Reserve("work");
  CHECK(book.used("work") == 2);
  CHECK(book.used_in_all() == 2);
  book.Erase(RunNumber(1));
  book.Release("work");
  CHECK(book.used("work") == 0);
  CHECK(book.used_in_all() == 0);
  RunEntry elsewhere = Held(2, "b", 10);
  elsewhere.placed_here = false;
  book.Add(std::move(elsewhere));
  CHECK(book.used("work") == 0);
}

}  // namespace
}  // namespace scheduled
