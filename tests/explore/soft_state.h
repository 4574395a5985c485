// Everything in a node of lib/scheduler that decides what it will do, as bytes: what its tables
// hold, the soft state of worker, leader and forwarding, and when its timers are due. Nothing is
// normalised: instants, session ids, tokens and the numbers of heartbeats are written as they are,
// so two states that look alike are alike, and what only differs by such a number is explored
// twice. Left out are what only counts (statistics), what only remembers the tables (recent rows,
// schedules, the windows over `slots`, from which a row is missing only while a claim of it is
// proposed or waits), and what is empty whenever no lane has anything to do.
//
// What waits as a closure (for a turn of a job, or for the resolution of an old claim) cannot be
// read. While anything does, SoftState says so, and the explorer writes the node's whole history in
// the place of it: such states are only equal if they were reached by the same steps at that node.
#ifndef SCHEDULED_TESTS_EXPLORE_SOFT_STATE_H_
#define SCHEDULED_TESTS_EXPLORE_SOFT_STATE_H_

#include <map>
#include <string>

#include "scheduler/node.h"

namespace scheduled {

struct SoftState {
  // True if something waits that is not written.
  static bool Append(const Node& node, std::string* out);
  // What each of the node's timers is for. Those that are not named go off in one rhythm from the
  // begin of the term on.
  static std::map<TimerId, const char*> Timers(const Node& node);
  static void AppendTables(const TableStore& tables, std::string* out);

  // A leader has sent the Start of that delivery, or believes it taken.
  static bool IsSent(const Node& node, RunNumber run, FencingToken token);

 private:
  static void AppendWorker(const Worker& worker, std::string* out);
  static void AppendForwarding(const Forwarding& forwarding, std::string* out);
  static bool AppendLeader(const Leader& leader, std::string* out);
  static bool AppendDispatcher(const Dispatcher& dispatcher, std::string* out);
  static void AppendBook(const RunBook& book, std::string* out);
  static void AppendSessions(const SessionKeeper& keeper, std::string* out);
  static void AppendChannel(const Channel& channel, std::string* out);
};

}  // namespace scheduled

#endif  // SCHEDULED_TESTS_EXPLORE_SOFT_STATE_H_
