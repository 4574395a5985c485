// Two whole nodes of lib/scheduler over an abstract log, two jobs, and everything that may happen
// to them as steps: a message arrives, is lost or doubled, all are lost for a while, a proposal is
// committed, a run ends, time passes by a second, leadership moves, the old leader hears of it, a
// node crashes, a client cancels, pauses, resumes, at either node. Real nodes hold closures and
// cannot be copied, so a state is re-created by making a world anew and taking the same steps;
// nothing here is left to chance.
//
// There are two ways to choose what happens next, as in raft_group.h. Plain: everything that may
// happen. By deviations: a fair schedule goes on by itself, and at most so many times something
// else happens at any point of it; what clients do comes at any point and is no deviation.
//
// What is judged, as it happens:
//   1. A run starts a second time only where the session of every earlier start is closed or its
//      attempt has failed, and then as a later delivery; no delivery starts twice, and no
//      occurrence has two runs.
//   2. Nothing starts after a cancel or pause was acknowledged, but what the acknowledgement names
//      as under way; and that has started, or its Start was sent.
//   3. Nothing starts before it is due, or without the lease of the leader that starts it.
//   4. The tokens of a run's starts grow. (Those of a job do not: a run that is claimed anew may
//      start before one that was claimed before that and is due later.)
//   5. What was acknowledged is in the tables, and the tables keep their invariants.
#ifndef SCHEDULED_TESTS_EXPLORE_DISPATCH_WORLD_H_
#define SCHEDULED_TESTS_EXPLORE_DISPATCH_WORLD_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "explore/abstract_log.h"
#include "explore/log_port.h"
#include "explore/step_loop.h"
#include "scheduler/node.h"
#include "storage/memory_table_store.h"

namespace scheduled::explore {

enum class ClientOp : uint8_t { kCancelA, kCancelB, kPauseA, kResumeA };
const char* NameOf(ClientOp op);

struct DispatchLimits {
  int seconds = 6;
  size_t in_flight = 5;  // messages; what would send more is not explored
  // Of a plain search.
  int elections = 1;
  int crashes = 1;
  int faults = 1;    // messages lost or doubled
  int cuts = 0;      // spans of time in which all messages are lost
  int failures = 1;  // attempts that fail
  // 0: plain.
  int deviations = 0;
};

enum class StepKind : uint8_t {
  kDeliver,
  kDouble,
  kLose,
  kCut,
  kCommit,
  kFinish,
  kFail,
  kSecond,
  kElect,  // `which`: how many of the old leader's proposals survive
  kHear,
  kCrash,
  kRestart,
  kClient,
};
struct Step {
  StepKind kind = StepKind::kSecond;
  uint8_t node = 0;
  uint8_t which = 0;  // the place of a message, run or call in its list

  uint32_t Pack() const {
    return static_cast<uint32_t>(kind) << 16 | static_cast<uint32_t>(node) << 8 | which;
  }
  static Step Unpack(uint32_t packed) {
    return {static_cast<StepKind>(packed >> 16), static_cast<uint8_t>(packed >> 8),
            static_cast<uint8_t>(packed)};
  }
  bool operator==(const Step&) const = default;
};

struct DispatchSet {
  const char* name;
  const char* what;
  DispatchLimits limits;
  std::vector<ClientOp> ops;  // in this order, each once, at any time
  bool recurs = false;        // the second job: every two seconds, three times
  // By deviations: these alone; empty: all.
  std::vector<StepKind> kinds = {};
};

class DispatchWorld {
 public:
  // The first state: one node leads, both have sessions, two jobs were created and acknowledged;
  // the first is due in a good second, the second a second after it.
  explicit DispatchWorld(const DispatchSet& set);
  ~DispatchWorld();

