// The time of a run against its executor: a deadline is either extended or over, never both.
#include "scheduler/run_control.h"

#include <catch2/catch.hpp>

namespace scheduled {
namespace {

constexpr MonoTime kDeadline{1000};

TEST_CASE("a run whose time is over is told to stop, once, and gets no more of it") {
  RunControl control(kDeadline);
  int told = 0;
  control.OnCancel([&] { ++told; });
  CHECK_FALSE(control.ExpireIfDue(MonoTime{999}));
  CHECK_FALSE(control.cancelled());
  CHECK(control.ExpireIfDue(kDeadline));
  CHECK(control.cancelled());
  CHECK(control.ExpireIfDue(kDeadline));
  CHECK(told == 1);
  CHECK(absl::IsFailedPrecondition(control.Extend(absl::Seconds(1))));
}

TEST_CASE("a run that was given more time does not expire before that is over") {
  RunControl control(kDeadline);
  REQUIRE(control.Extend(absl::Nanoseconds(500)).ok());
  CHECK_FALSE(control.ExpireIfDue(kDeadline));
  CHECK_FALSE(control.cancelled());
  CHECK(control.ExpireIfDue(MonoTime{1500}));
}

}  // namespace
}  // namespace scheduled
