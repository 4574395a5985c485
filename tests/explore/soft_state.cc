// See soft_state.h. Each function goes through the members of its class in their order.
#include "explore/soft_state.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "scheduler/peer_codec.h"

namespace scheduled {
namespace {

// Text, so that a summary can be read; separated, so that no two lists look alike.
template <typename... Values>
void Put(std::string* out, const Values&... values) {
  ((absl::StrAppend(out, values), out->push_back(' ')), ...);
}

void PutBytes(std::string* out, std::string_view bytes) {
  absl::StrAppend(out, bytes.size(), ":");
  out->append(bytes.data(), bytes.size());
}

int64_t Of(absl::Time time) {
  return time == absl::InfiniteFuture() ? INT64_MAX : absl::ToUnixMicros(time);
}

void PutRooms(std::string* out, const std::vector<ExecutorRoom>& rooms) {
  for (const ExecutorRoom& room : rooms) Put(out, room.executor, room.runs);
  Put(out, "|");
}

void PutCall(std::string* out, const WriteCall& call) {
  PutBytes(out, call.request_id());
  Put(out, call.maybe_applied ? 1 : 0, call.deadline.nanos, call.recomputed,
      call.forwarded ? 1 : 0);
}

void PutSorted(std::string* out, std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  for (const std::string& text : texts) PutBytes(out, text);
  Put(out, "|");
}

void PutCopies(std::string* out, const RequestCopies& copies) {
  PutSorted(out, {copies.under_way_.begin(), copies.under_way_.end()});
  for (const auto& [until, id] : copies.oldest_) {
    Put(out, until.nanos);
    PutBytes(out, id);
    PutBytes(out, copies.refusals_.find(id)->second.SerializeAsString());
  }
}

void PutKey(std::string* out, const RunKey& key) {
  Put(out, key.job_id.value, key.run.value, key.token.value);
}

}  // namespace

void SoftState::AppendTables(const TableStore& tables, std::string* out) {
  const auto rows = tables.Scan("", "", 1000);
  SCHEDULED_ASSERT(rows.ok(), "tables in memory can be read");
  for (const TableRow& row : *rows) {
    PutBytes(out, row.key);
    PutBytes(out, row.value);
  }
}

void SoftState::AppendWorker(const Worker& worker, std::string* out) {
  Put(out, "worker", worker.leader_.value, worker.session_.value, worker.closed_session_.value,
      worker.raft_term_.value, worker.term_.value, worker.taken_, worker.draining_ ? 1 : 0,
      worker.sequence_);
  for (const auto& [sequence, at] : worker.beats_) Put(out, sequence, at.nanos);
  Put(out, "|", worker.acknowledged_ ? 1 : 0, worker.alive_since_.nanos);
  for (const DeliveryId& id : worker.RunningIds()) {
    const auto& running = worker.runs_.find(id)->second;
    PutKey(out, running.start.key);
    Put(out, running.start.attempt, running.start.delivery, running.control->cancelled() ? 1 : 0,
        Of(running.started), running.deadline.nanos);
  }
  Put(out, "|");
  for (const auto& [id, kept] : worker.outcomes_) {
    PutKey(out, kept.outcome.key);
    Put(out, static_cast<int>(kept.outcome.status), kept.outcome.retryable ? 1 : 0,
        kept.outcome.uncounted ? 1 : 0, kept.sent.nanos);
    Put(out, kept.outcome.retry_after ? absl::ToInt64Nanoseconds(*kept.outcome.retry_after) : -1);
    PutBytes(out, kept.outcome.record.SerializeAsString());
  }
  std::vector<DeliveryId> stray;
  for (const auto& [id, name] : worker.stray_) stray.push_back(id);
  std::sort(stray.begin(), stray.end());
  for (const DeliveryId& id : stray) Put(out, "stray", id.run.value, id.token.value);
}

void SoftState::AppendForwarding(const Forwarding& forwarding, std::string* out) {
  Put(out, "forwarding", forwarding.leader_.value, forwarding.local_ != nullptr ? 1 : 0,
      forwarding.own_.calls, forwarding.foreign_.calls);
  for (const WriteCallPtr& call : forwarding.waiting_) PutCall(out, *call);
  for (const auto& [id, sent] : forwarding.sent_) {
    PutCall(out, *sent.call);
    Put(out, sent.at.nanos, sent.to.value, sent.again ? 1 : 0, sent.refused ? 1 : 0);
  }
  PutCopies(out, forwarding.copies_);
}

void SoftState::AppendBook(const RunBook& book, std::string* out) {
  std::vector<RunNumber> runs;
  for (const auto& [run, entry] : book.runs_) runs.push_back(run);
  std::sort(runs.begin(), runs.end());
  for (const RunNumber run : runs) {
    const RunEntry& entry = *book.runs_.find(run)->second;
    PutKey(out, entry.start.key);
    Put(out, entry.start.attempt, entry.start.delivery, Of(entry.start.ready), Of(entry.start.due),
        entry.start.job != nullptr ? 1 : 0, entry.session.value, entry.queue,
        static_cast<int>(entry.state), entry.withdrawn_by_command ? 1 : 0,
        entry.withdrawn_by_session ? 1 : 0, entry.placed_here ? 1 : 0, entry.told_to_stop ? 1 : 0,
        entry.stops ? 1 : 0, entry.known_taken ? 1 : 0, entry.start_number);
  }
  for (const auto& [queue, used] : book.used_) Put(out, queue, used);
}

bool SoftState::AppendDispatcher(const Dispatcher& dispatcher, std::string* out) {
  Put(out, "dispatcher", dispatcher.draining_ ? 1 : 0, dispatcher.flush_posted_ ? 1 : 0);
  AppendBook(dispatcher.book_, out);
  for (const auto& finish : dispatcher.finishes_) {
    PutKey(out, finish.key);
    PutBytes(out, finish.item.SerializeAsString());
  }
  for (const RunKey& key : dispatcher.put_backs_) PutKey(out, key);
  for (const RunKey& key : dispatcher.unknown_) PutKey(out, key);
  Put(out, Of(dispatcher.due_armed_));
  const Claimer& claimer = *dispatcher.claimer_;
  for (const auto& [queue, ready] : claimer.heads_) Put(out, queue, ready);
  Put(out, claimer.taking_ ? 1 : 0, claimer.stopped_ ? 1 : 0, claimer.not_before_.nanos);
  PutSorted(out, {claimer.finished_.begin(), claimer.finished_.end()});
  return !dispatcher.waiting_.empty();
}

void SoftState::AppendChannel(const Channel& channel, std::string* out) {
  Put(out, channel.next_number_, channel.sent_, channel.last_sent_.nanos);
  for (const auto& waiting : channel.items_) {
    Put(out, waiting.since.nanos);
    PutBytes(out,
             EncodePeerMessage(ChannelMessages{channel.term_, channel.session_, {waiting.item}}));
  }
}

void SoftState::AppendSessions(const SessionKeeper& keeper, std::string* out) {
  Put(out, "sessions");
  for (const auto& [id, session] : keeper.sessions_) {
    Put(out, id.value, session.node.value, session.boot.value, session.deadline.nanos,
        session.mute ? session.mute->nanos : -1, session.closing ? 1 : 0,
        session.reconciled ? 1 : 0, session.draining ? 1 : 0, session.level);
    PutRooms(out, session.rooms);
    AppendChannel(session.channel, out);
  }
  for (const NodeId& node : keeper.opening_) Put(out, node.value);
  for (const auto& [node, reading] : keeper.clocks_.readings_) {
    Put(out, node.value, Of(reading.wall), reading.mono.nanos);
  }
  Put(out, keeper.tick_due_.nanos, keeper.counts_from_.nanos);
}

bool SoftState::AppendLeader(const Leader& leader, std::string* out) {
  Put(out, "leader", leader.term().value);
  const bool waits = AppendDispatcher(leader.dispatcher_, out);
  AppendSessions(leader.sessions_, out);
  std::vector<TurnKey> turns;
  for (const auto& [key, state] : leader.turns_.taken_) turns.push_back(key);
  std::sort(turns.begin(), turns.end());
  for (const TurnKey key : turns) Put(out, key.value);
  // All calls in the hands of this leader, those in proposals included.
  for (const auto& watched : leader.writes_.watched_) {
    const auto call = watched.lock();
    if (call != nullptr && call->call_ != nullptr) PutCall(out, *call->call_);
  }
  const Housekeeping& housekeeping = leader.housekeeping_;
  Put(out, housekeeping.level_, housekeeping.raising_ ? 1 : 0,
      housekeeping.handed_over_ ? housekeeping.handed_over_->nanos : -1);
  return waits || leader.turns_.waiting() > 0;
}

bool SoftState::Append(const Node& node, std::string* out) {
  AppendWorker(*node.worker_, out);
  AppendForwarding(*node.forwarding_, out);
  Put(out, "node", node.leading_.value, node.beginning_ ? node.beginning_->term.value : 0);
  return node.leader_ != nullptr && AppendLeader(*node.leader_, out);
}

bool SoftState::IsSent(const Node& node, RunNumber run, FencingToken token) {
  if (node.leader_ == nullptr) return false;
  const auto& runs = node.leader_->dispatcher_.book_.runs_;
  const auto found = runs.find(run);
  if (found == runs.end() || found->second->start.key.token != token) return false;
  return found->second->state == RunState::kSent || found->second->state == RunState::kEnding;
}

std::map<TimerId, const char*> SoftState::Timers(const Node& node) {
  std::map<TimerId, const char*> names = {{node.worker_->beat_timer_, "beat"},
                                          {node.worker_->deadline_timer_, "deadline"},
                                          {node.forwarding_->tick_, "forwarding"},
                                          {node.barrier_timer_, "barrier"}};
  if (node.leader_ == nullptr) return names;
  names.emplace(node.leader_->dispatcher_.due_timer_, "due");
  names.emplace(node.leader_->dispatcher_.look_timer_, "look");
  names.emplace(node.leader_->dispatcher_.stray_timer_, "stray");
  names.emplace(node.leader_->sessions_.tick_timer_, "sessions");
  names.emplace(node.leader_->writes_.look_timer_, "writes");
  return names;
}

}  // namespace scheduled
