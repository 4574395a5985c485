// Looks at the log files of a database (write-ahead log and manifest) before RocksDB opens it, and
// tells a last write that a power cut has torn from damage. RocksDB alone gets both wrong: it
// refuses a file whose last pages are empty, which a file system may leave behind, and where a
// flipped bit makes a record longer than its file it takes the rest, acknowledged or not, for torn.
// The two are told apart by what follows: our writers sync each batch before they begin the next,
// so that a torn batch is the last one. Where a whole batch follows, acknowledged data is damaged.
//
// The format of both, in blocks of 32 KiB:
//
//   record   crc u32 | length u16 | type u8 | payload      little-endian; never crosses a block
//   crc      CRC-32C of type and payload, rotated right by 15, plus 0xa282ead8
//   type     1 a whole batch | 2 its first part | 3 a middle part | 4 its last part | others: notes
//            of RocksDB to itself, between batches; 0 with no length is no record
//   a block's last bytes, if fewer than 7, are zero
#ifndef SCHEDULED_LIB_STORAGE_TORN_TAIL_H_
#define SCHEDULED_LIB_STORAGE_TORN_TAIL_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace rocksdb {
class Env;
}

namespace scheduled {

struct LogTail {
  enum class Kind {
    kWhole,  // every batch is whole, up to the end of the file
    kTorn,   // everything behind whole_bytes is of one batch that is not whole, or no batch at all
    kDamaged,  // a whole batch follows one that is not
  };
  Kind kind = Kind::kWhole;
  size_t whole_bytes = 0;  // up to the end of the last whole batch before the first damage
};

// Judges the bytes of one log file. Pure and total.
LogTail FindLogTail(std::string_view file);

// Judges the manifest in use and every write-ahead log in `dir`. Cuts a torn tail off the manifest
// and off the newest write-ahead log, durably; DATA_LOSS if any of them is damaged. A directory
// without a database is none of its concern. Reads the files whole: 32 MiB take about 0.1 s.
absl::Status CheckLogFiles(rocksdb::Env* env, const std::string& dir);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_TORN_TAIL_H_
