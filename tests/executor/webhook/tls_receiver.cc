// A blocking server by OpenSSL: one connection after the other is enough here.
#include "executor/webhook/tls_receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/assert.h"

namespace scheduled {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Certificate SelfSigned(EVP_PKEY* key) {
  Certificate certificate(X509_new(), &X509_free);
  X509* x = certificate.get();
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_set_pubkey(x, key);
  X509_NAME* name = X509_get_subject_name(x);
  const auto* common = reinterpret_cast<const unsigned char*>("localhost");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0);
  X509_set_issuer_name(x, name);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
  X509_add_ext(x, names, -1);
  X509_EXTENSION_free(names);
  const int signed_bytes = X509_sign(x, key, EVP_sha256());
  SCHEDULED_ASSERT(signed_bytes > 0, "a certificate can be signed");
  return certificate;
}

std::string WriteToFile(X509* certificate) {
  char path[] = "/tmp/scheduled-test-XXXXXX";
  const int fd = mkstemp(path);
  SCHEDULED_ASSERT(fd >= 0, "a temporary file can be made");
  FILE* file = fdopen(fd, "w");
  PEM_write_X509(file, certificate);
  fclose(file);
  return path;
}

}  // namespace

TlsReceiver::TlsReceiver() : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
  const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const Certificate certificate = SelfSigned(key.get());
  SSL_CTX_use_certificate(context_.get(), certificate.get());
  SSL_CTX_use_PrivateKey(context_.get(), key.get());
  certificate_file_ = WriteToFile(certificate.get());

  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int bound = bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  const int listening = listen(listener_, 16);
  socklen_t size = sizeof(address);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  SCHEDULED_ASSERT(bound == 0 && listening == 0, "a receiver can listen on loopback");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

TlsReceiver::~TlsReceiver() {
  // Ends accept.
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
  unlink(certificate_file_.c_str());
}

std::string TlsReceiver::Url(const std::string& host) const {
  return absl::StrCat("https://", host, ":", port_, "/");
}

void TlsReceiver::Serve() {
  while (true) {
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    Answer(connection);
    close(connection);
  }
}

void TlsReceiver::Answer(int connection) {
  const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context_.get()), &SSL_free);
  SSL_set_fd(tls.get(), connection);
  if (SSL_accept(tls.get()) != 1) return;
  // Requests of tests are one piece, and end with the end of their JSON.
  std::string request;
  char buffer[4096];
  while (!request.ends_with('}')) {
    const int size = SSL_read(tls.get(), buffer, sizeof(buffer));
    if (size <= 0) return;
    request.append(buffer, static_cast<size_t>(size));
  }
  ++answered_;
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret";
  SSL_write(tls.get(), answer.data(), static_cast<int>(answer.size()));
  SSL_shutdown(tls.get());
}

}  // namespace scheduled
