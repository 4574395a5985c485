// The arithmetic of a log's bounds and terms, shared by every LogStore: what a write or a cut does
// to a LogState, and what the term of an index is. Pure functions; they hold no entry and no file.
// They assert what the port demands of its callers, so that no store writes what it should refuse.
#ifndef SCHEDULED_LIB_STORAGE_LOG_STATE_H_
#define SCHEDULED_LIB_STORAGE_LOG_STATE_H_

#include "scheduled/types.h"
#include "storage/log_store.h"

namespace scheduled {

// The state of a log that was never written.
LogState EmptyLogState();

// What `write` makes of `state`. Asserts the preconditions that LogWrite names.
void ApplyWrite(LogState& state, const LogWrite& write);

// Drops what is before `first_kept`, within [first, last + 1].
void ApplyCut(LogState& state, LogIndex first_kept);

// The term of an index within [before_first.index, last].
Term TermAt(const LogState& state, LogIndex index);

// Asserts, in this order: `first` follows before_first; last is not below first - 1; there are term
// runs exactly if there are entries, the first of them at `first`; they ascend in index and in
// term, from before_first.term on, and stay within the log; no entry's term is beyond the hard
// state's.
void CheckInvariants(const LogState& state);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_LOG_STATE_H_
