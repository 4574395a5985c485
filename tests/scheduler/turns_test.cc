// Turns: one command in flight for each job id, the others in order.
#include "scheduler/turns.h"

#include <catch2/catch.hpp>
#include <vector>

#include "base/random.h"

namespace scheduled {
namespace {

TEST_CASE("a free turn is taken at once, and only once") {
  Turns turns;
  const TurnKey key = Turns::KeyOf("a");
  CHECK(turns.TryTake(key));
  CHECK_FALSE(turns.TryTake(key));
  turns.Pass(key);
  CHECK(turns.taken() == 0);
  CHECK(turns.TryTake(key));
}

TEST_CASE("a turn goes to those who wait in the order in which they came") {
  Turns turns;
  const TurnKey key = Turns::KeyOf("a");
  std::vector<int> order;
  for (int i = 0; i < 4; ++i) {
    turns.Take(key, [&order, i] { order.push_back(i); });
  }
  CHECK(order == std::vector<int>{0});
  CHECK(turns.waiting() == 3);
  for (int i = 1; i < 4; ++i) {
    turns.Pass(key);
    CHECK(static_cast<int>(order.size()) == i + 1);
    CHECK(order.back() == i);
    CHECK(turns.IsTaken(key));
  }
  turns.Pass(key);
  CHECK_FALSE(turns.IsTaken(key));
}

TEST_CASE("turns of different jobs do not wait for each other") {
  Turns turns;
  CHECK(turns.TryTake(Turns::KeyOf("a")));
  CHECK(turns.TryTake(Turns::KeyOf("b")));
  CHECK(turns.taken() == 2);
}

TEST_CASE("a long queue of commands that pass at once does not nest") {
  Turns turns;
  const TurnKey key = Turns::KeyOf("a");
  int depth = 0;
  int deepest = 0;
  int done = 0;
  REQUIRE(turns.TryTake(key));
  for (int i = 0; i < 10'000; ++i) {
    turns.Take(key, [&] {
      deepest = std::max(deepest, ++depth);
      ++done;
      turns.Pass(key);
      --depth;
    });
  }
  turns.Pass(key);
  CHECK(done == 10'000);
  CHECK(deepest == 1);
  CHECK(turns.taken() == 0);
}

TEST_CASE("whatever the order of taking and passing, one holds a turn and all get theirs") {
  Turns turns;
  Random random(7);
  std::vector<int> holders(5);
  std::vector<std::vector<int>> asked(5);
  std::vector<std::vector<int>> got(5);
  const auto key = [](size_t job) {
    return Turns::KeyOf(std::string(1, static_cast<char>('a' + job)));
  };
  int next = 0;
  for (int step = 0; step < 20'000; ++step) {
    const size_t job = random.Uniform(holders.size());
    if (random.Chance(1, 2)) {
      const int number = next++;
      asked[job].push_back(number);
      turns.Take(key(job), [&, job, number] {
        ++holders[job];
        REQUIRE(holders[job] == 1);
        got[job].push_back(number);
      });
    } else if (holders[job] == 1) {
      --holders[job];
      turns.Pass(key(job));
    }
  }
  for (size_t job = 0; job < holders.size(); ++job) {
    while (holders[job] == 1) {
      --holders[job];
      turns.Pass(key(job));
    }
    CHECK(asked[job] == got[job]);
  }
  CHECK(turns.taken() == 0);
  CHECK(turns.waiting() == 0);
}

}  // namespace
}  // namespace scheduled
