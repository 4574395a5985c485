// See world.h.
#include "jobs/world.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/codec.h"
#include "base/sha256.h"
#include "jobs/job_info.h"
#include "jobs/job_model.h"

namespace scheduled::jobs {
namespace {

constexpr char kClusterId[] = "0123456789abcdef";
constexpr int64_t kDay = int64_t{24} * 3600 * kSecond;

template <typename Refs>
void AddRefs(const std::vector<pb::RunRef>& runs, Refs* refs) {
  for (const pb::RunRef& run : runs) *refs->Add() = run;
}

std::string Definition(JobType type, const std::string& queue, const std::string& content) {
  Job job = type == JobType::kOnce ? Job::In(absl::Seconds(60)) : Job::Every(absl::Seconds(60));
  job.executor = queue;
  job.payload = content;
  return MakeDefinition(job).SerializeAsString();
}

}  // namespace

World::World() {
  auto opened = JobStateMachine::Open(store);
  REQUIRE(opened.ok());
  machine = *std::move(opened);
  machine->OnLeading(true, term);
}

pb::Command World::Stamped() const {
  pb::Command command;
  command.set_stamp_us(now);
  return command;
}

pb::Answer World::Apply(pb::Command command) { return ApplyTogether({std::move(command)}).front(); }

std::vector<pb::Answer> World::ApplyTogether(std::vector<pb::Command> commands) {
  last_index = last_index.Next();
  std::vector<std::string> bytes;
  std::vector<scheduled::Command> entry;
  for (const pb::Command& command : commands) bytes.push_back(command.SerializeAsString());
  for (uint32_t i = 0; i < bytes.size(); ++i) {
    entry.push_back({.index = last_index, .ordinal = i, .term = term, .bytes = bytes[i]});
  }
  const auto answers = machine->Apply(entry, {.index = last_index, .term = term});
  INFO(answers.status().ToString());
  REQUIRE(answers.ok());
  machine->CheckInvariants();
  std::vector<pb::Answer> parsed(answers->size());
  for (size_t i = 0; i < answers->size(); ++i) {
    REQUIRE(parsed[i].ParseFromString((*answers)[i]));
  }
  return parsed;
}

pb::Command World::CreateCommand(const std::string& id, const JobOptions& options) const {
  pb::Command command = Stamped();
  command.set_request_id(options.request_id);
  pb::Create* create = command.mutable_create();
  create->set_max_jobs(options.max_jobs);
  create->set_dedup_expires_us(now + kDay);
  pb::CreateItem* item = create->add_items();
  item->set_job_id(id);
  item->set_definition(Definition(options.type, options.queue, options.content));
  item->set_fingerprint(Sha256(options.content));
  item->set_idempotency_key(options.idempotency_key);
  item->set_first_due_us(now + options.due_in);
  item->set_queue(options.queue);
  item->set_priority(options.priority);
  item->set_type(static_cast<int>(options.type));
  return command;
}

pb::Answer World::Create(const std::string& id, const JobOptions& options) {
  return Apply(CreateCommand(id, options));
}

pb::ClaimItem World::ClaimItemFor(const std::string& id, const ClaimOptions& options) const {
  const std::optional<JobRecord> record = Record(id);
  REQUIRE(record.has_value());
  const pb::LiveRun* run = FirstWaiting(*record);
  REQUIRE(run != nullptr);
  pb::ClaimItem item;
  item.set_queue(record->schedule.queue());
  item.set_ready_us(run->ready_us());
  item.set_priority(record->schedule.priority());
  item.set_job_id(id);
  item.set_run(run->run());
  item.set_revision(record->revision);
  item.set_cursor_us(record->schedule.cursor_us());
  item.set_skip(options.skip);
  if (options.skip) item.set_skip_reason("overlap");
  item.set_due_us(run->due_us() + options.later_by);
  item.set_missed(options.missed);
  if (record->schedule.type() == static_cast<int>(JobType::kRecurring) && options.next_in != 0) {
    item.set_next_due_us(item.due_us() + options.next_in);
  }
  return item;
}

pb::ClaimAnswer World::Claim(const std::string& id, const ClaimOptions& options) {
  pb::Command command = Stamped();
  pb::Claims* claims = command.mutable_claims();
  claims->set_node_id(options.node);
  const std::optional<pb::SessionRow> open = Session(options.node);
  claims->set_session(options.session.value_or(open.has_value() ? open->session() : 0));
  *claims->add_items() = ClaimItemFor(id, options);
  const pb::Answer answer = Apply(command);
  REQUIRE(answer.claims_size() == 1);
  return answer.claims(0);
}

pb::ClaimAnswer World::ClaimExactly(const pb::ClaimItem& item, const std::string& node) {
  pb::Command command = Stamped();
  command.mutable_claims()->set_node_id(node);
  command.mutable_claims()->set_session(Session(node)->session());
  *command.mutable_claims()->add_items() = item;
  const pb::Answer answer = Apply(command);
  REQUIRE(answer.claims_size() == 1);
  return answer.claims(0);
}

pb::FinishAnswer World::FinishRun(const pb::RunRef& run, const FinishOptions& options) {
  pb::Command command = Stamped();
  pb::FinishItem* item = command.mutable_finishes()->add_items();
  item->set_job_id(run.job_id());
  item->set_run(run.run());
  item->set_token(run.token());
  item->set_status(static_cast<int>(options.status));
  if (options.retry_in > 0) item->set_retry_us(now + options.retry_in);
  item->set_uncounted(options.uncounted);
  item->mutable_record()->set_start_us(now - kSecond / 10);
  item->mutable_record()->set_end_us(now);
  const pb::Answer answer = Apply(command);
  REQUIRE(answer.finishes_size() == 1);
  return answer.finishes(0);
}

pb::FinishAnswer World::Finish(const std::string& id, const FinishOptions& options) {
  const std::vector<pb::RunRef> runs = InFlight(id);
  REQUIRE(!runs.empty());
  return FinishRun(runs.front(), options);
}

void World::RunOnce(const std::string& id, JobStatus status) {
  REQUIRE(Claim(id).outcome() == pb::ClaimAnswer::CLAIMED);
  REQUIRE(Finish(id, {.status = status}).outcome() == pb::FinishAnswer::APPLIED);
}

pb::Answer World::Cancel(const std::string& id, const Control& control) {
  pb::Command command = Stamped();
  command.set_request_id(control.request_id);
  command.mutable_cancel()->set_job_id(id);
  command.mutable_cancel()->set_reason("not needed");
  AddRefs(control.withdrawn, command.mutable_cancel()->mutable_withdrawn());
  return Apply(command);
}

pb::Answer World::Pause(const std::string& id, const Control& control) {
  pb::Command command = Stamped();
  command.set_request_id(control.request_id);
  command.mutable_pause()->set_job_id(id);
  AddRefs(control.withdrawn, command.mutable_pause()->mutable_withdrawn());
  return Apply(command);
}

pb::Answer World::Resume(const std::string& id) {
  pb::Command command = Stamped();
  command.mutable_resume()->set_job_id(id);
  return Apply(command);
}

pb::Answer World::Trigger(const std::string& id, const std::string& request_id) {
  pb::Command command = Stamped();
  command.set_request_id(request_id);
  command.mutable_trigger()->set_job_id(id);
  return Apply(command);
}

pb::Answer World::Redrive(const std::string& id) {
  pb::Command command = Stamped();
  command.mutable_redrive()->set_job_id(id);
  return Apply(command);
}

pb::Answer World::Delete(const std::string& id, const Control& control) {
  pb::Command command = Stamped();
  command.set_request_id(control.request_id);
  command.mutable_delete_job()->set_job_id(id);
  command.mutable_delete_job()->set_dedup_expires_us(now + 600 * kSecond);
  AddRefs(control.withdrawn, command.mutable_delete_job()->mutable_withdrawn());
  return Apply(command);
}

pb::Answer World::Replace(const std::string& id, const ReplaceOptions& options) {
  const std::optional<JobRecord> record = Record(id);
  pb::Command command = Stamped();
  command.set_request_id(options.request_id);
  pb::Replace* replace = command.mutable_replace();
  replace->set_job_id(id);
  replace->set_definition(Definition(options.type, options.queue, "replaced"));
  replace->set_fingerprint(Sha256("replaced"));
  if (options.if_match.has_value()) replace->set_if_match(*options.if_match);
  replace->set_keeps_schedule(options.keeps_schedule);
  replace->set_first_due_us(now + options.due_in);
  replace->set_queue(options.queue);
  replace->set_priority(options.priority);
  replace->set_type(static_cast<int>(options.type));
  replace->set_seen_revision(
      options.seen_revision.value_or(record.has_value() ? record->revision : 0));
  AddRefs(options.withdrawn, replace->mutable_withdrawn());
  return Apply(command);
}

uint64_t World::OpenSession(const std::string& node, uint64_t boot,
                            const std::vector<pb::RunRef>& taken) {
  pb::Command command = Stamped();
  command.mutable_open_session()->set_node_id(node);
  command.mutable_open_session()->set_boot(boot);
  command.mutable_open_session()->set_max_deliveries(5);
  AddRefs(taken, command.mutable_open_session()->mutable_taken());
  return Apply(command).session();
}

pb::Answer World::CloseSession(const std::string& node, const CloseOptions& options) {
  pb::Command command = Stamped();
  pb::CloseSession* close = command.mutable_close_session();
  close->set_node_id(node);
  close->set_session(Session(node).value_or(pb::SessionRow()).session());
  close->set_max_deliveries(options.max_deliveries);
  close->set_taken_unknown(options.taken_unknown);
  AddRefs(options.taken, close->mutable_taken());
  return Apply(command);
}

pb::Answer World::PutBack(const std::vector<pb::RunRef>& runs) {
  pb::Command command = Stamped();
  AddRefs(runs, command.mutable_put_back()->mutable_runs());
  return Apply(command);
}

pb::Answer World::Retain(int64_t before, int limit) {
  pb::Command command = Stamped();
  command.mutable_retain()->set_before_us(before);
  command.mutable_retain()->set_limit(limit);
  return Apply(command);
}

pb::Answer World::SweepDedup(int64_t before, int limit) {
  pb::Command command = Stamped();
  command.mutable_sweep_dedup()->set_before_us(before);
  command.mutable_sweep_dedup()->set_limit(limit);
  return Apply(command);
}

pb::Answer World::SetGroup(uint32_t level, uint32_t epoch) {
  pb::Command command = Stamped();
  command.mutable_set_group()->set_level(level);
  command.mutable_set_group()->set_epoch(epoch);
  return Apply(command);
}

std::optional<JobRecord> World::Record(const std::string& id) const {
  const auto record = ReadJob(store, id);
  REQUIRE(record.ok());
  return *record;
}

JobStatus World::Status(const std::string& id) const {
  const std::optional<JobRecord> record = Record(id);
  REQUIRE(record.has_value());
  return StatusOf(*record);
}

pb::CountersRow World::Counters() const {
  const auto counters = Queries(store, kClusterId).Counters();
  REQUIRE(counters.ok());
  return *counters;
}

std::vector<pb::RunRef> World::InFlight(const std::string& id) const {
  const auto entries = ReadInflight(store, std::nullopt, SIZE_MAX);
  REQUIRE(entries.ok());
  std::vector<pb::RunRef> runs;
  for (const InflightEntry& entry : *entries) {
    if (entry.key.job_id != id) continue;
    pb::RunRef run;
    run.set_job_id(id);
    run.set_run(entry.key.run);
    run.set_token(entry.row.token());
    runs.push_back(run);
  }
  return runs;
}

std::vector<SlotKey> World::Slots() const {
  const std::string prefix = TablePrefix(kSlotsTag);
  const auto rows = store.Scan(prefix, PrefixEnd(prefix), SIZE_MAX);
  REQUIRE(rows.ok());
  std::vector<SlotKey> keys(rows->size());
  for (size_t i = 0; i < keys.size(); ++i) REQUIRE(DecodeSlotKey((*rows)[i].key, &keys[i]));
  return keys;
}

std::vector<DoneKey> World::Done() const {
  const std::string prefix = TablePrefix(kDoneTag);
  const auto rows = store.Scan(prefix, PrefixEnd(prefix), SIZE_MAX);
  REQUIRE(rows.ok());
  std::vector<DoneKey> keys(rows->size());
  for (size_t i = 0; i < keys.size(); ++i) REQUIRE(DecodeDoneKey((*rows)[i].key, &keys[i]));
  return keys;
}

std::vector<Attempt> World::Attempts(const std::string& id) const {
  const auto attempts = Queries(store, kClusterId).Attempts(id);
  REQUIRE(attempts.ok());
  return *attempts;
}

size_t World::RowsIn(char tag) const {
  const std::string prefix = TablePrefix(tag);
  return store.Scan(prefix, PrefixEnd(prefix), SIZE_MAX)->size();
}

std::optional<pb::SessionRow> World::Session(const std::string& node) const {
  const auto sessions = ReadSessions(store);
  REQUIRE(sessions.ok());
  for (const SessionEntry& entry : *sessions) {
    if (entry.node_id == node) return entry.row;
  }
  return std::nullopt;
}

std::string RequestId(const std::string& text) {
  std::string id = text;
  id.resize(16, '.');
  return id;
}

}  // namespace scheduled::jobs
