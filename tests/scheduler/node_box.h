// A node in a box: a Node on a virtual loop, over stores that outlive it, that can crash, restart,
// stop for a while, and be called as a client would. Used by the scheduler's own tests and by the
// simulator, which hands in its own stores and network.
#ifndef SCHEDULED_TESTS_SCHEDULER_NODE_BOX_H_
#define SCHEDULED_TESTS_SCHEDULER_NODE_BOX_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/virtual_runtime.h"
#include "scheduled/executor.h"
#include "scheduled/transport.h"
#include "scheduler/client_commands.h"
#include "scheduler/node.h"

namespace scheduled::test {

// One delivery as a test executor saw it.
struct SeenRun {
  NodeId node;
  std::shared_ptr<const RunContext> run;
  absl::Time started;  // by the node's wall clock
  MonoTime true_time;
};

// What a test executor does with a run: answers now, later, or never (keeps `done`).
using Handler = std::function<void(const SeenRun&, Done)>;

class NodeBox {
 public:
  struct Parts {
    VirtualLoop* loop = nullptr;
    LogStore* log_store = nullptr;
    TableStore* tables = nullptr;
    std::function<std::unique_ptr<Transport>(VirtualRuntime*)> new_transport;  // null: alone
  };

  NodeBox(NodeOptions options, Parts parts)
      : options_(std::move(options)), parts_(std::move(parts)) {
    runtime_ = parts_.loop->NewRuntime(options_.node_id.value);
  }
  ~NodeBox() { Crash(); }

  const NodeId& id() const { return options_.node_id; }
  VirtualRuntime& runtime() { return *runtime_; }
  NodeOptions& options() { return options_; }
  bool is_up() const { return node_ != nullptr; }
  Node& node() { return *node_; }
  ClusterStatus status() const { return node_->status(); }
  bool leads() { return is_up() && node_->leader() != nullptr; }

  // Executors that every start of this node registers.
  void Serve(std::string name, Handler handler, int capacity = 64) {
    served_.push_back({std::move(name), std::move(handler), capacity});
    if (is_up()) RegisterLast();
  }
  // A process that starts: with a larger boot counter.
  absl::Status Start() {
    options_.boot = BootCounter(options_.boot.value + 1);
    NodeParts parts;
    parts.runtime = runtime_.get();
    parts.log_store = parts_.log_store;
    parts.tables = parts_.tables;
    if (parts_.new_transport) parts.transport = parts_.new_transport(runtime_.get());
    absl::StatusOr<std::unique_ptr<Node>> node = Node::Open(options_, std::move(parts));
    if (!node.ok()) return node.status();
    node_ = *std::move(node);
    for (Served& served : served_) Register(served);
    return absl::OkStatus();
  }
  // kill -9.
  void Crash() {
    if (node_ == nullptr) return;
    node_->FallSilent();
    runtime_->Kill();
    node_.reset();
  }
  // SIGTERM. On a virtual loop the wait moves no time.
  void Close(absl::Duration patience = absl::ZeroDuration()) {
    node_->Close(patience);
    node_.reset();
  }
  // SIGSTOP and SIGCONT.
  void Pause() { runtime_->Pause(); }
  void Resume() { runtime_->Resume(); }

 private:
  struct Served {
    std::string name;
    Handler handler;
    int capacity;
  };

  class TestExecutor : public Executor {
   public:
    TestExecutor(NodeBox* box, const Served& served)
        : box_(*box), handler_(served.handler), capacity_(served.capacity) {}
    void Run(std::shared_ptr<const RunContext> run, Done done) override {
      const SeenRun seen{box_.id(), std::move(run), box_.runtime().clock().WallNow(),
                         box_.parts_.loop->now()};
      handler_(seen, std::move(done));
    }
    int capacity() const override { return capacity_; }

   private:
    NodeBox& box_;
    const Handler handler_;
    const int capacity_;
  };

  void Register(const Served& served) {
    node_->Register(served.name, std::make_unique<TestExecutor>(this, served)).IgnoreError();
  }
  void RegisterLast() { Register(served_.back()); }

  NodeOptions options_;
  Parts parts_;
  std::unique_ptr<VirtualRuntime> runtime_;
  std::deque<Served> served_;
  std::unique_ptr<Node> node_;
};

}  // namespace scheduled::test

#endif  // SCHEDULED_TESTS_SCHEDULER_NODE_BOX_H_
