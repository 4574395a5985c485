// Peers over gRPC on loopback: handshake, order, size, bounds, restart and Stop.
#include "scheduled/grpc_transport.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "scheduled/log.h"
#include "transport/grpc/free_address.h"

namespace scheduled {
namespace {

using std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::minutes(2);

using testing::FreeAddress;

struct Frame {
  NodeId from;
  FrameClass frame_class;
  std::string bytes;
};

// A node that keeps what it receives and what it logs.
class Node {
 public:
  Node(std::string name, std::string address) : name_(std::move(name)), address_(address) {
    transport_ = GrpcTransport(
        {.listen_address = address,
         .log = [this](LogLevel level, std::string_view message, std::span<const LogField> fields) {
           std::lock_guard lock(mutex_);
           log_ += FormatLogText(absl::UnixEpoch(), level, message, fields);
           changed_.notify_all();
         }});
  }

  absl::Status Start(std::map<NodeId, std::string> peers, std::string cluster_id = "",
                     uint32_t wire_version = 1, uint32_t feature_level = 1) {
    transport_->SetPeers(peers);
    return transport_->Start({.node = NodeId(name_),
                              .cluster_id = std::move(cluster_id),
                              .wire_version = wire_version,
                              .feature_level = feature_level},
                             [this](const NodeId& from, FrameClass c, std::string bytes) {
                               std::lock_guard lock(mutex_);
                               if (stopped_) late_ = true;
                               frames_.push_back({from, c, std::move(bytes)});
                               changed_.notify_all();
                             });
  }
  void Stop() {
    transport_->Stop();
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }

  // Waits for the connection to `to`, which has no frame of it afterwards, nor gets one.
  bool Connects(Node& to) {
    if (!ReachesWith(to, "ready")) return false;
    // It may have been said more often than it took; behind "settled" nothing of that comes.
    transport_->Send(NodeId(to.name_), FrameClass::kConsensus, "settled");
    if (!to.WaitForLast("settled")) return false;
    to.TakeFrames();
    return true;
  }
  // Says `bytes` again and again until it arrives: connecting takes its time.
  bool ReachesWith(Node& to, const std::string& bytes,
                   FrameClass frame_class = FrameClass::kConsensus) {
    const auto deadline = steady_clock::now() + kPatience;
    while (steady_clock::now() < deadline) {
      transport_->Send(NodeId(to.name_), frame_class, bytes);
      if (to.WaitFor([&] { return !to.frames_.empty() && to.frames_.back().bytes == bytes; },
                     std::chrono::milliseconds(5))) {
        return true;
      }
    }
    return false;
  }
  bool WaitForLog(const std::string& text) {
    return WaitFor([&] { return log_.find(text) != std::string::npos; });
  }
  bool WaitForFrames(size_t count) {
    return WaitFor([&] { return frames_.size() >= count; });
  }
  bool WaitForLast(const std::string& bytes) {
    return WaitFor([&] { return !frames_.empty() && frames_.back().bytes == bytes; });
  }
  std::vector<Frame> TakeFrames() {
    std::lock_guard lock(mutex_);
    return std::exchange(frames_, {});
  }
  std::string log() {
    std::lock_guard lock(mutex_);
    return log_;
  }
  bool late() {
    std::lock_guard lock(mutex_);
    return late_;
  }

  Transport& transport() { return *transport_; }
  NodeId id() const { return NodeId(name_); }
  const std::string& address() const { return address_; }
  std::pair<const NodeId, std::string> peer() const { return {id(), address_}; }

 private:
  bool WaitFor(const std::function<bool()>& condition,
               steady_clock::duration patience = kPatience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, condition);
  }

