// Deliveries over TLS: whom the executor trusts, and that it trusts nobody else.
#include <csignal>
#include <string>

#include "executor/webhook/delivery_util.h"
#include "executor/webhook/tls_receiver.h"

namespace scheduled {
namespace {

// The receiver's own writes may meet a client that left.
const auto kIgnored = std::signal(SIGPIPE, SIG_IGN);

TEST_CASE("a receiver is trusted by the authority in ca_file") {
  TlsReceiver receiver;
  auto executor = MakeExecutor({.ca_file = receiver.certificate_file()});
  for (int i = 1; i <= 3; ++i) {
    const RunResult result = Deliver(*executor, To(receiver.Url()));
    INFO(result.status);
    CHECK(result.status.ok());
    CHECK(result.response == "secret");
    CHECK(receiver.answered() == i);
  }
}

TEST_CASE("a receiver that no authority vouches for gets nothing") {
  TlsReceiver receiver, other;
  std::string ca_file;
  SECTION("the system's authorities") {}
  SECTION("another authority") { ca_file = other.certificate_file(); }
  SECTION("a file that is not there") { ca_file = "/nowhere/ca.pem"; }
  auto executor = MakeExecutor({.ca_file = ca_file});
  const RunResult result = Deliver(*executor, To(receiver.Url()));
  INFO(result.status);
  CHECK(result.error_type == "tls_error");
  CHECK(result.retryable == true);
  CHECK(receiver.answered() == 0);
}

TEST_CASE("a certificate for another name is not accepted") {
  TlsReceiver receiver;
  auto executor = MakeExecutor({.ca_file = receiver.certificate_file()});
  CHECK(Deliver(*executor, To(receiver.Url("127.0.0.1"))).error_type == "tls_error");
  CHECK(receiver.answered() == 0);
}

}  // namespace
}  // namespace scheduled
