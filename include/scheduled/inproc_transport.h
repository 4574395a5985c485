// A network inside one process, for tests, examples and several replicas in one host program.
#ifndef SCHEDULED_INPROC_TRANSPORT_H_
#define SCHEDULED_INPROC_TRANSPORT_H_

#include <memory>

#include "scheduled/transport.h"

namespace scheduled {

// Thread-safe. Must outlive the transports that it made.
class InprocNetwork {
 public:
  InprocNetwork();
  ~InprocNetwork();

  std::unique_ptr<Transport> NewTransport();
  // Frames between the two are dropped from now on, in both directions, or go through again.
  void Disconnect(const NodeId& a, const NodeId& b);
  void Reconnect(const NodeId& a, const NodeId& b);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace scheduled

#endif  // SCHEDULED_INPROC_TRANSPORT_H_
