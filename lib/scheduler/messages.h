// What leader and nodes say to each other about sessions and runs, as values: to the leader's own
// node they go in memory as they are, to another through peer_codec.h. What each means, and when it
// may be sent or taken, is in dispatch.md; here is only what it carries.
#ifndef SCHEDULED_LIB_SCHEDULER_MESSAGES_H_
#define SCHEDULED_LIB_SCHEDULER_MESSAGES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/commands.pb.h"
#include "proto/rows.pb.h"
#include "scheduled/job.h"
#include "scheduled/types.h"

namespace scheduled {

// A node's session: the place in the log at which it was opened. Grows; 0 is none.
using SessionId = StrongInt<struct SessionIdTag>;
// Counts a process's starts on one data directory.
using BootCounter = StrongInt<struct BootCounterTag>;

// One delivery of one run: what a finish, a cancellation and a reconciliation name.
struct RunKey {
  JobId job_id;
  RunNumber run;
  FencingToken token;
  auto operator<=>(const RunKey&) const = default;
};

// --- Node to leader -----------------------------------------------------------------------------

struct ExecutorRoom {
  std::string executor;
  int runs = 0;  // that it takes at once, now: runs of timed-out attempts that still go on excluded
};

struct HeartbeatMessage {
  BootCounter boot;
  SessionId session;  // 0: it asks for one
  uint64_t sequence = 0;
  absl::Time wall;
  Term term;           // highest seen on a session channel
  uint64_t taken = 0;  // last message taken within (term, session)
  std::vector<ExecutorRoom> rooms;
  bool draining = false;
  uint32_t level = 0;
};

// How a delivery ended, without the leader's decision about what follows.
struct OutcomeMessage {
  RunKey key;
  JobStatus status = JobStatus::kFailed;  // completed, failed, timeout or cancelled
  bool retryable = false;
  std::optional<absl::Duration> retry_after;
  bool uncounted = false;
  pb::RunRow record;
};

// Cuts the record's texts to what Apply keeps of them (jobs/limits.h), so that no executor can make
// a report or a finish that is too large to be sent or to enter the log.
void CutTexts(pb::RunRow* record);

// A node that has much to tell sends several, each of a size that a transport takes in its stride.
// Each says something complete: one that is lost keeps back what it carries, and nothing else.
struct ReportMessage {
  // Of the outcomes of one.
  static constexpr size_t kMaxOutcomes = 256;
  static constexpr size_t kMaxOutcomeBytes = size_t{1} << 20;
  static constexpr size_t kMaxRuns = 16384;

  Term term;
  SessionId session;
  uint64_t taken = 0;
  bool reconcile = false;    // `runs` is complete as of the term
  std::vector<RunKey> runs;  // taken: those that have ended and whose outcome is kept as well
  std::vector<OutcomeMessage> outcomes;
};

// --- Leader to node -----------------------------------------------------------------------------

struct HeartbeatAnswerMessage {
  enum class Verdict : uint8_t { kAcknowledged = 1, kOpened = 2, kClosed = 3 };
  Term term;
  SessionId session;
  BootCounter boot;
  uint64_t sequence = 0;
  Verdict verdict = Verdict::kAcknowledged;
};

struct ReconcileRequest {};

struct StartRequest {
  RunKey key;
  int attempt = 1;
  int delivery = 1;
  absl::Time due;    // nominal time
  absl::Time ready;  // when it may start: due, or its retry's time
  int missed = 0;
  std::shared_ptr<const Job> job;  // secrets included
};

struct CancelRequest {
  RunKey key;
};

struct OutcomeToldRequest {
  RunKey key;
  bool applied = false;  // false: stale
};

struct ChannelItem {
  uint64_t number = 0;  // from 1, without gaps, within (term, session)
  std::variant<ReconcileRequest, StartRequest, CancelRequest, OutcomeToldRequest> body;
};

struct ChannelMessages {
  Term term;
  SessionId session;
  std::vector<ChannelItem> items;  // in the order of their numbers
};

// --- Forwarding ---------------------------------------------------------------------------------

struct ForwardRequestMessage {
  std::string request_id;
  pb::Command command;
};

struct ForwardAnswerMessage {
  std::string request_id;
  absl::StatusOr<pb::Answer> answer;
};

using PeerMessage = std::variant<HeartbeatMessage, HeartbeatAnswerMessage, ChannelMessages,
                                 ReportMessage, ForwardRequestMessage, ForwardAnswerMessage>;

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_MESSAGES_H_
