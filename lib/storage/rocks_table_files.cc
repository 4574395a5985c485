// Whole sets of tables: how a RocksTableStore is opened, copied and replaced. See
// rocks_table_store.h for what lies in its directory. Not on a hot path; blocks.
#include <mutex>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "rocksdb/env.h"
#include "rocksdb/utilities/checkpoint.h"
#include "storage/applied_row.h"
#include "storage/durable_file.h"
#include "storage/rocks_table_store.h"
#include "storage/torn_tail.h"

namespace scheduled {
namespace {

constexpr std::string_view kGenerationTitle = "scheduled tables";
constexpr uint64_t kGenerationFormat = 1;

std::string GenerationPath(const std::string& dir) { return dir + "/GENERATION"; }

}  // namespace

RocksTableStore::RocksTableStore(std::string dir, const RocksResources& resources)
    : dir_(std::move(dir)), resources_(resources) {}

RocksTableStore::~RocksTableStore() = default;

std::string RocksTableStore::GenerationDir(uint64_t generation) const {
  return absl::StrCat(dir_, "/g", generation);
}

absl::StatusOr<std::unique_ptr<RocksTableStore>> RocksTableStore::Open(
    const std::string& dir, const RocksResources& resources) {
  std::unique_ptr<RocksTableStore> store(new RocksTableStore(dir, resources));
  if (absl::Status status = CreateDirectoryDurably(resources.env(), dir); !status.ok()) {
    return status;
  }
  if (absl::Status status = store->OpenCurrent(); !status.ok()) return status;
  return store;
}

absl::Status RocksTableStore::OpenCurrent() {
  absl::StatusOr<uint64_t> generation = ReadGeneration();
  if (absl::IsNotFound(generation.status())) {
    generation = 1;
    if (absl::Status status = WriteGeneration(1); !status.ok()) return status;
  }
  if (!generation.ok()) return generation.status();
  generation_ = *generation;
  if (absl::Status status = RemoveLeftovers(); !status.ok()) return status;
  // The first generation begins empty, and a crash may have come before its first file; a later one
  // was complete before GENERATION named it.
  const bool may_be_new = generation_ == 1;
  if (may_be_new) {
    // The database would create its directory, but not make the name durable.
    absl::Status status = CreateDirectoryDurably(resources_.env(), GenerationDir(1));
    if (!status.ok()) return status;
  }
  absl::StatusOr<std::unique_ptr<rocksdb::DB>> db =
      OpenDatabase(GenerationDir(generation_), may_be_new);
  if (!db.ok()) return db.status();
  absl::StatusOr<LogPosition> applied = AppliedIn(db->get(), /*durable=*/false);
  if (!applied.ok()) return applied.status();
  db_ = *std::move(db);
  applied_ = *applied;
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> RocksTableStore::ReadGeneration() const {
  const std::string path = GenerationPath(dir_);
  absl::StatusOr<std::string> text = ReadWholeFile(resources_.env(), path);
  if (!text.ok()) return text.status();
  absl::StatusOr<FileRecord> record = FileRecord::Decode(kGenerationTitle, *text);
  if (!record.ok()) {
    return absl::DataLossError(absl::StrCat(path, ": ", record.status().message()));
  }
  absl::StatusOr<uint64_t> format = record->GetNumber("format");
  if (format.ok() && *format != kGenerationFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " has format ", *format, ", and this program knows ", kGenerationFormat,
                     ": run the newer program on it"));
  }
  absl::StatusOr<uint64_t> generation = record->GetNumber("generation");
  if (!format.ok() || !generation.ok() || *generation == 0) {
    return absl::DataLossError(absl::StrCat(path, " names no generation"));
  }
  return generation;
}

absl::Status RocksTableStore::WriteGeneration(uint64_t generation) const {
  const FileRecord record{.title = std::string(kGenerationTitle),
                          .fields = {{"format", absl::StrCat(kGenerationFormat)},
                                     {"generation", absl::StrCat(generation)}}};
  return WriteFileDurably(resources_.env(), GenerationPath(dir_), record.Encode());
}

