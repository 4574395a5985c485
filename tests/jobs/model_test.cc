// Random commands against the model: after each, statuses, waiting runs and counters are the same.
#include "jobs/model.h"

#include <catch2/catch.hpp>

#include "base/random.h"
#include "jobs/world.h"

namespace scheduled::jobs {
namespace {

constexpr int kMaxDeliveries = 3;

class RandomWalk {
 public:
  explicit RandomWalk(uint64_t seed) : random_(seed) {}

  void Step() {
    world_.Advance(static_cast<int64_t>(random_.Uniform(3)) * kSecond);
    switch (random_.Uniform(16)) {
      case 0:
        return Create();
      case 1:
        return Create();
      case 2:
        return Claim();
      case 3:
        return Claim();
      case 4:
        return Claim();
      case 5:
        return Finish();
      case 6:
        return Finish();
      case 7:
        return Cancel();
      case 8:
        return Pause();
      case 9:
        return Resume();
      case 10:
        return Trigger();
      case 11:
        return Redrive();
      case 12:
        return Delete();
      case 13:
        return Replace();
      case 14:
        return Session();
      case 15:
        return PutBack();
    }
  }

  void Compare() {
    const pb::CountersRow counters = world_.Counters();
    auto counts = model_.Counts();
    REQUIRE(counters.jobs() == model_.jobs.size());
    REQUIRE(counters.pending() == counts[JobStatus::kPending]);
    REQUIRE(counters.in_progress() == counts[JobStatus::kInProgress]);
    REQUIRE(counters.paused() == counts[JobStatus::kPaused]);
    REQUIRE(counters.completed() == counts[JobStatus::kCompleted]);
    REQUIRE(counters.failed() == counts[JobStatus::kFailed]);
    REQUIRE(counters.timeout() == counts[JobStatus::kTimeout]);
    REQUIRE(counters.cancelled() == counts[JobStatus::kCancelled]);
    REQUIRE(counters.total_created() == model_.created);
    REQUIRE(counters.total_deleted() == model_.deleted);
    REQUIRE(counters.total_completed() == model_.ended_runs[JobStatus::kCompleted]);
    REQUIRE(counters.total_failed() == model_.ended_runs[JobStatus::kFailed]);
    REQUIRE(counters.total_timeout() == model_.ended_runs[JobStatus::kTimeout]);
    REQUIRE(counters.total_cancelled() == model_.ended_runs[JobStatus::kCancelled]);
    REQUIRE(counters.total_skipped() == model_.ended_runs[JobStatus::kSkipped]);
    REQUIRE(counters.total_redelivered() == model_.redelivered);
    REQUIRE(counters.dropped_finishes() == model_.dropped);
    REQUIRE(counters.next_number() == model_.next);
    std::vector<std::pair<uint64_t, int64_t>> waiting, expected;
    for (const SlotKey& key : world_.Slots()) waiting.emplace_back(key.run, key.ready_us);
    for (const auto& [id, job] : model_.jobs) {
      REQUIRE(world_.Status(id) == job.Status());
      for (const ModelRun& run : job.runs) {
        if (run.where == ModelRun::kWaits) expected.emplace_back(run.number, run.ready);
      }
    }
    std::sort(waiting.begin(), waiting.end());
    std::sort(expected.begin(), expected.end());
    REQUIRE(waiting == expected);
  }

 private:
  std::string AnyId() { return std::string(1, static_cast<char>('a' + random_.Uniform(5))); }
  std::string AnyNode() { return random_.Chance(1, 2) ? "n1" : "n2"; }
  ModelJob* Find(const std::string& id) {
    const auto job = model_.jobs.find(id);
    return job == model_.jobs.end() ? nullptr : &job->second;
  }
  // Some of the job's runs in flight, as the leader would withdraw them.
  std::vector<pb::RunRef> Some(const std::vector<pb::RunRef>& runs) {
    std::vector<pb::RunRef> some;
    for (const pb::RunRef& run : runs) {
      if (random_.Chance(1, 2)) some.push_back(run);
    }
    return some;
  }
  static bool Names(const std::vector<pb::RunRef>& refs, uint64_t run) {
    return std::any_of(refs.begin(), refs.end(),
                       [&](const pb::RunRef& ref) { return ref.run() == run; });
  }

