// How often this program has asked for memory: its operator new counts, thread by thread.
#ifndef SCHEDULED_BENCH_ALLOCATIONS_H_
#define SCHEDULED_BENCH_ALLOCATIONS_H_

#include <cstdint>

namespace scheduled::bench {

// By the calling thread, since it began.
uint64_t AllocationsOfThisThread();

}  // namespace scheduled::bench

#endif  // SCHEDULED_BENCH_ALLOCATIONS_H_
