// The lane's methods; each is a call of its loop's.
#include "base/virtual_lane.h"

#include <algorithm>
#include <utility>

#include "base/wall_nanos.h"

namespace scheduled {
namespace {

// FNV-1a: what goes into a digest is spelled out here, so that no library can change it.
uint64_t HashName(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

VirtualLane::VirtualLane(VirtualRuntime* runtime, std::string_view full_name)
    : runtime_(*runtime),
      loop_(runtime->loop()),
      full_name_(full_name),
      name_hash_(HashName(full_name)) {}

VirtualLane::~VirtualLane() {
  Stop();
  VirtualLoop::Lock lock(loop_.mu_);
  std::erase(runtime_.lanes_, this);
}

void VirtualLane::Post(Task task) { loop_.PostEvent(this, EventKind::kPost, 0, std::move(task)); }

TimerId VirtualLane::PostAt(MonoTime when, Task task) {
  return loop_.PostEvent(this, EventKind::kMonoTimer, when.nanos, std::move(task));
}

TimerId VirtualLane::PostAtWall(absl::Time when, Task task) {
  return loop_.PostEvent(this, EventKind::kWallTimer, WallNanosCeil(when), std::move(task));
}

void VirtualLane::Cancel(TimerId timer) { loop_.CancelEvent(this, timer); }

bool VirtualLane::IsCurrent() const { return loop_.IsRunningHere(this); }

void VirtualLane::Stop() { loop_.StopLane(this); }

}  // namespace scheduled
