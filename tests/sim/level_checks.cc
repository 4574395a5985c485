// See level_checks.h.
#include "sim/level_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "jobs/tables.h"
#include "proto/rows.pb.h"
#include "sim/finding.h"

namespace scheduled::sim {

LevelChecks::LevelChecks(World* world)
    : world_(*world), rows_(world->size()), reached_(jobs::kFirstLevel) {}

uint32_t LevelChecks::LowestProgram() const {
  uint32_t lowest = world_.machine(0).program;
  for (int i = 1; i < world_.size(); ++i) lowest = std::min(lowest, world_.machine(i).program);
  return lowest;
}

uint32_t LevelChecks::NewestProgram() const {
  uint32_t newest = world_.machine(0).program;
  for (int i = 1; i < world_.size(); ++i) newest = std::max(newest, world_.machine(i).program);
  return newest;
}

void LevelChecks::AfterApply(const Machine& machine) {
  mixed_ = mixed_ || LowestProgram() != NewestProgram();
  const auto row = machine.tables->rows().find(jobs::kGroupKey);
  if (row == machine.tables->rows().end() || row->second == rows_[machine.number]) return;
  rows_[machine.number] = row->second;
  pb::GroupRow group;
  Require(group.ParseFromString(row->second), "the group's row does not parse");
  Require(group.level() <= machine.program, [&] {
    return fmt::format("{} has applied feature level {}, and its program knows up to {}",
                       machine.id.value, group.level(), machine.program);
  });
  if (group.level() > reached_) OnRaised(machine, group.level());
}

// No machine goes back to an older program once all have the newer one, so that what runs now ran
// when this was proposed.
void LevelChecks::OnRaised(const Machine& machine, uint32_t level) {
  Require(level <= LowestProgram(), [&] {
    return fmt::format("{} raises the feature level to {}, and a voter's program knows up to {}",
                       machine.id.value, level, LowestProgram());
  });
  Probe("jobs.level-raised");
  if (mixed_) Probe("jobs.level-raised-after-mixed");
  reached_ = level;
}

void LevelChecks::CheckEnd() const {
  if (LowestProgram() != NewestProgram()) Probe("jobs.ends-mixed");
}

}  // namespace scheduled::sim
