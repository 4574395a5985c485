// What a host does for a core, one visible step at a time. How its state is shown is in
// scenario_picture.cc.
#include "raft/scenario_world.h"

#include <algorithm>
#include <stdexcept>

#include "base/assert.h"
#include "fmt/format.h"
#include "raft/codec.h"
#include "raft/print.h"

namespace scheduled::raft {

std::string KindOf(const MessageBody& body) {
  if (const auto* request = std::get_if<VoteRequest>(&body)) {
    return request->pre ? "pre-vote?" : "vote?";
  }
  if (const auto* reply = std::get_if<VoteReply>(&body)) return reply->pre ? "pre-vote" : "vote";
  if (const auto* reply = std::get_if<AppendReply>(&body))
    return reply->taken ? "taken" : "refused";
  if (std::holds_alternative<AppendRequest>(body)) return "append";
  if (std::holds_alternative<Heartbeat>(body)) return "heartbeat";
  if (std::holds_alternative<HeartbeatReply>(body)) return "heard";
  if (std::holds_alternative<ReadRequest>(body)) return "read?";
  if (std::holds_alternative<ReadReply>(body)) return "read";
  if (std::holds_alternative<TimeoutNow>(body)) return "timeout-now";
  return "snapshot";
}

void ScenarioWorld::Under(const std::string& header, bool always,
                          const std::function<void()>& what) {
  const std::string before = std::exchange(output_, {});
  indent_ += 2;
  what();
  indent_ -= 2;
  const std::string said = std::exchange(output_, before);
  if (always || !said.empty()) Line(header);
  output_ += said;
}

ScenarioWorld::Node& ScenarioWorld::Find(const std::string& name) {
  const auto found = std::find_if(nodes_.begin(), nodes_.end(),
                                  [&](const Node& each) { return each.name == name; });
  if (found == nodes_.end()) throw std::runtime_error("there is no node " + name);
  return *found;
}

Core& ScenarioWorld::CoreOf(const std::string& name) {
  Node& node = Find(name);
  if (!node.core) throw std::runtime_error(name + " is not up");
  return *node.core;
}

bool ScenarioWorld::IsUp(const std::string& node) const {
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [&](const Node& each) { return each.name == node && each.core; });
}

// --- Before the nodes start ---

void ScenarioWorld::AddNode(const std::string& name, DiskId disk, bool phantom) {
  Node& node = nodes_.emplace_back();
  node.name = name;
  node.disk_id = disk;
  node.phantom = phantom;
}

void ScenarioWorld::Found(const Configuration& configuration, const std::string& only) {
  for (Node& node : nodes_) {
    if (!only.empty() && node.name != only) continue;
    node.disk.base_configuration.configuration =
        configuration.IsMember(NodeId(node.name)) ? configuration : Configuration();
  }
}

void ScenarioWorld::SetPast(const std::string& name, const Past& past) {
  Disk& disk = Find(name).disk;
  disk.base = past.base;
  uint64_t term = std::max(past.term, past.base.term.value);
  for (uint64_t of : past.log) {
    const LogIndex index = disk.last().Next();
    const auto members = past.members.find(index.value);
    Entry entry{Term(of), index, EntryKind::kCommand,
                SharedBuffer(fmt::format("{}.{}", of, index.value))};
    if (members != past.members.end()) {
      entry.kind = EntryKind::kConfiguration;
      entry.bytes = SharedBuffer(EncodeConfiguration(members->second));
    }
    disk.entries.push_back(entry);
    term = std::max(term, of);
  }
  disk.hard_state = HardState{Term(term), NodeId(past.vote)};
  const LogIndex applied(std::max(past.applied, past.base.index.value));
  const Entry* last = disk.Find(applied);
  disk.flushed = last == nullptr ? disk.base : last->position();
}

void ScenarioWorld::StartAll() {
  for (Node& node : nodes_) {
    if (!node.phantom) Start(node);
  }
}

