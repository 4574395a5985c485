// Settings from flags, environment and file: which wins, and what is refused in which words.
#include "config.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace scheduled;          // NOLINT: the test speaks of nothing else
using namespace scheduled::server;  // NOLINT
using Catch::Contains;

namespace {

absl::StatusOr<Invocation> Read(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "scheduled");
  return ReadConfig(static_cast<int>(arguments.size()), arguments.data());
}

std::string Refusal(std::vector<const char*> arguments) {
  const absl::StatusOr<Invocation> read = Read(std::move(arguments));
  REQUIRE(read.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(read.status().message());
}

// A variable for the length of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }

 private:
  const char* name_;
};

class TextFile {
 public:
  explicit TextFile(const std::string& text) {
    std::string pattern = (std::filesystem::temp_directory_path() / "config-XXXXXX").string();
    file_ = mkstemp(pattern.data());
    path_ = pattern;
    std::ofstream(path_) << text;
  }
  ~TextFile() {
    close(file_);
    std::filesystem::remove(path_);
  }
  const char* path() const { return path_.c_str(); }

 private:
  int file_;
  std::string path_;
};

}  // namespace

TEST_CASE("without a setting the server is one node on loopback") {
  const auto read = Read({});
  REQUIRE(read.ok());
  CHECK_FALSE(read->print.has_value());
  CHECK(read->config.http_host == "127.0.0.1");
  CHECK(read->config.http_port == 8080);
  CHECK(read->config.peers.empty());
}

TEST_CASE("a flag wins over the environment, and that over the file") {
  const TextFile file("node-id = \"file\"\ndata-dir = \"file\"\nmax-jobs = 7\n");
  const Variable node("SCHEDULED_NODE_ID", "environment");
  const Variable dir("DATA_DIR", "environment");
  const auto read = Read({"--config", file.path(), "--node-id", "flag"});
  REQUIRE(read.ok());
  CHECK(read->config.node_id == NodeId("flag"));
  CHECK(read->config.data_dir == "environment");
  CHECK(read->config.max_jobs == 7);
}

TEST_CASE("what is wrong is named with its source") {
  CHECK_THAT(Refusal({"--http-port", "70000"}), Contains("--http-port is \"70000\""));
  CHECK_THAT(Refusal({"--http-host", "nonsense"}), Contains("--http-host is \"nonsense\""));
  CHECK_THAT(Refusal({"--raft-host", "nonsense"}), Contains("--raft-host is \"nonsense\""));
  CHECK_THAT(Refusal({"--peers", "n1"}), Contains("n1=host:port"));
  CHECK_THAT(Refusal({"--log-level", "loud"}), Contains("DEBUG, INFO, WARN or ERROR"));
  CHECK_THAT(Refusal({"--no-such-flag"}), Contains("--no-such-flag"));
  const Variable port("HTTP_PORT", "x");
  CHECK_THAT(Refusal({}), Contains("HTTP_PORT is \"x\""));
}

TEST_CASE("a config file that cannot be read is refused, a folder too") {
  CHECK_THAT(Refusal({"--config", "/no/such/file"}), Contains("/no/such/file"));
  const std::string folder = std::filesystem::temp_directory_path().string();
  CHECK_THAT(Refusal({"--config", folder.c_str()}), Contains("cannot read the config file"));
  const TextFile unknown("no-such-setting = 1\n");
  CHECK_THAT(Refusal({"--config", unknown.path()}), Contains("no-such-setting"));
  const TextFile empty("");
  CHECK(Read({"--config", empty.path()}).ok());
}

TEST_CASE("a duration is text or a number of seconds") {
  CHECK(Read({"--drain-timeout", "1m30s"})->config.drain_timeout == absl::Seconds(90));
  CHECK(Read({"--drain-timeout", "90"})->config.drain_timeout == absl::Seconds(90));
  CHECK(Read({"--drain-timeout", "0.5"})->config.drain_timeout == absl::Milliseconds(500));
  CHECK_THAT(Refusal({"--drain-timeout", "ten"}), Contains("--drain-timeout is \"ten\""));
}

TEST_CASE("the port for peers is the one that the peers are told") {
  const std::string peers = "n1=a:7001,n2=b:7002";
  CHECK(Read({"--peers", peers.c_str(), "--node-id", "n2"})->config.raft_port == 7002);
  const auto apart = Read({"--peers", peers.c_str(), "--node-id", "n3"});
  CHECK(apart->config.raft_port == 7400);
  CHECK(apart->config.peers.size() == 3);
}

TEST_CASE("an IPv6 address stands in brackets before its port") {
  CHECK(HostAndPort("::1", 7400) == "[::1]:7400");
  CHECK(HostAndPort("127.0.0.1", 7400) == "127.0.0.1:7400");
  CHECK(HostAndPort("localhost", 7400) == "localhost:7400");
  const auto read = Read({"--peers", "n1=[::1]:7001,n2=[::1]:7002", "--node-id", "n3",
                          "--raft-host", "::1", "--raft-port", "7003"});
  REQUIRE(read.ok());
  CHECK(read->config.peers.at(NodeId("n3")) == "[::1]:7003");
}

TEST_CASE("a peer's IPv6 address without brackets is refused, for its port would be a guess") {
  CHECK(Refusal({"--peers", "n1=fe80::1:7400"}) ==
        "--peers is \"n1=fe80::1:7400\": \"n1=fe80::1:7400\" is no peer: an IPv6 address stands in "
        "brackets");
  CHECK(Read({"--peers", "n1=[fe80::1]:7400"})->config.peers.at(NodeId("n1")) == "[fe80::1]:7400");
}

TEST_CASE("a variable that means nothing here is named") {
  CHECK(Read({})->unheeded.empty());
  const Variable gap("SLOT_GAP", "500ms");
  const Variable strategy("DISCOVERY_STRATEGY", "dns");
  const std::vector<std::string> unheeded = Read({})->unheeded;
  REQUIRE(unheeded.size() == 2);
  CHECK_THAT(unheeded[0], Contains("SLOT_GAP has no effect"));
  CHECK_THAT(*Read({"--check-config"})->print, Contains("# DISCOVERY_STRATEGY has no effect"));
}

TEST_CASE("a check of the settings shows what is given and where") {
  const auto read = Read({"--check-config", "--node-id", "n7"});
  REQUIRE(read.ok());
  CHECK(read->check);
  CHECK_THAT(*read->print, Contains("node-id = \"n7\"  # --node-id"));
}
