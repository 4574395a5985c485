// The queue before a stream: its order, its bounds, and how it gathers.
#include "transport/grpc/outbound_queue.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace scheduled::peer {
namespace {

std::vector<std::string> Next(OutboundQueue& queue) {
  pb::PeerPacket packet;
  queue.Fill(&packet);
  std::vector<std::string> frames;
  for (const auto& frame : packet.frames()) frames.push_back(frame.bytes());
  return frames;
}

TEST_CASE("consensus goes before what the application queued earlier") {
  OutboundQueue queue;
  REQUIRE(queue.Push(FrameClass::kApplication, "a1"));
  REQUIRE(queue.Push(FrameClass::kConsensus, "c1"));
  REQUIRE(queue.Push(FrameClass::kApplication, "a2"));
  REQUIRE(queue.Push(FrameClass::kConsensus, "c2"));
  CHECK(Next(queue) == std::vector<std::string>{"c1", "c2", "a1", "a2"});
  CHECK(queue.empty());
}

TEST_CASE("small frames are gathered up to a size and a number, a large one goes alone") {
  OutboundQueue queue;
  const std::string half(kGatherBytes / 2, 'x');
  const std::string large(2 * kGatherBytes, 'y');
  for (const std::string& frame : {half, half, half, large, half}) {
    REQUIRE(queue.Push(FrameClass::kConsensus, frame));
  }
  CHECK(Next(queue).size() == 2);
  CHECK(Next(queue) == std::vector<std::string>{half});
  CHECK(Next(queue) == std::vector<std::string>{large});
  CHECK(Next(queue) == std::vector<std::string>{half});
  for (int i = 0; i < 2000; ++i) REQUIRE(queue.Push(FrameClass::kConsensus, ""));
  CHECK(Next(queue).size() == size_t{kGatherFrames});
  CHECK(Next(queue).size() == 2000 - size_t{kGatherFrames});
}

TEST_CASE("each class is bounded on its own, and what is sent makes room") {
  OutboundQueue queue;
  const std::string mib(1 << 20, 'x');
  int pushed = 0;
  while (queue.Push(FrameClass::kConsensus, mib)) ++pushed;
  CHECK(pushed == 7);  // eight would pass 8 MiB with what stands around them
  CHECK(queue.Push(FrameClass::kApplication, mib));
  CHECK(Next(queue).size() == 1);
  CHECK(queue.Push(FrameClass::kConsensus, mib));
  CHECK_FALSE(queue.Push(FrameClass::kConsensus, mib));
  queue.Clear();
  CHECK(queue.empty());
  CHECK(queue.Push(FrameClass::kConsensus, mib));
  int empty_frames = 0;
  while (queue.Push(FrameClass::kBulk, "")) ++empty_frames;
  CHECK(empty_frames < 200000);  // frames without bytes are bounded as well
}

TEST_CASE("a queue that is full of appends has room for heartbeats, behind them and not for ever") {
  OutboundQueue queue;
  for (size_t size : {kGatherBytes, kSmallFrameBytes + 1}) {
    while (queue.Push(FrameClass::kConsensus, std::string(size, 'x'))) {
    }
  }
  const std::string heartbeat(100, 'h');
  size_t bytes = 0;
  while (queue.Push(FrameClass::kConsensus, heartbeat)) {
    bytes += heartbeat.size() + kFrameOverheadBytes;
  }
  CHECK(bytes > kSmallFrameReserve / 2);
  CHECK(bytes <= kSmallFrameReserve + kSmallFrameBytes + kFrameOverheadBytes);
  CHECK(Next(queue) == std::vector<std::string>{std::string(kGatherBytes, 'x')});
  std::vector<std::string> last;
  while (!queue.empty()) last = Next(queue);
  CHECK(last.back() == heartbeat);
}

TEST_CASE("what is small has its reserve in consensus alone") {
  OutboundQueue queue;
  const std::string mib(1 << 20, 'x');
  for (FrameClass frame_class : {FrameClass::kConsensus, FrameClass::kApplication}) {
    size_t bytes = 0;
    while (queue.Push(frame_class, mib)) bytes += mib.size() + kFrameOverheadBytes;
    while (queue.Push(frame_class, "")) bytes += kFrameOverheadBytes;
    const bool more = frame_class == FrameClass::kConsensus;
    CHECK(bytes == kMaxQueuedBytes + (more ? kSmallFrameReserve : 0));
  }
}

}  // namespace
}  // namespace scheduled::peer
