// Three replicas in one host program: what is scheduled on one survives the loss of another. In
// real life each lives in a process of its own, with GrpcTransport between them; nothing else
// changes. Usage: three_replicas [data directory]
#include <scheduled/inproc_transport.h>
#include <scheduled/scheduler.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"

using scheduled::Job;
using scheduled::NodeId;
using scheduled::Scheduler;

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "./replica-data";
  std::filesystem::create_directories(folder);
  scheduled::InprocNetwork network;
  std::atomic<int> ran{0};
  std::vector<std::unique_ptr<Scheduler>> nodes;
  for (const char* name : {"a", "b", "c"}) {
    scheduled::Options options{
        .data_dir = folder + "/" + name,
        .node_id = NodeId(name),
        .peers = {{NodeId("a"), "a"}, {NodeId("b"), "b"}, {NodeId("c"), "c"}},
        .transport = network.NewTransport()};
    auto node = Scheduler::Open(std::move(options));
    if (!node.ok()) {
      std::fprintf(stderr, "%s\n", node.status().ToString().c_str());
      return 1;
    }
    const auto known = (*node)->Register(
        "count", scheduled::CallbackExecutor([&ran](const scheduled::RunContext&) {
          ++ran;
          return absl::OkStatus();
        }));
    if (!known.ok()) return 1;
    nodes.push_back(*std::move(node));
  }

  // Any node takes it; the call returns when a majority has it on disk.
  const auto job = nodes[2]->Schedule(Job::In(absl::Seconds(2)).Executor("count"));
  if (!job.ok()) {
    std::fprintf(stderr, "%s\n", job.status().ToString().c_str());
    return 1;
  }

  // The leader goes away before the job is due.
  for (auto& node : nodes) {
    if (node && node->cluster().role == scheduled::Role::kLeader) {
      std::printf("the leader, %s, leaves\n", node->cluster().node_id.value.c_str());
      node.reset();
      break;
    }
  }
  Scheduler& other = nodes[0] ? *nodes[0] : *nodes[1];
  auto info = other.Get(job->job.id);
  while (!info.ok() || !info->completed_at) {
    absl::SleepFor(absl::Milliseconds(10));
    info = other.Get(job->job.id);
  }
  std::printf("%s ran on %d of the two that are left\n", job->job.id.value.c_str(), ran.load());
  return ran == 1 ? 0 : 1;
}
