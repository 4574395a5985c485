// See leader.h: what a new leader reads before it begins.
#include "scheduler/leader.h"

#include <map>
#include <utility>

#include "jobs/job_model.h"
#include "jobs/tables.h"

namespace scheduled {
namespace {

constexpr size_t kPage = 1024;

absl::StatusOr<std::vector<OldClaim>> ReadClaims(const TableStore& tables) {
  std::vector<OldClaim> claims;
  std::optional<jobs::RunKey> after;
  while (true) {
    absl::StatusOr<std::vector<jobs::InflightEntry>> page =
        jobs::ReadInflight(tables, after, kPage);
    if (!page.ok()) return page.status();
    for (jobs::InflightEntry& entry : *page) {
      absl::StatusOr<std::optional<jobs::JobRecord>> record =
          jobs::ReadJob(tables, entry.key.job_id, jobs::JobDetail::kWithoutInFlight);
      if (!record.ok()) return record.status();
      OldClaim claim;
      claim.stops = true;
      if (*record) {
        claim.job =
            std::make_shared<const Job>(jobs::MakeJob(entry.key.job_id, (*record)->definition));
        const pb::LiveRun* run = (*record)->FindRun(entry.key.run);
        claim.stops = run == nullptr || run->cancelled();
      }
      claim.entry = std::move(entry);
      claims.push_back(std::move(claim));
    }
    if (page->size() < kPage) return claims;
    after = claims.back().entry.key;
  }
}

}  // namespace

absl::StatusOr<TermBeginning> ReadTermBeginning(const TableStore& tables, Term term) {
  TermBeginning beginning;
  beginning.term = term;
  absl::StatusOr<std::vector<jobs::SessionEntry>> sessions = jobs::ReadSessions(tables);
  if (!sessions.ok()) return sessions.status();
  beginning.sessions = *std::move(sessions);
  absl::StatusOr<std::vector<OldClaim>> claims = ReadClaims(tables);
  if (!claims.ok()) return claims.status();
  beginning.claims = *std::move(claims);
  absl::StatusOr<std::optional<std::string>> row = tables.Get(jobs::kGroupKey);
  if (!row.ok()) return row.status();
  pb::GroupRow group;
  if (*row && !group.ParseFromString(**row)) {
    return absl::DataLossError("the group's row does not parse");
  }
  beginning.level = group.level();
  return beginning;
}

}  // namespace scheduled
