// A small world on a virtual loop for the tests of base: one node with two lanes, and notes of what
// happened on them.
#ifndef SCHEDULED_TESTS_BASE_VIRTUAL_WORLD_H_
#define SCHEDULED_TESTS_BASE_VIRTUAL_WORLD_H_

#include <memory>
#include <string>
#include <vector>

#include "base/virtual_runtime.h"

namespace scheduled {

inline MonoTime At(absl::Duration since_start) { return MonoTime{} + since_start; }

// One node with two lanes, and what happened on them.
struct World {
  explicit World(VirtualNodeOptions options = {})
      : node(loop.NewRuntime("n", options)), a(node->NewLane("a")), b(node->NewLane("b")) {}

  void Note(const std::string& what) { notes.push_back(what); }
  Task Noting(const std::string& what) {
    return [this, what] { Note(what); };
  }
  // The same with the true time in milliseconds.
  Task Timing(const std::string& what) {
    return [this, what] {
      notes.push_back(what + "@" + std::to_string(loop.now().nanos / 1'000'000));
    };
  }

  VirtualLoop loop;
  std::unique_ptr<VirtualRuntime> node;
  std::unique_ptr<Lane> a, b;
  std::vector<std::string> notes;
};

using Notes = std::vector<std::string>;

}  // namespace scheduled

#endif  // SCHEDULED_TESTS_BASE_VIRTUAL_WORLD_H_
