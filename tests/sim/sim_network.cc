// See sim_network.h. A frame's flight is a task on the network's own lane, in true time; what
// arrives is posted to the receiving machine, which may be paused, and whose death drops it.
#include "sim/sim_network.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "sim/finding.h"

namespace scheduled::sim {
namespace {

// As the port says: what does not fit into a peer's queue is dropped.
constexpr size_t kQueueBytes = size_t{8} << 20;

size_t ClassIndex(FrameClass frame_class) { return static_cast<size_t>(frame_class) - 1; }

}  // namespace

class SimTransport final : public Transport {
 public:
  SimTransport(SimNetwork* network, int machine) : network_(*network), machine_(machine) {}
  ~SimTransport() override { Stop(); }

  absl::Status Start(PeerIdentity self, Receiver receiver) override {
    identity_ = std::move(self);
    receiver_ = std::move(receiver);
    lane_ = network_.runtimes_[machine_]->NewLane("net");
    incarnation_ = ++network_.incarnations_;
    network_.transports_[machine_] = this;
    return absl::OkStatus();
  }

  void Stop() override {
    if (network_.transports_[machine_] == this) network_.transports_[machine_] = nullptr;
    if (lane_ != nullptr) lane_->Stop();
  }

  void SetPeers(const std::map<NodeId, std::string>& addresses) override { peers_ = addresses; }
  void SetClusterId(std::string cluster_id) override {
    identity_.cluster_id = std::move(cluster_id);
  }

  void Send(const NodeId& to, FrameClass frame_class, std::string frame) override {
    if (!peers_.contains(to)) return;
    network_.Send(machine_, to, frame_class, std::move(frame));
  }

  void Receive(const NodeId& from, FrameClass frame_class, std::string frame) {
    lane_->Post([this, from, frame_class, frame = std::move(frame)]() mutable {
      receiver_(from, frame_class, std::move(frame));
    });
  }

  uint64_t incarnation() const { return incarnation_; }
  const std::string& cluster_id() const { return identity_.cluster_id; }

 private:
  SimNetwork& network_;
  const int machine_;
  uint64_t incarnation_ = 0;
  PeerIdentity identity_;
  Receiver receiver_;
  std::map<NodeId, std::string> peers_;
  std::unique_ptr<Lane> lane_;
};

SimNetwork::SimNetwork(VirtualLoop* loop, Random random, std::vector<NodeId> names,
                       std::vector<VirtualRuntime*> runtimes)
    : loop_(*loop),
      random_(random),
      names_(std::move(names)),
      runtimes_(std::move(runtimes)),
      wires_(loop->NewRuntime("wires")),
      lane_(wires_->NewLane("net")),
      links_(names_.size() * names_.size()),
      transports_(names_.size()) {}

SimNetwork::~SimNetwork() = default;

std::unique_ptr<Transport> SimNetwork::NewTransport(int machine) {
  return std::make_unique<SimTransport>(this, machine);
}

int SimNetwork::MachineOf(const NodeId& name) const {
  const auto at = std::find(names_.begin(), names_.end(), name);
  SCHEDULED_ASSERT(at != names_.end(), "peers are machines of the simulation");
  return static_cast<int>(at - names_.begin());
}

void SimNetwork::Send(int from, const NodeId& to_name, FrameClass frame_class, std::string frame) {
  const int to = MachineOf(to_name);
  if (to == from) return;
  ++sent_;
  if (observer_) observer_(from, to, frame_class, frame);
  const SimTransport* receiver = transports_[to];
  Link& way = link(from, to);
  Stream& stream = way.streams[ClassIndex(frame_class)];
  const bool lost = random_.Chance(weather_.lost, 10'000);
  if (receiver == nullptr || lost || !Passes(way, frame_class, frame)) return;
  if (stream.queued_bytes + frame.size() > kQueueBytes) return;
  const SimTransport* sender = transports_[from];
  if (sender != nullptr && !sender->cluster_id().empty() && !receiver->cluster_id().empty()) {
    Require(sender->cluster_id() == receiver->cluster_id(), "two clusters of the same machines");
  }
  Flight flight{from, to, frame_class, way.generation, receiver->incarnation(), std::move(frame)};
  if (random_.Chance(weather_.doubled, 10'000)) {
    if (TypeOf(frame_class, flight.frame) == FrameType::kVoteReply) Probe("net.vote-doubled");
    stream.queued_bytes += flight.frame.size();
    Launch(flight, loop_.now() + random_.Between(weather_.delay_low, weather_.slow_by));
  }
  stream.queued_bytes += flight.frame.size();
  const MonoTime arrival = ArrivalOf(stream);
  Launch(std::move(flight), arrival);
}

bool SimNetwork::Passes(const Link& way, FrameClass frame_class, const std::string& frame) {
  if (way.cuts > 0) return false;
  return way.muted == 0 || way.mutes[static_cast<size_t>(TypeOf(frame_class, frame))] == 0;
}

MonoTime SimNetwork::ArrivalOf(Stream& stream) {
  MonoTime arrival = loop_.now() + random_.Between(weather_.delay_low, weather_.delay_high);
  if (random_.Chance(weather_.reordered, 10'000)) {
    return arrival + random_.Between(absl::ZeroDuration(), weather_.slow_by);
  }
  if (random_.Chance(weather_.slow, 10'000)) {
    arrival = arrival + random_.Between(absl::ZeroDuration(), weather_.slow_by);
  }
  arrival = std::max({arrival, stream.clogged_until, stream.last_arrival});
  stream.last_arrival = arrival;
  return arrival;
}

void SimNetwork::Launch(Flight flight, MonoTime arrival) {
  lane_->PostAt(arrival,
                [this, flight = std::move(flight)]() mutable { Arrive(std::move(flight)); });
}

void SimNetwork::Arrive(Flight flight) {
  Link& way = link(flight.from, flight.to);
  way.streams[ClassIndex(flight.frame_class)].queued_bytes -= flight.frame.size();
  SimTransport* receiver = transports_[flight.to];
  if (receiver == nullptr || receiver->incarnation() != flight.receiver) return;
  if (way.generation != flight.generation) return;
  if (!Passes(way, flight.frame_class, flight.frame)) return;
  ++delivered_;
  receiver->Receive(names_[flight.from], flight.frame_class, std::move(flight.frame));
}

void SimNetwork::Reset(int a, int b) {
  ++link(a, b).generation;
  ++link(b, a).generation;
}

void SimNetwork::Clog(int from, int to, FrameClass frame_class, MonoTime until) {
  Stream& stream = link(from, to).streams[ClassIndex(frame_class)];
  stream.clogged_until = std::max(stream.clogged_until, until);
}

void SimNetwork::Heal() {
  for (Link& way : links_) {
    way.cuts = way.muted = 0;
    way.mutes = {};
    for (Stream& stream : way.streams) stream.clogged_until = MonoTime();
  }
}

}  // namespace scheduled::sim
