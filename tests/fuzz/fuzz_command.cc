// Fuzz target: replicated commands. The input is a series of commands, each behind a byte with its
// length in units of 4 bytes; they are applied, one an entry, to a machine that leads. Whatever
// they are, each is answered, every invariant of the tables holds, and the windows equal them. Only
// a feature level of a newer version ends the machine, as it should.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "jobs/job_state_machine.h"
#include "proto/commands.pb.h"
#include "storage/memory_table_store.h"

using scheduled::AppliedPosition;
using scheduled::Command;
using scheduled::LogIndex;
using scheduled::MemoryTableStore;
using scheduled::Term;
using scheduled::jobs::JobStateMachine;
using scheduled::jobs::QueueRoom;

namespace {

constexpr size_t kUnit = 4;

// False if the machine has stopped.
bool ApplyOne(JobStateMachine& machine, uint64_t index, std::string_view bytes) {
  const Command command{.index = LogIndex(index), .ordinal = 0, .term = Term(1), .bytes = bytes};
  const auto answers =
      machine.Apply({&command, 1}, AppliedPosition{.index = LogIndex(index), .term = Term(1)});
  if (absl::IsFailedPrecondition(answers.status())) return false;
  SCHEDULED_ASSERT(answers.ok() && answers->size() == 1, "a command is answered, never fatal");
  scheduled::pb::Answer answer;
  SCHEDULED_ASSERT(answer.ParseFromString(answers->front()), "an answer parses");
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  MemoryTableStore store;
  auto machine = *JobStateMachine::Open(store);
  machine->OnLeading(true, Term(1));
  for (uint64_t index = 1; !rest.empty() && index <= 64; ++index) {
    const size_t length = std::min(kUnit * static_cast<uint8_t>(rest.front()), rest.size() - 1);
    if (!ApplyOne(*machine, index, rest.substr(1, length))) return 0;
    rest.remove_prefix(1 + length);
    machine->CheckInvariants();
    if (index % 3 == 0) {
      const std::vector<QueueRoom> rooms = {{.queue = "noop", .room = 2}};
      const auto due = machine->TakeDue(Term(1), INT64_MAX, rooms, 2);
      SCHEDULED_ASSERT(due.ok(), "rows are taken");
      if (index % 2 == 0)
        SCHEDULED_ASSERT(machine->ReturnDue(Term(1), due->rows).ok(), "and returned");
    }
  }
  return 0;
}
