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
  std::string listen_address;                            // "host:port"
  absl::Duration max_backoff = absl::Milliseconds(500);  // between attempts to connect
  LogSink log;
};

// Plaintext: run it on a network that is trusted.
std::unique_ptr<Transport> GrpcTransport(GrpcTransportOptions options);

}  // namespace scheduled

#endif  // SCHEDULED_GRPC_TRANSPORT_H_
