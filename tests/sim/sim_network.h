// A network between the machines of a simulation: frames take time, get lost, come twice, overtake
// each other, stand behind a clog, and do not pass a cut. What of this happens, the faults say.
// Frames of one class from one machine to another keep their order unless told otherwise, as a
// stream would; a reset loses what is under way.
#ifndef SCHEDULED_TESTS_SIM_SIM_NETWORK_H_
#define SCHEDULED_TESTS_SIM_SIM_NETWORK_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/virtual_runtime.h"
#include "scheduled/transport.h"
#include "sim/frame_types.h"

namespace scheduled::sim {

// How a network is on all links, for as long as the faults say so.
struct Weather {
  absl::Duration delay_low = absl::Microseconds(50);
  absl::Duration delay_high = absl::Microseconds(500);
  uint32_t lost = 0;       // of 10,000 frames
  uint32_t doubled = 0;    // the same
  uint32_t slow = 0;       // the same; up to slow_by more, with what comes behind
  uint32_t reordered = 0;  // the same; up to slow_by more, without
  absl::Duration slow_by = absl::Milliseconds(100);
};

class SimTransport;

class SimNetwork {
 public:
  static constexpr int kClasses = 3;
  // Told of each frame as it is handed over.
  using Observer =
      std::function<void(int from, int to, FrameClass frame_class, const std::string& frame)>;

  // Machines are numbered from 0; `names[i]` is the node on machine i, `runtimes[i]` its runtime.
  SimNetwork(VirtualLoop* loop, Random random, std::vector<NodeId> names,
             std::vector<VirtualRuntime*> runtimes);
  ~SimNetwork();

  // For one life of the node on `machine`: destroyed with it.
  std::unique_ptr<Transport> NewTransport(int machine);

  void SetObserver(Observer observer) { observer_ = std::move(observer); }
  void SetWeather(const Weather& weather) { weather_ = weather; }
  // Nothing passes from `from` to `to`, until each cut is taken back.
  void Cut(int from, int to, bool cut) { link(from, to).cuts += cut ? 1 : -1; }
  // The same for messages of one type.
  void Mute(int from, int to, FrameType type, bool mute) {
    link(from, to).mutes[static_cast<size_t>(type)] += mute ? 1 : -1;
    link(from, to).muted += mute ? 1 : -1;
  }
  // What is under way between the two is lost.
  void Reset(int a, int b);
  // Frames of a class arrive no sooner than at `until`.
  void Clog(int from, int to, FrameClass frame_class, MonoTime until);
  // No cuts, no mutes, no clogs; the weather stays.
  void Heal();

  uint64_t sent() const { return sent_; }
  uint64_t delivered() const { return delivered_; }

 private:
  friend class SimTransport;

  struct Stream {
    MonoTime last_arrival;
    MonoTime clogged_until;
    size_t queued_bytes = 0;
  };
  struct Link {
    int cuts = 0;
    int muted = 0;  // all mutes together
    std::array<int, kFrameTypes> mutes{};
    uint64_t generation = 0;  // of the connection: grows with each reset
    std::array<Stream, kClasses> streams;
  };
  struct Flight {
    int from = 0;
    int to = 0;
    FrameClass frame_class = FrameClass::kConsensus;
    uint64_t generation = 0;
    uint64_t receiver = 0;  // incarnation
    std::string frame;
  };

  int size() const { return static_cast<int>(names_.size()); }
  Link& link(int from, int to) { return links_[from * size() + to]; }
  int MachineOf(const NodeId& name) const;
  void Send(int from, const NodeId& to_name, FrameClass frame_class, std::string frame);
  MonoTime ArrivalOf(Stream& stream);
  static bool Passes(const Link& way, FrameClass frame_class, const std::string& frame);
  void Launch(Flight flight, MonoTime arrival);
  void Arrive(Flight flight);

  VirtualLoop& loop_;
  Random random_;
  const std::vector<NodeId> names_;
  const std::vector<VirtualRuntime*> runtimes_;
  std::unique_ptr<VirtualRuntime> wires_;
  std::unique_ptr<Lane> lane_;
  std::vector<Link> links_;                // from * size + to
  std::vector<SimTransport*> transports_;  // of each machine; null while its node is down
  uint64_t incarnations_ = 0;
  Observer observer_;
  Weather weather_;
  uint64_t sent_ = 0;
  uint64_t delivered_ = 0;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_SIM_NETWORK_H_
