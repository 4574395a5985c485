// Reads all tables and asserts the invariants that job_state_machine.h lists, counted anew and
// without trusting anything. For tests and the simulator: it takes time and memory by the number of
// rows.
#ifndef SCHEDULED_LIB_JOBS_CHECK_TABLES_H_
#define SCHEDULED_LIB_JOBS_CHECK_TABLES_H_

#include "storage/table_store.h"

namespace scheduled::jobs {

void CheckTables(const TableStore& store);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_CHECK_TABLES_H_
