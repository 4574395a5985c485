// The public facade: opens what a node runs on (a data directory and threads, or memory and a
// ManualClock's event loop), and turns each call into a command or a read. The waiting overloads
// are thin waits; nothing is decided here.
#include "scheduled/scheduler.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/thread_runtime.h"
#include "base/virtual_loop.h"
#include "base/virtual_runtime.h"
#include "scheduler/client_commands.h"
#include "scheduler/node.h"
#include "storage/data_directory.h"
#include "storage/directory_snapshot_files.h"
#include "storage/memory_log_store.h"
#include "storage/memory_table_store.h"
#include "storage/rocks_log_store.h"
#include "storage/rocks_options.h"
#include "storage/rocks_table_store.h"

namespace scheduled {
namespace {

constexpr GroupId kGroup{1};

absl::Status NotYet() {
  return WithReason(absl::UnavailableError("this node does not belong to a cluster yet"),
                    "no_leader");
}

// What went wrong with the read behind a write. The write is done, and "unavailable" would say that
// it is not.
absl::Status AfterWrite(const absl::Status& read) {
  if (absl::IsNotFound(read)) return read;  // it was deleted meanwhile
  return WithReason(
      absl::UnknownError(absl::StrCat("the request was carried out, but its outcome could not be "
                                      "read: ",
                                      read.message())),
      "unknown_outcome");
}

// What Apply said of each job of a create.
std::vector<JobInfo> ToInfos(std::vector<Job> jobs, const pb::Answer& answer) {
  std::vector<JobInfo> infos;
  infos.reserve(jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i) {
    infos.push_back(ToInfo(std::move(jobs[i]), answer.jobs(static_cast<int>(i))));
  }
  return infos;
}

bool AnyExisted(const pb::Answer& answer) {
  return std::any_of(answer.jobs().begin(), answer.jobs().end(),
                     [](const pb::JobAnswer& job) { return job.existed(); });
}

// Those that came before, as they stand now. One that has been deleted stays as Apply has answered
// it: what was made once is not made again, and another job may have its id by now.
absl::Status ReadExisting(const jobs::Queries& queries, const pb::Answer& answer,
                          std::vector<JobInfo>* infos) {
  for (int i = 0; i < answer.jobs_size(); ++i) {
    if (!answer.jobs(i).existed()) continue;
    JobInfo& answered = (*infos)[static_cast<size_t>(i)];
    absl::StatusOr<JobInfo> info = queries.Get(answered.job.id.value);
    if (absl::IsNotFound(info.status())) continue;
    if (!info.ok()) return info.status();
    if (info->created_at == answered.created_at) answered = *std::move(info);
  }
  return absl::OkStatus();
}

NodeOptions ToNodeOptions(const Options& options) {
  NodeOptions node;
  node.node_id = options.node_id;
  node.peers = options.peers;
  if (!node.peers.empty()) node.peers.try_emplace(options.node_id);
  node.history_retention = options.history_retention;
  node.max_jobs = options.max_jobs;
  node.max_clock_skew = options.max_clock_skew;
  node.log = options.log;
  node.claim_ahead = options.claim_ahead;
  node.heartbeat_interval = options.heartbeat_interval;
  node.election_timeout = options.election_timeout;
  node.compact_log_bytes = options.compact_log_bytes;
  node.snapshot_bytes_per_second = options.snapshot_bytes_per_second;
  return node;
}

}  // namespace

// What a node stands on, in the order in which it is opened; closed in the reverse.
class Scheduler::Impl {
 public:
  static absl::StatusOr<std::unique_ptr<Impl>> Open(Options options);
  ~Impl();

  Node& node() { return *node_; }

  // Starts a call, waits for its completion and returns what it said.
  template <typename T>
  T Wait(absl::AnyInvocable<void(Completion<T>) &&> start) {
    struct State {
      std::atomic<bool> done{false};
      std::optional<T> value;
    };
    // Shared: on a virtual loop the wait may give up before the call ends.
    auto state = std::make_shared<State>();
    std::move(start)([state](T value) {
      state->value.emplace(std::move(value));
      state->done.store(true, std::memory_order_release);
    });
    const bool ended =
        node_->runtime().Await([state] { return state->done.load(std::memory_order_acquire); });
    if (ended) return *std::move(state->value);
    return T(absl::UnavailableError("nothing is left that could carry the request out"));
  }

