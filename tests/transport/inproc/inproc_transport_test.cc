// The in-process network: order, one frame at a time, cuts, identity, and an end after Stop.
#include "scheduled/inproc_transport.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>
#include <vector>

namespace scheduled {
namespace {

struct Frame {
  NodeId from;
  FrameClass frame_class;
  std::string bytes;
};

// A node that keeps what it receives.
class Node {
 public:
  Node(InprocNetwork& network, const std::string& name, std::string cluster_id = "")
      : transport_(network.NewTransport()) {
    transport_->SetPeers({{NodeId("a"), ""}, {NodeId("b"), ""}, {NodeId("c"), ""}});
    status_ = transport_->Start({.node = NodeId(name), .cluster_id = std::move(cluster_id)},
                                [this](const NodeId& from, FrameClass c, std::string bytes) {
                                  std::lock_guard lock(mutex_);
                                  frames_.push_back({from, c, std::move(bytes)});
                                });
  }

  void Send(const std::string& to, std::string bytes) {
    transport_->Send(NodeId(to), FrameClass::kConsensus, std::move(bytes));
  }
  std::vector<Frame> received() {
    std::lock_guard lock(mutex_);
    return frames_;
  }
  Transport& transport() { return *transport_; }
  const absl::Status& status() const { return status_; }

 private:
  std::mutex mutex_;
  std::vector<Frame> frames_;
  std::unique_ptr<Transport> transport_;
  absl::Status status_;
};

TEST_CASE("a frame arrives with its sender and class") {
  InprocNetwork network;
  Node a(network, "a"), b(network, "b");
  a.transport().Send(NodeId("b"), FrameClass::kApplication, "hello");
  auto received = b.received();
  REQUIRE(received.size() == 1);
  CHECK(received[0].from == NodeId("a"));
  CHECK(received[0].frame_class == FrameClass::kApplication);
  CHECK(received[0].bytes == "hello");
}

TEST_CASE("cut-off nodes hear nothing of each other until they are reconnected") {
  InprocNetwork network;
  Node a(network, "a"), b(network, "b"), c(network, "c");
  network.Disconnect(NodeId("b"), NodeId("a"));
  a.Send("b", "lost");
  b.Send("a", "lost");
  a.Send("c", "kept");
  network.Reconnect(NodeId("a"), NodeId("b"));
  a.Send("b", "kept");
  CHECK(a.received().empty());
  REQUIRE(b.received().size() == 1);
  CHECK(b.received()[0].bytes == "kept");
  CHECK(c.received().size() == 1);
}

TEST_CASE("nodes of two clusters do not talk, and one without a cluster talks to both") {
  InprocNetwork network;
  Node a(network, "a", "one"), b(network, "b", "two"), c(network, "c");
  a.Send("b", "x");
  a.Send("c", "x");
  c.Send("b", "x");
  CHECK(b.received().size() == 1);
  CHECK(c.received().size() == 1);
  c.transport().SetClusterId("one");
  c.Send("b", "y");
  CHECK(b.received().size() == 1);
}

TEST_CASE("a name that is on the network already is refused, and free after Stop") {
  InprocNetwork network;
  Node a(network, "a");
  Node twin(network, "a");
  CHECK(twin.status().code() == absl::StatusCode::kUnavailable);
  a.transport().Stop();
  Node heir(network, "a");
  CHECK(heir.status().ok());
}

TEST_CASE("a frame to somebody who is no peer is dropped") {
  InprocNetwork network;
  Node a(network, "a"), b(network, "b");
  a.transport().SetPeers({{NodeId("c"), ""}});
  a.Send("b", "x");
  CHECK(b.received().empty());
}

TEST_CASE("a receiver may answer from within, and frames keep their order") {
  InprocNetwork network;
  auto ping = network.NewTransport();
  auto pong = network.NewTransport();
  ping->SetPeers({{NodeId("pong"), ""}});
  pong->SetPeers({{NodeId("ping"), ""}});
  std::vector<std::string> answers;
  REQUIRE(pong->Start({.node = NodeId("pong")},
                      [&](const NodeId& from, FrameClass c, std::string frame) {
                        pong->Send(from, c, frame + "!");
                        pong->Send(from, c, frame + "?");
                      })
              .ok());
  REQUIRE(ping->Start({.node = NodeId("ping")},
                      [&](const NodeId& from, FrameClass c, std::string frame) {
                        answers.push_back(frame);
                        if (answers.size() < 5) ping->Send(from, c, std::to_string(answers.size()));
                      })
              .ok());
  ping->Send(NodeId("pong"), FrameClass::kConsensus, "0");
  CHECK(answers ==
        std::vector<std::string>{"0!", "0?", "1!", "1?", "2!", "2?", "3!", "3?", "4!", "4?"});
}

TEST_CASE("frames from several threads come one at a time, each thread's in order") {
  InprocNetwork network;
  auto sink = network.NewTransport();
  auto source = network.NewTransport();
  source->SetPeers({{NodeId("sink"), ""}});
  std::atomic<int> inside{0};
  std::atomic<bool> overlap{false};
  std::vector<int> last(4, -1);
  bool ordered = true;
  int count = 0;
  REQUIRE(sink->Start({.node = NodeId("sink")},
                      [&](const NodeId&, FrameClass, std::string frame) {
                        if (inside.fetch_add(1) != 0) overlap = true;
                        const int thread = frame[0] - '0';
                        const int number = std::stoi(frame.substr(1));
                        if (number != last[thread] + 1) ordered = false;
                        last[thread] = number;
                        ++count;
                        inside.fetch_sub(1);
                      })
              .ok());
  REQUIRE(source->Start({.node = NodeId("source")}, [](auto&&...) {}).ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        source->Send(NodeId("sink"), FrameClass::kConsensus, std::to_string(t) + std::to_string(i));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  sink->Stop();
  CHECK_FALSE(overlap);
  CHECK(ordered);
  CHECK(count == 8000);
}

TEST_CASE("nothing is received after Stop, though frames are on their way") {
  InprocNetwork network;
  auto sink = network.NewTransport();
  auto source = network.NewTransport();
  source->SetPeers({{NodeId("sink"), ""}});
  std::atomic<bool> stopped{false}, late{false};
  std::atomic<int> received{0};
  REQUIRE(sink->Start({.node = NodeId("sink")},
                      [&](auto&&...) {
                        if (stopped) late = true;
                        ++received;
                      })
              .ok());
  REQUIRE(source->Start({.node = NodeId("source")}, [](auto&&...) {}).ok());
  std::atomic<bool> go_on{true};
  std::thread sender([&] {
    while (go_on) source->Send(NodeId("sink"), FrameClass::kConsensus, "x");
  });
  while (received < 1000) std::this_thread::yield();
  sink->Stop();
  stopped = true;
  const int at_stop = received;
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  go_on = false;
  sender.join();
  CHECK_FALSE(late);
  CHECK(received == at_stop);
}

}  // namespace
}  // namespace scheduled
