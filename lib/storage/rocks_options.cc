// See rocks_options.h.
#include "storage/rocks_options.h"

#include <sys/resource.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "rocksdb/cache.h"
#include "rocksdb/convenience.h"
#include "rocksdb/env.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/listener.h"
#include "rocksdb/slice_transform.h"
#include "rocksdb/table.h"
#include "rocksdb/utilities/table_properties_collectors.h"
#include "rocksdb/write_buffer_manager.h"

namespace scheduled {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

// Stops the store at the first error that no call of ours would have seen.
class BackgroundErrors : public rocksdb::EventListener {
 public:
  explicit BackgroundErrors(FailureLatch* latch) : latch_(latch) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    // Kept by the latch; the next call of the store returns it.
    (void)latch_->Fail(FromRocks(*status, "a background write failed"));
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  FailureLatch* latch_;
};

rocksdb::CompressionType TableCompression() {
  for (rocksdb::CompressionType type : rocksdb::GetSupportedCompressions()) {
    if (type == rocksdb::kLZ4Compression) return type;
  }
  return rocksdb::kNoCompression;
}

// How many files of one database stay open; -1: all there are. A process that can open no more
// cannot write its tables either, so each database keeps to a part of what the process may open.
int MaxOpenFiles() {
  constexpr rlim_t kFewest = 64;
  constexpr rlim_t kPlenty = 65'536;  // a fourth of it: a terabyte of tables
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= kPlenty) return -1;
  return static_cast<int>(std::max(kFewest, files.rlim_cur / 4));
}

}  // namespace

RocksResources::RocksResources(const RocksLimits& limits, rocksdb::Env* env)
    : env_(env != nullptr ? env : rocksdb::Env::Default()),
      block_cache_(rocksdb::NewLRUCache(limits.block_cache_bytes, /*num_shard_bits=*/4,
                                        /*strict_capacity_limit=*/false,
                                        /*high_pri_pool_ratio=*/0.5)),
      write_buffers_(std::make_shared<rocksdb::WriteBufferManager>(limits.write_buffer_bytes)) {
  // One thread to flush each database, so that a large flush of the tables never holds up the
  // log's.
  if (env_->GetBackgroundThreads(rocksdb::Env::HIGH) < 2) {
    env_->SetBackgroundThreads(2, rocksdb::Env::HIGH);
  }
}

size_t RocksResources::write_buffer_usage() const { return write_buffers_->memory_usage(); }
size_t RocksResources::block_cache_usage() const { return block_cache_->GetUsage(); }

rocksdb::Options RocksResources::CommonOptions(FailureLatch* latch) const {
  rocksdb::Options options;
  options.env = env_;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  options.listeners.push_back(std::make_shared<BackgroundErrors>(latch));
  options.max_bgerror_resume_count = 0;
  options.write_buffer_manager = write_buffers_;
  // A destructor that writes for seconds would hide its errors: who stops a node flushes before.
  options.avoid_flush_during_shutdown = true;
  options.allow_concurrent_memtable_write = false;  // one writer
  options.max_background_jobs = 2;
  options.max_open_files = MaxOpenFiles();
  // Written out bit by bit, so that a sync of the log does not stand behind 64 MiB of a table file.
  options.bytes_per_sync = kMiB;
  options.compaction_readahead_size = 2 * kMiB;
  // Nothing wakes up while there is nothing to do, and nothing is rewritten for its age alone.
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.periodic_compaction_seconds = 0;
  options.ttl = 0;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 4;
  options.max_log_file_size = 4 * kMiB;
  options.max_manifest_file_size = 16 * kMiB;
  return options;
}

rocksdb::Options RocksResources::LogOptions(FailureLatch* latch) const {
  rocksdb::Options options = CommonOptions(latch);
  // A batch that was torn by a crash was never acknowledged; damage before the tail is an error.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  options.write_buffer_size = 32 * kMiB;
  options.max_write_buffer_number = 4;
  // Entries come in order, so that files do not overlap and move down without being rewritten.
  options.max_bytes_for_level_base = 1024 * kMiB;
  options.target_file_size_base = 32 * kMiB;
  options.compression = rocksdb::kNoCompression;

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = block_cache_;
  table.cache_index_and_filter_blocks = true;
  table.block_size = 32 << 10;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::Options RocksResources::TableOptions(FailureLatch* latch) const {
  rocksdb::Options options = CommonOptions(latch);
  options.write_buffer_size = 64 * kMiB;
  options.max_write_buffer_number = 3;
  options.level_compaction_dynamic_level_bytes = true;
  options.target_file_size_base = 64 * kMiB;
  options.max_bytes_for_level_base = 256 * kMiB;
  options.compression = TableCompression();
  // Ids that sort by time go in beside the last one of their table: 8.0 us of the apply lane for a
  // create (one read, three rows) became 6.0.
  options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
  // A create asks for ids that do not exist yet; without this each would search the memtable.
  options.memtable_prefix_bloom_size_ratio = 0.05;
  options.memtable_whole_key_filtering = true;
  // Consumed slots and finished claims are ranges of tombstones: such files are compacted first.
  options.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(/*sliding_window_size=*/4096,
                                                    /*deletion_trigger=*/2048));

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = block_cache_;
  table.block_size = 8 << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // Tens of millions of keys have more filter than there is cache: it is read in parts.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 4 << 10;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_top_level_index_and_filter = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

absl::Status FromRocks(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) return absl::OkStatus();
  const std::string message =
      absl::StrCat(absl::string_view(doing.data(), doing.size()), ": ", status.ToString());
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit) {
    return absl::ResourceExhaustedError(absl::StrCat(message, " (the disk is full)"));
  }
  if (status.IsCorruption()) return absl::DataLossError(message);
  return absl::UnavailableError(message);
}

}  // namespace scheduled
