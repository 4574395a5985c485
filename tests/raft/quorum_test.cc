// Majorities against a twin that tries every value and counts.
#include "raft/quorum.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <vector>

#include "base/random.h"

namespace scheduled::raft {
namespace {

// The definition: the largest value that more than half have reached.
int64_t NaiveMajority(const std::vector<int64_t>& values) {
  if (values.empty()) return INT64_MAX;
  int64_t best = INT64_MIN;
  for (int64_t candidate : values) {
    size_t have = 0;
    for (int64_t value : values) have += value >= candidate ? 1 : 0;
    if (have * 2 > values.size() && candidate > best) best = candidate;
  }
  return best;
}

// The definition: won if more than half have granted; lost if not even all missing votes would do.
Tally NaiveTally(const std::vector<Vote>& votes) {
  if (votes.empty()) return Tally::kWon;
  const auto wins = [&](bool hopeful) {
    size_t granted = 0;
    for (Vote vote : votes) {
      if (vote == Vote::kGranted || (hopeful && vote == Vote::kMissing)) ++granted;
    }
    return granted * 2 > votes.size();
  };
  if (wins(false)) return Tally::kWon;
  return wins(true) ? Tally::kPending : Tally::kLost;
}

Member Voter(int i) { return Member{NodeId("n" + std::to_string(i)), "", DiskId()}; }

TEST_CASE("two of five is no majority") {
  std::vector<int64_t> values = {7, 7, 1, 1, 1};
  CHECK(MajorityReached(values) == 1);
  values = {7, 7, 7, 1, 1};
  CHECK(MajorityReached(values) == 7);
  values = {9, 8, 7, 6};
  CHECK(MajorityReached(values) == 7);
  CHECK(MajorityOf(1) == 1);
  CHECK(MajorityOf(2) == 2);
  CHECK(MajorityOf(4) == 3);
  CHECK(MajorityOf(5) == 3);
}

TEST_CASE("a majority agrees with its naive twin") {
  Random random(1);
  for (int round = 0; round < 20000; ++round) {
    std::vector<int64_t> values(random.Uniform(kMaxVoters + 1));
    for (int64_t& value : values) value = random.Between(int64_t{0}, int64_t{8});
    const int64_t expected = NaiveMajority(values);
    REQUIRE(MajorityReached(values) == expected);
  }
}

TEST_CASE("a tally agrees with its naive twin") {
  Random random(2);
  for (int round = 0; round < 20000; ++round) {
    std::vector<Vote> votes(random.Uniform(kMaxVoters + 1));
    for (Vote& vote : votes) vote = static_cast<Vote>(random.Uniform(3));
    REQUIRE(CountVotes(votes) == NaiveTally(votes));
  }
}

TEST_CASE("joint decisions need both majorities") {
  Random random(3);
  for (int round = 0; round < 20000; ++round) {
    Configuration configuration;
    std::map<NodeId, int64_t> values;
    std::map<NodeId, Vote> votes;
    for (int i = 0; i < 7; ++i) {
      values[Voter(i).id] = random.Between(int64_t{0}, int64_t{5});
      votes[Voter(i).id] = static_cast<Vote>(random.Uniform(3));
      if (random.Chance(1, 2)) configuration.voters.push_back(Voter(i));
      if (random.Chance(1, 2)) configuration.old_voters.push_back(Voter(i));
    }
    std::vector<int64_t> now, before;
    std::vector<Vote> votes_now, votes_before;
    for (const Member& m : configuration.voters) {
      now.push_back(values[m.id]);
      votes_now.push_back(votes[m.id]);
    }
    for (const Member& m : configuration.old_voters) {
      before.push_back(values[m.id]);
      votes_before.push_back(votes[m.id]);
    }
    REQUIRE(QuorumReached(configuration, [&](const NodeId& id) { return values[id]; }) ==
            std::min(NaiveMajority(now), NaiveMajority(before)));
    const Tally a = NaiveTally(votes_now);
    const Tally b = NaiveTally(votes_before);
    const Tally both = a == Tally::kLost || b == Tally::kLost ? Tally::kLost
                       : a == Tally::kWon && b == Tally::kWon ? Tally::kWon
                                                              : Tally::kPending;
    REQUIRE(QuorumVotes(configuration, [&](const NodeId& id) { return votes[id]; }) == both);
  }
}

TEST_CASE("an old voter that is a learner in the new configuration counts in the joint phase") {
  Configuration configuration;
  configuration.voters = {Voter(1), Voter(2)};
  configuration.learners = {Learner{Voter(3), false, NodeId()}};
  configuration.old_voters = {Voter(1), Voter(2), Voter(3)};
  REQUIRE(configuration.IsWellFormed());
  CHECK(configuration.IsVoter(Voter(3).id));
  const auto reached = [&](int64_t first, int64_t second, int64_t third) {
    const std::map<NodeId, int64_t> values = {
        {Voter(1).id, first}, {Voter(2).id, second}, {Voter(3).id, third}};
    return QuorumReached(configuration, [&](const NodeId& id) { return values.at(id); });
  };
  CHECK(reached(5, 5, 0) == 5);
  CHECK(reached(5, 4, 5) == 4);  // the old majority has 5, the new one only 4
}

TEST_CASE("a configuration with impossible lists is not well formed") {
  Configuration good;
  good.voters = {Voter(1), Voter(2)};
  good.learners = {Learner{Voter(3), true, Voter(1).id}};
  REQUIRE(good.IsWellFormed());
  const auto broken = [&good](auto change) {
    Configuration copy = good;
    change(copy);
    return !copy.IsWellFormed();
  };
  CHECK(broken([](Configuration& c) { c.voters.clear(); }));
  CHECK(broken([](Configuration& c) { std::swap(c.voters[0], c.voters[1]); }));
  CHECK(broken([](Configuration& c) { c.voters[1] = c.voters[0]; }));
  CHECK(broken([](Configuration& c) { c.voters[0].id = NodeId(); }));
  CHECK(broken([](Configuration& c) { c.voters[0].id = NodeId(std::string(64, 'a')); }));
  CHECK(broken([](Configuration& c) { c.voters[0].address = std::string(256, 'a'); }));
  CHECK(broken([](Configuration& c) { c.learners[0].member = c.voters[0]; }));
  CHECK(broken([](Configuration& c) { c.learners[0].promote = false; }));
  CHECK(broken([](Configuration& c) {
    c.old_voters = {c.voters[0]};
    c.old_voters[0].disk = DiskId(9);
  }));
  CHECK(broken([](Configuration& c) {
    for (int i = 0; i < 20; ++i) c.voters.push_back(Voter(100 + i));
  }));
}

}  // namespace
}  // namespace scheduled::raft
