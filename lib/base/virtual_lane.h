// A lane of a virtual loop. Holds what the loop knows of it, under the loop's lock; the loop's code
// is what moves it. Owned by who asked for it, as any lane is.
#ifndef SCHEDULED_LIB_BASE_VIRTUAL_LANE_H_
#define SCHEDULED_LIB_BASE_VIRTUAL_LANE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/virtual_runtime.h"

namespace scheduled {

class VirtualLane final : public Lane {
 public:
  // `full_name` is "node/lane" and is kept by the loop.
  VirtualLane(VirtualRuntime* runtime, std::string_view full_name);
  ~VirtualLane() override;

  void Post(Task task) override;
  TimerId PostAt(MonoTime when, Task task) override;
  TimerId PostAtWall(absl::Time when, Task task) override;
  void Cancel(TimerId timer) override;
  bool IsCurrent() const override;
  void Stop() override;

 private:
  friend class VirtualLoop;
  friend class VirtualRuntime;

  VirtualRuntime& runtime_;
  VirtualLoop& loop_;
  const std::string_view full_name_;
  const uint64_t name_hash_;

  // Under the loop's lock.
  int64_t busy_until_ = 0;        // runs nothing before this true time
  EventList waiting_;             // came up while the lane was busy, or its node paused
  EventIndex resume_ = kNoEvent;  // the queued event that goes on with them, if any
  bool stopped_ = false;
  bool killed_ = false;  // stopped by the death of its node; implies stopped_
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_VIRTUAL_LANE_H_
