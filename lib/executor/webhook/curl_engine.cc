// How libcurl is used: a pool of easy handles whose fixed options are set once, a multi handle
// driven by socket and timer events, and the callbacks between.
#include "executor/webhook/curl_engine.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/assert.h"

namespace scheduled::webhook {
namespace {

constexpr size_t kMaxIdleHandles = 256;
// URLs whose host is remembered, since parsing takes longer than looking up: 2 MiB at the longest.
constexpr size_t kMaxKnownUrls = 1024;
// curl asks for leave ("Expect: 100-continue") before it sends a body from some size on, which was
// 1 KiB once and is 1 MiB now.
constexpr size_t kSmallBody = 1000;
// A connection is not used for ever, or a name that moved would never be asked again.
constexpr long kMaxConnectionSeconds = 600;
// Answers are short; curl's default of 16 KiB is held by every handle in use.
constexpr long kReceiveBuffer = 1024;

template <typename T>
void Set(CURL* easy, CURLoption option, T value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  SCHEDULED_ASSERT(code == CURLE_OK, "libcurl takes the options that this build of it has");
}

// Whether libcurl was built to trust a file of authorities, and not only a directory of them.
bool HasSystemCaFile() {
  const curl_version_info_data* info = curl_version_info(CURLVERSION_NOW);
  return info->age >= CURLVERSION_SEVENTH && info->cainfo != nullptr;
}

TransferError ErrorOf(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return TransferError::kNone;
    case CURLE_OPERATION_TIMEDOUT:
      return TransferError::kTimeout;
    case CURLE_COULDNT_RESOLVE_HOST:
      return TransferError::kDns;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return TransferError::kBadUrl;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_SHUTDOWN_FAILED:
      return TransferError::kTls;
    default:
      return TransferError::kConnection;
  }
}

}  // namespace

// One request under way, with the handle that carries it. Reused with its memory.
struct CurlEngine::Flight {
  explicit Flight(CurlEngine* owner) : engine(owner), easy(curl_easy_init()) {
    SCHEDULED_ASSERT(easy != nullptr, "memory for a handle");
  }
  ~Flight() { curl_easy_cleanup(easy); }
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  CurlEngine* const engine;
  CURL* const easy;
  DeliveryId id;
  Request request;
  std::vector<curl_slist> header_list;  // links into request.headers
  Transfer transfer;
  size_t body_bytes = 0;
  bool has_head = false;         // a whole header block was received
  bool stopped_reading = false;  // the answer was longer than kReadBytes
  int connects = 0;              // addresses that were tried
  int refusals = 0;              // addresses that the guard refused
  char error[CURL_ERROR_SIZE] = "";
};

CurlEngine::CurlEngine(AddressGuard guard, Options options, int wake)
    : guard_(std::move(guard)),
      options_(std::move(options)),
      multi_(curl_multi_init()),
      url_(curl_url()) {
  SCHEDULED_ASSERT(multi_ != nullptr && url_ != nullptr, "memory for libcurl");
  sockets_.AddWake(wake);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlEngine::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlEngine::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options_.max_connections));
}

CurlEngine::~CurlEngine() {
  for (auto& [id, flight] : flights_) curl_multi_remove_handle(multi_, flight->easy);
  flights_.clear();
  idle_.clear();
  curl_multi_cleanup(multi_);
  curl_url_cleanup(url_);
}

void CurlEngine::Start(DeliveryId id, Request request) {
  std::unique_ptr<Flight> flight = TakeFlight();
  flight->id = id;
  flight->request = std::move(request);
  Prepare(*flight);
  const CURLMcode code = curl_multi_add_handle(multi_, flight->easy);
  SCHEDULED_ASSERT(code == CURLM_OK, "a prepared handle can be added");
  const bool added = flights_.emplace(id, std::move(flight)).second;
  SCHEDULED_ASSERT(added, "a delivery has one transfer");
}

void CurlEngine::Abort(DeliveryId id) {
  const auto found = flights_.find(id);
  SCHEDULED_ASSERT(found != flights_.end(), "what is aborted is under way");
  curl_multi_remove_handle(multi_, found->second->easy);
  Recycle(std::move(found->second));
  flights_.erase(found);
}

std::vector<CurlEngine::Ended>& CurlEngine::Poll(absl::Duration wait) {
  ended_.clear();
  RunTimer();
  Collect();
  const int milliseconds = ended_.empty() ? Milliseconds(wait) : 0;
  for (const SocketWatch::Ready& ready : sockets_.Wait(milliseconds)) {
    int running = 0;
    curl_multi_socket_action(multi_, ready.socket, ready.actions, &running);
  }
  RunTimer();
  Collect();
  return ended_;
}

absl::StatusOr<std::string> CurlEngine::HostOf(const std::string& url) {
  const auto found = hosts_.find(url);
  if (found != hosts_.end()) return found->second;
  absl::StatusOr<std::string> host = ParseHost(url);
  if (!host.ok()) return host;
  if (hosts_.size() >= kMaxKnownUrls) hosts_.clear();
  hosts_.emplace(url, *host);
  return host;
}

