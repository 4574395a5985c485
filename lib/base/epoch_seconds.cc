// FormatEpochSeconds of include/scheduled/time_text.h: here, since every layer prints times, and
// not all of them know cron.
#include <cstdint>

#include "fmt/format.h"
#include "scheduled/time_text.h"

namespace scheduled {

std::string FormatEpochSeconds(absl::Time time) {
  const int64_t micros = absl::ToUnixMicros(time);
  const bool is_negative = micros < 0;
  const uint64_t size = is_negative ? 0 - static_cast<uint64_t>(micros) : micros;
  std::string text = fmt::format("{}{}", is_negative ? "-" : "", size / 1000000);
  if (const uint64_t fraction = size % 1000000; fraction != 0) {
    text += fmt::format(".{:06}", fraction);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text;
}

}  // namespace scheduled
