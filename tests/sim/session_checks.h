// What a leader may say to the sessions of its nodes, checked on the frames that it sends, against
// what it keeps of them:
//
//   A heartbeat is acknowledged to no session whose close was proposed: the runs that its node goes
//   on taking are put back by then.
#ifndef SCHEDULED_TESTS_SIM_SESSION_CHECKS_H_
#define SCHEDULED_TESTS_SIM_SESSION_CHECKS_H_

#include <string>

#include "sim/world.h"

namespace scheduled::sim {

// A frame of the application that `from` sends, sealed.
void CheckSessionFrame(Machine& from, const std::string& frame);

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_SESSION_CHECKS_H_
