// Groups of three over a test world: how they begin, and what all of them have applied.
#ifndef SCHEDULED_TESTS_CONSENSUS_GROUP_H_
#define SCHEDULED_TESTS_CONSENSUS_GROUP_H_

#include <string>
#include <vector>

#include "consensus/world.h"

namespace scheduled::testing {

inline const std::vector<std::string> kNames = {"a", "b", "c"};

inline Node& StartGroup(World& world) {
  world.StartAll(kNames);
  Node* leader = world.WaitForLeader(kNames);
  REQUIRE(leader != nullptr);
  return *leader;
}

inline std::string NameOf(Node& node) { return node->status().node_id.value; }

inline std::vector<std::string> Others(const std::string& name) {
  std::vector<std::string> others = kNames;
  std::erase(others, name);
  return others;
}
inline std::vector<std::string> Others(Node& node) { return Others(NameOf(node)); }

inline bool AllApplied(World& world, size_t commands) {
  return world.Until([&] {
    for (const std::string& name : kNames) {
      if (world.node(name).machine().command_count() < commands) return false;
    }
    return true;
  });
}

}  // namespace scheduled::testing

#endif  // SCHEDULED_TESTS_CONSENSUS_GROUP_H_