  void Create() {
    const std::string id = AnyId();
    const bool recurring = random_.Chance(1, 2);
    const int64_t due_in = static_cast<int64_t>(random_.Uniform(5)) * kSecond;
    const bool is_new = Find(id) == nullptr;
    // Other content each time, so that a second create is a conflict.
    const pb::Answer answer =
        world_.Create(id, {.due_in = due_in,
                           .type = recurring ? JobType::kRecurring : JobType::kOnce,
                           .content = std::to_string(++content_)});
    REQUIRE((answer.code() == 0) == is_new);
    if (!is_new) return;
    ModelJob& job = model_.jobs[id];
    job.recurring = recurring;
    job.cursor = world_.now + due_in;
    job.revision = ++model_.next;
    model_.Enter(job, world_.now + due_in, false);
    ++model_.created;
  }

  void Claim() {
    const std::string id = AnyId();
    ModelJob* job = Find(id);
    if (job == nullptr) return;
    std::optional<size_t> first;
    for (size_t i = 0; i < job->runs.size(); ++i) {
      if (job->runs[i].where != ModelRun::kWaits) continue;
      if (!first || job->runs[i].ready < job->runs[*first].ready) first = i;
    }
    if (!first) return;
    const std::string node = AnyNode();
    const bool skip = job->recurring && random_.Chance(1, 4);
    const int64_t next_in = random_.Chance(1, 6) ? 0 : 3 * kSecond;
    const pb::ClaimItem item = world_.ClaimItemFor(id, {.next_in = next_in, .skip = skip});
    const pb::ClaimAnswer answer =
        world_.Claim(id, {.next_in = next_in, .skip = skip, .node = node});
    if (!skip && !model_.sessions.contains(node)) {
      REQUIRE(answer.outcome() == pb::ClaimAnswer::NO_SESSION);
      return;
    }
    REQUIRE(answer.outcome() == (skip ? pb::ClaimAnswer::SKIPPED : pb::ClaimAnswer::CLAIMED));
    ModelRun& run = job->runs[*first];
    REQUIRE(item.run() == run.number);
    const bool enters_next =
        job->recurring && !run.manual && !run.claimed_once && item.next_due_us() > job->cursor;
    run.claimed_once = true;
    if (!skip) {
      run.where = ModelRun::kFlies;
      run.token = world_.last_index.value;
      run.node = node;
      REQUIRE(answer.token() == run.token);
      REQUIRE(answer.delivery() == run.deliveries + 1);
    }
    if (enters_next) {
      job->cursor = item.next_due_us();
      model_.Enter(*job, item.next_due_us(), false);
    }
    if (skip) model_.End(*job, *first, JobStatus::kSkipped);
  }

  void Finish() {
    const std::string id = AnyId();
    const std::vector<pb::RunRef> runs = world_.InFlight(id);
    if (runs.empty()) return;
    pb::RunRef ref = runs[random_.Uniform(runs.size())];
    const JobStatus how = static_cast<JobStatus>(3 + random_.Uniform(4));
    const int64_t retry_in = how != JobStatus::kCompleted && random_.Chance(1, 2) ? kSecond : 0;
    const bool stale = random_.Chance(1, 8);
    if (stale) ref.set_token(ref.token() - 1);
    const pb::FinishAnswer answer = world_.FinishRun(ref, {.status = how, .retry_in = retry_in});
    ModelJob* job = Find(id);
    std::optional<size_t> index;
    for (size_t i = 0; job != nullptr && i < job->runs.size(); ++i) {
      if (job->runs[i].number == ref.run()) index = i;
    }
    const bool applied = !stale && index.has_value();
    REQUIRE((answer.outcome() == pb::FinishAnswer::APPLIED) == applied);
    if (!stale && !index.has_value()) model_.orphans.erase(ref.run());
    if (!applied) {
      ++model_.dropped;
      return;
    }
    ModelRun& run = job->runs[*index];
    if (retry_in == 0 || job->cancelled || run.old_schedule) {
      return model_.End(*job, *index, how);
    }
    run.ready = world_.now + retry_in;
    model_.ComeBack(*job, *index);
  }

