// Turns at hosts: the limit, the order, and what happens around a paused host. Virtual time.
#include "executor/webhook/hosts.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"

namespace scheduled::webhook {
namespace {

constexpr Hosts::Limits kLimits = {.in_flight = 2,
                                   .breaker = {.failures = 3, .pause = absl::Seconds(30)}};

class World {
 public:
  explicit World(Hosts::Limits limits = kLimits) : hosts_(limits) {}

  // Names a new run after a number that grows.
  int Offer(const std::string& host, absl::Duration patience = Hosts::kTurnWait) {
    hosts_.Offer(host, {DeliveryId(++last_), now_ + patience}, now_, &work_);
    hosts_.CheckInvariants();
    return last_;
  }
  void Finish(int run, Verdict verdict = Verdict::kSuccess) {
    hosts_.Finish(DeliveryId(run), verdict, now_, &work_);
    hosts_.CheckInvariants();
  }
  void Withdraw(int run) {
    hosts_.Withdraw(DeliveryId(run));
    hosts_.CheckInvariants();
  }
  void Pass(absl::Duration time) {
    now_ = now_ + time;
    hosts_.Expire(now_, &work_);
    hosts_.CheckInvariants();
  }
  // What was started since the last look.
  std::vector<int> Started() {
    std::vector<int> runs;
    for (const DeliveryId id : work_.starts) runs.push_back(static_cast<int>(id.value));
    work_.starts.clear();
    return runs;
  }
  std::vector<Hosts::Returned> Returned() { return std::exchange(work_.returns, {}); }
  // Three failures in a row: the host is paused from now on.
  void Pause(const std::string& host) {
    for (int i = 0; i < 3; ++i) Finish(Offer(host), Verdict::kFailure);
    Started();
    REQUIRE(Returned().empty());
  }
  Hosts& hosts() { return hosts_; }
  MonoTime now() const { return now_; }

