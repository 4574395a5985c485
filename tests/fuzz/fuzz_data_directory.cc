// Fuzz target: VERSION of a data directory. Whatever stands there, the directory opens or says why
// not; if it opens, its boot counter has grown by one, and it opens again.
//
// Input: 1 byte; even: the file as it is; odd: its lines, to which the right checksum is added, or
// nothing behind that would ever be reached.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/uuid.h"
#include "storage/data_directory.h"
#include "storage/durable_file.h"

using namespace scheduled;  // NOLINT: a program of one page

namespace {

Uuid DiskId() { return *Uuid::Parse("0190d5f2-7b1c-7000-8000-0000000000aa"); }

// Below TMPDIR: best in memory, since each open syncs.
class Scratch {
 public:
  Scratch() : path_((std::filesystem::temp_directory_path() / "fuzz_XXXXXX").string()) {
    SCHEDULED_ASSERT(mkdtemp(path_.data()) != nullptr, "there is a place for a directory");
    SCHEDULED_ASSERT(DataDirectory::Open(path_, DiskId()).ok(), "an empty directory opens");
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string WithChecksum(std::string_view lines) {
  const size_t end = std::min(lines.find('\n'), lines.size());
  FileRecord record{.title = std::string(lines.substr(0, end)), .fields = {}};
  lines.remove_prefix(std::min(end + 1, lines.size()));
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    const size_t space = std::min(line.find(' '), line.size());
    record.fields.emplace_back(line.substr(0, space),
                               line.substr(std::min(space + 1, line.size())));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
  return record.Encode();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Scratch scratch;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string text = data[0] % 2 == 0 ? std::string(input) : WithChecksum(input);
  std::ofstream(scratch.path() + "/VERSION", std::ios::binary) << text;
  uint64_t boots = 0;
  {
    const auto opened = DataDirectory::Open(scratch.path(), DiskId());
    if (!opened.ok()) {
      SCHEDULED_ASSERT(
          absl::IsDataLoss(opened.status()) || absl::IsFailedPrecondition(opened.status()),
          "damaged, or of a newer program");
      return 0;
    }
    boots = (*opened)->boot_counter();
  }
  const auto again = DataDirectory::Open(scratch.path(), DiskId());
  SCHEDULED_ASSERT(again.ok() && (*again)->boot_counter() == boots + 1, "each open is counted");
  return 0;
}
