// The machinery of the small world: time, nodes, requests and the network. What a host does for a
// core is in cluster_host.cc.
#include "raft/cluster_harness.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "base/assert.h"
#include "raft/codec.h"
#include "raft/print.h"

namespace scheduled::raft {

const Entry* Disk::Find(LogIndex index) const {
  if (index <= base.index || index > last()) return nullptr;
  return &entries[index.value - base.index.value - 1];
}

void Disk::Write(const Persist& persist) {
  if (persist.hard_state) {
    SCHEDULED_ASSERT(persist.hard_state->term >= hard_state.term, "a durable term never falls");
    SCHEDULED_ASSERT(persist.hard_state->term > hard_state.term || hard_state.vote.empty() ||
                         persist.hard_state->vote == hard_state.vote,
                     "a durable vote never changes");
    hard_state = *persist.hard_state;
  }
  if (persist.truncate_from) {
    SCHEDULED_ASSERT(*persist.truncate_from > base.index && *persist.truncate_from <= last(),
                     "a truncation is within the log");
    entries.resize(persist.truncate_from->value - base.index.value - 1);
  }
  for (const Entry& entry : persist.entries) {
    SCHEDULED_ASSERT(entry.index == last().Next(), "entries are written without a gap");
    SCHEDULED_ASSERT(entry.term <= hard_state.term, "the term is durable before its entries");
    entries.push_back(entry);
  }
}

World::World(WorldOptions options) : options_(std::move(options)), random_(options_.seed) {
  nodes_.resize(static_cast<size_t>(options_.nodes) + 1);
  Configuration founded;
  if (options_.founded) {
    founded = *options_.founded;
  } else {
    for (int i = 1; i <= options_.nodes; ++i) {
      founded.voters.push_back(Member{Name(i), "", DiskId(static_cast<uint64_t>(i))});
    }
    founded.Sort();
  }
  for (int i = 1; i <= options_.nodes; ++i) {
    Node& node = nodes_[i];
    node.id = Name(i);
    node.disk_id = DiskId(static_cast<uint64_t>(i));
    if (founded.IsMember(node.id)) node.disk.base_configuration.configuration = founded;
    node.offset = random_.Between(int64_t{0}, int64_t{1} << 40);
    if (options_.drift) node.drift_ppm = random_.Between(int64_t{-9900}, int64_t{9900});
  }
  for (int i = 1; i <= options_.nodes; ++i) Start(i);
}

World::~World() = default;

NodeId World::Name(int node) { return NodeId("n" + std::to_string(node)); }
int World::Number(const NodeId& id) const { return std::stoi(id.value.substr(1)); }

Core& World::core(int node) {
  SCHEDULED_ASSERT(IsUp(node), "the node is up");
  return *nodes_[node].core;
}

// --- Time ---

void World::PostAt(MonoTime at, std::function<void()> run) {
  heap_.push(Happening{std::max(at, now_), ++sequence_, std::move(run)});
}
void World::Post(absl::Duration after, std::function<void()> run) {
  PostAt(now_ + after, std::move(run));
}
void World::PostTo(int node, absl::Duration after, std::function<void(Node&)> run) {
  Post(after, [this, node, life = nodes_[node].life, run = std::move(run)] {
    if (nodes_[node].life == life && nodes_[node].core) run(nodes_[node]);
  });
}

bool World::RunOne() {
  if (heap_.empty()) return false;
  Happening next = heap_.top();
  heap_.pop();
  now_ = next.at;
  SCHEDULED_ASSERT(++events_ < 5'000'000, "a run ends");
  next.run();
  CheckLeases();
  return true;
}

void World::Run(absl::Duration duration) {
  const MonoTime end = now_ + duration;
  while (!heap_.empty() && heap_.top().at <= end) RunOne();
  now_ = end;
}

bool World::RunUntil(const std::function<bool()>& done, absl::Duration limit) {
  const MonoTime end = now_ + limit;
  while (!done()) {
    if (heap_.empty() || heap_.top().at > end) return false;
    RunOne();
  }
  return true;
}

MonoTime World::Local(const Node& node, MonoTime t) const {
  return MonoTime{node.offset + t.nanos + t.nanos / 1'000'000 * node.drift_ppm};
}
MonoTime World::True(const Node& node, MonoTime local) const {
  const int64_t nanos = local.nanos - node.offset;
  return MonoTime{nanos / (1'000'000 + node.drift_ppm) * 1'000'000 + 1'000'000};
}

// --- Nodes ---

void World::Start(int number) {
  Node& node = nodes_[number];
  Options options;
  options.self = node.id;
  options.disk = node.disk_id;
  options.seed = random_.Next();
  if (options_.tune) options_.tune(options);
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
  ++node.life;
  node.writes.clear();
  node.held.clear();
  node.writing = false;
  node.stalled = false;
  node.done = IoSeq();
  node.deadline = MonoTime::Infinite();
  node.applied_through = node.disk.flushed.index;
  node.applying_through = node.applied_through;
  while (!node.applied.empty() && node.applied.back().index > node.applied_through) {
    node.applied.pop_back();
  }
  node.seen_commit = LogIndex();
  node.core = std::make_unique<Core>(options, recovered, Local(node, now_));
  Pump(number);
}

void World::Crash(int number) {
  Node& node = nodes_[number];
  if (!node.core) return;
  node.core.reset();
  ++node.life;
  // Of what was not synced, some may have reached the disk: a prefix, in order.
  const size_t survived = random_.Uniform(node.writes.size() + 1);
  for (size_t i = 0; i < survived; ++i) node.disk.Write(node.writes[i]);
  node.writes.clear();
  node.held.clear();
}

void World::Restart(int number) {
  Crash(number);
  Start(number);
}

void World::RestartWithEmptyDisk(int number, DiskId disk) {
  Crash(number);
  Node& node = nodes_[number];
  node.disk = Disk{};
  node.wiped = true;
  node.disk_id = disk;
  node.applied.clear();
  node.votes.clear();
  Start(number);
}

void World::ResumeDisk(int number) {
  nodes_[number].stalled = false;
  StartWrite(number);
}

void World::Flush(int number) {
  Node& node = nodes_[number];
  const LogIndex at = node.applied_through;
  if (at <= node.disk.flushed.index) return;
  node.disk.flushed = LogPosition{at, *core(number).TermAt(at)};
}

void World::Cut(int number, LogIndex through) {
  Node& node = nodes_[number];
  Flush(number);
  through = std::min(through, node.disk.flushed.index);
  if (through <= node.disk.base.index) return;
  const SnapshotMeta meta = node.core->DescribeSnapshot(through);
  node.disk.entries.erase(
      node.disk.entries.begin(),
      node.disk.entries.begin() +
          static_cast<std::ptrdiff_t>(through.value - node.disk.base.index.value));
  node.disk.base = meta.at;
  node.disk.base_configuration = ConfigurationAt{meta.configuration_index, meta.configuration};
  Step(number, LogCut{through});
}

int World::Leader() const {
  int leader = 0;
  for (int i = 1; i <= options_.nodes; ++i) {
    if (!IsUp(i) || nodes_[i].core->role() != Role::kLeader) continue;
    if (leader == 0 || nodes_[i].core->term() > nodes_[leader].core->term()) leader = i;
  }
  return leader;
}

int World::AwaitLeader(absl::Duration limit) {
  const bool found = RunUntil(
      [this] {
        const int leader = Leader();
        return leader != 0 && nodes_[leader].applied_through >= core(leader).status().term_start;
      },
      limit);
  if (!found) throw std::runtime_error("no leader came:\n" + Describe());
  return Leader();
}

bool World::AwaitApplied(LogIndex index, absl::Duration limit) {
  return RunUntil(
      [this, index] {
        for (int i = 1; i <= options_.nodes; ++i) {
          if (IsUp(i) && nodes_[i].applied_through < index) return false;
        }
        return true;
      },
      limit);
}

std::vector<std::string> World::AppliedCommands(int node) const {
  std::vector<std::string> commands;
  for (const Entry& entry : nodes_[node].applied) {
    if (entry.kind == EntryKind::kCommand) commands.emplace_back(entry.bytes.view());
  }
  return commands;
}

// --- Requests ---

void World::Step(int number, Event event) {
  Node& node = nodes_[number];
  node.core->Step(Local(node, now_), std::move(event));
  Pump(number);
}

ProposalId World::Propose(int node, const std::string& command) {
  return ProposeMany(node, {command}).front();
}

std::vector<ProposalId> World::ProposeMany(int node, const std::vector<std::string>& commands) {
  raft::Propose propose;
  std::vector<ProposalId> ids;
  for (const std::string& command : commands) {
    const ProposalId id(++last_id_);
    ids.push_back(id);
    proposals_[id] = PendingProposal{command, std::nullopt, std::nullopt, node};
    propose.batch.push_back(Proposal{id, SharedBuffer(command)});
  }
  Step(node, std::move(propose));
  return ids;
}

ReadId World::Read(int node) {
  const ReadId id(++last_id_);
  reads_[id].at_least = acknowledged_;
  Step(node, ReadBarrier{id});
  return id;
}

TransferId World::Transfer(int node, int target) {
  const TransferId id(++last_id_);
  Step(node, TransferTo{id, target == 0 ? NodeId() : Name(target)});
  return id;
}

ProposalId World::Change(int node, std::vector<MemberChange> changes) {
  const ProposalId id(++last_id_);
  proposals_[id] = PendingProposal{"", std::nullopt, std::nullopt, node};
  Step(node, ChangeMembers{id, std::move(changes)});
  return id;
}

World::Outcome World::outcome(ProposalId id) const {
  const PendingProposal& proposal = proposals_.at(id);
  if (proposal.failure) {
    return IsDefinitelyNotApplied(*proposal.failure) ? Outcome::kRefused : Outcome::kUnknown;
  }
  if (!proposal.at) return Outcome::kPending;
  const auto committed = truth_.find(proposal.at->index);
  if (committed == truth_.end()) return Outcome::kPending;
  return committed->second.term == proposal.at->term ? Outcome::kCommitted : Outcome::kRefused;
}

std::optional<ProposalFailure> World::failure(ProposalId id) const {
  return proposals_.at(id).failure;
}
std::optional<LogIndex> World::read_index(ReadId id) const { return reads_.at(id).index; }
std::optional<ReadFailure> World::read_failure(ReadId id) const { return reads_.at(id).failure; }
std::optional<TransferOutcome> World::transfer_outcome(TransferId id) const {
  const auto found = transfers_.find(id);
  return found == transfers_.end() ? std::nullopt : std::optional(found->second);
}

bool World::Commit(int node, const std::string& command) {
  const ProposalId id = Propose(node, command);
  return RunUntil([&] { return outcome(id) != Outcome::kPending; }) &&
         outcome(id) == Outcome::kCommitted;
}

// --- Network ---

void World::CutLink(int from, int to) { cut_links_.insert({from, to}); }

void World::Isolate(int node) {
  for (int other = 1; other <= options_.nodes; ++other) {
    if (other == node) continue;
    CutLink(node, other);
    CutLink(other, node);
  }
}

void World::Partition(const std::vector<int>& a, const std::vector<int>& b) {
  for (int x : a) {
    for (int y : b) {
      CutLink(x, y);
      CutLink(y, x);
    }
  }
}

void World::SetNoise(int drop_per_mille, int duplicate_per_mille, int delay_per_mille) {
  options_.drop_per_mille = drop_per_mille;
  options_.duplicate_per_mille = duplicate_per_mille;
  options_.delay_per_mille = delay_per_mille;
}

std::string World::Describe() const {
  std::string out = "at " + absl::FormatDuration(elapsed()) + "\n";
  for (int i = 1; i <= options_.nodes; ++i) {
    out += nodes_[i].id.value + " ";
    out += IsUp(i) ? DebugString(*nodes_[i].core) : std::string("down\n");
  }
  return out;
}

}  // namespace scheduled::raft
