// scheduled_explore: exhaustive exploration of small configurations by driving the real code, state
// by state, breadth-first. Exit 1 on a finding.
//
//   scheduled_explore --list
//   scheduled_explore --set raft:boot --states 3000000 --progress
//   scheduled_explore --set dispatch:deviate2 --states 2000000
//   scheduled_explore --planted all                  with each bug on purpose: is it found?
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>

#include "base/assert.h"
#include "explore/dispatch_search.h"
#include "explore/finding.h"
#include "explore/planted.h"
#include "explore/raft_search.h"

namespace scheduled::explore {
namespace {

struct NamedSet {
  std::string name;
  std::string what;
  std::function<SearchResult(const SearchOptions&)> search;
};

std::vector<NamedSet> AllSets() {
  std::vector<NamedSet> sets;
  for (const RaftSet& set : RaftSets()) {
    sets.push_back({fmt::format("raft:{}", set.name), set.what,
                    [&set](const SearchOptions& options) { return SearchRaft(set, options); }});
  }
  for (const DispatchSet& set : DispatchSets()) {
    sets.push_back({fmt::format("dispatch:{}", set.name), set.what,
                    [&set](const SearchOptions& options) { return SearchDispatch(set, options); }});
  }
  return sets;
}

struct TimedResult {
  SearchResult result;
  double seconds = 0;
};

TimedResult Timed(const NamedSet& set, const SearchOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  TimedResult timed{set.search(options)};
  timed.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return timed;
}

bool Explore(const NamedSet& set, const SearchOptions& options) {
  const auto [result, seconds] = Timed(set, options);
  fmt::print("{} ({}): {} states, {}, {} steps, {} beyond the limits, {} continued, {:.1f} s\n",
             set.name, set.what, result.states,
             result.whole ? fmt::format("all there are, depth {}", result.depth)
                          : fmt::format("whole to depth {}", result.depth),
             result.steps, result.beyond, result.continued, seconds);
  fmt::print("  {}\n", result.more);
  if (!result.finding.empty()) fmt::print("FINDING {}\n", result.finding);
  std::fflush(stdout);
  return result.finding.empty();
}

// True if it is found by the states that the list gives it; or in the set `elsewhere`, if one is
// named, by those of the options.
bool TryPlanted(const PlantedBug& bug, const std::string& elsewhere,
                const std::vector<NamedSet>& sets, SearchOptions options) {
  const std::string name = elsewhere.empty() ? bug.set : elsewhere;
  const auto set = std::find_if(sets.begin(), sets.end(),
                                [&](const NamedSet& each) { return each.name == name; });
  if (set == sets.end()) return false;
  if (elsewhere.empty()) options.states = bug.states;
  options.twin_share = 0;
  Plant(bug.bug);
  const auto [result, seconds] = Timed(*set, options);
  Plant(Bug::kNone);
  const bool found = !result.finding.empty();
  fmt::print("{} {} ({}): {} after {} states, depth {}, {:.1f} s: {}\n",
             found ? "found" : "NOT FOUND", bug.name, name, bug.what, result.states, result.depth,
             seconds, result.finding.substr(0, result.finding.find('\n')));
  if (options.progress) fmt::print("{}", result.finding);
  std::fflush(stdout);
  return found;
}

// With "list" prints the list; with "all" tries every bug; or those whose set begins so.
bool TryAllPlanted(const std::string& wanted, const std::string& elsewhere,
                   const std::vector<NamedSet>& sets, const SearchOptions& options) {
  if (!CanPlant()) {
    fmt::print(stderr, "this build has no planted bugs\n");
    return false;
  }
  bool any = false, all_found = true;
  for (const PlantedBug& bug : PlantedBugs()) {
    if (wanted == "list") {
      fmt::print("{:<30} {:<15} {:>8} states: {}\n", bug.name, bug.set, bug.states, bug.what);
    }
    const bool is_meant =
        wanted == "all" || wanted == bug.name || std::string(bug.set).starts_with(wanted);
    if (!is_meant) continue;
    any = true;
    all_found &= TryPlanted(bug, elsewhere, sets, options);
  }
  return wanted == "list" || (any && all_found);
}

int Main(int argc, char** argv) {
  CLI::App app("Exhaustive exploration of small configurations");
  SearchOptions options;
  std::string wanted, planted;
  bool list = false;
  app.add_option("--set", wanted, "the set to explore, or the first letters of several; all");
  app.add_option("--states", options.states, "ends once so many states were seen");
  app.add_option("--go-on", options.go_on_share, "of how many states one is continued; 0: none");
  app.add_option("--twins", options.twin_share, "of how many twins one is compared; 0: none");
  app.add_option("--planted", planted, "list, all, a bug, or the first letters of a set");
  app.add_flag("--progress", options.progress, "a line for each depth");
  app.add_flag("--list", list, "the sets");
  CLI11_PARSE(app, argc, argv);

  SetAssertHandler([](const char* expression, const char* file, int line, std::string_view what) {
    throw Finding{fmt::format("{}:{}: {} ({})", file, line, what, expression)};
  });
  const std::vector<NamedSet> sets = AllSets();
  if (!planted.empty()) return TryAllPlanted(planted, wanted, sets, options) ? 0 : 1;
  bool fine = true, any = false;
  for (const NamedSet& set : sets) {
    if (list) fmt::print("{}: {}\n", set.name, set.what);
    if (list || set.name.rfind(wanted, 0) != 0) continue;
    any = true;
    fine = Explore(set, options) && fine;
  }
  if (!list && !any) fmt::print(stderr, "no set is called {}\n", wanted);
  return list || (any && fine) ? 0 : 1;
}

}  // namespace
}  // namespace scheduled::explore

int main(int argc, char** argv) { return scheduled::explore::Main(argc, argv); }
