// A key-value map that is replicated by RaftNode alone, without the scheduler: what a host brings
// is a StateMachine and a Transport. Three replicas in one program; a fourth is added and gets what
// the log no longer has as a snapshot; the leader dies, and the map goes on. Usage: replicated_map
// [data directory]
#include <scheduled/inproc_transport.h>
#include <scheduled/raft_node.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>

#include "absl/time/clock.h"

using namespace scheduled;

// Commands are "key=value"; the answer is the value that was there before. The map is in memory; a
// copy of it in one file is what survives a crash, and what a snapshot consists of.
class MapMachine : public StateMachine {
 public:
  explicit MapMachine(std::string dir) : dir_(std::move(dir)) {
    std::filesystem::create_directories(dir_);
    if (Load(dir_ + "/map", std::nullopt).ok()) flushed_ = applied_.index;
  }

  absl::StatusOr<std::vector<std::string>> Apply(std::span<const Command> commands,
                                                 AppliedPosition through) override {
    std::lock_guard lock(mutex_);
    std::vector<std::string> answers;
    for (const Command& command : commands) {
      const size_t equals = command.bytes.find('=');
      std::string& value = map_[std::string(command.bytes.substr(0, equals))];
      answers.push_back(std::exchange(value, command.bytes.substr(equals + 1)));
    }
    applied_ = through;
    return answers;
  }
  AppliedPosition applied() const override { return applied_; }
  absl::StatusOr<LogIndex> Durable() const override { return flushed_; }
  absl::Status Flush() override {
    // A real one would sync the file and its directory, too.
    if (absl::Status saved = Save(dir_ + "/map.new"); !saved.ok()) return saved;
    std::filesystem::rename(dir_ + "/map.new", dir_ + "/map");
    flushed_ = applied_.index;
    return absl::OkStatus();
  }
  absl::Status Checkpoint(const std::string& dir) override {
    std::filesystem::create_directory(dir);
    return Save(dir + "/map");
  }
  absl::Status Install(const std::string& dir, AppliedPosition at) override {
    if (absl::Status loaded = Load(dir + "/map", at); !loaded.ok()) {
      return absl::InvalidArgumentError(loaded.message());
    }
    ++installs_;
    return Flush();
  }

  std::string Get(const std::string& key) const {
    std::lock_guard lock(mutex_);
    const auto found = map_.find(key);
    return found == map_.end() ? "" : found->second;
  }
  int installs() const { return installs_; }

 private:
  absl::Status Save(const std::string& path) const {
    std::ofstream out(path, std::ios::trunc);
    out << applied_.index.value << ' ' << applied_.term.value << '\n';
    for (const auto& [key, value] : map_) out << key << '=' << value << '\n';
    out.close();
    return out ? absl::OkStatus() : absl::UnavailableError("cannot write " + path);
  }
  absl::Status Load(const std::string& path, std::optional<AppliedPosition> must_be) {
    std::ifstream in(path);
    AppliedPosition at;
    std::map<std::string, std::string> map;
    std::string line;
    if (!(in >> at.index.value >> at.term.value) || !std::getline(in, line)) {
      return absl::NotFoundError("there is no map in " + path);
    }
    if (must_be && at != *must_be) return absl::NotFoundError("another map is in " + path);
    while (std::getline(in, line))
      map[line.substr(0, line.find('='))] = line.substr(line.find('=') + 1);
    std::lock_guard lock(mutex_);
    map_ = std::move(map);
    applied_ = at;
    return absl::OkStatus();
  }

  const std::string dir_;
  mutable std::mutex mutex_;  // readers are on other threads
  std::map<std::string, std::string> map_;
  AppliedPosition applied_;
  LogIndex flushed_;
  std::atomic<int> installs_{0};
};

struct Replica {
  MapMachine* machine = nullptr;  // owned by node
  std::unique_ptr<RaftNode> node;
};