absl::StatusOr<std::string> CurlEngine::ParseHost(const std::string& url) const {
  const CURLUcode code = curl_url_set(url_, CURLUPART_URL, url.c_str(), 0);
  if (code != CURLUE_OK) {
    return absl::InvalidArgumentError(absl::StrCat("url: ", curl_url_strerror(code)));
  }
  const auto part = [this](CURLUPart which) {
    char* text = nullptr;
    std::string result;
    if (curl_url_get(url_, which, &text, CURLU_DEFAULT_PORT) == CURLUE_OK) result = text;
    curl_free(text);
    return result;
  };
  const std::string scheme = part(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return absl::InvalidArgumentError(
        absl::StrCat("url: the scheme \"", scheme, "\" is neither http nor https"));
  }
  return absl::AsciiStrToLower(
      absl::StrCat(scheme, "://", part(CURLUPART_HOST), ":", part(CURLUPART_PORT)));
}

std::unique_ptr<CurlEngine::Flight> CurlEngine::TakeFlight() {
  if (!idle_.empty()) {
    std::unique_ptr<Flight> flight = std::move(idle_.back());
    idle_.pop_back();
    return flight;
  }
  auto flight = std::make_unique<Flight>(this);
  CURL* easy = flight->easy;
  Set(easy, CURLOPT_NOSIGNAL, 1L);
  Set(easy, CURLOPT_PRIVATE, flight.get());
  Set(easy, CURLOPT_ERRORBUFFER, flight->error);
  Set(easy, CURLOPT_WRITEFUNCTION, &CurlEngine::OnBody);
  Set(easy, CURLOPT_WRITEDATA, flight.get());
  Set(easy, CURLOPT_HEADERFUNCTION, &CurlEngine::OnHeader);
  Set(easy, CURLOPT_HEADERDATA, flight.get());
  Set(easy, CURLOPT_OPENSOCKETFUNCTION, &CurlEngine::OnOpen);
  Set(easy, CURLOPT_OPENSOCKETDATA, flight.get());
  Set(easy, CURLOPT_CLOSESOCKETFUNCTION, &CurlEngine::OnClose);
  Set(easy, CURLOPT_CLOSESOCKETDATA, this);
  Set(easy, CURLOPT_PROXY, "");
  Set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  Set(easy, CURLOPT_BUFFERSIZE, kReceiveBuffer);
  Set(easy, CURLOPT_USERAGENT, "scheduled");
#if LIBCURL_VERSION_NUM >= 0x075500
  Set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  Set(easy, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075000
  Set(easy, CURLOPT_MAXLIFETIME_CONN, kMaxConnectionSeconds);
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
  // A transfer that ends while its name is being resolved must not wait for the resolver: that
  // would hold up every other request.
  Set(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  // Refused by a libcurl that was built without it; then everything is HTTP/1.1.
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  if (!options_.ca_file.empty()) Set(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
  // With a file of authorities alone curl reads it once, and not (20 ms) for each connection; and a
  // directory beside it would add to what `ca_file` says.
  if (!options_.ca_file.empty() || HasSystemCaFile()) {
    Set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  return flight;
}

void CurlEngine::Prepare(Flight& flight) {
  CURL* easy = flight.easy;
  Request& request = flight.request;
  Set(easy, CURLOPT_URL, request.url.c_str());
  const char* custom_method = request.method.c_str();
  if (request.has_body) {
    Set(easy, CURLOPT_POSTFIELDS, request.body.data());
    Set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    if (request.method == "POST") custom_method = nullptr;
  } else {
    Set(easy, CURLOPT_HTTPGET, 1L);
    if (request.method == "GET") custom_method = nullptr;
  }
  Set(easy, CURLOPT_CUSTOMREQUEST, custom_method);

  if (request.body.size() > kSmallBody) request.headers.push_back("Expect:");
  for (std::string& header : request.headers) {
    // "Name: " tells curl to leave a header out, "Name;" to send it empty.
    if (absl::EndsWith(header, ": ")) header.replace(header.size() - 2, 2, ";");
  }
  flight.header_list.resize(request.headers.size());
  for (size_t i = 0; i < flight.header_list.size(); ++i) {
    const bool last = i + 1 == flight.header_list.size();
    flight.header_list[i] = {request.headers[i].data(),
                             last ? nullptr : &flight.header_list[i + 1]};
  }
  Set(easy, CURLOPT_HTTPHEADER, flight.header_list.data());

  // With TLS a first answer tells whether one connection can carry all requests: worth waiting for.
  const bool tls = absl::StartsWithIgnoreCase(request.url, "https:");
  Set(easy, CURLOPT_PIPEWAIT, tls ? 1L : 0L);
}

void CurlEngine::Recycle(std::unique_ptr<Flight> flight) {
  if (idle_.size() >= kMaxIdleHandles) return;
  flight->request = {};
  flight->transfer = {};
  flight->body_bytes = 0;
  flight->has_head = false;
  flight->stopped_reading = false;
  flight->connects = 0;
  flight->refusals = 0;
  flight->error[0] = '\0';
  idle_.push_back(std::move(flight));
}

void CurlEngine::Collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    Flight* flight = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &flight);
    curl_multi_remove_handle(multi_, easy);

    Transfer& transfer = flight->transfer;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    transfer.http_status = flight->has_head ? static_cast<int>(status) : 0;
    transfer.error = flight->stopped_reading ? TransferError::kNone : ErrorOf(code);
    // libcurl takes an answer that ends within its header for one without a body.
    if (transfer.error == TransferError::kNone && !flight->has_head) {
      transfer.error = TransferError::kConnection;
      transfer.error_detail = "the answer ended within its header";
    } else if (transfer.error == TransferError::kConnection && flight->refusals > 0 &&
               flight->connects == 0) {
      transfer.error = TransferError::kBlocked;
    } else if (transfer.error != TransferError::kNone) {
      transfer.error_detail = flight->error[0] != '\0' ? flight->error : curl_easy_strerror(code);
    }
    const auto found = flights_.find(flight->id);
    SCHEDULED_ASSERT(found != flights_.end(), "what ended was under way");
    ended_.push_back({flight->id, std::move(transfer)});
    Recycle(std::move(found->second));
    flights_.erase(found);
  }
}

void CurlEngine::RunTimer() {
  if (timer_ > clock_.MonoNow()) return;
  timer_ = MonoTime::Infinite();
  int running = 0;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
}

// Rounded up, so that a timer is due when the wait for it ends.
int CurlEngine::Milliseconds(absl::Duration wait) const {
  if (timer_ != MonoTime::Infinite()) wait = std::min(wait, timer_ - clock_.MonoNow());
  if (wait == absl::InfiniteDuration()) return -1;
  const int64_t milliseconds = absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1)));
  return static_cast<int>(std::clamp<int64_t>(milliseconds, 0, INT_MAX));
}

