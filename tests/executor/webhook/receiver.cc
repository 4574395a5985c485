// The receiver's loop. The lock is held but for poll itself: nothing here blocks.
#include "executor/webhook/receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/assert.h"

namespace scheduled {
namespace {

constexpr std::chrono::seconds kReceiverPatience{30};
constexpr int64_t kEverything = INT64_MAX / 2;

std::string AsText(const Receiver::Reply& reply) {
  std::string text = absl::StrCat("HTTP/1.1 ", reply.status, " Said\r\n");
  for (const auto& [name, value] : reply.headers) absl::StrAppend(&text, name, ": ", value, "\r\n");
  if (reply.chunked) {
    absl::StrAppend(&text, "Transfer-Encoding: chunked\r\n\r\n");
    // One byte a chunk, to be taken apart as often as can be.
    for (const char c : reply.body) absl::StrAppend(&text, "1\r\n", std::string(1, c), "\r\n");
    absl::StrAppend(&text, "0\r\n\r\n");
  } else if (reply.status == 204) {
    absl::StrAppend(&text, "\r\n");
  } else {
    absl::StrAppend(&text, "Content-Length: ", reply.body.size(), "\r\n\r\n", reply.body);
  }
  return text;
}

}  // namespace

struct Receiver::Connection {
  int fd = -1;
  int number = 0;
  std::string in;
  std::string out;         // may be sent now
  std::string held;        // may be sent once it is released
  bool answering = false;  // a request is not yet wholly answered
  bool close = false;      // once `out` is sent and nothing is held
  bool dead = false;
};

Receiver::Receiver() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int bound = bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  const int listening = listen(listener_, 1024);
  socklen_t size = sizeof(address);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  SCHEDULED_ASSERT(bound == 0 && listening == 0, "a receiver can listen on loopback");
  port_ = ntohs(address.sin_port);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  thread_ = std::thread([this] { Serve(); });
}

Receiver::~Receiver() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  Wake();
  thread_.join();
  for (const auto& connection : open_) ::close(connection->fd);
  ::close(listener_);
  ::close(wake_);
}

std::string Receiver::Url(const std::string& path) const {
  return absl::StrCat("http://127.0.0.1:", port_, path);
}

void Receiver::Always(Reply reply) {
  std::lock_guard lock(mutex_);
  always_ = std::move(reply);
}

void Receiver::Next(Reply reply) {
  std::lock_guard lock(mutex_);
  next_.push_back(std::move(reply));
}

void Receiver::Release() {
  {
    std::lock_guard lock(mutex_);
    released_ = kEverything;
  }
  Wake();
}

void Receiver::Release(int count) {
  {
    std::lock_guard lock(mutex_);
    released_ += count;
  }
  Wake();
}

void Receiver::Shut() {
  std::unique_lock lock(mutex_);
  shut_ = true;
  Wake();
  changed_.wait_for(lock, kReceiverPatience, [this] { return open_.empty() && listener_ < 0; });
}

bool Receiver::AwaitRequests(size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kReceiverPatience, [&] { return requests_.size() >= count; });
}

bool Receiver::AwaitConnections(int count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kReceiverPatience, [&] { return accepted_ >= count; });
}

bool Receiver::AwaitNoConnection() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kReceiverPatience, [&] { return open_.empty(); });
}

std::vector<Receiver::Request> Receiver::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

int Receiver::connections() const {
  std::lock_guard lock(mutex_);
  return accepted_;
}

int Receiver::most_unanswered() const {
  std::lock_guard lock(mutex_);
  return most_unanswered_;
}

void Receiver::Wake() {
  const uint64_t one = 1;
  const ssize_t written = write(wake_, &one, sizeof(one));
  (void)written;
}

