// Request targets: segments and parameters, decoded after they were split.
#include "http/uri.h"

#include <catch2/catch.hpp>

using scheduled::server::ParseUri;

TEST_CASE("a path is split before it is decoded") {
  const auto uri = ParseUri("/jobs/a%2Fb%20c/status");
  REQUIRE(uri.ok());
  CHECK(uri->segments == std::vector<std::string>{"jobs", "a/b c", "status"});
  CHECK(ParseUri("/")->segments.empty());
}

TEST_CASE("parameters are decoded, and a plus is a blank there only") {
  const auto uri = ParseUri("/a+b?x=1+2%2B&empty=&flag&y=a=b");
  REQUIRE(uri.ok());
  CHECK(uri->segments.front() == "a+b");
  CHECK(uri->query.at("x") == "1 2+");
  CHECK(uri->query.at("empty").empty());
  CHECK(uri->query.at("flag").empty());
  CHECK(uri->query.at("y") == "a=b");
}

TEST_CASE("a target that cannot be read is refused") {
  for (const char* target :
       {"", "jobs", "http://x/", "/%", "/%4", "/%zz", "/a?b=%g1", "/a?x=1&x=2"}) {
    INFO(target);
    CHECK(ParseUri(target).status().code() == absl::StatusCode::kInvalidArgument);
  }
}
