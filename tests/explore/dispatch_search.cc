// See dispatch_search.h. A world cannot be copied, so each step is taken by making a world anew and
// going the whole way to it; what is kept of a state is the hash of its summary (128 bits: among
// ten million states two that share one are expected once in 10^24 searches), the way to it and
// what may happen next.
#include "explore/dispatch_search.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "explore/finding.h"

namespace scheduled::explore {
namespace {

using StateId = uint32_t;
using Key = std::pair<uint64_t, uint64_t>;

// Says where two summaries part.
void RequireSame(std::string_view a, std::string_view b, const char* what) {
  if (a == b) return;
  const auto parts =
      static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  const size_t from = parts < 40 ? 0 : parts - 40;
  const auto text = [from](std::string_view summary) {
    const std::string_view near = summary.substr(from, 80);
    return absl::CHexEscape(absl::string_view(near.data(), near.size()));
  };
  throw Finding{fmt::format("{}\n  {}\n  {}", what, text(a), text(b))};
}

class Search {
 public:
  Search(const DispatchSet& set, const SearchOptions& options) : set_(set), options_(options) {}

  SearchResult Run() {
    try {
      if (set_.limits.deviations == 0) {
        Plain();
      } else {
        ByDeviations();
      }
    } catch (const Finding& finding) {
      result_.finding = Explain(finding);
    }
    result_.states = nodes_.size();
    result_.more = fmt::format("{} ways taken, {} twins compared, longest way {} steps", ways_,
                               twins_checked_, longest_);
    if (set_.limits.deviations > 0) {
      result_.more += fmt::format(", whole for {} deviations", whole_levels_ - 1);
    }
    return result_;
  }

 private:
  struct Node {
    StateId parent = 0;
    uint32_t step = 0;
    uint32_t first_step = 0;  // of what may happen next, in steps_
    uint16_t steps = 0;
    uint16_t length = 0;  // of the way
  };

  // --- Plain ---

  void Plain() {
    Add(*First(), 0, Step{});
    StateId level_end = 1;
    for (StateId id = 0; id < nodes_.size() && !IsFull(); ++id) {
      if (id == level_end) {
        ++result_.depth;
        level_end = static_cast<StateId>(nodes_.size());
        Progress("depth", result_.depth, level_end - id);
      }
      const Node node = nodes_[id];
      for (uint32_t i = node.first_step; i < node.first_step + node.steps; ++i) {
        TakeFrom(id, Step::Unpack(steps_[i]));
      }
      result_.whole = id + 1 == nodes_.size();
    }
  }

  // --- By deviations: first all that there is with none, then with one, and so on, so that each
  // state is known by the way to it that deviates least ---

  void ByDeviations() {
    std::vector<StateId> level, next;
    GoAlong(*First(), 0, Step{}, &level);
    for (int deviations = 0; !IsFull(); ++deviations) {
      for (size_t i = 0; i < level.size() && !IsFull(); ++i) TakeAll(level[i], true, &level);
      Progress("deviations", deviations, level.size());
      if (IsFull()) return;
      ++whole_levels_;
      if (deviations == set_.limits.deviations || level.empty()) {
        result_.whole = true;
        result_.depth = longest_;
        return;
      }
      for (size_t i = 0; i < level.size() && !IsFull(); ++i) TakeAll(level[i], false, &next);
      level = std::exchange(next, {});
    }
  }

  // Takes either what clients may do, or what deviates, and goes along from there.
  void TakeAll(StateId id, bool of_clients, std::vector<StateId>* found) {
    const Node node = nodes_[id];
    for (uint32_t i = node.first_step; i < node.first_step + node.steps; ++i) {
      const Step step = Step::Unpack(steps_[i]);
      if (DispatchWorld::IsOfClient(step) != of_clients) continue;
      if (!of_clients && !IsExplored(step.kind)) continue;
      if (std::unique_ptr<DispatchWorld> world = TakeFrom(id, step, found)) {
        GoAlong(*world, static_cast<StateId>(nodes_.size() - 1), found);
      }
    }
  }

  bool IsExplored(StepKind kind) const {
    return set_.kinds.empty() || std::count(set_.kinds.begin(), set_.kinds.end(), kind) > 0;
  }