  void Cancel() {
    const std::string id = AnyId();
    ModelJob* job = Find(id);
    const std::vector<pb::RunRef> withdrawn = Some(world_.InFlight(id));
    const bool may = job != nullptr && !job->cancelled && !job->Ended();
    const pb::Answer answer = world_.Cancel(id, {.withdrawn = withdrawn});
    REQUIRE((answer.code() == 0) == may);
    if (!may) return;
    job->cancelled = true;
    job->paused = false;
    for (size_t i = 0; i < job->runs.size();) {
      ModelRun& run = job->runs[i];
      run.told_to_stop = true;
      const bool stays =
          run.where == ModelRun::kFlies && (run.old_schedule || !Names(withdrawn, run.number));
      if (stays) {
        ++i;
      } else {
        model_.End(*job, i, JobStatus::kCancelled);
      }
    }
  }

  void Pause() {
    const std::string id = AnyId();
    ModelJob* job = Find(id);
    const std::vector<pb::RunRef> withdrawn = Some(world_.InFlight(id));
    const bool may = job != nullptr && !job->cancelled && !job->Ended();
    REQUIRE((world_.Pause(id, {.withdrawn = withdrawn}).code() == 0) == may);
    if (!may) return;
    job->paused = true;
    for (ModelRun& run : job->runs) {
      if (run.old_schedule) continue;
      if (run.where != ModelRun::kFlies || Names(withdrawn, run.number)) {
        run.where = ModelRun::kHeld;
      }
    }
  }

  void Resume() {
    const std::string id = AnyId();
    ModelJob* job = Find(id);
    const bool may = job != nullptr && !job->cancelled && !job->Ended();
    REQUIRE((world_.Resume(id).code() == 0) == may);
    if (!may) return;
    job->paused = false;
    for (ModelRun& run : job->runs) {
      if (run.where == ModelRun::kHeld) run.where = ModelRun::kWaits;
    }
  }

  void Trigger() {
    const std::string id = AnyId();
    ModelJob* job = Find(id);
    bool may = job != nullptr && !job->cancelled && !job->Ended() && !job->paused;
    ModelRun* waiting = nullptr;
    if (may && !job->recurring) {
      for (ModelRun& run : job->runs) {
        if (!run.old_schedule && run.where == ModelRun::kWaits) waiting = &run;
      }
      may = waiting != nullptr;
    }
    REQUIRE((world_.Trigger(id).code() == 0) == may);
    if (!may) return;
    if (job->recurring) return model_.Enter(*job, world_.now, true);
    waiting->ready = std::min(waiting->ready, world_.now);
  }

  void Redrive() {
    const std::string id = AnyId();
    ModelJob* job = Find(id);
    const bool may = job != nullptr &&
                     (job->Status() == JobStatus::kFailed || job->Status() == JobStatus::kTimeout);
    REQUIRE((world_.Redrive(id).code() == 0) == may);
    if (!may) return;
    job->paused = false;
    model_.Enter(*job, world_.now, true);
  }

  void Delete() {
    if (random_.Chance(2, 3)) return;  // else nothing lives long
    const std::string id = AnyId();
    ModelJob* job = Find(id);
    const std::vector<pb::RunRef> withdrawn = Some(world_.InFlight(id));
    REQUIRE((world_.Delete(id, {.withdrawn = withdrawn}).code() == 0) == (job != nullptr));
    if (job == nullptr) return;
    for (const ModelRun& run : job->runs) {
      if (run.where != ModelRun::kFlies || Names(withdrawn, run.number)) continue;
      model_.orphans[run.number] = {.job = id, .node = run.node, .token = run.token};
    }
    model_.jobs.erase(id);
    ++model_.deleted;
  }

