// The one handler of this process, and the library's assertions led to it.
#include "sim/finding.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/assert.h"

namespace scheduled::sim {
namespace {

FindingHandler& Handler() {
  static FindingHandler handler;
  return handler;
}

void OnAssertFailed(const char* expression, const char* file, int line, std::string_view what) {
  Found(fmt::format("assertion failed at {}:{}: {} ({})", file, line, what, expression));
}

}  // namespace

void SetFindingHandler(FindingHandler handler) {
  Handler() = std::move(handler);
  SetAssertHandler(&OnAssertFailed);
}

void Found(std::string_view what) {
  // What the handler itself runs into is no second finding.
  const FindingHandler handler = std::exchange(Handler(), nullptr);
  if (handler) handler(what);
  std::fprintf(stderr, "finding: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace scheduled::sim
