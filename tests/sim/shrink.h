// Makes a failing seed's faults as few as still lead to the same finding, by delta debugging
// (Zeller and Hildebrandt 2002) over the list that its plan is: each try runs the seed again, in a
// process of its own, with some of its faults left out. What is drawn besides stays as it was.
#ifndef SCHEDULED_TESTS_SIM_SHRINK_H_
#define SCHEDULED_TESTS_SIM_SHRINK_H_

#include <optional>
#include <string>

#include "sim/seed_run.h"

namespace scheduled::sim {

struct ShrinkOptions {
  SeedOptions seed;
  int most_runs = 300;
  double hang_seconds = 120;  // of one run
  double most_seconds = 0;    // of real time, after which the smallest so far counts; 0: no bound
  bool quiet = false;         // prints nothing
};

struct Shrunk {
  SeedOptions seed;    // with as little as possible left
  std::string report;  // of its finding
  int runs = 0;
};

// Nothing if the seed has no finding, or not within the time. Prints a line for each step to
// stderr.
std::optional<Shrunk> Shrink(const ShrinkOptions& options);

// What the reports of one fault have in common: their first sentence without its numbers, which
// differ from run to run, also those in the names of machines and jobs.
std::string KindOf(const std::string& report);

// How to run exactly this again: the options of scheduled_sim.
std::string CommandOf(const SeedOptions& seed);

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_SHRINK_H_
