// Requests that other nodes have sent to this node's leader: of one that comes again, because its
// sender was impatient or the network doubled it, one copy alone is carried out. What was carried
// out Apply remembers. What it refused nobody else does, and a late copy would be judged anew, by
// what has changed since: a delete that found nothing would delete what was created after its
// answer. Bounded by time and number. Dispatch lane.
#ifndef SCHEDULED_LIB_SCHEDULER_REQUEST_COPIES_H_
#define SCHEDULED_LIB_SCHEDULER_REQUEST_COPIES_H_

#include <cstddef>
#include <deque>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/assert.h"
#include "proto/commands.pb.h"
#include "scheduled/types.h"
#include "scheduler/write_call.h"

namespace scheduled {

class RequestCopies {
 public:
  // Refusals are remembered for so long.
  explicit RequestCopies(absl::Duration keep) : keep_(keep) {}

  bool IsUnderWay(const std::string& id) const { return under_way_.contains(id); }
  // What Apply said to an earlier copy; null if it has not refused any.
  const pb::Answer* Refusal(const std::string& id) const {
    const auto it = refusals_.find(id);
    return it == refusals_.end() ? nullptr : &it->second;
  }

  void Begin(const std::string& id) {
    const bool first = under_way_.insert(id).second;
    SCHEDULED_ASSERT(first, "one copy of a request is under way at a time");
  }
  void End(const std::string& id, const WriteResult& result, MonoTime now) {
    under_way_.erase(id);
    while (!oldest_.empty() && (oldest_.front().first <= now || oldest_.size() >= kMaxRefusals)) {
      refusals_.erase(oldest_.front().second);
      oldest_.pop_front();
    }
    if (!IsRefusal(result)) return;
    refusals_.emplace(id, *result);  // with it no other copy begins
    oldest_.emplace_back(now + keep_, id);
  }

  static constexpr size_t kMaxRefusals = 16384;

 private:
  // Not where there was no room: whoever asks again may find some.
  static bool IsRefusal(const WriteResult& result) {
    return result.ok() && result->code() != 0 &&
           result->code() != static_cast<int>(absl::StatusCode::kResourceExhausted);
  }

  const absl::Duration keep_;
  absl::flat_hash_set<std::string> under_way_;
  absl::flat_hash_map<std::string, pb::Answer> refusals_;
  std::deque<std::pair<MonoTime, std::string>> oldest_;  // when each is forgotten
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_REQUEST_COPIES_H_
