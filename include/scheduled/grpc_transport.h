// Peers over gRPC (component scheduled::grpc): two connections for each pair of nodes, so that no
// snapshot stands before a heartbeat; reconnects by itself with backoff.
#ifndef SCHEDULED_GRPC_TRANSPORT_H_
#define SCHEDULED_GRPC_TRANSPORT_H_

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "scheduled/log.h"
#include "scheduled/transport.h"

namespace scheduled {

struct GrpcTransportOptions {
  // "host:port" to listen on; the peers' own `peers` name where they reach it.
  std::string listen_address;
  // The most that it waits between attempts to connect to a peer that is away.
  absl::Duration max_backoff = absl::Milliseconds(500);
  LogSink log;  // null: nowhere
};

// Plaintext: run it on a network that is trusted. Hand it to Options::transport; it listens once it
// is started (Transport::Start), and has threads of its own until it is stopped.
std::unique_ptr<Transport> GrpcTransport(GrpcTransportOptions options);

}  // namespace scheduled

#endif  // SCHEDULED_GRPC_TRANSPORT_H_
