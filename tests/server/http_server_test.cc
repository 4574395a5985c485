// The listener over real sockets on loopback: limits, keep-alive, and a clean stop.
#include "http/http_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"

using namespace scheduled::server;  // NOLINT: the test speaks of nothing else

namespace {

class Echo : public HttpHandler {
 public:
  void Handle(HttpRequest request, absl::AnyInvocable<void(HttpResponse) &&> reply) override {
    if (request.target == "/hold") {
      std::lock_guard lock(mutex_);
      held_ = std::move(reply);
      arrived_.notify_all();
      return;
    }
    std::move(reply)(
        {.status = 200,
         .body = absl::StrCat(request.method, " ", request.target, " ", request.body.size())});
  }
  uint64_t BodyLimit(std::string_view) const override { return 100'000; }

  void WaitForHeld() {
    std::unique_lock lock(mutex_);
    REQUIRE(arrived_.wait_for(lock, std::chrono::seconds(20), [this] { return bool(held_); }));
  }
  void Release() { std::move(held_)({.status = 200, .body = "late"}); }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  absl::AnyInvocable<void(HttpResponse) &&> held_;
};

class Client {
 public:
  explicit Client(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    const timeval limit{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~Client() { ::close(socket_); }

  void Send(const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t n = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<size_t>(n);
    }
  }
  // Up to and with `end`, or until the peer closes.
  std::string ReadUntil(const std::string& end) {
    while (received_.find(end) == std::string::npos) {
      char buffer[4096];
      const ssize_t n = ::recv(socket_, buffer, sizeof(buffer), 0);
      if (n <= 0) break;
      received_.append(buffer, static_cast<size_t>(n));
    }
    const size_t at = received_.find(end);
    const size_t cut = at == std::string::npos ? received_.size() : at + end.size();
    std::string part = received_.substr(0, cut);
    received_.erase(0, cut);
    return part;
  }
  std::string ReadAll() { return ReadUntil("\x01 never \x01"); }
  // True once the peer has closed and sent nothing; false where it has done neither for long.
  bool AwaitClose() {
    char byte;
    return ::recv(socket_, &byte, 1, 0) == 0;
  }

 private:
  int socket_;
  std::string received_;
};

struct ServerWorld {
  Echo echo;
  std::unique_ptr<HttpServer> server;
  explicit ServerWorld(HttpLimits limits = {}) {
    auto started = HttpServer::Start("127.0.0.1", 0, &echo, limits);
    REQUIRE(started.ok());
    server = *std::move(started);
  }
  std::string Ask(const std::string& text) {
    Client client(server->port());
    client.Send(text);
    return client.ReadAll();
  }
};

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a connection is kept for several requests") {
  ServerWorld world;
  Client client(world.server->port());
  for (int i = 0; i < 3; ++i) {
    client.Send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    CHECK(Has(client.ReadUntil("POST /x 2"), "200 OK"));
  }
}

TEST_CASE("requests that were sent ahead are answered in order") {
  ServerWorld world;
  Client client(world.server->port());
  client.Send(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string all = client.ReadAll();
  CHECK(all.find("GET /1") < all.find("GET /2"));
  CHECK(Has(all, "GET /2"));
}

TEST_CASE("a body beyond the limit is refused, with and without a length") {
  ServerWorld world;
  CHECK(Has(world.Ask("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n"), "413"));
  std::string chunked = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 3; ++i) chunked += "9c40\r\n" + std::string(40'000, 'x') + "\r\n";
  const std::string answer = world.Ask(chunked + "0\r\n\r\n");
  CHECK(Has(answer, "413"));
  CHECK(Has(answer, "\"code\":\"too_large\""));
}

TEST_CASE("a header beyond the limit is refused") {
  ServerWorld world;
  const std::string answer =
      world.Ask("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n");
  CHECK(Has(answer, "431"));
  CHECK(Has(answer, "header_too_large"));
}

TEST_CASE("what is not HTTP gets a JSON error") {
  ServerWorld world;
  const std::string answer = world.Ask("HELLO\r\n\r\n");
  CHECK(Has(answer, "400"));
  CHECK(Has(answer, "\"error\""));
}

TEST_CASE("a client that does not finish its header is dropped") {
  ServerWorld world({.header_time = absl::Milliseconds(50)});
  CHECK(world.Ask("GET / HTTP/1.1\r\nX: ").empty());
}

TEST_CASE("a client that sends nothing is dropped as soon as one that sends a part of its header") {
  ServerWorld world({.header_time = absl::Seconds(1)});
  Client kept(world.server->port());
  kept.Send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  kept.ReadUntil("GET /1 0");
  CHECK(Client(world.server->port()).AwaitClose());
  // One that has asked before may be silent for longer.
  kept.Send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(Has(kept.ReadUntil("GET /2 0"), "200 OK"));
}

TEST_CASE("a client that does not finish its body is dropped") {
  ServerWorld world({.body_time = absl::Milliseconds(50)});
  CHECK(world.Ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").empty());
}

TEST_CASE("beyond the limit of connections one is told so") {
  ServerWorld world({.connections = 2});
  Client first(world.server->port());
  first.Send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  first.ReadUntil("GET /1");
  Client second(world.server->port());
  second.Send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  second.ReadUntil("GET /2");
  CHECK(Has(world.Ask("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"), "503"));
}

TEST_CASE("large bodies share a bounded pool of memory") {
  ServerWorld world({.body_pool_bytes = 70'000});
  CHECK(Has(world.Ask("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 80000\r\n\r\n"), "503"));
  const std::string fits =
      "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 66000\r\n\r\n" +
      std::string(66'000, 'x');
  CHECK(Has(world.Ask(fits), "POST /x 66000"));
  CHECK(Has(world.Ask(fits), "POST /x 66000"));  // the first gave its share back
}

TEST_CASE("a client that asks first is told to go on") {
  ServerWorld world;
  Client client(world.server->port());
  client.Send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(Has(client.ReadUntil("\r\n\r\n"), "100 Continue"));
  client.Send("hi");
  CHECK(Has(client.ReadUntil("POST /x 2"), "200 OK"));
}

TEST_CASE("HEAD is answered as GET, without the body") {
  ServerWorld world;
  const std::string answer = world.Ask("HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(Has(answer, "200 OK"));
  CHECK(Has(answer, "Content-Length: 8"));
  CHECK_FALSE(Has(answer, "GET /x 0"));
}

TEST_CASE("a stop lets a request under way finish, and closes what idles") {
  ServerWorld world;
  Client idle(world.server->port());
  Client busy(world.server->port());
  busy.Send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  world.echo.WaitForHeld();
  std::thread stopper([&world] { world.server->Stop(absl::Seconds(20)); });
  CHECK(idle.ReadAll().empty());  // closed by the stop, which therefore has begun
  world.echo.Release();
  CHECK(Has(busy.ReadAll(), "late"));
  stopper.join();
}

TEST_CASE("an address that is taken or none at all is refused with a sentence") {
  ServerWorld world;
  Echo echo;
  const auto taken = HttpServer::Start("127.0.0.1", world.server->port(), &echo);
  CHECK(taken.status().code() == absl::StatusCode::kUnavailable);
  CHECK(Has(std::string(taken.status().message()), absl::StrCat(world.server->port())));
  CHECK(HttpServer::Start("not-an-address", 0, &echo).status().code() ==
        absl::StatusCode::kInvalidArgument);
}
