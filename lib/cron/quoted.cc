// Text of strangers, made fit for a message.
#include "cron/quoted.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "fmt/format.h"

namespace scheduled::cron {

std::string Quoted(std::string_view text) {
  constexpr size_t kShown = 120;
  const std::string shown =
      absl::CHexEscape(absl::string_view(text.data(), std::min(text.size(), kShown)));
  return fmt::format("\"{}{}\"", shown, text.size() > kShown ? "..." : "");
}

}  // namespace scheduled::cron
