// One table of settings; the three sources are brought into one list of arguments, the stronger
// source first, and CLI11 reads that.
#include "config.h"

#include <arpa/inet.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "scheduled/time_text.h"

namespace scheduled::server {
namespace {

constexpr char kVersion[] = SCHEDULED_VERSION;

// Reads a value, or says what is wrong with it.
using Setter = std::function<absl::Status(Config&, const std::string&)>;

struct Setting {
  const char* flag;           // without dashes; SCHEDULED_<FLAG> is its variable
  const char* seed_variable;  // the name that the original system had for it; may be null
  const char* shown;
  const char* help;
  Setter set;
};

Setter Text(std::string Config::*field) {
  return [field](Config& config, const std::string& value) {
    config.*field = value;
    return absl::OkStatus();
  };
}

Setter Port(uint16_t Config::*field) {
  return [field](Config& config, const std::string& value) -> absl::Status {
    uint32_t port = 0;
    if (!absl::SimpleAtoi(value, &port) || port > 65535) {
      return absl::InvalidArgumentError("a port from 0 to 65535 is expected");
    }
    config.*field = static_cast<uint16_t>(port);
    return absl::OkStatus();
  };
}

// Text as the API takes it, or a number of seconds.
Setter Span(absl::Duration Config::*field) {
  return [field](Config& config, const std::string& value) -> absl::Status {
    const bool is_number = value.find_first_not_of("0123456789.") == std::string::npos;
    const absl::StatusOr<absl::Duration> duration =
        ParseDurationText(is_number && !value.empty() ? value + "s" : value);
    if (duration.ok()) config.*field = *duration;
    return duration.status();
  };
}

Setter Address(std::string Config::*field) {
  return [field](Config& config, const std::string& value) -> absl::Status {
    unsigned char address[sizeof(in6_addr)];
    if (value != "localhost" && inet_pton(AF_INET, value.c_str(), address) != 1 &&
        inet_pton(AF_INET6, value.c_str(), address) != 1) {
      return absl::InvalidArgumentError("an IP address or localhost is expected");
    }
    config.*field = value;
    return absl::OkStatus();
  };
}

Setter Words(std::vector<std::string> Config::*field) {
  return [field](Config& config, const std::string& value) {
    for (const absl::string_view part : absl::StrSplit(value, ',', absl::SkipWhitespace())) {
      (config.*field).emplace_back(absl::StripAsciiWhitespace(part));
    }
    return absl::OkStatus();
  };
}

absl::Status SetPeers(Config& config, const std::string& value) {
  for (const absl::string_view part : absl::StrSplit(value, ',', absl::SkipWhitespace())) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(absl::StripAsciiWhitespace(part), absl::MaxSplits('=', 1));
    uint32_t port = 0;
    const size_t colon = pair.second.rfind(':');
    if (pair.first.empty() || colon == absl::string_view::npos || colon == 0 ||
        !absl::SimpleAtoi(pair.second.substr(colon + 1), &port) || port == 0 || port > 65535) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", part, "\" is no peer: n1=host:port is expected"));
    }
    const absl::string_view host = pair.second.substr(0, colon);
    if (absl::StrContains(host, ':') && (host.front() != '[' || host.back() != ']')) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", part, "\" is no peer: an IPv6 address stands in brackets"));
    }
    const NodeId node{std::string(pair.first)};
    if (!config.peers.emplace(node, std::string(pair.second)).second) {
      return absl::InvalidArgumentError(absl::StrCat("peer ", pair.first, " stands twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status SetLogLevel(Config& config, const std::string& value) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (absl::AsciiStrToUpper(value) == std::string(LogLevelName(level))) {
      config.log_level = level;
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError("DEBUG, INFO, WARN or ERROR is expected");
}

absl::Status SetLogFormat(Config& config, const std::string& value) {
  if (value != "text" && value != "json") {
    return absl::InvalidArgumentError("text or json is expected");
  }
  config.log_json = value == "json";
  return absl::OkStatus();
}

Setter Count(uint64_t Config::*field) {
  return [field](Config& config, const std::string& value) -> absl::Status {
    if (!absl::SimpleAtoi(value, &(config.*field)) || config.*field == 0) {
      return absl::InvalidArgumentError("a whole number of at least 1 is expected");
    }
    return absl::OkStatus();
  };
}

absl::Status SetNodeId(Config& config, const std::string& value) {
  config.node_id = NodeId(value);
  return absl::OkStatus();
}

const std::vector<Setting>& Settings() {
  static const auto& settings = *new std::vector<Setting>{
      {"node-id", "NODE_ID", "NAME", "this node's name in its group [n1]", SetNodeId},
      {"data-dir", "DATA_DIR", "DIR", "where everything is kept [./scheduled-data]",
       Text(&Config::data_dir)},
      {"http-host", "HTTP_HOST", "IP", "address of the HTTP API and metrics [127.0.0.1]",
       Address(&Config::http_host)},
      {"http-port", "HTTP_PORT", "PORT", "port of the HTTP API [8080]", Port(&Config::http_port)},
      {"metrics-port", "METRICS_PORT", "PORT", "port of /metrics, 0 for none [9090]",
       Port(&Config::metrics_port)},
      {"raft-host", "RAFT_HOST", "IP",
       "with --peers: address on which peers are listened for [127.0.0.1]",
       Address(&Config::raft_host)},
      {"raft-port", "RAFT_PORT", "PORT",
       "with --peers: port for peers [this node's own in --peers, else 7400]",
       Port(&Config::raft_port)},
      {"peers", "PEERS", "n1=HOST:PORT,...",
       "all voters of the group, this node included; none for a group of one", SetPeers},
      {"cors-origin", nullptr, "ORIGIN,...",
       "web origins that may use the API, this server's own name among them; * for all",
       Words(&Config::cors_origins)},
      {"webhook-allow", nullptr, "CIDR,...", "addresses that webhooks may reach all the same",
       Words(&Config::webhook_allow)},
      {"webhook-deny", nullptr, "CIDR,...", "addresses that webhooks may not reach",
       Words(&Config::webhook_deny)},
      {"drain-timeout", nullptr, "DURATION", "what SIGTERM waits for running jobs [30s]",
       Span(&Config::drain_timeout)},
      {"history-retention", nullptr, "DURATION", "how long finished jobs are kept [168h]",
       Span(&Config::history_retention)},
      {"max-jobs", nullptr, "N", "creates beyond it are refused [10000000]",
       Count(&Config::max_jobs)},
      {"compact-log-bytes", nullptr, "N",
       "a longer log is cut, and a peer that lags gets a snapshot [536870912]",
       Count(&Config::compact_log_bytes)},
      {"snapshot-bytes-per-second", nullptr, "N", "of a snapshot to one peer [67108864]",
       Count(&Config::snapshot_bytes_per_second)},
      {"log-level", "LOG_LEVEL", "LEVEL", "DEBUG, INFO, WARN or ERROR [INFO]", SetLogLevel},
      {"log-format", nullptr, "FORMAT", "text or json [text]", SetLogFormat},
  };
  return settings;
}

std::string VariableOf(const Setting& setting) {
  return absl::StrCat("SCHEDULED_",
                      absl::StrReplaceAll(absl::AsciiStrToUpper(setting.flag), {{"-", "_"}}));
}

// Where a setting's value was found, for the sentence about it.
struct Found {
  std::string value;
  std::string source;
};

using FoundSettings = std::map<std::string, Found>;

absl::Status ReadFile(const std::string& path, FoundSettings& found) {
  std::ifstream file(path);
  file.peek();  // a folder can be opened, and says at the first byte that it is none
  if (!file.is_open() || file.bad()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot read the config file ", path));
  }
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(file);
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", error.what()));
  }
  for (const CLI::ConfigItem& item : items) {
    bool known = false;
    for (const Setting& setting : Settings()) {
      if (item.fullname() != setting.flag) continue;
      known = true;
      std::string value;
      for (const std::string& input : item.inputs)
        absl::StrAppend(&value, value.empty() ? "" : ",", input);
      found.emplace(setting.flag, Found{value, absl::StrCat(path, ": ", setting.flag)});
    }
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": \"", item.fullname(), "\" is no setting"));
    }
  }
  return absl::OkStatus();
}

