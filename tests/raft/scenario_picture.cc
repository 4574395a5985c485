// The state of a scenario's nodes as text. See scenario_world.h.
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "fmt/format.h"
#include "raft/print.h"
#include "raft/scenario_world.h"

namespace scheduled::raft {

std::string ScenarioWorld::Picture(Node& node) {
  if (!node.core) return fmt::format("{:<3} down", node.name);
  const Status status = node.core->status();
  std::string out =
      fmt::format("{:<3} {:<13} term {:<2} |", node.name, ToString(status.role), status.term.value);
  for (LogIndex i(1); i <= status.last; i = i.Next()) {
    std::string cell = "-";  // cut
    if (const std::optional<Term> term = node.core->TermAt(i); term && i >= status.first) {
      cell = std::to_string(term->value);
      std::vector<Entry> entry;
      node.core->CopyEntries(i, i, SIZE_MAX, &entry);
      if (entry.empty() && node.disk.Find(i) != nullptr) entry = {*node.disk.Find(i)};
      if (!entry.empty() && entry.front().kind == EntryKind::kNoop) cell += 'n';
      if (!entry.empty() && entry.front().kind == EntryKind::kConfiguration) cell += 'm';
    }
    if (i > status.durable) cell += '~';
    if (i <= status.commit) cell += '.';
    out += fmt::format(" {:<4}", cell);
  }
  while (out.back() == ' ') out.pop_back();
  return out;
}

void ScenarioWorld::Show() {
  for (Node& node : nodes_) {
    if (!node.phantom) Line(Picture(node));
  }
}

void ScenarioWorld::ShowPeers(const std::string& node) {
  for (const PeerStatus& peer : CoreOf(node).status().peers) {
    Line(fmt::format("{} {} match {} next {} in flight {}", peer.id.value, ToString(peer.state),
                     peer.match.value, peer.next.value, peer.inflight_messages));
  }
}

void ScenarioWorld::ShowMembers(const std::string& node) {
  const Status status = CoreOf(node).status();
  Line(fmt::format("{} of {}", ToString(status.configuration), status.configuration_index.value));
}

void ScenarioWorld::ShowLease(const std::string& node) {
  const MonoTime until = CoreOf(node).LeaseUntil();
  if (until == MonoTime::Infinite()) {
    Line("lease for ever");
  } else if (until <= now_) {
    Line("no lease");
  } else {
    Line("lease for " + absl::FormatDuration(until - now_));
  }
}

void ScenarioWorld::ShowDropped(const std::string& node) {
  const Status status = CoreOf(node).status();
  Line(fmt::format("dropped: {} malformed, {} foreign", status.dropped_malformed,
                   status.dropped_foreign));
}

void ScenarioWorld::ShowWaiting() {
  for (const Message& message : network_) Line(ToString(message));
  for (const Message& message : delayed_) Line("delayed " + ToString(message));
}

}  // namespace scheduled::raft
