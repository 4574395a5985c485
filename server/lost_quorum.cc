// See lost_quorum.h. The work is the library's (scheduled/lost_quorum.h).
#include "lost_quorum.h"

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "scheduled/lost_quorum.h"

namespace scheduled::server {
namespace {

void Print(const char* title, const StoppedNode& node) {
  std::string members;
  for (const NodeId& id : node.members) absl::StrAppend(&members, " ", id.value);
  std::printf(
      "%s\n  node          %s\n  members      %s\n  last entry    term %llu, index %llu\n"
      "  in tables     index %llu\n  epoch         %u\n",
      title, node.node_id.value.c_str(), members.c_str(),
      static_cast<unsigned long long>(node.last_term.value),
      static_cast<unsigned long long>(node.last_index.value),
      static_cast<unsigned long long>(node.applied_index.value), node.epoch);
}

constexpr char kWarning[] =
    "\nThis makes the node the only member of its group. It is for a group whose majority is gone\n"
    "for good, and it gives up what Raft promises:\n"
    "  - Jobs that were acknowledged and are only on the lost disks are lost. Run this on every "
    "disk\n"
    "    that is left, without --yes, and repair the one whose last entry is the latest: the "
    "larger\n"
    "    term, then the larger index.\n"
    "  - Writes that were never acknowledged, and are in this log, count from now on.\n"
    "  - The node stays alone: with this version no other can join it. None of the other nodes "
    "may\n"
    "    be started again, neither on its old directory nor, with the old peers, on an empty one:\n"
    "    they would be a second group beside this one, with jobs of its own.\n"
    "  - Runs that the lost nodes had begun are delivered again, with larger fencing tokens.\n";

}  // namespace

absl::Status RepairQuorum(const Config& config, bool confirmed) {
  absl::StatusOr<StoppedNode> before = InspectStoppedNode(config.data_dir);
  if (!before.ok()) return before.status();
  Print("Now:", *before);
  if (!confirmed) {
    std::fputs(kWarning, stdout);
    return absl::FailedPreconditionError(
        "nothing was changed: give --yes, too, to repair this node");
  }
  absl::StatusOr<StoppedNode> after = RepairLostQuorum(config.data_dir);
  if (!after.ok()) return after.status();
  Print("\nRepaired:", *after);
  std::fputs(
      "\nStart it without --peers: it is a group of one, and no other node can join it with this\n"
      "version. Never start the other old nodes again, neither on their directories nor, with "
      "their\n"
      "old peers, on empty ones.\n",
      stdout);
  return absl::OkStatus();
}

}  // namespace scheduled::server