// Variables that another server of this kind reads, and that mean nothing here: one sentence each.
std::vector<std::string> Unheeded() {
  constexpr std::pair<const char*, const char*> kVariables[] = {
      {"SLOT_GAP", "jobs fire at their own millisecond, whatever the length of a slot"},
      {"RAFT_ADVERTISE_HOST", "peers find this node by its entry in --peers"},
      {"DISCOVERY_STRATEGY", "peers are those of --peers"},
  };
  std::vector<std::string> unheeded;
  for (const auto& [name, why] : kVariables) {
    const char* value = std::getenv(name);
    if (value && *value) unheeded.push_back(absl::StrCat(name, " has no effect: ", why));
  }
  return unheeded;
}

void ReadEnvironment(FoundSettings& found) {
  for (const Setting& setting : Settings()) {
    for (const std::string& name :
         {VariableOf(setting), std::string(setting.seed_variable ? setting.seed_variable : "")}) {
      const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
      if (value && *value) found.emplace(setting.flag, Found{value, name});
    }
  }
}

absl::StatusOr<Config> Apply(const FoundSettings& found) {
  Config config;
  for (const Setting& setting : Settings()) {
    const auto entry = found.find(setting.flag);
    if (entry == found.end()) continue;
    if (absl::Status set = setting.set(config, entry->second.value); !set.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(entry->second.source, " is \"", entry->second.value, "\": ", set.message()));
    }
  }
  if (!config.peers.empty()) {
    const auto own = config.peers.find(config.node_id);
    if (own == config.peers.end()) {
      if (config.raft_port == 0) config.raft_port = 7400;
      config.peers.emplace(config.node_id, HostAndPort(config.raft_host, config.raft_port));
    } else if (config.raft_port == 0) {
      uint32_t port = 0;
      const bool numeric = absl::SimpleAtoi(own->second.substr(own->second.rfind(':') + 1), &port);
      config.raft_port = numeric ? static_cast<uint16_t>(port) : 7400;
    }
  }
  return config;
}

}  // namespace