Replica Open(const std::string& folder, InprocNetwork& network, const std::string& name,
             const std::vector<std::string>& names) {
  RaftOptions options;
  options.data_dir = folder + "/" + name;
  options.node_id = NodeId(name);
  for (const std::string& each : names) options.peers[NodeId(each)] = each;
  options.compact_log_bytes = 256 << 10;  // so small that this example cuts its log
  options.log_tail_bytes = 16 << 10;
  options.max_log_bytes = 64 << 20;
  auto machine = std::make_unique<MapMachine>(folder + "/" + name + "-map");
  Replica replica{.machine = machine.get()};
  auto node = RaftNode::Open(std::move(options), std::move(machine), network.NewTransport());
  if (!node.ok()) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), node.status().ToString().c_str());
    std::exit(1);
  }
  replica.node = *std::move(node);
  replica.node->OnRoleChange([name](const RoleChange& change) {
    if (change.role == Role::kLeader) std::printf("%s leads\n", name.c_str());
  });
  return replica;
}

using Replicas = std::map<std::string, Replica>;

template <typename Condition>
void Until(Condition condition) {
  while (!condition()) absl::SleepFor(absl::Milliseconds(2));
}

RaftNode& Leader(Replicas& replicas) {
  while (true) {
    for (auto& [name, replica] : replicas) {
      if (replica.node->HasLease()) return *replica.node;
    }
    absl::SleepFor(absl::Milliseconds(2));
  }
}

// Waits for the answer, and asks the next leader where there is none.
void Put(Replicas& replicas, const std::string& key, const std::string& value) {
  while (true) {
    std::promise<absl::StatusOr<Applied>> answer;
    Leader(replicas).Propose(key + "=" + value, [&answer](absl::StatusOr<Applied> applied) {
      answer.set_value(std::move(applied));
    });
    const auto applied = answer.get_future().get();
    if (applied.ok()) return;
    // kUnknown: it may have been put. To put it twice is no harm here.
  }
}

absl::Status Change(RaftNode& node, MemberChange change) {
  std::promise<absl::Status> done;
  node.ChangeMembers({std::move(change)},
                     [&done](absl::Status s) { done.set_value(std::move(s)); });
  return done.get_future().get();
}

// A read that sees every write that was answered before, on any replica.
std::string Read(Replica& replica, const std::string& key) {
  while (true) {
    std::promise<absl::Status> reached;
    replica.node->Barrier([&reached](absl::Status s) { reached.set_value(std::move(s)); });
    if (reached.get_future().get().ok()) return replica.machine->Get(key);
  }
}

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "./map-data";
  std::filesystem::create_directories(folder);
  InprocNetwork network;
  Replicas replicas;
  for (const char* name : {"a", "b", "c"}) {
    replicas[name] = Open(folder, network, name, {"a", "b", "c"});
  }
  Put(replicas, "color", "green");
  std::printf("b reads color=%s\n", Read(replicas["b"], "color").c_str());

  // Enough that the log is cut: nobody who comes later can be brought up from it.
  const std::string filler(1000, 'x');
  for (int i = 0; Leader(replicas).status().first_index <= LogIndex(2); ++i) {
    Put(replicas, "key" + std::to_string(i % 50), filler);
  }
  std::printf("the log begins at entry %llu\n",
              static_cast<unsigned long long>(Leader(replicas).status().first_index.value));

  // On the directory of an earlier run it is a member already.
  const bool is_new = Leader(replicas).status().members.size() == 3;
  replicas["d"] = Open(folder, network, "d", {"a", "b", "c", "d"});
  while (is_new) {
    const absl::Status added =
        Change(Leader(replicas), {MemberChangeKind::kAddVoter, NodeId("d"), "d", {}});
    if (added.ok()) break;
    if (!absl::IsUnavailable(added)) {
      std::fprintf(stderr, "%s\n", added.ToString().c_str());
      return 1;
    }
  }
  Until([&] {
    const ClusterStatus status = Leader(replicas).status();
    return status.members.size() == 4 && status.members[3].voter;
  });
  std::printf("d votes; it has installed %d snapshot and reads color=%s\n",
              replicas["d"].machine->installs(), Read(replicas["d"], "color").c_str());

  const std::string dead = Leader(replicas).status().node_id.value;
  replicas.erase(dead);
  std::printf("%s, which led, is gone\n", dead.c_str());
  Put(replicas, "color", "blue");
  int blue = 0;
  for (auto& [name, replica] : replicas) blue += Read(replica, "color") == "blue" ? 1 : 0;
  std::printf("%d of the 3 that are left read color=blue\n", blue);
  const bool by_snapshot = !is_new || dead == "d" || replicas["d"].machine->installs() == 1;
  return blue == 3 && by_snapshot ? 0 : 1;
}