  // The rest of the schedule in the world that was just found, up to where the way is known. There
  // it was gone on with.
  void GoAlong(DispatchWorld& world, StateId id, std::vector<StateId>* found) {
    while (const std::optional<Step> step = world.Scheduled()) {
      at_ = WayTo(id);
      step_ = step;
      world.Take(*step);
      ++result_.steps;
      const StateId parent = id;
      id = static_cast<StateId>(nodes_.size());
      if (!Add(world, parent, *step, found)) return;
    }
    step_.reset();
    ++result_.continued;
    world.GoOn();
  }
  void GoAlong(DispatchWorld& world, StateId parent, Step step, std::vector<StateId>* found) {
    if (Add(world, parent, step, found)) GoAlong(world, 0, found);
  }

  // --- Both ---

  bool IsFull() const { return nodes_.size() >= options_.states; }

  void Progress(const char* what, int value, size_t level) const {
    if (!options_.progress) return;
    fmt::print(stderr, "{} {}: {} states, {} at it, {} ways taken\n", what, value, nodes_.size(),
               level, ways_);
  }

  std::vector<Step> WayTo(StateId id) const {
    std::vector<Step> way(nodes_[id].length);
    for (size_t i = way.size(); i-- > 0; id = nodes_[id].parent) {
      way[i] = Step::Unpack(nodes_[id].step);
    }
    return way;
  }

  std::unique_ptr<DispatchWorld> First() const { return std::make_unique<DispatchWorld>(set_); }

  std::unique_ptr<DispatchWorld> At(const std::vector<Step>& way) {
    ++ways_;
    std::unique_ptr<DispatchWorld> world = First();
    for (const Step& step : way) world->Take(step);
    return world;
  }

  static Key KeyOf(const DispatchWorld& world) {
    const std::string summary = world.Summary();
    const XXH128_hash_t hash = XXH3_128bits(summary.data(), summary.size());
    return {hash.high64, hash.low64};
  }

  // The world after it if that is new.
  std::unique_ptr<DispatchWorld> TakeFrom(StateId id, Step step,
                                          std::vector<StateId>* found = nullptr) {
    at_ = WayTo(id);
    step_ = step;
    std::unique_ptr<DispatchWorld> world = At(at_);
    world->Take(step);
    if (world->in_flight() > set_.limits.in_flight) {
      ++result_.beyond;
      return nullptr;
    }
    ++result_.steps;
    return Add(*world, id, step, found) ? std::move(world) : nullptr;
  }

  // True if it is new.
  bool Add(DispatchWorld& world, StateId parent, Step step, std::vector<StateId>* found = nullptr) {
    const auto id = static_cast<StateId>(nodes_.size());
    const auto [it, fresh] = known_.try_emplace(KeyOf(world), id);
    if (!fresh) {
      if (options_.twin_share > 0 && ++twins_seen_ % (uint64_t{4} * options_.twin_share) == 0) {
        CheckTwin(it->second, parent, step);
      }
      return false;
    }
    world.Check();
    const std::vector<Step> next = world.Steps();
    const std::optional<Step> scheduled =
        set_.limits.deviations > 0 ? world.Scheduled() : std::nullopt;
    Node node{parent, step.Pack(), static_cast<uint32_t>(steps_.size()), 0, 0};
    if (id > 0) node.length = static_cast<uint16_t>(nodes_[parent].length + 1);
    longest_ = std::max<int>(longest_, node.length);
    for (const Step& each : next) {
      if (each != scheduled) steps_.push_back(each.Pack());
    }
    node.steps = static_cast<uint16_t>(steps_.size() - node.first_step);
    nodes_.push_back(node);
    if (found != nullptr) found->push_back(id);
    const bool tries =
        set_.limits.deviations == 0 && options_.go_on_share > 0 && id % options_.go_on_share == 0;
    if (tries) {
      ++result_.continued;
      world.GoOn();
    }
    return true;
  }

