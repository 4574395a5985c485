// Fuzz target: the server's settings, as a config file or as flags. They are read or refused with a
// sentence.
//
// Input: 1 byte; even: a config file; odd: flags, one a line.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "config.h"

namespace {

void Read(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  const auto read = scheduled::server::ReadConfig(static_cast<int>(argv.size()), argv.data());
  SCHEDULED_ASSERT(
      read.ok() || (absl::IsInvalidArgument(read.status()) && !read.status().message().empty()),
      "a refusal is the user's fault, and says why");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    static const int file = memfd_create("config", 0);
    SCHEDULED_ASSERT(file >= 0 && ftruncate(file, 0) == 0, "a file in memory");
    SCHEDULED_ASSERT(pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()),
                     "memory has room");
    Read({"scheduled", "--config", "/proc/self/fd/" + std::to_string(file)});
    return 0;
  }
  std::vector<std::string> arguments = {"scheduled"};
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    // It names a file that is read: not one of this machine's.
    if (line.find("config") != std::string_view::npos) return 0;
    arguments.emplace_back(line);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  Read(arguments);
  return 0;
}