  // A command, and Apply's answer or refusal.
  WriteResult Write(pb::Command command) {
    WriteResult result = Wait<WriteResult>([&](Completion<WriteResult> done) {
      node_->Write(std::move(command), ReplyTo::kWaiter, std::move(done));
    });
    if (result.ok() && result->code() != 0) return ToStatus(*result);
    return result;
  }
  void Write(pb::Command command, Completion<WriteResult> done) {
    node_->Write(std::move(command), ReplyTo::kHost,
                 [done = std::move(done)](WriteResult result) mutable {
                   if (result.ok() && result->code() != 0) result = ToStatus(*result);
                   std::move(done)(std::move(result));
                 });
  }

  absl::Status Barrier() {
    return Wait<absl::Status>(
        [&](Completion<absl::Status> done) { node_->Barrier(ReplyTo::kWaiter, std::move(done)); });
  }

  // Reads on the calling thread.
  template <typename T>
  absl::StatusOr<T> Read(Consistency consistency,
                         const std::function<absl::StatusOr<T>(const jobs::Queries&)>& read) {
    if (consistency == Consistency::kLinearizable) {
      if (absl::Status reached = Barrier(); !reached.ok()) return reached;
    }
    const jobs::Queries* queries = node_->queries();
    if (queries == nullptr) return NotYet();
    absl::StatusOr<T> outcome = read(*queries);
    node_->AfterRead(outcome.status());
    return outcome;
  }

  absl::StatusOr<JobInfo> Get(const JobId& id, Consistency consistency) {
    return Read<JobInfo>(consistency,
                         [&id](const jobs::Queries& queries) { return queries.Get(id.value); });
  }
  void Get(const JobId& id, Consistency consistency, Completion<absl::StatusOr<JobInfo>> done) {
    auto read = [this, id, done = std::move(done)](absl::Status reached) mutable {
      if (!reached.ok()) return std::move(done)(std::move(reached));
      node_->OnReadLane([this, id, done = std::move(done)]() mutable {
        const jobs::Queries* queries = node_->queries();
        absl::StatusOr<JobInfo> info = NotYet();
        if (queries != nullptr) {
          info = queries->Get(id.value);
          node_->AfterRead(info.status());
        }
        node_->OnCompletionsLane([info = std::move(info), done = std::move(done)]() mutable {
          std::move(done)(std::move(info));
        });
      });
    };
    if (consistency == Consistency::kStale) return read(absl::OkStatus());
    node_->Barrier(ReplyTo::kHost, std::move(read));
  }

  // A command on one job, and how the job stands after it.
  absl::StatusOr<JobInfo> Change(absl::StatusOr<pb::Command> command, const JobId& id) {
    if (!command.ok()) return command.status();
    if (WriteResult result = Write(*std::move(command)); !result.ok()) return result.status();
    absl::StatusOr<JobInfo> info = Get(id, Consistency::kLinearizable);
    if (!info.ok()) return AfterWrite(info.status());
    return info;
  }
  void Change(absl::StatusOr<pb::Command> command, const JobId& id,
              Completion<absl::StatusOr<JobInfo>> done) {
    if (!command.ok()) return Refuse(command.status(), std::move(done));
    Write(*std::move(command), [this, id, done = std::move(done)](WriteResult result) mutable {
      if (!result.ok()) return std::move(done)(result.status());
      Get(id, Consistency::kLinearizable,
          [done = std::move(done)](absl::StatusOr<JobInfo> info) mutable {
            if (!info.ok()) info = AfterWrite(info.status());
            std::move(done)(std::move(info));
          });
    });
  }

  template <typename T>
  void Refuse(absl::Status why, Completion<T> done) {
    node_->OnCompletionsLane([why = std::move(why), done = std::move(done)]() mutable {
      std::move(done)(std::move(why));
    });
  }

  // Those jobs of a create that came before it, as they stand now.
  absl::Status ReadExisting(const pb::Answer& answer, std::vector<JobInfo>* infos) {
    absl::Status read = scheduled::ReadExisting(*node_->queries(), answer, infos);
    node_->AfterRead(read);
    return read;
  }