int CurlEngine::OnSocket(CURL*, curl_socket_t socket, int what, void* engine, void*) {
  static_cast<CurlEngine*>(engine)->sockets_.Want(socket, what);
  return 0;
}

int CurlEngine::OnTimer(CURLM*, long milliseconds, void* engine) {
  auto* self = static_cast<CurlEngine*>(engine);
  self->timer_ = milliseconds < 0 ? MonoTime::Infinite()
                                  : self->clock_.MonoNow() + absl::Milliseconds(milliseconds);
  return 0;
}

curl_socket_t CurlEngine::OnOpen(void* data, curlsocktype purpose, curl_sockaddr* address) {
  auto* flight = static_cast<Flight*>(data);
  const std::optional<IpAddress> ip = IpAddress::FromSockaddr(&address->addr);
  if (purpose != CURLSOCKTYPE_IPCXN || !ip.has_value() || flight->engine->guard_.IsRefused(*ip)) {
    ++flight->refusals;
    if (ip.has_value()) flight->transfer.error_detail = ip->ToString();
    return CURL_SOCKET_BAD;
  }
  const int opened = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (opened < 0) return CURL_SOCKET_BAD;
  ++flight->connects;
  flight->engine->sockets_.Opened(opened);
  return opened;
}

int CurlEngine::OnClose(void* engine, curl_socket_t socket) {
  static_cast<CurlEngine*>(engine)->sockets_.Closed(socket);
  return close(socket);
}

size_t CurlEngine::OnBody(char* bytes, size_t size, size_t count, void* data) {
  auto* flight = static_cast<Flight*>(data);
  const size_t length = size * count;
  std::string& head = flight->transfer.head;
  head.append(bytes, std::min(length, kKeptBytes - head.size()));
  flight->body_bytes += length;
  flight->stopped_reading = flight->body_bytes > kReadBytes;
  return flight->stopped_reading ? 0 : length;
}

size_t CurlEngine::OnHeader(char* bytes, size_t size, size_t count, void* data) {
  constexpr absl::string_view kName = "retry-after:";
  auto* flight = static_cast<Flight*>(data);
  const absl::string_view line(bytes, size * count);
  if (absl::StartsWith(line, "HTTP/")) {
    // Another header block: what came before belonged to an interim answer.
    flight->transfer.retry_after.clear();
    flight->has_head = false;
  } else if (line == "\r\n" || line == "\n") {
    flight->has_head = true;
  } else if (absl::StartsWithIgnoreCase(line, kName)) {
    const absl::string_view value = absl::StripAsciiWhitespace(line.substr(kName.size()));
    flight->transfer.retry_after.assign(value.data(), value.size());
  }
  return line.size();
}

}  // namespace scheduled::webhook
