// See housekeeping.h. A sweep first reads whether there is anything to remove, so that an idle
// group writes nothing.
#include "scheduler/housekeeping.h"

#include <utility>

#include "base/assert.h"
#include "base/codec.h"
#include "jobs/tables.h"

namespace scheduled {
namespace {

absl::StatusOr<bool> HasEndedBefore(const TableStore& tables, absl::Time before) {
  const int64_t before_us = absl::ToUnixMicros(before);
  for (JobStatus status : {JobStatus::kCompleted, JobStatus::kFailed, JobStatus::kTimeout,
                           JobStatus::kCancelled, JobStatus::kSkipped}) {
    const std::string from = jobs::DonePrefix(status);
    const auto rows = tables.Scan(from, PrefixEnd(from), 1);
    jobs::DoneKey key;
    if (!rows.ok()) return rows.status();
    if (rows->empty()) continue;
    if (!jobs::DecodeDoneKey(rows->front().key, &key)) {
      return absl::DataLossError("a row of what is done does not parse");
    }
    if (key.end_us < before_us) return true;
  }
  return false;
}

absl::StatusOr<bool> HasExpiredBefore(const TableStore& tables, absl::Time before) {
  const std::string prefix = jobs::TablePrefix(jobs::kDedupExpiryTag);
  const auto rows = tables.Scan(prefix, PrefixEnd(prefix), 1);
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return false;
  jobs::DedupExpiryKey key;
  if (!jobs::DecodeDedupExpiryKey(rows->front().key, &key)) {
    return absl::DataLossError("a row of what is forgotten does not parse");
  }
  return key.expires_us < absl::ToUnixMicros(before);
}

}  // namespace

Housekeeping::Housekeeping(TermContext* term, SessionKeeper* sessions)
    : term_(*term), sessions_(*sessions) {}

void Housekeeping::Begin(uint32_t level) {
  level_ = level;
  ArmSweep();
  RaiseLevel();
  if (!term_.options().alone() || level_ < term_.options().feature_level) ArmLook();
}

// --- What is old --------------------------------------------------------------------------------

void Housekeeping::ArmSweep() {
  term_.parts().dispatch->PostAt(term_.MonoNow() + term_.options().sweep_interval,
                                 term_.Guard([this] {
                                   LookForOld(Sweep::kHistory);
                                   LookForOld(Sweep::kDedup);
                                   ArmSweep();
                                 }));
}

absl::Time Housekeeping::Before(Sweep sweep) const {
  return sweep == Sweep::kHistory ? term_.WallNow() - term_.options().history_retention
                                  : term_.WallNow();
}

void Housekeeping::LookForOld(Sweep sweep) {
  term_.Ask(
      term_.parts().read,
      [tables = term_.parts().tables, before = Before(sweep), sweep] {
        return sweep == Sweep::kHistory ? HasEndedBefore(*tables, before)
                                        : HasExpiredBefore(*tables, before);
      },
      [this, sweep](const absl::StatusOr<bool>& found) {
        if (!found.ok()) return term_.parts().failed("what is old", found.status());
        if (*found) Remove(sweep);
      });
}

void Housekeeping::Remove(Sweep sweep) {
  if (!term_.HasLease()) return;
  pb::Command command;
  const int64_t before_us = absl::ToUnixMicros(Before(sweep));
  if (sweep == Sweep::kHistory) {
    command.mutable_retain()->set_before_us(before_us);
    command.mutable_retain()->set_limit(kRowsAtOnce);
  } else {
    command.mutable_sweep_dedup()->set_before_us(before_us);
    command.mutable_sweep_dedup()->set_limit(kRowsAtOnce);
  }
  term_.Propose(&command, term_.Guard([this, sweep](TermContext::Outcome outcome) {
    if (outcome.answer.ok() && outcome.answer->removed() >= kRowsAtOnce) {
      Remove(sweep);
    }
  }),
                {.alone = true});
}

// --- The group ----------------------------------------------------------------------------------

void Housekeeping::ArmLook() {
  term_.parts().dispatch->PostAt(term_.MonoNow() + kLook, term_.Guard([this] {
    Look();
    if (!term_.options().alone() || level_ < term_.options().feature_level) {
      ArmLook();
    }
  }));
}

void Housekeeping::Look() {
  RaiseLevel();
  LookAtClocks();
}

void Housekeeping::RaiseLevel() {
  const uint32_t common = sessions_.CommonLevel();
  if (raising_ || common <= level_ || !term_.HasLease()) return;
  raising_ = true;
  pb::Command command;
  command.mutable_set_group()->set_level(common);
  term_.Propose(&command, term_.Guard([this, common](TermContext::Outcome outcome) {
    raising_ = false;
    if (!outcome.answer.ok() || outcome.answer->code() != 0) return;
    level_ = common;
    term_.parts().log.Info("raised the feature level", {{"level", common}});
  }));
}

void Housekeeping::LookAtClocks() {
  if (sessions_.LookAtClocks() != ClockAgreement::Verdict::kDisagrees) return;
  const MonoTime now = term_.MonoNow();
  if (handed_over_ && now - *handed_over_ < kHandOverAgain) return;
  Probe("housekeeping.mad-clock");
  handed_over_ = now;
  term_.parts().log.Error(
      "this node's clock disagrees with a majority: handing leadership over",
      {{"max_clock_skew_ms", absl::ToInt64Milliseconds(term_.options().max_clock_skew)}});
  term_.parts().raft->Transfer(std::nullopt, [](absl::Status) {});
}

}  // namespace scheduled
