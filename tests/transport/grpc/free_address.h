// Addresses for peers of a test. A port that was free a moment ago may be another process's by now,
// where many tests run at once; so each process has an address of its own on loopback (all of
// 127.0.0.0/8 is), and counts its ports.
#ifndef SCHEDULED_TESTS_TRANSPORT_GRPC_FREE_ADDRESS_H_
#define SCHEDULED_TESTS_TRANSPORT_GRPC_FREE_ADDRESS_H_

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace scheduled::testing {

inline std::string FreeAddress() {
  static std::atomic<int> next_port{20'000};
  const auto process = static_cast<uint32_t>(getpid());  // less than 2^22
  return "127." + std::to_string(1 + (process >> 16)) + "." + std::to_string(process >> 8 & 255) +
         "." + std::to_string(process & 255) + ":" + std::to_string(next_port++);
}

}  // namespace scheduled::testing

#endif  // SCHEDULED_TESTS_TRANSPORT_GRPC_FREE_ADDRESS_H_
