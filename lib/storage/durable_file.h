// Small files that must survive a power cut whole, old or new and never between, and the few
// operations on directories that the stores need. Through the environment of the database, so that
// tests can make the disk fail. Blocking; for opening and closing, never on a hot path.
#ifndef SCHEDULED_LIB_STORAGE_DURABLE_FILE_H_
#define SCHEDULED_LIB_STORAGE_DURABLE_FILE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rocksdb {
class Env;
}

namespace scheduled {

// Replaces `path` by a file with these bytes: written beside it, synced, renamed, directory synced.
// PERMISSION_DENIED or FAILED_PRECONDITION (a read-only file system) where the user must act.
absl::Status WriteFileDurably(rocksdb::Env* env, const std::string& path, std::string_view bytes);

// NOT_FOUND if there is no such file.
absl::StatusOr<std::string> ReadWholeFile(rocksdb::Env* env, const std::string& path);

// Names within `dir` without "." and "..", sorted. NOT_FOUND if there is no such directory.
absl::StatusOr<std::vector<std::string>> ListDirectory(rocksdb::Env* env, const std::string& dir);

// Creates `dir` if it is missing, and makes its name durable in its parent, which must exist.
absl::Status CreateDirectoryDurably(rocksdb::Env* env, const std::string& dir);

// Makes the names within `dir` durable.
absl::Status SyncDirectory(rocksdb::Env* env, const std::string& dir);

// Makes the name of `path` durable, and that of whatever else lies beside it.
absl::Status SyncParentOf(rocksdb::Env* env, const std::string& path);

// Makes what the file holds durable.
absl::Status SyncFile(rocksdb::Env* env, const std::string& path);

// Makes durable every file directly in `dir`, and the names of all.
absl::Status SyncFilesIn(rocksdb::Env* env, const std::string& dir);

// Deletes `dir` with the files directly in it. What is not there is no error.
absl::Status RemoveFlatDirectory(rocksdb::Env* env, const std::string& dir);

// A small file of named values, for people to read and for programs to check:
//
//   <title>
//   <name> <value>          one line for each, in the order given; a value has no line break
//   checksum <16 hex>       XXH3 of everything above this line
//
// A file that is short, altered or longer than that is damaged. The value of `format` comes first
// and tells the version of the rest.
struct FileRecord {
  std::string title;
  std::vector<std::pair<std::string, std::string>> fields;

  std::string Encode() const;
  // DATA_LOSS for anything that Encode did not make, or made under another title.
  static absl::StatusOr<FileRecord> Decode(std::string_view title, std::string_view text);

  // The value of the field, or DATA_LOSS.
  absl::StatusOr<std::string> Get(std::string_view name) const;
  absl::StatusOr<uint64_t> GetNumber(std::string_view name) const;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_DURABLE_FILE_H_
