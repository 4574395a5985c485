// The check of a zone's name, and its load by Abseil.
#include "cron/time_zone.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "cron/quoted.h"
#include "fmt/format.h"

namespace scheduled::cron {
namespace {

constexpr size_t kMaxNameBytes = 64;

absl::Status Refuse(std::string_view name, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("time zone {} {}", Quoted(name), why));
}

// Letters, digits, "_", "+", "-" between single slashes. No dot: no "..", no file with an ending.
bool IsWellFormed(std::string_view name) {
  if (name.empty() || !absl::ascii_isalpha(name.front())) return false;
  if (name.find("//") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '+' || c == '-' || c == '/';
  });
}

// Names that a zone directory has, and that are no place: what the machine is set to, copies of
// the database with and without leap seconds, placeholders; and Abseil's own fixed offsets.
bool IsNoPlace(std::string_view name) {
  for (const std::string_view prefix : {"Fixed/", "posix/", "right/"}) {
    if (name.substr(0, prefix.size()) == prefix) return true;
  }
  return name == "localtime" || name == "posixrules" || name == "Factory";
}

// Abseil remembers each name that it was asked for and could not load, for ever. Names come from
// requests, so those without a file are turned away before it sees them.
bool HasFile(const std::string& name) {
  const char* directory = std::getenv("TZDIR");
  std::error_code error;
  return std::filesystem::is_regular_file(
      std::filesystem::path(directory != nullptr ? directory : "/usr/share/zoneinfo") / name,
      error);
}

}  // namespace

absl::StatusOr<absl::TimeZone> LoadZone(std::string_view name) {
  if (name.empty()) {
    return absl::InvalidArgumentError(
        "time zone is empty; give an IANA name such as Europe/Madrid");
  }
  if (name == "UTC") return absl::UTCTimeZone();
  if (name.size() > kMaxNameBytes || !IsWellFormed(name) || IsNoPlace(name)) {
    return Refuse(name, "is not an IANA name such as Europe/Madrid");
  }
  absl::TimeZone zone;
  const std::string owned(name);
  if (!HasFile(owned) || !absl::LoadTimeZone(owned, &zone)) {
    return Refuse(name, "is not in the time zone database");
  }
  return zone;
}

}  // namespace scheduled::cron
