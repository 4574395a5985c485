// A message that repeats: how often it comes through, and how what was left out is told.
#include "log_repeats.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace scheduled;          // NOLINT: the test speaks of nothing else
using namespace scheduled::server;  // NOLINT

namespace {

// A log under a clock that stands still until it is told to move.
struct RepeatsWorld {
  explicit RepeatsWorld(int per_second) {
    const LogSink sink = [this](LogLevel level, std::string_view message,
                                std::span<const LogField> fields) {
      std::string line = std::string(LogLevelName(level)) + " " + std::string(message);
      for (const LogField& field : fields) line += " " + std::string(field.key) + "=" + field.value;
      lines.push_back(line);
    };
    repeats.emplace(
        LogRepeatsOptions{.sink = sink, .now = [this] { return now; }, .per_second = per_second});
    log = repeats->Sink();
  }
  void Log(const std::string& message, int times = 1, LogLevel level = LogLevel::kWarn) {
    for (int i = 0; i < times; ++i) {
      log(level, message, std::vector<LogField>{{"n", std::to_string(i)}});
    }
  }
  std::vector<std::string> Taken() { return std::exchange(lines, {}); }

  MonoTime now;
  std::vector<std::string> lines;
  std::optional<LogRepeats> repeats;
  LogSink log;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a message comes through so often a second, and then as a number, once") {
  RepeatsWorld world(2);
  world.Log("full", 125);
  CHECK(world.Taken() == Lines{"WARN full n=0", "WARN full n=1"});
  world.now = world.now + absl::Milliseconds(999);
  world.Log("full");
  world.repeats->Tell();
  CHECK(world.Taken().empty());
  world.now = world.now + absl::Milliseconds(1);
  world.Log("full", 3);
  CHECK(world.Taken() == Lines{"WARN left out more lines like one before message=full count=124",
                               "WARN full n=0", "WARN full n=1"});
  world.now = world.now + absl::Seconds(1);
  world.repeats->Tell();
  CHECK(world.Taken() == Lines{"WARN left out more lines like one before message=full count=1"});
  world.now = world.now + absl::Seconds(5);
  world.repeats->Tell();
  CHECK(world.Taken().empty());
}

TEST_CASE("messages and levels are counted apart") {
  RepeatsWorld world(1);
  world.Log("a", 2);
  world.Log("b", 2);
  world.Log("a", 2, LogLevel::kError);
  CHECK(world.Taken() == Lines{"WARN a n=0", "WARN b n=0", "ERROR a n=0"});
  // Any line tells of all that have ended.
  world.now = world.now + absl::Seconds(1);
  world.Log("c");
  CHECK(world.Taken() == Lines{"WARN left out more lines like one before message=a count=1",
                               "WARN left out more lines like one before message=b count=1",
                               "ERROR left out more lines like one before message=a count=1",
                               "WARN c n=0"});
}

TEST_CASE("a message that does not repeat is left as it is") {
  RepeatsWorld world(2);
  for (int i = 0; i < 20; ++i) {
    world.Log("tick", 2);
    world.now = world.now + absl::Seconds(1);
  }
  CHECK(world.Taken().size() == 40);
  world.repeats.reset();
  CHECK(world.Taken().empty());
}

TEST_CASE("the end tells what was not told yet") {
  RepeatsWorld world(1);
  world.Log("full", 3);
  world.Taken();
  world.repeats.reset();
  CHECK(world.Taken() == Lines{"WARN left out more lines like one before message=full count=2"});
}
