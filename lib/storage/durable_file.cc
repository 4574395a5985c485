// See durable_file.h.
#include "storage/durable_file.h"

#include <algorithm>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "rocksdb/env.h"
#include "storage/rocks_options.h"

namespace scheduled {
namespace {

constexpr std::string_view kChecksumName = "checksum ";

absl::Status ToStatus(const rocksdb::Status& status, std::string_view doing,
                      const std::string& path) {
  if (status.ok()) return absl::OkStatus();
  const std::string what = absl::StrCat(absl::string_view(doing.data(), doing.size()), " ", path);
  if (status.IsNotFound() || status.IsPathNotFound()) {
    return absl::NotFoundError(absl::StrCat(what, ": there is no such file or directory"));
  }
  // The database keeps of the operating system's answer only its text.
  const std::string text = status.ToString();
  if (text.find("Permission denied") != std::string::npos ||
      text.find("Operation not permitted") != std::string::npos) {
    return absl::PermissionDeniedError(
        absl::StrCat(what, ": this user may not; give the directory to the user that runs this"));
  }
  if (text.find("not a directory") != std::string::npos ||
      text.find("Not a directory") != std::string::npos) {
    return absl::FailedPreconditionError(absl::StrCat(what, ": it is not a directory"));
  }
  if (text.find("Read-only file system") != std::string::npos) {
    return absl::FailedPreconditionError(absl::StrCat(what, ": the file system is read-only"));
  }
  return FromRocks(status, what);
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.find_last_not_of('/') == std::string::npos
                           ? std::string::npos
                           : path.rfind('/', path.find_last_not_of('/'));
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

absl::Status WriteFileDurably(rocksdb::Env* env, const std::string& path, std::string_view bytes) {
  const std::string beside = path + ".new";
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = env->NewWritableFile(beside, &file, rocksdb::EnvOptions());
  if (status.ok()) status = file->Append(rocksdb::Slice(bytes.data(), bytes.size()));
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = file->Close();
  if (status.ok()) status = env->RenameFile(beside, path);
  if (!status.ok()) return ToStatus(status, "cannot write", path);
  return SyncParentOf(env, path);
}

absl::StatusOr<std::string> ReadWholeFile(rocksdb::Env* env, const std::string& path) {
  std::string bytes;
  const rocksdb::Status status = rocksdb::ReadFileToString(env, path, &bytes);
  if (!status.ok()) return ToStatus(status, "cannot read", path);
  return bytes;
}

absl::StatusOr<std::vector<std::string>> ListDirectory(rocksdb::Env* env, const std::string& dir) {
  std::vector<std::string> names;
  const rocksdb::Status status = env->GetChildren(dir, &names);
  // Reported as missing even where it is there and only may not be read.
  if (status.IsNotFound() && env->FileExists(dir).ok()) {
    return ToStatus(rocksdb::Status::IOError("Permission denied"), "cannot list", dir);
  }
  if (!status.ok()) return ToStatus(status, "cannot list", dir);
  std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status CreateDirectoryDurably(rocksdb::Env* env, const std::string& dir) {
  const rocksdb::Status status = env->CreateDirIfMissing(dir);
  if (!status.ok()) return ToStatus(status, "cannot create", dir);
  return SyncParentOf(env, dir);
}

absl::Status SyncDirectory(rocksdb::Env* env, const std::string& dir) {
  std::unique_ptr<rocksdb::Directory> directory;
  rocksdb::Status status = env->NewDirectory(dir, &directory);
  if (status.ok()) status = directory->Fsync();
  return ToStatus(status, "cannot sync", dir);
}

absl::Status SyncParentOf(rocksdb::Env* env, const std::string& path) {
  return SyncDirectory(env, ParentOf(path));
}

absl::Status SyncFile(rocksdb::Env* env, const std::string& path) {
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = env->ReopenWritableFile(path, &file, rocksdb::EnvOptions());
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = file->Close();
  return ToStatus(status, "cannot sync", path);
}

absl::Status SyncFilesIn(rocksdb::Env* env, const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(env, dir);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (absl::Status status = SyncFile(env, absl::StrCat(dir, "/", name)); !status.ok()) {
      return status;
    }
  }
  return SyncDirectory(env, dir);
}

absl::Status RemoveFlatDirectory(rocksdb::Env* env, const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(env, dir);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const std::string path = absl::StrCat(dir, "/", name);
    if (rocksdb::Status status = env->DeleteFile(path); !status.ok()) {
      return ToStatus(status, "cannot delete", path);
    }
  }
  return ToStatus(env->DeleteDir(dir), "cannot delete", dir);
}

std::string FileRecord::Encode() const {
  std::string text = absl::StrCat(title, "\n");
  for (const auto& [name, value] : fields) absl::StrAppend(&text, name, " ", value, "\n");
  std::string sum;
  AppendU64(&sum, Checksum64(text));
  absl::StrAppend(&text, absl::string_view(kChecksumName.data(), kChecksumName.size()), ToHex(sum),
                  "\n");
  return text;
}

absl::StatusOr<FileRecord> FileRecord::Decode(std::string_view title, std::string_view text) {
  FileRecord record{.title = std::string(title), .fields = {}};
  std::string_view rest = text;
  bool is_title = true;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;
    const std::string_view line = rest.substr(0, end);
    if (line.substr(0, kChecksumName.size()) == kChecksumName) break;
    rest.remove_prefix(end + 1);
    if (is_title) {
      if (line != title) break;
      is_title = false;
      continue;
    }
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) break;
    record.fields.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  // What was understood must be the whole of it, byte for byte.
  if (record.Encode() != text) return absl::DataLossError("it is damaged, or not of this kind");
  return record;
}

absl::StatusOr<std::string> FileRecord::Get(std::string_view name) const {
  for (const auto& [field, value] : fields) {
    if (field == name) return value;
  }
  return absl::DataLossError(
      absl::StrCat("it has no ", absl::string_view(name.data(), name.size())));
}

absl::StatusOr<uint64_t> FileRecord::GetNumber(std::string_view name) const {
  absl::StatusOr<std::string> text = Get(name);
  if (!text.ok()) return text.status();
  uint64_t number = 0;
  if (!absl::SimpleAtoi(*text, &number)) {
    return absl::DataLossError(
        absl::StrCat("its ", absl::string_view(name.data(), name.size()), " is no number"));
  }
  return number;
}

}  // namespace scheduled
