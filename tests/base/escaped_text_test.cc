// Escapes: what a string of JSON and a line of a log look like.
#include "base/escaped_text.h"

#include <catch2/catch.hpp>

namespace scheduled {
namespace {

std::string Json(std::string_view text) {
  std::string out = "before ";
  AppendJsonString(text, &out);
  return out.substr(7);
}

TEST_CASE("a string of JSON has its quotes, backslashes and control characters escaped") {
  CHECK(Json("") == R"("")");
  CHECK(Json("plain") == R"("plain")");
  CHECK(Json("a\"b\\c/\xc3\xa9") == "\"a\\\"b\\\\c/\xc3\xa9\"");
  CHECK(Json("\n\r\t") == R"("\n\r\t")");
  CHECK(Json(std::string_view("\0\x1f\x7f end", 7)) == R"("\u0000\u001f\u007f end")");
}

TEST_CASE("the rest of the control characters are escaped with the prefix that is asked for") {
  std::string out;
  AppendEscaped("\x01 and \n", "\\x", &out);
  CHECK(out == R"(\x01 and \n)");
}

}  // namespace
}  // namespace scheduled
