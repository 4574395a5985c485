// What a restart would find is what the node knows, looked at without one: the node's own recovery
// reads the simulated disk as a crash now would leave it, and that is compared with the core in
// memory. RaftChecks owns it and hands it what it sees.
//
//  12. While no write is under way, term, vote, the log's end and the terms in it, and the
//      configurations that count or may come to count again, are on the disk as they are in memory.
//      The log on the disk may have been cut already where the core has not been told, and the
//      tables may have applied more; but a crash never takes the tables back behind the log's cut.
#ifndef SCHEDULED_TESTS_SIM_RELOAD_CHECKS_H_
#define SCHEDULED_TESTS_SIM_RELOAD_CHECKS_H_

#include <cstdint>
#include <vector>

#include "sim/world.h"

namespace scheduled::sim {

class ReloadChecks {
 public:
  explicit ReloadChecks(int machines) : due_(machines), looks_(machines) {}

  // A write of the group's own log, before it takes effect: the rare ones are looked at.
  void OnWrite(const Machine& machine, const LogWrite& write);
  // Now and then, and soon after a rare write.
  void AfterRaft(Machine& machine);

  // No write is under way, and what is on the disk has been told to the core.
  static bool IsAllWritten(Machine& machine);
  // Precondition: no write is under way.
  static void Check(Machine& machine);

 private:
  std::vector<bool> due_;        // by machine
  std::vector<uint64_t> looks_;  // by machine
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_RELOAD_CHECKS_H_