  Counts ReadCounts() {
    const jobs::Queries* queries = node_->queries();
    if (queries == nullptr) return Counts();
    const absl::StatusOr<Counts> counts = queries->Counts();
    node_->AfterRead(counts.status());
    return counts.value_or(Counts());
  }

  std::string NewId() { return node_->NewId().ToString(); }

 private:
  absl::Status OpenStores(const std::string& data_dir);

  absl::Duration drain_timeout_;
  std::shared_ptr<Clock> clock_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<DataDirectory> directory_;  // null with a ManualClock
  std::unique_ptr<RocksResources> resources_;
  std::unique_ptr<LogStore> log_store_;
  std::unique_ptr<TableStore> tables_;
  std::unique_ptr<SnapshotFiles> snapshots_;  // null with a ManualClock
  std::unique_ptr<Node> node_;
};

absl::StatusOr<std::unique_ptr<Scheduler::Impl>> Scheduler::Impl::Open(Options options) {
  if (absl::Status valid = options.Validate(); !valid.ok()) return valid;
  auto impl = std::make_unique<Impl>();
  NodeOptions node = ToNodeOptions(options);
  NodeParts parts;
  impl->drain_timeout_ = options.drain_timeout;
  impl->clock_ = std::move(options.clock);
  if (auto* manual = dynamic_cast<ManualClock*>(impl->clock_.get())) {
    impl->runtime_ = manual->loop().NewRuntime(options.node_id.value);
    impl->log_store_ = std::make_unique<MemoryLogStore>();
    impl->tables_ = std::make_unique<MemoryTableStore>();
    node.external_executors = true;
  } else {
    impl->runtime_ = std::make_unique<ThreadRuntime>(impl->clock_);
    if (absl::Status opened = impl->OpenStores(options.data_dir); !opened.ok()) return opened;
    node.boot = BootCounter(impl->directory_->boot_counter());
    parts.on_cluster_id = [directory = impl->directory_.get()](const std::string& id) {
      Uuid cluster;
      std::copy_n(id.begin(), std::min(id.size(), cluster.bytes.size()), cluster.bytes.begin());
      return directory->SetClusterId(cluster);
    };
    parts.disk = raft::DiskId(Checksum64(impl->directory_->disk_id().ToBytes()));
  }
  parts.runtime = impl->runtime_.get();
  parts.log_store = impl->log_store_.get();
  parts.tables = impl->tables_.get();
  parts.snapshots = impl->snapshots_.get();
  if (!node.alone()) parts.transport = std::move(options.transport);
  absl::StatusOr<std::unique_ptr<Node>> opened = Node::Open(std::move(node), std::move(parts));
  if (!opened.ok()) return opened.status();
  impl->node_ = *std::move(opened);
  return impl;
}

absl::Status Scheduler::Impl::OpenStores(const std::string& data_dir) {
  UuidGenerator uuids;
  const Uuid fresh =
      uuids.Next(runtime_->clock().WallNow(), {runtime_->Random(), runtime_->Random()});
  absl::StatusOr<std::unique_ptr<DataDirectory>> directory = DataDirectory::Open(data_dir, fresh);
  if (!directory.ok()) return directory.status();
  directory_ = *std::move(directory);
  resources_ = std::make_unique<RocksResources>();
  absl::StatusOr<std::unique_ptr<RocksLogStore>> log = RocksLogStore::Open(
      directory_->raft_dir(), *resources_, {.must_exist = directory_->cluster_id().has_value()});
  if (!log.ok()) return log.status();
  log_store_ = *std::move(log);
  absl::StatusOr<std::unique_ptr<RocksTableStore>> tables =
      RocksTableStore::Open(directory_->state_dir(kGroup), *resources_);
  if (!tables.ok()) return tables.status();
  tables_ = *std::move(tables);
  snapshots_ = std::make_unique<DirectorySnapshotFiles>(directory_->snapshots_dir());
  return absl::OkStatus();
}

Scheduler::Impl::~Impl() {
  if (node_ == nullptr) return;
  node_->Close(drain_timeout_);
  node_.reset();
  // What fails here is replayed from the log at the next start.
  tables_->Flush().IgnoreError();
  log_store_->MarkCleanStop().IgnoreError();
}

// --- The facade ---------------------------------------------------------------------------------

absl::StatusOr<std::unique_ptr<Scheduler>> Scheduler::Open(Options options) {
  absl::StatusOr<std::unique_ptr<Impl>> impl = Impl::Open(std::move(options));
  if (!impl.ok()) return impl.status();
  return std::unique_ptr<Scheduler>(new Scheduler(*std::move(impl)));
}

Scheduler::Scheduler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Scheduler::~Scheduler() = default;

absl::Status Scheduler::Register(std::string_view name,
                                 absl::StatusOr<std::unique_ptr<Executor>> executor) {
  if (!executor.ok()) return executor.status();
  return impl_->node().Register(name, *std::move(executor));
}

absl::StatusOr<JobInfo> Scheduler::Schedule(Job job) {
  std::vector<Job> jobs;
  jobs.push_back(std::move(job));
  absl::StatusOr<std::vector<JobInfo>> infos = ScheduleBatch(std::move(jobs));
  if (!infos.ok()) return infos.status();
  return std::move(infos->front());
}

void Scheduler::Schedule(Job job, Completion<absl::StatusOr<JobInfo>> done) {
  std::vector<Job> jobs;
  jobs.push_back(std::move(job));
  ScheduleBatch(std::move(jobs),
                [done = std::move(done)](absl::StatusOr<std::vector<JobInfo>> infos) mutable {
                  if (!infos.ok()) return std::move(done)(infos.status());
                  std::move(done)(std::move(infos->front()));
                });
}

absl::StatusOr<std::vector<JobInfo>> Scheduler::ScheduleBatch(std::vector<Job> jobs) {
  absl::StatusOr<pb::Command> command = MakeCreate(jobs, [this] { return impl_->NewId(); });
  if (!command.ok()) return command.status();
  WriteResult result = impl_->Write(*std::move(command));
  if (!result.ok()) return result.status();
  std::vector<JobInfo> infos = ToInfos(std::move(jobs), *result);
  if (!AnyExisted(*result)) return infos;
  absl::Status read = impl_->Barrier();
  if (read.ok()) read = impl_->ReadExisting(*result, &infos);
  if (!read.ok()) return AfterWrite(read);
  return infos;
}

void Scheduler::ScheduleBatch(std::vector<Job> jobs,
                              Completion<absl::StatusOr<std::vector<JobInfo>>> done) {
  absl::StatusOr<pb::Command> command = MakeCreate(jobs, [this] { return impl_->NewId(); });
  if (!command.ok()) return impl_->Refuse(command.status(), std::move(done));
  impl_->Write(*std::move(command), [this, jobs = std::move(jobs),
                                     done = std::move(done)](WriteResult result) mutable {
    if (!result.ok()) return std::move(done)(result.status());
    std::vector<JobInfo> infos = ToInfos(std::move(jobs), *result);
    if (!AnyExisted(*result)) return std::move(done)(std::move(infos));
    Impl* const impl = impl_.get();
    impl->node().Barrier(
        ReplyTo::kHost, [impl, infos = std::move(infos), answer = *std::move(result),
                         done = std::move(done)](absl::Status reached) mutable {
          if (!reached.ok()) return std::move(done)(AfterWrite(reached));
          impl->node().OnReadLane([impl, infos = std::move(infos), answer = std::move(answer),
                                   done = std::move(done)]() mutable {
            absl::StatusOr<std::vector<JobInfo>> outcome = std::move(infos);
            if (absl::Status read = impl->ReadExisting(answer, &*outcome); !read.ok()) {
              outcome = AfterWrite(read);
            }
            impl->node().OnCompletionsLane(
                [outcome = std::move(outcome), done = std::move(done)]() mutable {
                  std::move(done)(std::move(outcome));
                });
          });
        });
  });
}

absl::StatusOr<JobInfo> Scheduler::Get(const JobId& id, Consistency consistency) const {
  return impl_->Get(id, consistency);
}

void Scheduler::Get(const JobId& id, Consistency consistency,
                    Completion<absl::StatusOr<JobInfo>> done) const {
  impl_->Get(id, consistency, std::move(done));
}

absl::Status Scheduler::Barrier() const { return impl_->Barrier(); }

void Scheduler::Barrier(Completion<absl::Status> done) const {
  impl_->node().Barrier(ReplyTo::kHost, std::move(done));
}

absl::StatusOr<JobPage> Scheduler::List(const JobFilter& filter, const PageToken& page,
                                        Consistency consistency) const {
  return impl_->Read<JobPage>(
      consistency, [&](const jobs::Queries& queries) { return queries.List(filter, page); });
}

absl::StatusOr<std::vector<Attempt>> Scheduler::Attempts(const JobId& id,
                                                         Consistency consistency) const {
  return impl_->Read<std::vector<Attempt>>(
      consistency, [&](const jobs::Queries& queries) { return queries.Attempts(id.value); });
}

absl::StatusOr<JobInfo> Scheduler::Replace(Job job, std::optional<Revision> if_match) {
  return impl_->Change(MakeReplace(job, if_match), job.id);
}

void Scheduler::Replace(Job job, std::optional<Revision> if_match,
                        Completion<absl::StatusOr<JobInfo>> done) {
  impl_->Change(MakeReplace(job, if_match), job.id, std::move(done));
}

absl::Status Scheduler::Delete(const JobId& id) {
  absl::StatusOr<pb::Command> command = MakeVerb(JobVerb::kDelete, id);
  if (!command.ok()) return command.status();
  return impl_->Write(*std::move(command)).status();
}

void Scheduler::Delete(const JobId& id, Completion<absl::Status> done) {
  absl::StatusOr<pb::Command> command = MakeVerb(JobVerb::kDelete, id);
  if (!command.ok()) return impl_->Refuse(command.status(), std::move(done));
  impl_->Write(*std::move(command), [done = std::move(done)](WriteResult result) mutable {
    std::move(done)(result.status());
  });
}

absl::StatusOr<JobInfo> Scheduler::Cancel(const JobId& id, std::string_view reason) {
  return impl_->Change(MakeVerb(JobVerb::kCancel, id, reason), id);
}

void Scheduler::Cancel(const JobId& id, std::string_view reason,
                       Completion<absl::StatusOr<JobInfo>> done) {
  impl_->Change(MakeVerb(JobVerb::kCancel, id, reason), id, std::move(done));
}

absl::StatusOr<JobInfo> Scheduler::Pause(const JobId& id) {
  return impl_->Change(MakeVerb(JobVerb::kPause, id), id);
}

void Scheduler::Pause(const JobId& id, Completion<absl::StatusOr<JobInfo>> done) {
  impl_->Change(MakeVerb(JobVerb::kPause, id), id, std::move(done));
}

absl::StatusOr<JobInfo> Scheduler::Resume(const JobId& id) {
  return impl_->Change(MakeVerb(JobVerb::kResume, id), id);
}

void Scheduler::Resume(const JobId& id, Completion<absl::StatusOr<JobInfo>> done) {
  impl_->Change(MakeVerb(JobVerb::kResume, id), id, std::move(done));
}

absl::StatusOr<JobInfo> Scheduler::Trigger(const JobId& id) {
  return impl_->Change(MakeVerb(JobVerb::kTrigger, id), id);
}

void Scheduler::Trigger(const JobId& id, Completion<absl::StatusOr<JobInfo>> done) {
  impl_->Change(MakeVerb(JobVerb::kTrigger, id), id, std::move(done));
}

absl::StatusOr<JobInfo> Scheduler::Retry(const JobId& id) {
  return impl_->Change(MakeVerb(JobVerb::kRedrive, id), id);
}

void Scheduler::Retry(const JobId& id, Completion<absl::StatusOr<JobInfo>> done) {
  impl_->Change(MakeVerb(JobVerb::kRedrive, id), id, std::move(done));
}

Counts Scheduler::counts() const { return impl_->ReadCounts(); }

ClusterStatus Scheduler::cluster() const { return impl_->node().status(); }

Statistics Scheduler::statistics() const { return impl_->node().statistics(); }

absl::Status Scheduler::TransferLeadership(std::optional<NodeId> to) {
  if (impl_->node().status().role != Role::kLeader) {
    return absl::FailedPreconditionError("this node does not lead, so it has nothing to hand over");
  }
  return impl_->Wait<absl::Status>([&](Completion<absl::Status> done) {
    impl_->node().Transfer(std::move(to), ReplyTo::kWaiter, std::move(done));
  });
}

}  // namespace scheduled