 private:
  Hosts hosts_;
  Hosts::Work work_;
  MonoTime now_;
  int last_ = 0;
};

using Runs = std::vector<int>;

TEST_CASE("a host has so many requests in flight and no more; the others wait in order") {
  World world;
  for (int i = 0; i < 5; ++i) world.Offer("a");
  CHECK(world.Started() == Runs{1, 2});
  world.Finish(2);
  CHECK(world.Started() == Runs{3});
  world.Finish(1);
  world.Finish(3);
  CHECK(world.Started() == Runs{4, 5});
  CHECK(world.Returned().empty());
}

TEST_CASE("hosts do not wait for each other") {
  World world;
  for (int i = 0; i < 4; ++i) world.Offer("a");
  world.Offer("b");
  CHECK(world.Started() == Runs{1, 2, 5});
}

TEST_CASE("a waiting run that is withdrawn leaves the line") {
  World world;
  for (int i = 0; i < 4; ++i) world.Offer("a");
  world.Started();
  world.Withdraw(3);
  world.Finish(1);
  CHECK(world.Started() == Runs{4});
}

TEST_CASE("a run that waits too long is given back") {
  World world;
  world.Offer("a");
  world.Offer("a");
  const int patient = world.Offer("a", absl::Seconds(4));
  const int hasty = world.Offer("a", absl::Seconds(1));
  CHECK(world.hosts().NextExpiry() == world.now() + absl::Seconds(1));
  world.Pass(absl::Seconds(1));
  const auto returned = world.Returned();
  REQUIRE(returned.size() == 1);
  CHECK(returned[0].id == DeliveryId(hasty));
  CHECK(returned[0].wait == Hosts::kTurnWait);
  CHECK_FALSE(returned[0].paused);
  CHECK(world.hosts().NextExpiry() == world.now() + absl::Seconds(3));
  world.Started();
  world.Finish(1);
  CHECK(world.Started() == Runs{patient});
  CHECK(world.hosts().NextExpiry() == MonoTime::Infinite());
}

TEST_CASE("a host that becomes paused gives back what waits, until the pause ends") {
  World world;
  for (int i = 0; i < 5; ++i) world.Offer("a");
  world.Started();
  world.Finish(1, Verdict::kFailure);
  world.Finish(2, Verdict::kFailure);
  CHECK(world.Started() == Runs{3, 4});
  world.Finish(3, Verdict::kFailure);
  CHECK(world.Started().empty());
  const auto returned = world.Returned();
  REQUIRE(returned.size() == 1);
  CHECK(returned[0].id == DeliveryId(5));
  CHECK(returned[0].wait == absl::Seconds(30));
  CHECK(returned[0].paused);
}

TEST_CASE("a run for a paused host comes back when the pause ends, and no sooner") {
  World world;
  world.Pause("a");
  world.Pass(absl::Seconds(12));
  world.Offer("a");
  CHECK(world.Started().empty());
  const auto returned = world.Returned();
  REQUIRE(returned.size() == 1);
  CHECK(returned[0].wait == absl::Seconds(18));
  CHECK(returned[0].paused);
  world.Offer("b");
  CHECK(world.Started().size() == 1);
}

TEST_CASE("one run probes a paused host; few wait for it, the others come again later") {
  World world;
  world.Pause("a");
  world.Pass(absl::Seconds(30));
  const int probe = world.Offer("a");
  const int second = world.Offer("a");
  const int third = world.Offer("a");
  CHECK(world.Returned().empty());
  world.Offer("a");
  CHECK(world.Started() == Runs{probe});
  const auto returned = world.Returned();
  REQUIRE(returned.size() == 1);
  CHECK(returned[0].wait == Hosts::kTurnWait);
  CHECK(returned[0].paused);

  SECTION("its success lets the others go") {
    world.Finish(probe);
    CHECK(world.Started() == Runs{second, third});
  }
  SECTION("its failure gives them back") {
    world.Finish(probe, Verdict::kFailure);
    CHECK(world.Started().empty());
    CHECK(world.Returned().size() == 2);
  }
  SECTION("if it was cut off, the next one probes") {
    world.Finish(probe, Verdict::kNone);
    CHECK(world.Started() == Runs{second});
  }
}

TEST_CASE("hosts that are idle are forgotten, those that are used or paused are not") {
  World world;
  world.Pause("paused");
  world.Offer("busy");
  for (int i = 0; i < 5000; ++i) world.Finish(world.Offer("idle" + std::to_string(i)));
  CHECK(world.hosts().size() < 2000);
  world.Started();
  world.Offer("paused");
  CHECK(world.Started().empty());
  CHECK(world.Returned().size() == 1);
  world.Finish(4);
}

TEST_CASE("whatever happens, each run is started or given back once, in order, within the limit") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    World world;
    std::map<int, std::string> waiting;
    std::map<int, std::string> in_flight;
    std::map<std::string, int> last_started;
    for (int step = 0; step < 500; ++step) {
      INFO("seed " << seed << " step " << step);
      const uint64_t choice = random.Uniform(10);
      if (choice < 5) {
        const std::string host(1, static_cast<char>('a' + random.Uniform(3)));
        waiting[world.Offer(host, random.Between(absl::ZeroDuration(), absl::Seconds(9)))] = host;
      } else if (choice < 8 && !in_flight.empty()) {
        const auto run = std::next(in_flight.begin(), random.Uniform(in_flight.size()));
        const int id = run->first;
        in_flight.erase(run);
        world.Finish(id, static_cast<Verdict>(random.Uniform(3)));
      } else if (choice == 8 && !waiting.empty()) {
        const auto run = std::next(waiting.begin(), random.Uniform(waiting.size()));
        world.Withdraw(run->first);
        waiting.erase(run);
      } else {
        world.Pass(random.Between(absl::ZeroDuration(), absl::Seconds(10)));
      }
      for (const int id : world.Started()) {
        REQUIRE(waiting.contains(id));
        const std::string host = waiting.extract(id).mapped();
        REQUIRE(last_started[host] < id);
        last_started[host] = id;
        in_flight[id] = host;
      }
      for (const Hosts::Returned& returned : world.Returned()) {
        REQUIRE(waiting.erase(static_cast<int>(returned.id.value)) == 1);
        REQUIRE(returned.wait > absl::ZeroDuration());
      }
      std::map<std::string, int> flying;
      for (const auto& [id, host] : in_flight) REQUIRE(++flying[host] <= kLimits.in_flight);
    }
  }
}

}  // namespace
}  // namespace scheduled::webhook
