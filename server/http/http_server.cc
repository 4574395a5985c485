// The listener on Boost.Beast: one thread, one session object a connection, kept alive by the
// operation that it waits for.
#include "http/http_server.h"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "http/json_writer.h"

namespace scheduled::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

constexpr uint64_t kSmallBody = 64 << 10;

std::chrono::nanoseconds Nanos(absl::Duration d) { return absl::ToChronoNanoseconds(d); }

}  // namespace

HttpResponse ErrorResponse(int status, std::string_view code, std::string_view sentence) {
  return {.status = status, .body = JsonObject().Text("error", sentence).Text("code", code).Take()};
}

class HttpServer::Impl {
 public:
  Impl(HttpHandler* handler, HttpLimits limits)
      : handler_(handler), limits_(limits), acceptor_(context_) {}

  absl::Status Listen(const std::string& host, uint16_t port) {
    beast::error_code error;
    const asio::ip::address address =
        asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
    if (error) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", host, "\" is no IP address to listen on"));
    }
    const tcp::endpoint endpoint(address, port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen for HTTP on ", host, ":", port, ": ", error.message()));
    }
    port_ = acceptor_.local_endpoint().port();
    Accept();
    thread_ = std::thread([this] { context_.run(); });
    return absl::OkStatus();
  }

  void Stop(absl::Duration grace);
  uint16_t port() const { return port_; }

 private:
  class Session;
  friend class Session;

  void Accept();
  void Accepted(tcp::socket socket);
  void Ended(Session* session);

  HttpHandler* handler_;
  const HttpLimits limits_;
  // On the listener's thread only. Stands before the context: what the context still holds when it
  // is destroyed counts itself out here.
  std::unordered_set<Session*> sessions_;
  uint64_t body_bytes_ = 0;
  bool stopping_ = false;

  std::mutex mutex_;
  std::condition_variable all_ended_;
  bool empty_ = true;

  asio::io_context context_{1};
  // A request whose answer is awaited from elsewhere is no work that the context knows of.
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  tcp::acceptor acceptor_;
  uint16_t port_ = 0;
  std::thread thread_;
};

// One connection. Every callback holds a shared pointer, so it lives exactly as long as something
// is under way.
class HttpServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Impl* server, tcp::socket socket) : server_(server), stream_(std::move(socket)) {
    beast::error_code ignored;
    stream_.socket().set_option(tcp::no_delay(true), ignored);
  }
  ~Session() {
    ReleaseBody();
    server_->Ended(this);
  }

  // Waits for the next request: for its first byte as long as a connection may idle, for the rest
  // of its header no longer than a header may take. A new connection has that long for both.
  void ReadNext() {
    if (server_->stopping_) return Close();
    parser_.emplace();
    parser_->header_limit(server_->limits_.header_bytes);
    parser_->body_limit(boost::none);
    in_request_ = false;
    head_ = false;
    if (buffer_.size() > 0) return ReadHeader();
    stream_.expires_after(
        Nanos(is_new_ ? server_->limits_.header_time : server_->limits_.idle_time));
    stream_.async_read_some(buffer_.prepare(4096),
                            [self = shared_from_this()](beast::error_code error, size_t count) {
                              if (error) return self->Close();
                              self->buffer_.commit(count);
                              self->ReadHeader();
                            });
  }

  void Refuse(HttpResponse response) {
    close_after_ = true;
    Write(std::move(response));
  }

  void Close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.close();
  }

  bool in_request() const { return in_request_; }

 private:
  void ReadHeader() {
    in_request_ = true;
    if (!std::exchange(is_new_, false)) stream_.expires_after(Nanos(server_->limits_.header_time));
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](beast::error_code error, size_t) {
                              if (error) return self->Failed(error);
                              self->ReadBody();
                            });
  }

  void ReadBody() {
    const auto& header = parser_->get();
    const std::string_view target(header.target().data(), header.target().size());
    const uint64_t limit = server_->handler_->BodyLimit(target);
    const auto length = parser_->content_length();
    if (length && *length > limit) return TooLarge(limit);
    parser_->body_limit(limit);
    const uint64_t needed = length ? *length : (parser_->chunked() ? limit : 0);
    if (needed > kSmallBody) {
      if (server_->body_bytes_ + needed > server_->limits_.body_pool_bytes) {
        HttpResponse busy = ErrorResponse(503, "overloaded", "too many large requests at once");
        busy.headers.emplace_back("Retry-After", "1");
        return Refuse(std::move(busy));
      }
      server_->body_bytes_ += needed;
      body_reserved_ = needed;
    }
    stream_.expires_after(Nanos(server_->limits_.body_time));
    if (beast::iequals(header[http::field::expect], "100-continue")) return SendContinue();
    ReadRest();
  }

  void SendContinue() {
    auto go_on = std::make_shared<http::response<http::empty_body>>(http::status::continue_, 11);
    http::async_write(stream_, *go_on,
                      [self = shared_from_this(), go_on](beast::error_code error, size_t) {
                        if (error) return self->Close();
                        self->ReadRest();
                      });
  }

  void ReadRest() {
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](beast::error_code error, size_t) {
                       if (error) return self->Failed(error);
                       self->Dispatch();
                     });
  }

  void Dispatch() {
    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    version_ = message.version();
    head_ = message.method() == http::verb::head;
    const auto field = [&message](auto name) {
      const auto value = message[name];
      return std::string(value.data(), value.size());
    };
    HttpRequest request;
    request.method = head_ ? "GET" : std::string(message.method_string());
    request.target = std::string(message.target());
    request.body = std::move(message.body());
    request.host = field(http::field::host);
    request.origin = field(http::field::origin);
    request.if_match = field(http::field::if_match);
    request.idempotency_key = field("Idempotency-Key");
    request.request_method = field(http::field::access_control_request_method);
    stream_.expires_never();
    server_->handler_->Handle(
        std::move(request), [self = shared_from_this()](HttpResponse response) mutable {
          auto& context = self->server_->context_;
          asio::post(context, [self = std::move(self), response = std::move(response)]() mutable {
            self->Write(std::move(response));
          });
        });
  }

  void Write(HttpResponse response) {
    ReleaseBody();
    response_ = http::response<http::string_body>(static_cast<http::status>(response.status),
                                                  version_ ? version_ : 11);
    if (!response.body.empty() || response.status != 204) {
      response_.set(http::field::content_type, response.content_type);
    }
    for (const auto& [name, value] : response.headers) response_.set(name, value);
    response_.keep_alive(keep_alive_ && !close_after_ && !server_->stopping_);
    response_.body() = std::move(response.body);
    if (response.status != 204) response_.prepare_payload();
    if (head_) response_.body().clear();
    stream_.expires_after(Nanos(server_->limits_.write_time));
    http::async_write(stream_, response_,
                      [self = shared_from_this()](beast::error_code error, size_t) {
                        if (error || !self->response_.keep_alive()) return self->CloseGently();
                        self->ReadNext();
                      });
  }

  // A client that is still sending would lose the answer if the socket were closed on it: what it
  // sends is read and dropped for a moment.
  void CloseGently() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    if (!close_after_) return Close();
    stream_.expires_after(std::chrono::seconds(1));
    Drop();
  }

  void Drop() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(16 << 10),
                            [self = shared_from_this()](beast::error_code error, size_t) {
                              if (error) return self->Close();
                              self->Drop();
                            });
  }

  void TooLarge(uint64_t limit) {
    Refuse(
        ErrorResponse(413, "too_large", absl::StrCat("the body is larger than ", limit, " bytes")));
  }

  void Failed(beast::error_code error) {
    if (error == http::error::end_of_stream) return Close();
    if (error == beast::error::timeout) {
      // The stream is closed by its timer; nothing can be answered any more.
      return Close();
    }
    if (error == http::error::header_limit) {
      return Refuse(ErrorResponse(
          431, "header_too_large",
          absl::StrCat("the header is larger than ", server_->limits_.header_bytes, " bytes")));
    }
    if (error == http::error::body_limit) {
      return TooLarge(server_->handler_->BodyLimit(
          std::string_view(parser_->get().target().data(), parser_->get().target().size())));
    }
    if (error.category() == make_error_code(http::error::bad_line_ending).category()) {
      return Refuse(ErrorResponse(400, "bad_request",
                                  absl::StrCat("not a valid HTTP request: ", error.message())));
    }
    Close();
  }

  void ReleaseBody() {
    server_->body_bytes_ -= body_reserved_;
    body_reserved_ = 0;
  }

  Impl* server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{64 << 10};
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  uint64_t body_reserved_ = 0;
  unsigned version_ = 0;
  bool is_new_ = true;  // no byte has come yet
  bool in_request_ = false;
  bool keep_alive_ = true;
  bool close_after_ = false;
  bool head_ = false;
};