void ScenarioWorld::Start(Node& node) {
  Options options = options_;
  options.self = NodeId(node.name);
  options.disk = node.disk_id;
  options.seed = 1000 * ++node.starts + static_cast<uint64_t>(&node - nodes_.data());
  Recovered recovered;
  recovered.hard_state = node.disk.hard_state;
  recovered.base = node.disk.base;
  recovered.last = node.disk.last();
  recovered.applied = node.disk.flushed;
  if (!node.disk.base_configuration.configuration.empty()) {
    recovered.configurations.push_back(node.disk.base_configuration);
  }
  for (const Entry& entry : node.disk.entries) {
    if (recovered.terms.empty() || recovered.terms.back().term != entry.term) {
      recovered.terms.push_back(TermRun{entry.term, entry.index});
    }
    if (entry.kind == EntryKind::kConfiguration) {
      recovered.configurations.push_back(
          ConfigurationAt{entry.index, *DecodeConfiguration(entry.bytes.view())});
    }
  }
  node.done = IoSeq();
  node.core = std::make_unique<Core>(options, recovered, now_);
  Effects& effects = node.core->Drain();
  effects.configuration.reset();  // as it was founded or found: the picture shows it
  Act(node, effects);
}

// --- Time ---

void ScenarioWorld::Wait(const std::string& name) {
  CoreOf(name);
  Node& node = Find(name);
  if (node.deadline == MonoTime::Infinite()) {
    Line(name + " waits for nothing");
    return;
  }
  now_ = std::max(now_, node.deadline);
  Step(name, Deadline{});
}

void ScenarioWorld::Run(absl::Duration duration) {
  const MonoTime end = now_ + duration;
  Deliver({});
  for (;;) {
    Node* next = nullptr;
    for (Node& node : nodes_) {
      if (node.core && (next == nullptr || node.deadline < next->deadline)) next = &node;
    }
    if (next == nullptr || next->deadline > end) break;
    now_ = std::max(now_, next->deadline);
    Under(next->name + ": deadline", false, [&] { Step(next->name, Deadline{}); });
    Deliver({});
  }
  now_ = end;
}

void ScenarioWorld::Elect(const std::string& name, const std::vector<std::string>& phantoms) {
  for (int tries = 0; tries < 20 && CoreOf(name).role() != Role::kLeader; ++tries) {
    Wait(name);
    for (const bool pre : {true, false}) {
      Deliver({});
      const Role asking = pre ? Role::kPreCandidate : Role::kCandidate;
      for (const std::string& voter : phantoms) {
        if (CoreOf(name).role() != asking) break;
        const Term term = TermOf(name);
        Under(fmt::format("{} <- {}: {}", name, voter, pre ? "pre-vote" : "vote"), true, [&] {
          Step(name, Message{GroupId(1), NodeId(voter), NodeId(name), DiskOf(voter), term,
                             VoteReply{pre, true, VoteRefusal::kNone, pre ? term.Next() : term}});
        });
      }
    }
    Deliver({});
  }
  if (CoreOf(name).role() != Role::kLeader) throw std::runtime_error(name + " is not elected");
}

// --- Network ---

void ScenarioWorld::Transmit(Message message) {
  const std::string from = message.from.value;
  const std::string to = message.to.value;
  const bool known =
      std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& each) { return each.name == to; });
  if (!known || Find(to).phantom) return;
  if (cut_.count({from, to}) > 0) {
    Line(fmt::format("lost {}->{}: {}", from, to, KindOf(message.body)));
    return;
  }
  network_.push_back(std::move(message));
}

std::vector<size_t> ScenarioWorld::Matching(const Which& which) const {
  std::vector<size_t> found;
  for (size_t i = 0; i < network_.size(); ++i) {
    const Message& message = network_[i];
    if (!which.from.empty() && message.from.value != which.from) continue;
    if (!which.to.empty() && message.to.value != which.to) continue;
    if (!which.kind.empty() && KindOf(message.body) != which.kind) continue;
    found.push_back(i);
  }
  if (which.first && found.size() > 1) found.resize(1);
  if (which.last && found.size() > 1) found = {found.back()};
  return found;
}

// Everything until nothing is on its way; with a choice, what is on its way now.
void ScenarioWorld::Deliver(const Which& which) {
  const bool chosen =
      !which.from.empty() || !which.to.empty() || !which.kind.empty() || which.first || which.last;
  if (!chosen) {
    for (int count = 0; !network_.empty(); ++count) {
      if (count > 2000) throw std::runtime_error("messages never end");
      Message message = std::move(network_.front());
      network_.pop_front();
      Receive(std::move(message));
    }
    return;
  }
  std::vector<size_t> places = Matching(which);
  if (places.empty()) throw std::runtime_error("no such message is on its way");
  std::vector<Message> taken;
  for (size_t place : places) taken.push_back(network_[place]);
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(*place));
  }
  for (Message& message : taken) Receive(std::move(message));
}

