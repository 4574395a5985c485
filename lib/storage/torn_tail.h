// Opens a database whose last write a power cut has torn. RocksDB takes a log file that simply ends
// too early; but a file system may also leave the file as long as it was and some of its last pages
// empty, and that RocksDB refuses as damage. This tells the two apart by what follows the damage:
// our writers sync each batch before they begin the next, so that a torn batch is the last one. If
// a whole later batch follows, acknowledged data is damaged, and that stays an error.
//
// The format of RocksDB's log files (write-ahead log and manifest alike), blocks of 32 KiB:
//
//   record   crc u32 | length u16 | type u8 | payload      little-endian; never crosses a block
//   crc      CRC-32C of type and payload, rotated right by 15, plus 0xa282ead8
//   type     1 a whole batch | 2 its first part | 3 a middle part | 4 its last part; 0 is no record
//   a block's last bytes, if fewer than 7, are zero
#ifndef SCHEDULED_LIB_STORAGE_TORN_TAIL_H_
#define SCHEDULED_LIB_STORAGE_TORN_TAIL_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "rocksdb/db.h"
#include "rocksdb/options.h"

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

// rocksdb::DB::Open; where it finds damage that is but a torn tail of the newest write-ahead log or
// of the manifest, the tail is cut off, durably, and the database is opened once more.
rocksdb::Status OpenTrimmingTornTail(const rocksdb::Options& options, const std::string& path,
                                     std::unique_ptr<rocksdb::DB>* db);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_TORN_TAIL_H_