  // Two ways to what looks like one state, taken once more: it is one again, and it looks the same
  // after both while one thing happens and the schedule goes on from there for a while.
  void CheckTwin(StateId known, StateId parent, Step step) {
    std::vector<Step> other = WayTo(parent);
    other.push_back(step);
    std::unique_ptr<DispatchWorld> a = At(WayTo(known)), b = At(other);
    RequireSame(a->Summary(), b->Summary(), "the same steps do not lead to the same state again");
    const std::vector<Step> steps = a->Steps();
    if (steps.empty()) return;
    Step next = steps[twins_checked_++ % steps.size()];
    for (int taken = 0; taken < kTwinSteps; ++taken) {
      a->Take(next);
      b->Take(next);
      constexpr auto kLeftOut = DispatchWorld::Closures::kLeftOut;
      RequireSame(a->Summary(kLeftOut), b->Summary(kLeftOut),
                  "two states with one summary go on differently: the summary lacks something");
      next = a->NextOfSchedule();
    }
  }
  static constexpr int kTwinSteps = 25;

  std::string Explain(const Finding& finding) {
    std::string text = finding.what + "\n";
    try {
      DispatchWorld world(set_);
      for (const Step& step : at_) {
        text += "  " + world.Describe(step) + "\n";
        world.Take(step);
      }
      text += world.Describe();
      if (step_) text += "then: " + world.Describe(*step_) + "\n";
    } catch (const Finding&) {
      text += "  (seen again on the way)\n";
    }
    return text;
  }

  const DispatchSet& set_;
  const SearchOptions options_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> steps_;
  absl::flat_hash_map<Key, StateId> known_;
  SearchResult result_;
  uint64_t ways_ = 0;
  uint64_t twins_seen_ = 0;
  uint64_t twins_checked_ = 0;
  int whole_levels_ = 0;
  int longest_ = 0;
  std::vector<Step> at_;      // for a finding: the way to where it was
  std::optional<Step> step_;  // and what was done there
};

}  // namespace

const std::vector<DispatchSet>& DispatchSets() {
  static const std::vector<DispatchSet> sets = {
      {"cancel", "all actions, and a cancel", {}, {ClientOp::kCancelA}},
      {"pause",
       "all actions but failures, a pause and a resume",
       {.failures = 0},
       {ClientOp::kPauseA, ClientOp::kResumeA}},
      {"leaders",
       "two leader changes, no crash",
       {.elections = 2, .crashes = 0, .failures = 0},
       {ClientOp::kCancelA}},
      {"calm",
       "a leader change and nothing else: all there is",
       {.seconds = 3, .in_flight = 3, .crashes = 0, .faults = 0, .failures = 0},
       {ClientOp::kCancelA}},
      {"deviate1",
       "a cancel at any point, and at most one deviation from a fair schedule",
       {.seconds = 8, .in_flight = 12, .deviations = 1},
       {ClientOp::kCancelA}},
      {"deviate2",
       "the same with at most two",
       {.seconds = 8, .in_flight = 12, .deviations = 2},
       {ClientOp::kCancelA}},
      {"short2",
       "no client, three seconds, and at most two deviations",
       {.seconds = 3, .in_flight = 12, .deviations = 2},
       {}},
      {"short3",
       "the same with at most three",
       {.seconds = 3, .in_flight = 12, .deviations = 3},
       {}},
      {"pause1",
       "a pause and a resume at any point, and at most one deviation",
       {.seconds = 8, .in_flight = 12, .deviations = 1},
       {ClientOp::kPauseA, ClientOp::kResumeA}},
      {"copies2",
       "a pause and a resume, and two messages that are doubled or late",
       {.seconds = 2, .in_flight = 12, .deviations = 2},
       {ClientOp::kPauseA, ClientOp::kResumeA},
       false,
       {StepKind::kDouble, StepKind::kSecond}},
      {"recur1",
       "a recurring job, and at most one deviation",
       {.seconds = 10, .in_flight = 12, .deviations = 1},
       {},
       true},
      {"recur2",
       "a recurring job that is cancelled at any point, and at most two deviations",
       {.seconds = 10, .in_flight = 12, .deviations = 2},
       {ClientOp::kCancelB},
       true},
  };
  return sets;
}

SearchResult SearchDispatch(const DispatchSet& set, const SearchOptions& options) {
  return Search(set, options).Run();
}

}  // namespace scheduled::explore