void HttpServer::Impl::Accept() {
  acceptor_.async_accept([this](beast::error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || stopping_) return;
    if (!error) Accepted(std::move(socket));
    if (error == asio::error::no_descriptors) {
      // Nothing to accept with: look again when a connection has ended, at the latest in a moment.
      auto pause = std::make_shared<asio::steady_timer>(context_, std::chrono::milliseconds(50));
      pause->async_wait([this, pause](beast::error_code) { Accept(); });
      return;
    }
    Accept();
  });
}

void HttpServer::Impl::Accepted(tcp::socket socket) {
  auto session = std::make_shared<Session>(this, std::move(socket));
  sessions_.insert(session.get());
  {
    std::lock_guard lock(mutex_);
    empty_ = false;
  }
  if (static_cast<int>(sessions_.size()) > limits_.connections) {
    HttpResponse full = ErrorResponse(503, "too_many_connections", "too many connections");
    full.headers.emplace_back("Retry-After", "1");
    return session->Refuse(std::move(full));
  }
  session->ReadNext();
}

void HttpServer::Impl::Ended(Session* session) {
  sessions_.erase(session);
  if (!sessions_.empty()) return;
  std::lock_guard lock(mutex_);
  empty_ = true;
  all_ended_.notify_all();
}

void HttpServer::Impl::Stop(absl::Duration grace) {
  if (!thread_.joinable()) return;
  asio::post(context_, [this] {
    stopping_ = true;
    beast::error_code ignored;
    acceptor_.close(ignored);
    for (Session* session : sessions_) {
      if (!session->in_request()) session->Close();
    }
  });
  {
    std::unique_lock lock(mutex_);
    all_ended_.wait_for(lock, Nanos(grace), [this] { return empty_; });
  }
  asio::post(context_, [this] {
    for (Session* session : sessions_) session->Close();
  });
  {
    std::unique_lock lock(mutex_);
    all_ended_.wait_for(lock, std::chrono::seconds(1), [this] { return empty_; });
  }
  context_.stop();
  thread_.join();
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& host,
                                                              uint16_t port, HttpHandler* handler,
                                                              HttpLimits limits) {
  auto impl = std::make_unique<Impl>(handler, limits);
  if (absl::Status listening = impl->Listen(host, port); !listening.ok()) return listening;
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { Stop(absl::ZeroDuration()); }
void HttpServer::Stop(absl::Duration grace) { impl_->Stop(grace); }
uint16_t HttpServer::port() const { return impl_->port(); }

}  // namespace scheduled::server