std::string HostAndPort(const std::string& host, uint16_t port) {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

absl::StatusOr<Invocation> ReadConfig(int argc, const char* const* argv) {
  CLI::App app("scheduled: durable, replicated job scheduling over HTTP", "scheduled");
  std::map<std::string, std::string> flags;
  for (const Setting& setting : Settings()) {
    std::string help = absl::StrCat(setting.help, " (", VariableOf(setting));
    if (setting.seed_variable) absl::StrAppend(&help, ", ", setting.seed_variable);
    app.add_option(absl::StrCat("--", setting.flag), flags[setting.flag], help + ")")
        ->type_name(setting.shown);
  }
  Invocation invocation;
  std::string file;
  bool check_only = false;
  app.add_option("--config", file, "a TOML or INI file of settings (SCHEDULED_CONFIG)")
      ->type_name("FILE");
  app.add_flag("--check-config", check_only,
               "check all settings, print those that are given, and exit");
  app.add_flag(
      "--repair-lost-quorum", invocation.repair_lost_quorum,
      "after the majority of a group is lost for good: make the stopped node of --data-dir "
      "its only member; says what that means unless --yes is given, too");
  app.add_flag("--yes", invocation.confirmed, "with --repair-lost-quorum: do it");
  app.set_version_flag("--version", absl::StrCat("scheduled ", kVersion));
  app.footer("Flags win over the environment, the environment over the config file.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    invocation.print = app.help();
    return invocation;
  } catch (const CLI::CallForVersion&) {
    invocation.print = absl::StrCat("scheduled ", kVersion, "\n");
    return invocation;
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), " (see scheduled --help)"));
  }

  FoundSettings found;
  for (const Setting& setting : Settings()) {
    const std::string flag = absl::StrCat("--", setting.flag);
    if (app.count(flag) > 0) found.emplace(setting.flag, Found{flags[setting.flag], flag});
  }
  ReadEnvironment(found);
  if (const char* named = std::getenv("SCHEDULED_CONFIG"); file.empty() && named) file = named;
  if (!file.empty()) {
    if (absl::Status read = ReadFile(file, found); !read.ok()) return read;
  }
  absl::StatusOr<Config> config = Apply(found);
  if (!config.ok()) return config.status();
  invocation.config = *std::move(config);
  invocation.unheeded = Unheeded();
  if (check_only) {
    std::string shown;
    for (const auto& [flag, value] : found) {
      absl::StrAppend(&shown, flag, " = \"", value.value, "\"  # ", value.source, "\n");
    }
    for (const std::string& sentence : invocation.unheeded) {
      absl::StrAppend(&shown, "# ", sentence, "\n");
    }
    invocation.print = shown + "The settings are valid.\n";
    invocation.check = true;
  }
  return invocation;
}

}  // namespace scheduled::server