void Receiver::Serve() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    std::vector<pollfd> polled = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& connection : open_) {
      const short out = connection->out.empty() ? 0 : POLLOUT;
      polled.push_back({connection->fd, static_cast<short>(POLLIN | out), 0});
    }
    lock.unlock();
    poll(polled.data(), polled.size(), -1);
    lock.lock();
    uint64_t count = 0;
    const ssize_t drained = read(wake_, &count, sizeof(count));
    (void)drained;
    for (size_t i = 0; i + 2 < polled.size(); ++i) {
      if (polled[i + 2].revents & (POLLIN | POLLHUP | POLLERR)) Read(*open_[i]);
    }
    for (const auto& connection : open_) Write(*connection);
    if (polled[1].revents & POLLIN) Accept();
    if (shut_ && listener_ >= 0) {
      ::close(listener_);
      listener_ = -1;
    }
    for (const auto& connection : open_) {
      if (!connection->dead && !shut_) continue;
      if (connection->answering) --unanswered_;
      ::close(connection->fd);
      connection->fd = -1;
    }
    std::erase_if(open_, [](const auto& connection) { return connection->fd < 0; });
    changed_.notify_all();
  }
}

void Receiver::Accept() {
  while (true) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    auto connection = std::make_unique<Connection>();
    connection->fd = fd;
    connection->number = ++accepted_;
    open_.push_back(std::move(connection));
  }
}

void Receiver::Read(Connection& connection) {
  char buffer[65536];
  while (true) {
    const ssize_t size = recv(connection.fd, buffer, sizeof(buffer), 0);
    if (size > 0) {
      connection.in.append(buffer, static_cast<size_t>(size));
      continue;
    }
    if (size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) connection.dead = true;
    break;
  }
  Request request;
  if (!connection.answering && ParseRequest(connection, &request)) {
    Answer(connection, std::move(request));
  }
}

// Takes one whole request out of what was read.
bool Receiver::ParseRequest(Connection& connection, Request* request) const {
  const size_t end = connection.in.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::vector<std::string> lines = absl::StrSplit(connection.in.substr(0, end), "\r\n");
  const std::vector<std::string> first = absl::StrSplit(lines[0], ' ');
  request->method = first[0];
  if (first.size() > 1) request->target = first[1];
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<std::string, std::string> header =
        absl::StrSplit(lines[i], absl::MaxSplits(':', 1));
    request->headers[absl::AsciiStrToLower(header.first)] =
        std::string(absl::StripAsciiWhitespace(header.second));
  }
  const auto length = request->headers.find("content-length");
  const size_t size =
      length == request->headers.end() ? 0 : std::strtoul(length->second.c_str(), nullptr, 10);
  if (connection.in.size() < end + 4 + size) return false;
  request->body = connection.in.substr(end + 4, size);
  connection.in.erase(0, end + 4 + size);
  return true;
}

void Receiver::Answer(Connection& connection, Request request) {
  request.connection = connection.number;
  requests_.push_back(std::move(request));
  Reply reply = always_;
  if (!next_.empty()) {
    reply = std::move(next_.front());
    next_.pop_front();
  }
  most_unanswered_ = std::max(most_unanswered_, ++unanswered_);
  connection.answering = true;
  connection.close = reply.close;
  const std::string text = AsText(reply);
  const size_t now = reply.hold ? 0 : std::min(text.size(), reply.stall_after.value_or(SIZE_MAX));
  connection.out = text.substr(0, now);
  // What a connection that is to be closed has not sent is never sent.
  if (!reply.close || reply.hold) connection.held = text.substr(now);
}

void Receiver::Write(Connection& connection) {
  if (!connection.answering) return;
  if (!connection.held.empty() && released_ > 0) {
    --released_;
    connection.out += std::exchange(connection.held, {});
  }
  if (connection.out.empty() && !connection.held.empty()) return;
  const ssize_t sent =
      send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    connection.dead = connection.dead || (errno != EAGAIN && errno != EWOULDBLOCK);
    return;
  }
  connection.out.erase(0, static_cast<size_t>(sent));
  if (!connection.out.empty() || !connection.held.empty()) return;
  --unanswered_;
  connection.answering = false;
  connection.dead = connection.dead || connection.close;
}

}  // namespace scheduled