  const std::string name_;
  const std::string address_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Frame> frames_;
  std::string log_;
  bool stopped_ = false;
  bool late_ = false;
  std::unique_ptr<Transport> transport_;
};

TEST_CASE("peers exchange frames of every class") {
  Node a("a", FreeAddress()), b("b", FreeAddress());
  REQUIRE(a.Start({a.peer(), b.peer()}).ok());
  REQUIRE(b.Start({a.peer(), b.peer()}).ok());
  CHECK(a.ReachesWith(b, "consensus", FrameClass::kConsensus));
  CHECK(a.ReachesWith(b, "bulk", FrameClass::kBulk));
  CHECK(b.ReachesWith(a, "application", FrameClass::kApplication));
  const Frame last = a.TakeFrames().back();
  CHECK(last.from == NodeId("b"));
  CHECK(last.frame_class == FrameClass::kApplication);
  CHECK(a.log().find("connected to a peer") != std::string::npos);
}

TEST_CASE("a hundred thousand frames arrive in order") {
  Node a("a", FreeAddress()), b("b", FreeAddress());
  REQUIRE(a.Start({b.peer()}).ok());
  REQUIRE(b.Start({a.peer()}).ok());
  REQUIRE(a.Connects(b));
  constexpr int kFrames = 100000;
  constexpr int kWindow = 10000;  // below the queue's bound, so that none is dropped
  bool arrived = true;
  for (int i = 0; i < kFrames && arrived; ++i) {
    a.transport().Send(b.id(), FrameClass::kConsensus, std::to_string(i));
    if ((i + 1) % kWindow == 0) arrived = b.WaitForFrames(i + 1);
  }
  REQUIRE(arrived);
  const std::vector<Frame> frames = b.TakeFrames();
  REQUIRE(frames.size() == kFrames);
  bool ordered = true;
  for (int i = 0; i < kFrames; ++i) ordered = ordered && frames[i].bytes == std::to_string(i);
  CHECK(ordered);
}

TEST_CASE("large frames arrive whole, and one that is too large is dropped") {
  Node a("a", FreeAddress()), b("b", FreeAddress());
  REQUIRE(a.Start({b.peer()}).ok());
  REQUIRE(b.Start({a.peer()}).ok());
  REQUIRE(a.Connects(b));
  const std::string large(7 << 20, 'x');
  a.transport().Send(b.id(), FrameClass::kApplication, large);
  a.transport().Send(b.id(), FrameClass::kApplication, std::string(9 << 20, 'y'));
  a.transport().Send(b.id(), FrameClass::kApplication, "after");
  REQUIRE(b.WaitForFrames(2));
  const std::vector<Frame> frames = b.TakeFrames();
  const bool is_whole = frames[0].bytes == large;  // nobody reads 7 MiB of a failure
  CHECK(is_whole);
  CHECK(frames[1].bytes == "after");
}

TEST_CASE("a peer that restarts is reached again, and not before") {
  Node a("a", FreeAddress());
  auto b = std::make_unique<Node>("b", FreeAddress());
  const std::string address = b->address();
  REQUIRE(a.Start({b->peer()}).ok());
  REQUIRE(b->Start({a.peer()}).ok());
  REQUIRE(a.ReachesWith(*b, "first life"));
  b->Stop();
  REQUIRE(a.WaitForLog("lost a peer"));
  a.transport().Send(NodeId("b"), FrameClass::kConsensus, "into the void");
  b = std::make_unique<Node>("b", address);
  REQUIRE(b->Start({a.peer()}).ok());
  CHECK(a.ReachesWith(*b, "second life"));
  CHECK(b->ReachesWith(a, "hello again"));
  for (const Frame& frame : b->TakeFrames()) CHECK(frame.bytes == "second life");
}

TEST_CASE("a node of another cluster is refused with a sentence at both ends") {
  Node a("a", FreeAddress()), b("b", FreeAddress());
  REQUIRE(a.Start({b.peer()}, std::string(16, '\x01')).ok());
  REQUIRE(b.Start({}, std::string(16, '\x02')).ok());
  CHECK(a.WaitForLog("node 'a' belongs to cluster 01010101010101010101010101010101"));
  CHECK(b.WaitForLog("refused a peer"));
  a.transport().Send(b.id(), FrameClass::kConsensus, "x");
  CHECK(b.TakeFrames().empty());
}

TEST_CASE("a node without a cluster is accepted, and so is the cluster that it comes to know") {
  Node a("a", FreeAddress()), b("b", FreeAddress());
  REQUIRE(a.Start({b.peer()}).ok());
  REQUIRE(b.Start({a.peer()}, std::string(16, '\x02')).ok());
  CHECK(a.ReachesWith(b, "who am I"));
  a.transport().SetClusterId(std::string(16, '\x02'));
  a.transport().SetPeers({});
  a.transport().SetPeers({b.peer()});
  CHECK(a.ReachesWith(b, "one of you"));
}

TEST_CASE("wrong versions, levels and addresses are refused") {
  Node b("b", FreeAddress());
  REQUIRE(b.Start({}, "", 1, 3).ok());
  SECTION("wire version") {
    Node a("a", FreeAddress());
    REQUIRE(a.Start({b.peer()}, "", 2, 3).ok());
    CHECK(a.WaitForLog("wire version 2"));
  }
  SECTION("feature level") {
    Node a("a", FreeAddress());
    REQUIRE(a.Start({b.peer()}, "", 1, 5).ok());
    CHECK(a.WaitForLog("feature level 5"));
  }
  SECTION("a neighbouring feature level is fine") {
    Node a("a", FreeAddress());
    REQUIRE(a.Start({b.peer()}, "", 1, 2).ok());
    CHECK(a.ReachesWith(b, "rolling"));
  }
  SECTION("somebody else's address") {
    Node a("a", FreeAddress());
    REQUIRE(a.Start({{NodeId("c"), b.address()}}, "", 1, 3).ok());
    CHECK(a.WaitForLog("looks for node 'c' at the address of node 'b'"));
  }
  CHECK(b.TakeFrames().size() <= 100000);
}

TEST_CASE("an address in use is unavailable, with a sentence") {
  Node a("a", FreeAddress());
  REQUIRE(a.Start({}).ok());
  Node twin("b", a.address());
  const absl::Status status = twin.Start({});
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(std::string(status.message()).find(a.address()) != std::string::npos);
}

TEST_CASE("Stop under load returns, and nothing is received afterwards") {
  for (int round = 0; round < 5; ++round) {
    Node a("a", FreeAddress()), b("b", FreeAddress());
    REQUIRE(a.Start({b.peer()}).ok());
    REQUIRE(b.Start({a.peer()}).ok());
    REQUIRE(a.ReachesWith(b, "ready"));
    std::atomic<bool> go_on{true};
    std::vector<std::thread> senders;
    for (int t = 0; t < 2; ++t) {
      senders.emplace_back([&] {
        while (go_on) {
          a.transport().Send(b.id(), FrameClass::kConsensus, std::string(1000, 'x'));
          b.transport().Send(a.id(), FrameClass::kApplication, std::string(1000, 'x'));
        }
      });
    }
    REQUIRE(b.WaitForFrames(2000));
    (round % 2 == 0 ? a : b).Stop();
    (round % 2 == 0 ? b : a).Stop();
    go_on = false;
    for (auto& sender : senders) sender.join();
    CHECK_FALSE(a.late());
    CHECK_FALSE(b.late());
  }
}

TEST_CASE("Stop returns though a peer cannot be reached") {
  Node a("a", FreeAddress());
  REQUIRE(a.Start({{NodeId("b"), FreeAddress()}, {NodeId("c"), "192.0.2.1:9"}}).ok());
  REQUIRE(a.WaitForLog("cannot connect to a peer"));
  a.Stop();
  CHECK_FALSE(a.late());
}

// --- Figures: run with [bench] -------------------------------------------------------------------

TEST_CASE("how long a frame goes one way", "[.][bench]") {
  Node a("a", FreeAddress()), b("b", FreeAddress());
  REQUIRE(a.Start({b.peer()}).ok());
  REQUIRE(b.Start({a.peer()}).ok());
  REQUIRE(a.Connects(b));
  constexpr int kRounds = 1000;
  const auto begin = steady_clock::now();
  for (int i = 0; i < kRounds; ++i) {
    b.TakeFrames();
    a.transport().Send(b.id(), FrameClass::kConsensus, "ping");
    REQUIRE(b.WaitForFrames(1));
  }
  const double micros =
      std::chrono::duration<double, std::micro>(steady_clock::now() - begin).count() / kRounds;
  WARN("one way: " << micros << " us");
}

}  // namespace
}  // namespace scheduled
