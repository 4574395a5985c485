// Feeds what a replica reads of itself and its group at its start: the records of the side log. No
// input may crash it; it is read or refused, and what was read is read again just so.
//
// Input: the records, each ended by the byte 0xff: 1 byte is the kind, then the record's bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "consensus/envelope.h"
#include "consensus/ledger.h"
#include "storage/memory_log_store.h"

namespace scheduled {
namespace {

constexpr GroupId kGroup{1};
constexpr GroupId kSideLog{1 | uint32_t{1} << 31};

LogWrite RecordsOf(std::string_view input) {
  LogWrite write;
  write.group = kSideLog;
  write.hard_state = HardState{Term(1), std::nullopt};
  while (!input.empty()) {
    const std::string_view record = input.substr(0, input.find('\xff'));
    const auto kind = static_cast<uint8_t>(record.empty() ? 0 : record[0]);
    const LogIndex index(write.entries.size() + 1);
    write.entries.push_back(
        {Term(1), index, kind, SharedBuffer(std::string(record.substr(!record.empty())))});
    input.remove_prefix(std::min(record.size() + 1, input.size()));
  }
  return write;
}

void FuzzLedger(std::string_view input) {
  MemoryLogStore store;
  const std::vector<LogWrite> writes = {RecordsOf(input)};
  SCHEDULED_ASSERT(store.Write(writes).ok(), "memory takes everything");
  const absl::StatusOr<Ledger> ledger = Ledger::Load(&store, kGroup);
  if (!ledger.ok()) {
    SCHEDULED_ASSERT(absl::IsDataLoss(ledger.status()) || absl::IsUnimplemented(ledger.status()),
                     "damaged, or of a newer program");
    return;
  }
  SCHEDULED_ASSERT(ledger->cluster_id().empty() || ledger->cluster_id().size() == kClusterIdBytes,
                   "a cluster id is whole or not there");
  for (const raft::ConfigurationAt& each : ledger->configurations()) {
    SCHEDULED_ASSERT(each.configuration.IsWellFormed(), "a configuration that is read makes sense");
  }
  const absl::StatusOr<Ledger> again = Ledger::Load(&store, kGroup);
  SCHEDULED_ASSERT(again.ok() && again->node() == ledger->node() &&
                       again->configurations().size() == ledger->configurations().size() &&
                       again->installing().has_value() == ledger->installing().has_value(),
                   "reading changes nothing");
}

}  // namespace
}  // namespace scheduled

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  scheduled::FuzzLedger({reinterpret_cast<const char*>(data), size});
  return 0;
}
