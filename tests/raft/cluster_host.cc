// What a host does for a core, done on virtual time: it writes, sends, applies, fetches and
// installs. See cluster_harness.h.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "raft/cluster_harness.h"
#include "raft/codec.h"

namespace scheduled::raft {

void World::Pump(int number) {
  Node& node = nodes_[number];
  Effects& effects = node.core->Drain();
  CheckNode(number);
  Act(number, effects);
}

void World::Act(int number, Effects& effects) {
  Node& node = nodes_[number];
  if (effects.persist) {
    node.writes.push_back(std::move(*effects.persist));
    StartWrite(number);
  }
  for (Send& send : effects.sends) {
    if (send.after_io > node.done) {
      node.held.push_back(std::move(send));
    } else {
      Transmit(std::move(send.message));
    }
  }
  for (const Proposed& each : effects.proposed) proposals_[each.id].at = each.at;
  for (const ProposalFailed& each : effects.proposals_failed) {
    proposals_[each.id].failure = each.failure;
  }
  for (const ReadReady& each : effects.reads_ready) {
    reads_[each.id].index = each.index;
    CheckReadIndex(reads_[each.id]);
  }
  for (const ReadFailed& each : effects.reads_failed) reads_[each.id].failure = each.failure;
  for (const TransferEnded& each : effects.transfers_ended) transfers_[each.id] = each.outcome;
  if (effects.apply) Apply(number, *effects.apply);
  for (const FetchEntries& fetch : effects.fetches) AnswerFetch(number, fetch);
  for (const SendSnapshot& wanted : effects.send_snapshots) StartSnapshot(number, wanted);
  if (effects.install) {
    PostTo(number, absl::Milliseconds(2), [this, number, meta = effects.install->meta](Node&) {
      InstallSnapshotAt(number, meta);
    });
  }
  if (effects.next_deadline == MonoTime::Infinite()) {
    node.deadline = MonoTime::Infinite();
  } else if (const MonoTime at = True(node, effects.next_deadline); at != node.deadline) {
    node.deadline = at;
    PostTo(number, at - now_, [this, number, at](Node& woken) {
      if (woken.deadline != at) return;
      woken.deadline = MonoTime::Infinite();
      Step(number, Deadline{});
    });
  }
}

void World::StartWrite(int number) {
  Node& node = nodes_[number];
  if (node.writing || node.writes.empty() || node.stalled || !node.core) return;
  node.writing = true;
  PostTo(number, random_.Between(options_.sync_min, options_.sync_max), [this, number](Node& each) {
    each.writing = false;
    if (!each.stalled) FinishWrite(number);
  });
}

// One sync takes all that waited when it began; here: some of what waits when it ends.
void World::FinishWrite(int number) {
  Node& node = nodes_[number];
  if (node.writes.empty()) return;  // an install took them along
  const size_t count = 1 + random_.Uniform(node.writes.size());
  for (size_t i = 0; i < count; ++i) {
    node.disk.Write(node.writes.front());
    node.done = node.writes.front().io_seq;
    node.writes.pop_front();
  }
  while (!node.held.empty() && node.held.front().after_io <= node.done) {
    Message message = std::move(node.held.front().message);
    node.held.pop_front();
    Transmit(std::move(message));
  }
  StartWrite(number);
  Step(number, PersistDone{node.done});
  if (node.writes.empty()) CheckDisk(node);
}

void World::Transmit(Message message) {
  CheckSend(nodes_[Number(message.from)], message);
  ++messages_sent_;
  const int from = Number(message.from);
  const int to = Number(message.to);
  if (to > options_.nodes || cut_links_.count({from, to}) > 0) return;
  if (drop_if_ && drop_if_(message)) return;
  if (hold_if_ && hold_if_(message)) {
    held_.push_back(std::move(message));
    return;
  }
  if (random_.Chance(static_cast<uint64_t>(options_.drop_per_mille), 1000)) return;
  const int copies =
      random_.Chance(static_cast<uint64_t>(options_.duplicate_per_mille), 1000) ? 2 : 1;
  const SharedBuffer bytes(EncodeMessage(message));
  for (int i = 0; i < copies; ++i) {
    absl::Duration latency = random_.Between(options_.latency_min, options_.latency_max);
    if (random_.Chance(static_cast<uint64_t>(options_.delay_per_mille), 1000)) {
      latency += random_.Between(absl::ZeroDuration(), absl::Milliseconds(200));
    }
    Post(latency, [this, bytes] { Deliver(*DecodeMessage(bytes)); });
  }
}

void World::Deliver(Message message) {
  const int to = Number(message.to);
  if (!IsUp(to)) return;
  if (observer_) observer_(message);
  Step(to, std::move(message));
}

void World::Apply(int number, ApplyRange range) {
  SCHEDULED_ASSERT(range.from == nodes_[number].applying_through.Next(),
                   "ranges to apply follow each other");
  nodes_[number].applying_through = range.to;
  PostTo(number, options_.apply, [this, number, range](Node& node) {
    std::vector<Entry> entries;
    for (LogIndex i = range.from; i <= range.to; i = i.Next()) {
      entries.clear();
      node.core->CopyEntries(i, i, SIZE_MAX, &entries);
      const Entry* stored = node.disk.Find(i);
      SCHEDULED_ASSERT(stored != nullptr, "what is applied is durable here");
      SCHEDULED_ASSERT(entries.empty() || entries.front() == *stored, "disk and memory agree");
      CheckApplied(number, *stored);
      node.applied.push_back(*stored);
      node.applied_through = i;
    }
    Step(number, ApplyDone{range.to});
  });
}

void World::AnswerFetch(int number, const FetchEntries& fetch) {
  PostTo(number, options_.apply, [this, number, fetch](Node& node) {
    EntriesRead read{fetch.fetch, true, {}};
    size_t bytes = 0;
    for (LogIndex i = fetch.from; i <= fetch.to; i = i.Next()) {
      const Entry* entry = node.disk.Find(i);
      if (entry == nullptr) break;
      bytes += EntryWeight(*entry);
      if (!read.entries.empty() && bytes > fetch.max_bytes) break;
      read.entries.push_back(*entry);
    }
    read.found = !read.entries.empty();
    Step(number, std::move(read));
  });
}

// The whole transfer in one step of time: it succeeds if both ends live and the link holds.
void World::StartSnapshot(int number, const SendSnapshot& wanted) {
  PostTo(number, absl::Milliseconds(1), [this, number, wanted](Node& node) {
    Flush(number);
    const SnapshotMeta meta = node.core->DescribeSnapshot(node.applied_through);
    const Term term = node.core->term();
    const int to = Number(wanted.peer);
    const bool reachable = IsUp(to) && cut_links_.count({number, to}) == 0;
    if (reachable) {
      Step(to, SnapshotReceived{node.id, term, TransferId(++last_id_), meta});
    }
    PostTo(number, absl::Milliseconds(10), [this, number, to, meta, reachable](Node&) {
      Step(number, SnapshotSent{Name(to), meta.at.index, reachable});
    });
  });
}

void World::InstallSnapshotAt(int number, const SnapshotMeta& meta) {
  Node& node = nodes_[number];
  for (const Persist& write : node.writes) node.disk.Write(write);
  if (!node.writes.empty()) node.done = node.writes.back().io_seq;
  node.writes.clear();
  node.disk.base = meta.at;
  node.disk.base_configuration = ConfigurationAt{meta.configuration_index, meta.configuration};
  node.disk.entries.clear();
  node.disk.flushed = meta.at;
  node.applied.clear();
  for (const auto& [index, entry] : truth_) {
    if (index <= meta.at.index) node.applied.push_back(entry);
  }
  node.applied_through = meta.at.index;
  node.applying_through = meta.at.index;
  if (node.done != IoSeq()) node.core->Step(Local(node, now_), PersistDone{node.done});
  Step(number, SnapshotInstalled{meta});
}

}  // namespace scheduled::raft