void ScenarioWorld::Receive(Message message) {
  const std::string to = message.to.value;
  const std::string header =
      fmt::format("{} <- {}: {}", to, message.from.value, KindOf(message.body));
  if (!IsUp(to)) {
    Line(header + ", but it is down");
    return;
  }
  Under(header, true, [&] { Step(to, std::move(message)); });
}

void ScenarioWorld::Drop(const Which& which) {
  const std::vector<size_t> places = Matching(which);
  if (places.empty()) throw std::runtime_error("no such message is on its way");
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(*place));
  }
}

void ScenarioWorld::Duplicate(const Which& which) {
  for (size_t place : Matching(which)) network_.push_back(Message(network_[place]));
}

void ScenarioWorld::Delay(const Which& which) {
  for (size_t place : Matching(which)) delayed_.push_back(network_[place]);
  Drop(which);
}

void ScenarioWorld::Arrive() {
  for (Message& message : std::exchange(delayed_, {})) Receive(std::move(message));
}

void ScenarioWorld::Isolate(const std::string& name) {
  for (const Node& other : nodes_) {
    if (other.name == name) continue;
    CutLink(name, other.name);
    CutLink(other.name, name);
  }
}

// --- Nodes ---

void ScenarioWorld::Crash(const std::string& name, size_t surviving_writes) {
  CoreOf(name);
  Node& node = Find(name);
  for (size_t i = 0; i < std::min(surviving_writes, node.writes.size()); ++i) {
    node.disk.Write(node.writes[i]);
  }
  node.core.reset();
  node.writes.clear();
  node.held.clear();
  node.apply.reset();
  node.fetches.clear();
  node.install.reset();
  node.deadline = MonoTime::Infinite();
}

void ScenarioWorld::Restart(const std::string& name) { Start(Find(name)); }

void ScenarioWorld::Wipe(const std::string& name, DiskId disk) {
  Node& node = Find(name);
  node.disk = Disk();
  node.disk_id = disk;
}

void ScenarioWorld::SetDiskSlow(const std::string& name, bool slow) {
  Node& node = Find(name);
  node.slow_disk = slow;
  if (!slow) Sync(name, node.writes.size());
}

void ScenarioWorld::Sync(const std::string& name, size_t writes) {
  Node& node = Find(name);
  for (; writes > 0 && !node.writes.empty(); --writes) FinishWrite(node);
}

void ScenarioWorld::FinishWrite(Node& node) {
  node.disk.Write(node.writes.front());
  node.done = node.writes.front().io_seq;
  node.writes.pop_front();
  Under(fmt::format("{}: io {} done", node.name, node.done.value), false, [&] {
    Release(node);
    Step(node.name, PersistDone{node.done});
  });
}

void ScenarioWorld::Done(const std::string& name, IoSeq io_seq) {
  Node& node = Find(name);
  while (!node.writes.empty() && node.writes.front().io_seq <= io_seq) {
    node.disk.Write(node.writes.front());
    node.writes.pop_front();
  }
  node.done = std::max(node.done, io_seq);
  Release(node);
  Step(name, PersistDone{io_seq});
}

void ScenarioWorld::Release(Node& node) {
  while (!node.held.empty() && node.held.front().after_io <= node.done) {
    Message message = std::move(node.held.front().message);
    node.held.pop_front();
    if (node.slow_disk) Line("leaves " + ToString(message));
    Transmit(std::move(message));
  }
}

void ScenarioWorld::Applied(const std::string& name, LogIndex through) {
  Step(name, ApplyDone{through});
}

// Flushes the tables, then cuts the log as far as asked.
void ScenarioWorld::CutLog(const std::string& name, LogIndex through) {
  Core& core = CoreOf(name);
  Disk& disk = Find(name).disk;
  const LogIndex applied = core.status().applied;
  disk.flushed = LogPosition{applied, *core.TermAt(applied)};
  const SnapshotMeta meta = core.DescribeSnapshot(through);
  disk.entries.erase(
      disk.entries.begin(),
      disk.entries.begin() + static_cast<std::ptrdiff_t>(through.value - disk.base.index.value));
  disk.base = meta.at;
  disk.base_configuration = ConfigurationAt{meta.configuration_index, meta.configuration};
  Step(name, LogCut{through});
}

