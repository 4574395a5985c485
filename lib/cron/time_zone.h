// Time zones by their IANA names. Abseil loads and keeps them for the life of the process; this
// adds what a name from a stranger needs: a strict shape, so that no name reaches a file outside
// the zone directory, and a refusal of names whose meaning depends on the machine.
#ifndef SCHEDULED_LIB_CRON_TIME_ZONE_H_
#define SCHEDULED_LIB_CRON_TIME_ZONE_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scheduled::cron {

// Loads "Europe/Madrid", "UTC", … The first load of a name reads a file; later ones take a lock.
// INVALID_ARGUMENT: empty, malformed, "localtime", "Fixed/…", or not in the zone database.
absl::StatusOr<absl::TimeZone> LoadZone(std::string_view name);

}  // namespace scheduled::cron

#endif  // SCHEDULED_LIB_CRON_TIME_ZONE_H_