absl::Status RocksTableStore::RemoveLeftovers() const {
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(resources_.env(), dir_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const std::string path = absl::StrCat(dir_, "/", name);
    if (name[0] != 'g' || path == GenerationDir(generation_)) continue;
    Probe("storage.install_left_over");
    if (absl::Status status = RemoveFlatDirectory(resources_.env(), path); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<rocksdb::DB>> RocksTableStore::OpenDatabase(const std::string& path,
                                                                           bool create) const {
  rocksdb::Options options = resources_.TableOptions(&latch_);
  options.create_if_missing = create;
  if (absl::Status status = CheckLogFiles(resources_.env(), path); !status.ok()) return status;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &opened);
  std::unique_ptr<rocksdb::DB> db(opened);
  // A directory without a database is reported as a wrong argument.
  if (status.IsInvalidArgument() || status.IsNotFound() || status.IsPathNotFound()) {
    return absl::DataLossError(
        absl::StrCat("the tables in ", path, " are incomplete: ", status.ToString()));
  }
  if (!status.ok()) return FromRocks(status, absl::StrCat("cannot open the tables in ", path));
  return db;
}

absl::StatusOr<LogPosition> RocksTableStore::AppliedIn(rocksdb::DB* db, bool durable) const {
  rocksdb::ReadOptions options;
  if (durable) options.read_tier = rocksdb::kPersistedTier;
  std::string value;
  const rocksdb::Status status =
      db->Get(options, rocksdb::Slice(kAppliedRowKey.data(), kAppliedRowKey.size()), &value);
  if (status.IsNotFound()) return LogPosition{};
  if (!status.ok()) return FromRocks(status, "cannot read the applied position");
  return DecodeAppliedRow(value);
}

absl::Status RocksTableStore::Checkpoint(const std::string& dir) {
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  const auto hold = HoldDatabase();
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  // Flushes first, since there is no log to copy: 0 means always.
  if (status.ok()) status = checkpoint->CreateCheckpoint(dir, /*log_size_for_flush=*/0);
  if (!status.ok()) return latch_.Fail(FromRocks(status, "cannot copy the tables"));
  if (absl::Status synced = SyncParentOf(resources_.env(), dir); !synced.ok()) {
    return latch_.Fail(synced);
  }
  return latch_.status();
}

absl::StatusOr<std::unique_ptr<rocksdb::DB>> RocksTableStore::TakeIn(
    const std::string& dir, const std::string& place) const {
  rocksdb::Env* env = resources_.env();
  // It may be left from an install into this process that was refused.
  if (absl::Status status = RemoveFlatDirectory(env, place); !status.ok()) return status;
  if (absl::Status status = SyncFilesIn(env, dir); !status.ok()) return status;
  if (rocksdb::Status status = env->RenameFile(dir, place); !status.ok()) {
    return FromRocks(status, absl::StrCat("cannot move ", dir));
  }
  if (absl::Status status = SyncDirectory(env, dir_); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<rocksdb::DB>> db = OpenDatabase(place, /*create=*/false);
  if (!db.ok()) return db.status();
  absl::StatusOr<LogPosition> applied = AppliedIn(db->get(), /*durable=*/false);
  if (!applied.ok()) return applied.status();
  return db;
}

absl::Status RocksTableStore::InstallFrom(const std::string& dir,
                                          std::optional<LogPosition> must_be) {
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  std::lock_guard gate(gate_);
  std::unique_lock lock(switch_);
  const std::string old_place = GenerationDir(generation_);
  const std::string place = GenerationDir(generation_ + 1);
  absl::StatusOr<std::unique_ptr<rocksdb::DB>> db = TakeIn(dir, place);
  absl::StatusOr<LogPosition> applied =
      db.ok() ? AppliedIn(db->get(), /*durable=*/false) : db.status();
  absl::Status refused;
  if (absl::IsDataLoss(applied.status()) || absl::IsNotFound(applied.status())) {
    refused = absl::InvalidArgumentError(
        absl::StrCat(dir, " does not hold intact tables: ", applied.status().message()));
  } else if (applied.ok() && must_be && *applied != *must_be) {
    refused = WrongPosition(dir, *applied);
  }
  if (!refused.ok()) {
    Probe("storage.install_refused");
    // It is of no use to anybody; the old tables are untouched.
    if (db.ok()) db->reset();
    if (absl::Status removed = RemoveFlatDirectory(resources_.env(), place); !removed.ok()) {
      return latch_.Fail(removed);
    }
    return refused;
  }
  if (!applied.ok()) return latch_.Fail(applied.status());
  if (absl::Status status = WriteGeneration(generation_ + 1); !status.ok()) {
    return latch_.Fail(status);
  }
  // Switched: what follows only frees the disk, and a crash leaves it to the next open.
  db_ = *std::move(db);
  ++generation_;
  applied_ = *applied;
  if (absl::Status status = RemoveFlatDirectory(resources_.env(), old_place); !status.ok()) {
    return latch_.Fail(status);
  }
  return absl::OkStatus();
}

}  // namespace scheduled
