// A receiver of webhooks as it should be: verifies the signature, refuses what is old, and drops
// what it has had before, so that at-least-once becomes exactly-once. Standard Webhooks:
// webhook-signature is "v1," and the base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>".
// Usage: webhook_receiver PORT SECRET [EXIT_AFTER]
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>

namespace beast = boost::beast;
namespace http = beast::http;
using tcp = boost::asio::ip::tcp;
using Request = http::request<http::string_body>;

namespace {

std::string FromBase64(const std::string& text) {
  std::string bytes(text.size(), '\0');
  int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                             reinterpret_cast<const unsigned char*>(text.data()),
                             static_cast<int>(text.size()));
  for (size_t i = text.size(); size > 0 && i > 0 && text[i - 1] == '='; --i) --size;
  bytes.resize(static_cast<size_t>(size < 0 ? 0 : size));
  return bytes;
}

std::string ToBase64(const unsigned char* bytes, unsigned size) {
  std::string text(4 * ((size + 2) / 3) + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size));
  text.resize(static_cast<size_t>(length));
  return text;
}

std::string Header(const Request& request, const char* name) {
  const auto value = request[name];
  return std::string(value.data(), value.size());
}

bool SignatureIsRight(const Request& request, const std::string& secret) {
  const std::string key = secret.rfind("whsec_", 0) == 0 ? FromBase64(secret.substr(6)) : secret;
  const std::string timestamp = Header(request, "webhook-timestamp");
  const std::string signed_text =
      Header(request, "webhook-id") + "." + timestamp + "." + request.body();
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(), mac, &size);
  const std::string wanted = "v1," + ToBase64(mac, size);
  const std::string given = Header(request, "webhook-signature");
  const bool fresh = std::labs(std::atol(timestamp.c_str()) - std::time(nullptr)) <= 300;
  return fresh && given.size() == wanted.size() &&
         CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) == 0;
}

// What was handled, and with which fencing token. A real receiver keeps this beside its own data,
// in the same transaction as the effect of the webhook.
class Handled {
 public:
  // True if the delivery is new: then, and only then, act on it.
  bool IsNew(const Request& request) {
    const std::string run = Header(request, "Idempotency-Key");
    const uint64_t token =
        std::strtoull(Header(request, "X-Scheduled-Fencing-Token").c_str(), nullptr, 10);
    const auto [entry, inserted] = tokens_.emplace(run, token);
    if (!inserted && token > entry->second) entry->second = token;
    return inserted;
  }

 private:
  std::map<std::string, uint64_t> tokens_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fputs("usage: webhook_receiver PORT SECRET [EXIT_AFTER]\n", stderr), 2;
  const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
  long left = argc > 3 ? std::atol(argv[3]) : -1;
  boost::asio::io_context context;
  tcp::acceptor acceptor(context, {boost::asio::ip::make_address("127.0.0.1"), port});
  std::printf("listening on %d\n", port);
  std::fflush(stdout);
  Handled handled;
  while (left != 0) {
    tcp::socket socket = acceptor.accept();
    beast::flat_buffer buffer;
    beast::error_code error;
    while (left != 0) {
      Request request;
      http::read(socket, buffer, request, error);
      if (error) break;
      http::response<http::empty_body> answer(http::status::ok, request.version());
      if (!SignatureIsRight(request, argv[2])) {
        answer.result(http::status::unauthorized);
        std::puts("refused: wrong signature");
      } else if (handled.IsNew(request)) {
        std::printf("handled: %s\n", request.body().c_str());
      } else {
        std::puts("dropped: had it before");
      }
      std::fflush(stdout);
      --left;
      answer.keep_alive(request.keep_alive() && left != 0);
      answer.prepare_payload();
      http::write(socket, answer, error);
      if (error || !answer.keep_alive()) break;
    }
  }
}
