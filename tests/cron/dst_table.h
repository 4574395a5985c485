// The table of due instants around changes of the clock that make_dst_tables.py writes, row by row.
#ifndef SCHEDULED_TESTS_CRON_DST_TABLE_H_
#define SCHEDULED_TESTS_CRON_DST_TABLE_H_

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace scheduled::cron {

// All instants after `begin`, and up to `end`, at which `expression` is due.
struct DstRow {
  std::string zone, expression, policy;
  absl::Time begin;
  std::vector<absl::Time> due;

  absl::Time end() const { return begin + absl::Hours(48); }
};

// `folder` is tests/cron.
inline std::vector<DstRow> ReadDstTable(const std::string& folder) {
  std::ifstream file(folder + "/dst_tables.txt");
  std::vector<DstRow> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.front() == '#') continue;
    std::istringstream fields(line);
    DstRow row;
    std::string begin;
    std::getline(fields, row.zone, '|');
    std::getline(fields, row.expression, '|');
    std::getline(fields, row.policy, '|');
    std::getline(fields, begin, '|');
    row.begin = absl::FromUnixSeconds(std::stoll(begin));
    for (int minutes; fields >> minutes;) row.due.push_back(row.begin + absl::Minutes(minutes));
    rows.push_back(row);
  }
  return rows;
}

}  // namespace scheduled::cron

#endif  // SCHEDULED_TESTS_CRON_DST_TABLE_H_
