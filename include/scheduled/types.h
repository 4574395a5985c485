// The small value types that the whole API is written in: names, numbers and instants that must not
// be mixed up. Two bare integers never stand side by side in a signature; these are what stands
// there instead. All are plain values: copy them, compare them, use them as map keys.
#ifndef SCHEDULED_TYPES_H_
#define SCHEDULED_TYPES_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"

namespace scheduled {

// A number with a meaning. `Tag` is never defined; it only keeps two kinds of numbers apart.
template <typename Tag, typename Int = uint64_t>
struct StrongInt {
  Int value = 0;

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Int v) : value(v) {}
  constexpr auto operator<=>(const StrongInt&) const = default;
  constexpr StrongInt Next() const { return StrongInt(value + 1); }
  constexpr StrongInt Prev() const { return StrongInt(value - 1); }

  template <typename H>
  friend H AbslHashValue(H h, StrongInt v) {
    return H::combine(std::move(h), v.value);
  }
};

// A name with a meaning.
template <typename Tag>
struct StrongString {
  std::string value;

  StrongString() = default;
  explicit StrongString(std::string v) : value(std::move(v)) {}
  explicit StrongString(std::string_view v) : value(v) {}
  explicit StrongString(const char* v) : value(v) {}
  bool empty() const { return value.empty(); }
  auto operator<=>(const StrongString&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const StrongString& v) {
    return H::combine(std::move(h), v.value);
  }
};

// A Raft term: grows with each election, never falls (Ongaro and Ousterhout 2014, section 5.1).
using Term = StrongInt<struct TermTag>;
// A position in the replicated log; the first entry is 1, 0 means "before the log".
using LogIndex = StrongInt<struct LogIndexTag>;
// Which replicated group of a process; only group 1 is driven today.
using GroupId = StrongInt<struct GroupIdTag, uint32_t>;
// Grows with each later claim of one job, for ever; a receiver refuses a smaller one than it has
// seen. epoch (16 bits) << 48 | log index of the claim.
using FencingToken = StrongInt<struct FencingTokenTag>;
// Grows with each change of a job's definition or state that a client can condition on (If-Match).
using Revision = StrongInt<struct RevisionTag>;
// One occurrence of one job. Never used twice within a cluster.
using RunNumber = StrongInt<struct RunNumberTag>;

// A node's name: 1 to 63 bytes of letters, digits, '.', '_' and '-'.
using NodeId = StrongString<struct NodeIdTag>;
// A job's name: 1 to 255 bytes of UTF-8 without control characters and '/'.
using JobId = StrongString<struct JobIdTag>;

// A reading of a clock that only goes forward and counts suspension (CLOCK_BOOTTIME), in
// nanoseconds from an arbitrary start. It is never compared with wall time, and never leaves its
// process. Used for leases, sessions, elections and timeouts.
struct MonoTime {
  int64_t nanos = 0;

  constexpr auto operator<=>(const MonoTime&) const = default;
  static constexpr MonoTime Infinite() { return MonoTime{INT64_MAX}; }
};

inline MonoTime operator+(MonoTime t, absl::Duration d) {
  const int64_t nanos = absl::ToInt64Nanoseconds(d);
  if (nanos > 0 && t.nanos > INT64_MAX - nanos) return MonoTime::Infinite();
  return MonoTime{t.nanos + nanos};
}
inline MonoTime operator-(MonoTime t, absl::Duration d) {
  return MonoTime{t.nanos - absl::ToInt64Nanoseconds(d)};
}
inline absl::Duration operator-(MonoTime a, MonoTime b) {
  return absl::Nanoseconds(a.nanos - b.nanos);
}

}  // namespace scheduled

namespace std {
template <typename Tag, typename Int>
struct hash<scheduled::StrongInt<Tag, Int>> {
  size_t operator()(scheduled::StrongInt<Tag, Int> v) const { return hash<Int>()(v.value); }
};
template <typename Tag>
struct hash<scheduled::StrongString<Tag>> {
  size_t operator()(const scheduled::StrongString<Tag>& v) const { return hash<string>()(v.value); }
};
}  // namespace std

#endif  // SCHEDULED_TYPES_H_