  size_t in_flight() const { return frames_.size(); }
  // All that may happen within the limits.
  std::vector<Step> Steps() const;
  // What a fair schedule does next; and the same, but nothing where the time is over.
  Step NextOfSchedule() const;
  std::optional<Step> Scheduled() const;
  static bool IsOfClient(Step step) { return step.kind == StepKind::kClient; }
  // Throws a Finding.
  void Take(Step step);
  // What must hold in every state. Throws a Finding.
  void Check() const;
  // Everything that decides what follows, history that is judged by included. What waits as a
  // closure is written as the steps that led there, or left out: two ways to one state differ in
  // those steps alone.
  enum class Closures : uint8_t { kBySteps, kLeftOut };
  std::string Summary(Closures closures = Closures::kBySteps) const;
  // Goes on by the schedule until both jobs have ended, every call has its answer and both nodes
  // are ready for more. Throws a Finding if that takes more than kPatience seconds.
  void GoOn();
  static constexpr int kPatience = 60;
  // Long enough for the sessions of whoever is not heard to close.
  static constexpr int kCutSeconds = 3;

  std::string Describe(Step step) const;
  std::string Describe() const;

 private:
  class Recorder;
  struct Frame {
    int from = 0;
    int to = 0;
    std::string bytes;
    auto operator<=>(const Frame&) const = default;
  };
  struct Running {
    int node = 0;
    std::string run_id;
    FencingToken token;
    std::shared_ptr<const RunContext> run;
    Done done;
  };
  struct Start {
    std::string job;
    std::string run_id;
    FencingToken token;
    SessionId session;
    int delivery = 0;
    absl::Time due;
    bool failed = false;
  };
  struct Call {
    ClientOp op;
    bool sent = false;
    bool ended = false;
    bool lost = false;  // the node that it was given to has crashed
    bool acknowledged = false;
    int entered = 0;               // the node that it was given to
    std::set<uint64_t> under_way;  // tokens that the acknowledgement named
  };
  // A node's machine: what of it survives a crash, and the node while it is up.
  struct Box {
    MemoryTableStore tables;
    std::unique_ptr<LogPort> port;
    std::unique_ptr<StepRuntime> runtime;
    std::unique_ptr<Node> node;
    uint64_t boot = 0;
    uint64_t history = 0;  // a hash of all that this node saw since it was started
  };

  void AppendHistory(std::string* out) const;
  int ToElect() const;
  bool IsBudgetLeft(int used, int limit) const {
    return set_.limits.deviations > 0 || used < limit;
  }
  void AddFaults(std::vector<Step>* steps) const;
  void AddOfNode(int node, std::vector<Step>* steps) const;
  void Remember(const Step& step);
  bool IsCallOpen() const;
  bool IsAtRest() const;
  bool HelpsPaused();
  void Boot(int number);
  void CrashNode(int number);
  void CreateJobs();
  void Settle();
  void OnSend(Frame frame);
  void OnApplied(int node, const std::string& command, const std::string& answer);
  void OnStart(int node, std::shared_ptr<const RunContext> run, Done done);
  void CheckStart(int node, const Start& start, const RunContext& run) const;
  void Deliver(size_t which, bool keep);
  void Finish(size_t which, bool fails);
  void Send(Call& call, int node);
  void OnAnswer(Call& call, const WriteResult& result);
  bool ForbidsStart(const std::string& job, FencingToken token) const;
  bool HasStarted(FencingToken token) const;
  static size_t NumberOfRequest(const std::string& request_id);  // in calls_
  uint64_t Applied(int number) const;
  const MemoryTableStore& newest() const;
  bool HasSession(SessionId session) const;
  jobs::JobRecord Read(const std::string& job) const;
  bool HasEnded(const std::string& job) const;
  Box& box(int number) { return *boxes_[static_cast<size_t>(number)]; }
  const Box& box(int number) const { return *boxes_[static_cast<size_t>(number)]; }
  bool IsUp(int number) const { return box(number).node != nullptr; }

  const DispatchSet& set_;
  StepLoop loop_;
  AbstractLog log_;
  std::array<std::unique_ptr<Box>, kPair> boxes_;
  std::vector<Frame> frames_;     // sorted, each once
  std::vector<Running> running_;  // by node and token
  std::vector<Done> dying_;
  std::vector<Start> starts_;
  std::vector<Call> calls_;
  int seconds_ = 0;
  int elections_ = 0;
  int crashes_ = 0;
  int faults_ = 0;
  int cuts_ = 0;
  int failures_ = 0;
  int cut_for_ = 0;  // seconds yet in which all messages are lost
};

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_DISPATCH_WORLD_H_
