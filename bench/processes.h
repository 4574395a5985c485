// Server processes on this machine, three that know each other above all, and requests to them:
// what the benches of the real binary have in common.
#ifndef SCHEDULED_BENCH_PROCESSES_H_
#define SCHEDULED_BENCH_PROCESSES_H_

#include <sys/types.h>

#include <boost/beast/http/verb.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace scheduled::bench {

uint16_t FreePort();  // of loopback

// `given`, or if that is empty the server beside this program.
std::string ServerBinary(std::string given);

// Runs the binary arguments[0], which dies with this process. Its standard output is dropped.
pid_t Launch(const std::vector<std::string>& arguments);

// One request on a connection of its own; none if it was not answered with 200 in time.
std::optional<std::string> Ask(uint16_t port, boost::beast::http::verb verb,
                               const std::string& target, const std::string& body,
                               absl::Duration limit);

// The number that JSON text has under `name`; 0 if it has none.
uint64_t NumberIn(const std::string& json, const std::string& name);

class Group {
 public:
  // `server` is the binary, empty: the one beside this program. All three start.
  Group(std::string server, std::string dir, std::vector<std::string> extra = {});
  ~Group();

  void Start(int i);
  void Kill(int i);
  std::optional<int> Leader() const;
  int WaitForLeader() const;
  void WaitReady(int i) const;
  uint16_t port(int i) const { return nodes_[static_cast<size_t>(i)].http; }

 private:
  struct Node {
    uint16_t http = 0;
    uint16_t raft = 0;
    pid_t pid = 0;
  };
  const std::string server_;
  const std::string dir_;
  const std::vector<std::string> extra_;
  std::vector<Node> nodes_;
  std::string peers_;
};

}  // namespace scheduled::bench

#endif  // SCHEDULED_BENCH_PROCESSES_H_
