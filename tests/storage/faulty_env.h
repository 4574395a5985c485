// Puts a FaultyDisk under a database: a rocksdb::Env whose files are those of the disk. Threads and
// time stay those of the process, so that flushes and compactions run as they do in production.
#ifndef SCHEDULED_TESTS_STORAGE_FAULTY_ENV_H_
#define SCHEDULED_TESTS_STORAGE_FAULTY_ENV_H_

#include <memory>

#include "rocksdb/env.h"
#include "storage/faulty_disk.h"

namespace scheduled {

// `disk` outlives the environment, and the environment every database on it.
std::unique_ptr<rocksdb::Env> NewFaultyEnv(FaultyDisk* disk);

}  // namespace scheduled

#endif  // SCHEDULED_TESTS_STORAGE_FAULTY_ENV_H_
