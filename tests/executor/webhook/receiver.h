// An HTTP/1.1 receiver on loopback for tests: answers as it is told, remembers what came. One
// thread of its own, poll-based. Not a web server: it believes what its clients say, and knows
// neither pipelining nor chunked requests.
//
//   Receiver receiver;
//   receiver.Next({.status = 503});            // the next request; then the usual answer again
//   receiver.Always({.hold = true});           // every request, until Release()
//   ... receiver.Url("/hook") ...
//   REQUIRE(receiver.AwaitRequests(2));
//
// All methods may be called from any thread.
#ifndef SCHEDULED_TESTS_EXECUTOR_WEBHOOK_RECEIVER_H_
#define SCHEDULED_TESTS_EXECUTOR_WEBHOOK_RECEIVER_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace scheduled {

class Receiver {
 public:
  struct Request {
    std::string method;
    std::string target;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
    int connection = 0;  // 1 for the first that was accepted
  };
  struct Reply {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body = "ok";
    bool chunked = false;
    // Nothing is sent before Release.
    bool hold = false;
    // Only so many bytes of the answer are sent, and no more before Release.
    std::optional<size_t> stall_after;
    // The connection is closed after the answer; with stall_after, after that part of it.
    bool close = false;
  };

  Receiver();
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  int port() const { return port_; }
  std::string Url(const std::string& path = "/") const;

  // What a request gets that nothing else is said for. At first: 200 "ok".
  void Always(Reply reply);
  // What the next requests get, one each, in order.
  void Next(Reply reply);
  // Lets the first `count` held or stalled answers go; all of them by default, later ones included.
  void Release();
  void Release(int count);
  // No further connection is accepted, and those there are close.
  void Shut();

  // True once `count` requests have come since the start.
  bool AwaitRequests(size_t count);
  // True once `count` connections were accepted since the start.
  bool AwaitConnections(int count);
  // True once no connection is open.
  bool AwaitNoConnection();
  std::vector<Request> requests() const;
  int connections() const;      // accepted since the start
  int most_unanswered() const;  // requests that were there at one time

 private:
  struct Connection;

  void Serve();
  void Wake();
  void Accept();
  void Read(Connection& connection);
  bool ParseRequest(Connection& connection, Request* request) const;
  void Answer(Connection& connection, Request request);
  void Write(Connection& connection);

  int listener_ = -1;
  int wake_ = -1;
  int port_ = 0;

  mutable std::mutex mutex_;  // all below
  std::condition_variable changed_;
  bool stop_ = false;
  bool shut_ = false;
  Reply always_;
  std::deque<Reply> next_;
  int64_t released_ = 0;  // answers that may still go though they are held
  std::vector<Request> requests_;
  std::vector<std::unique_ptr<Connection>> open_;
  int accepted_ = 0;
  int unanswered_ = 0;
  int most_unanswered_ = 0;

  std::thread thread_;
};

}  // namespace scheduled

#endif  // SCHEDULED_TESTS_EXECUTOR_WEBHOOK_RECEIVER_H_