  void Replace() {
    const std::string id = AnyId();
    ModelJob* job = Find(id);
    const bool keeps = random_.Chance(1, 2);
    const bool stale = random_.Chance(1, 5);
    const std::vector<pb::RunRef> withdrawn = Some(world_.InFlight(id));
    World::ReplaceOptions options{
        .keeps_schedule = keeps,
        .due_in = 4 * kSecond,
        .queue = random_.Chance(1, 2) ? "noop" : "other",
        .priority = static_cast<int>(random_.Uniform(4)),
        .type = job != nullptr && job->recurring ? JobType::kRecurring : JobType::kOnce,
        .withdrawn = withdrawn};
    if (stale && job != nullptr) options.seen_revision = job->revision - 1;
    const bool may = job != nullptr && !stale;
    REQUIRE((world_.Replace(id, options).code() == 0) == may);
    if (!may) return;
    job->revision = ++model_.next;
    if (keeps) {
      for (size_t i = 0; i < job->runs.size();) {
        const size_t before = job->runs.size();
        const ModelRun& run = job->runs[i];
        if (run.where == ModelRun::kFlies && !run.old_schedule && Names(withdrawn, run.number)) {
          model_.ComeBack(*job, i);
        }
        if (job->runs.size() == before) ++i;
      }
      return;
    }
    job->cancelled = false;
    for (size_t i = 0; i < job->runs.size();) {
      ModelRun& run = job->runs[i];
      run.old_schedule = true;
      if (run.where == ModelRun::kFlies && !Names(withdrawn, run.number)) {
        ++i;
      } else {
        model_.End(*job, i, JobStatus::kSkipped);
      }
    }
    job->cursor = world_.now + 4 * kSecond;
    model_.Enter(*job, job->cursor, false);
  }

  void Session() {
    const std::string node = AnyNode();
    if (!model_.sessions.contains(node)) {
      const uint64_t session = world_.OpenSession(node, ++boot_);
      REQUIRE(session != 0);
      model_.sessions[node] = session;
      return;
    }
    if (random_.Chance(1, 2)) return;
    std::vector<pb::RunRef> taken;
    for (const char* id : {"a", "b", "c", "d", "e"}) {
      for (const pb::RunRef& ref : Some(world_.InFlight(id))) taken.push_back(ref);
    }
    world_.CloseSession(node, {.taken = taken, .max_deliveries = kMaxDeliveries});
    model_.sessions.erase(node);
    std::erase_if(model_.orphans, [&](const auto& orphan) { return orphan.second.node == node; });
    for (auto& [id, job] : model_.jobs) CloseFor(job, node, taken);
  }

  void CloseFor(ModelJob& job, const std::string& node, const std::vector<pb::RunRef>& taken) {
    std::vector<uint64_t> numbers;
    for (const ModelRun& run : job.runs) {
      if (run.where == ModelRun::kFlies && run.node == node) numbers.push_back(run.number);
    }
    for (const uint64_t number : numbers) {
      const auto at = std::find_if(job.runs.begin(), job.runs.end(),
                                   [&](const ModelRun& run) { return run.number == number; });
      const size_t i = static_cast<size_t>(at - job.runs.begin());
      if (!Names(taken, number)) {
        model_.ComeBack(job, i);
        continue;
      }
      ++at->deliveries;
      if (at->deliveries >= kMaxDeliveries || job.cancelled || at->old_schedule) {
        model_.End(job, i, JobStatus::kFailed);
        continue;
      }
      ++model_.redelivered;
      model_.ComeBack(job, i);
    }
  }

  void PutBack() {
    const std::string id = AnyId();
    const std::vector<pb::RunRef> runs = Some(world_.InFlight(id));
    if (runs.empty()) return;
    world_.PutBack(runs);
    ModelJob* job = Find(id);
    for (const pb::RunRef& ref : runs) {
      model_.orphans.erase(ref.run());
      for (size_t i = 0; job != nullptr && i < job->runs.size(); ++i) {
        if (job->runs[i].number != ref.run()) continue;
        model_.ComeBack(*job, i);
        break;
      }
    }
  }

  Random random_;
  World world_;
  Model model_;
  uint64_t boot_ = 0;
  uint64_t content_ = 0;
};

}  // namespace

TEST_CASE("random commands leave jobs as the model says") {
  const uint64_t seed = GENERATE(range(1, 25));
  CAPTURE(seed);
  RandomWalk walk(seed);
  for (int i = 0; i < 400; ++i) {
    CAPTURE(i);
    walk.Step();
    walk.Compare();
  }
}

}  // namespace scheduled::jobs
