// What must hold where machines run programs of two versions: the group's feature level never
// passes what a voter's program can follow, and reaches that once all is well. Looked at in the
// tables, whatever the nodes say of it.
#ifndef SCHEDULED_TESTS_SIM_LEVEL_CHECKS_H_
#define SCHEDULED_TESTS_SIM_LEVEL_CHECKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "sim/world.h"

namespace scheduled::sim {

class LevelChecks {
 public:
  explicit LevelChecks(World* world);

  // After a task of the machine's apply lane.
  void AfterApply(const Machine& machine);
  // All are up and equal: has the group the level that all programs can follow?
  bool IsSettled() const { return reached_ == LowestProgram(); }
  void CheckEnd() const;
  // The highest level that any tables have had.
  uint32_t reached() const { return reached_; }

 private:
  uint32_t LowestProgram() const;
  uint32_t NewestProgram() const;
  void OnRaised(const Machine& machine, uint32_t level);

  World& world_;
  std::vector<std::string> rows_;  // by machine: the group's, as it was last looked at
  uint32_t reached_;
  bool mixed_ = false;  // at some time
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_LEVEL_CHECKS_H_
