// A request target taken apart: path segments and query parameters, percent-decoded.
#ifndef SCHEDULED_SERVER_HTTP_URI_H_
#define SCHEDULED_SERVER_HTTP_URI_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace scheduled::server {

struct Uri {
  std::vector<std::string> segments;         // "/jobs/a%2Fb" is {"jobs", "a/b"}; "/" is empty
  std::map<std::string, std::string> query;  // a name that stands twice is refused
};

absl::StatusOr<Uri> ParseUri(std::string_view target);

}  // namespace scheduled::server

#endif  // SCHEDULED_SERVER_HTTP_URI_H_
