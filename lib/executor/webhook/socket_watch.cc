// epoll, level-triggered for sockets. The eventfd alone is edge-triggered, so that nobody has to
// read it: each write is one event.
#include "executor/webhook/socket_watch.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/assert.h"

namespace scheduled::webhook {
namespace {

constexpr int kEventsAtOnce = 256;

uint32_t EventsOf(int what) {
  return (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
}

int ActionsOf(uint32_t events) {
  return (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
         (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
}

}  // namespace

SocketWatch::SocketWatch() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  SCHEDULED_ASSERT(epoll_ >= 0, "the system has a file descriptor left for epoll");
}

SocketWatch::~SocketWatch() { close(epoll_); }

void SocketWatch::AddWake(int wake) {
  wake_ = wake;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.fd = wake;
  const int failed = epoll_ctl(epoll_, EPOLL_CTL_ADD, wake, &event);
  SCHEDULED_ASSERT(failed == 0, "an eventfd can be watched");
}

void SocketWatch::Opened(int socket) { sockets_[socket] = Watched{.own = true}; }

void SocketWatch::Closed(int socket) {
  // The kernel drops a closed socket from its list by itself.
  sockets_.erase(socket);
}

void SocketWatch::Want(int socket, int what) {
  Watched& watched = sockets_[socket];
  if (what != CURL_POLL_REMOVE) {
    watched.wanted = true;
    return Register(socket, watched, EventsOf(what));
  }
  watched.wanted = false;
  if (watched.own) return;
  Unregister(socket, watched);
  sockets_.erase(socket);
}

const std::vector<SocketWatch::Ready>& SocketWatch::Wait(int milliseconds) {
  ready_.clear();
  std::array<epoll_event, kEventsAtOnce> events;
  const int count = epoll_wait(epoll_, events.data(), events.size(), milliseconds);
  SCHEDULED_ASSERT(count >= 0 || errno == EINTR, "epoll_wait fails only when it is interrupted");
  for (int i = 0; i < count; ++i) {
    const int socket = events[i].data.fd;
    if (socket == wake_) continue;
    const auto found = sockets_.find(socket);
    if (found == sockets_.end()) continue;
    if (found->second.wanted) {
      ready_.push_back({socket, ActionsOf(events[i].events)});
    } else {
      Unregister(socket, found->second);
    }
  }
  return ready_;
}

void SocketWatch::Register(int socket, Watched& watched, uint32_t events) {
  if (watched.registered == events) return;
  epoll_event event{};
  event.events = events;
  event.data.fd = socket;
  const int operation = watched.registered == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  const int failed = epoll_ctl(epoll_, operation, socket, &event);
  SCHEDULED_ASSERT(failed == 0, "a socket of curl can be watched");
  watched.registered = events;
}

void SocketWatch::Unregister(int socket, Watched& watched) {
  if (watched.registered == 0) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);
  watched.registered = 0;
}

}  // namespace scheduled::webhook