void ScenarioWorld::SendSnapshot(const std::string& from, const std::string& to) {
  Core& core = CoreOf(from);
  const SnapshotMeta meta = core.DescribeSnapshot(core.status().applied);
  SnapshotReceived received{NodeId(from), core.term(), TransferId(NextId()), meta};
  Line(ToString(Event(received)));
  Step(to, std::move(received));
}

void ScenarioWorld::Install(const std::string& name) {
  Node& node = Find(name);
  if (!node.install) throw std::runtime_error(name + " installs nothing");
  const SnapshotMeta meta = std::exchange(node.install, std::nullopt)->meta;
  while (!node.writes.empty()) FinishWrite(node);
  node.disk.base = meta.at;
  node.disk.base_configuration = ConfigurationAt{meta.configuration_index, meta.configuration};
  node.disk.entries.clear();
  node.disk.flushed = meta.at;
  Step(name, SnapshotInstalled{meta});
}

void ScenarioWorld::RefuseInstall(const std::string& name) {
  Node& node = Find(name);
  if (!node.install) throw std::runtime_error(name + " installs nothing");
  node.install.reset();
  Step(name, SnapshotRefused{});
}

void ScenarioWorld::AnswerFetch(const std::string& name, bool found) {
  Node& node = Find(name);
  if (node.fetches.empty()) throw std::runtime_error(name + " reads nothing");
  const FetchEntries fetch = node.fetches.front();
  node.fetches.pop_front();
  EntriesRead read{fetch.fetch, found, {}};
  size_t bytes = 0;
  for (LogIndex i = fetch.from; found && i <= fetch.to; i = i.Next()) {
    const Entry* entry = node.disk.Find(i);
    if (entry == nullptr) break;
    bytes += EntryWeight(*entry);
    if (!read.entries.empty() && bytes > fetch.max_bytes) break;
    read.entries.push_back(*entry);
  }
  read.found = !read.entries.empty();
  Under(name + ": " + ToString(Event(read)), true, [&] { Step(name, std::move(read)); });
}

void ScenarioWorld::Step(const std::string& name, Event event) {
  Core& core = CoreOf(name);
  core.Step(now_, std::move(event));
  Pump(Find(name));
}

void ScenarioWorld::Pump(Node& node) {
  Effects& effects = node.core->Drain();
  CheckNode(node);
  Act(node, effects);
}

void ScenarioWorld::Act(Node& node, Effects& effects) {
  const std::string text = ToString(effects);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    Line(text.substr(begin, end - begin));
    begin = end + 1;
  }
  node.deadline = effects.next_deadline;
  if (effects.persist) node.writes.push_back(std::move(*effects.persist));
  for (FetchEntries& fetch : effects.fetches) node.fetches.push_back(std::move(fetch));
  if (effects.install) node.install = std::move(effects.install);
  if (effects.apply) node.apply = effects.apply;
  std::vector<Send> sends = std::move(effects.sends);
  for (Send& send : sends) {
    if (send.after_io > node.done) {
      node.held.push_back(std::move(send));
    } else {
      Transmit(std::move(send.message));
    }
  }
  if (!node.slow_disk) Sync(node.name, node.writes.size());
  if (node.apply && !node.slow_apply) {
    const ApplyRange range = *std::exchange(node.apply, std::nullopt);
    Step(node.name, ApplyDone{range.to});
  }
  if (!node.slow_fetch) {
    while (node.core && !node.fetches.empty()) AnswerFetch(node.name, true);
  }
}

// One leader in a term; everybody applies the same; figures add up; disk and memory agree.
void ScenarioWorld::CheckNode(Node& node) {
  const Core& core = *node.core;
  core.CheckInvariants();
  const Status status = core.status();
  if (status.role == Role::kLeader) {
    const auto known = leaders_.try_emplace(status.term, node.name).first;
    SCHEDULED_ASSERT(known->second == node.name, "one leader in a term");
  }
  const LogIndex applicable = std::min(status.commit, node.disk.last());
  for (LogIndex i = node.disk.base.index.Next(); i <= applicable && i <= status.durable;
       i = i.Next()) {
    const Entry& entry = *node.disk.Find(i);
    SCHEDULED_ASSERT(core.TermAt(i) == entry.term, "disk and memory agree");
    const auto known = committed_.try_emplace(i, entry).first;
    SCHEDULED_ASSERT(known->second == entry, "every node commits the same entry at an index");
  }
}

}  // namespace scheduled::raft
