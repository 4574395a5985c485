// A TLS server on loopback for tests, with a certificate that it made and signed itself. It answers
// each connection's first request with 200 "secret" and closes. One thread of its own.
#ifndef SCHEDULED_TESTS_EXECUTOR_WEBHOOK_TLS_RECEIVER_H_
#define SCHEDULED_TESTS_EXECUTOR_WEBHOOK_TLS_RECEIVER_H_

#include <openssl/ssl.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

namespace scheduled {

class TlsReceiver {
 public:
  TlsReceiver();
  ~TlsReceiver();
  TlsReceiver(const TlsReceiver&) = delete;
  TlsReceiver& operator=(const TlsReceiver&) = delete;

  // The certificate names "localhost" and nothing else.
  std::string Url(const std::string& host = "localhost") const;
  // A PEM file with the certificate; deleted with this.
  const std::string& certificate_file() const { return certificate_file_; }
  int answered() const { return answered_; }

 private:
  void Serve();
  void Answer(int connection);

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::string certificate_file_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> answered_ = 0;
  std::thread thread_;
};

}  // namespace scheduled

#endif  // SCHEDULED_TESTS_EXECUTOR_WEBHOOK_TLS_RECEIVER_H_
