// Sends HTTP requests by libcurl's multi interface and tells how they ended. It knows nothing of
// runs, hosts or retries: a request with a number goes in, the transfer's facts under that number
// come out. All of it is used on one thread, the webhook executor's.
//
// Handles are pooled, connections are kept alive and shared by all requests, HTTP/2 is used where
// TLS offers it. Only http and https; no redirects, no proxies, no cookies, nothing from the
// environment. Every address is shown to the guard right before it is connected to.
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_CURL_ENGINE_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_CURL_ENGINE_H_

#include <curl/curl.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/system_clock.h"
#include "executor/webhook/address_guard.h"
#include "executor/webhook/hosts.h"
#include "executor/webhook/request.h"
#include "executor/webhook/response.h"
#include "executor/webhook/socket_watch.h"

namespace scheduled::webhook {

class CurlEngine {
 public:
  struct Options {
    int max_connections = 1024;  // kept open, idle ones included
    std::string ca_file;         // PEM; empty: the system's
  };
  struct Ended {
    DeliveryId id;
    Transfer transfer;
  };

  // Each write to the eventfd `wake` ends a Poll.
  CurlEngine(AddressGuard guard, Options options, int wake);
  ~CurlEngine();
  CurlEngine(const CurlEngine&) = delete;
  CurlEngine& operator=(const CurlEngine&) = delete;

  // Begins a transfer, of any length: its time is the caller's to keep. It ends in a Poll, never
  // here.
  void Start(DeliveryId id, Request request);
  // Ends one at once: its connection is closed (or its stream reset), and Poll says nothing of it.
  // Precondition: it was started and did not end.
  void Abort(DeliveryId id);
  // Does what can be done; waits for it up to `wait` if there is nothing. The result is good until
  // the next call.
  std::vector<Ended>& Poll(absl::Duration wait);

  // "https://host:port" in lower case: what shares limits and breaker. kInvalidArgument: not an
  // http or https URL.
  absl::StatusOr<std::string> HostOf(const std::string& url);

 private:
  struct Flight;

  absl::StatusOr<std::string> ParseHost(const std::string& url) const;
  std::unique_ptr<Flight> TakeFlight();
  void Prepare(Flight& flight);
  void Recycle(std::unique_ptr<Flight> flight);
  void Collect();
  void RunTimer();
  int Milliseconds(absl::Duration wait) const;

  // libcurl's callbacks.
  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* engine, void* unused);
  static int OnTimer(CURLM* multi, long milliseconds, void* engine);
  static curl_socket_t OnOpen(void* flight, curlsocktype purpose, curl_sockaddr* address);
  static int OnClose(void* engine, curl_socket_t socket);
  static size_t OnBody(char* bytes, size_t size, size_t count, void* flight);
  static size_t OnHeader(char* bytes, size_t size, size_t count, void* flight);

  const SystemClock clock_;
  const AddressGuard guard_;
  const Options options_;
  SocketWatch sockets_;
  CURLM* multi_;                           // owned
  CURLU* url_;                             // owned; a parser that ParseHost fills anew
  MonoTime timer_ = MonoTime::Infinite();  // when curl wants to be called
  absl::flat_hash_map<std::string, std::string> hosts_;  // of URLs seen lately; bounded
  absl::flat_hash_map<DeliveryId, std::unique_ptr<Flight>> flights_;
  std::vector<std::unique_ptr<Flight>> idle_;
  std::vector<Ended> ended_;
};

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_CURL_ENGINE_H_
