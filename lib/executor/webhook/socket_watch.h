// The sockets of a curl multi handle, watched by epoll. curl says which sockets it wants to hear
// about (CURLMOPT_SOCKETFUNCTION); this keeps the kernel's list in step with as few calls as it
// can. Owned by CurlEngine, used on its thread.
//
// A keep-alive connection is wanted during a request and unwanted between two, which would be two
// system calls a request. So a connection's socket stays registered when it is unwanted and is
// taken out only if it has something to say meanwhile (the peer closed it). That is safe for
// sockets whose opening and closing is seen here; all others (curl's resolver has such) are taken
// out at once, since their number may come back as another socket.
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_SOCKET_WATCH_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_SOCKET_WATCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace scheduled::webhook {

class SocketWatch {
 public:
  // A socket has something to tell curl. `actions` are CURL_CSELECT_* bits.
  struct Ready {
    int socket = -1;
    int actions = 0;
  };

  SocketWatch();
  ~SocketWatch();
  SocketWatch(const SocketWatch&) = delete;
  SocketWatch& operator=(const SocketWatch&) = delete;

  // Makes each write to the eventfd `wake` end a Wait. It is not read.
  void AddWake(int wake);

  // The lifetime of a connection's socket.
  void Opened(int socket);
  void Closed(int socket);
  // curl's wish, as CURL_POLL_*.
  void Want(int socket, int what);

  // Waits up to `milliseconds` (-1: without end). The result is good until the next call.
  const std::vector<Ready>& Wait(int milliseconds);

 private:
  struct Watched {
    bool own = false;         // its closing will be seen
    bool wanted = false;      // curl wants to hear of it
    uint32_t registered = 0;  // epoll events in the kernel; 0: not there
  };

  void Register(int socket, Watched& watched, uint32_t events);
  void Unregister(int socket, Watched& watched);

  int epoll_ = -1;
  int wake_ = -1;
  absl::flat_hash_map<int, Watched> sockets_;
  std::vector<Ready> ready_;
};

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_SOCKET_WATCH_H_
