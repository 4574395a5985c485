// JSON text: what is refused, and that slices are the request's own bytes.
#include "http/json_text.h"

#include <catch2/catch.hpp>
#include <string>

using namespace scheduled::server;  // NOLINT: the test speaks of nothing else

TEST_CASE("malformed JSON is refused with an offset") {
  for (const std::string text :
       {"", " ", "{", "{\"a\":}", "[1,]", "{\"a\":1,}", "01", "1 2", "nul", "'a'", "{\"a\" 1}",
        "\"\x01\"", "\"\\x\"", "[1", "NaN", "+1", ".5", "\"\\ud800\"", "// no\n1"}) {
    INFO(text);
    CHECK(CheckJson(text).code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK(std::string(CheckJson("[1,2,x]").message()).find("offset") != std::string::npos);
}

TEST_CASE("invalid UTF-8 is refused") {
  for (const std::string text :
       {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xe2\x82\""}) {
    CHECK_FALSE(CheckJson(text).ok());
  }
  CHECK(CheckJson("\"\xe2\x82\xac\"").ok());
}

TEST_CASE("depth is bounded and needs no stack") {
  CHECK(CheckJson(std::string(64, '[') + std::string(64, ']')).ok());
  CHECK_FALSE(CheckJson(std::string(65, '[') + std::string(65, ']')).ok());
  CHECK_FALSE(CheckJson(std::string(1'000'000, '[')).ok());
}

TEST_CASE("duplicate keys are refused at any depth, whatever their spelling") {
  CHECK_FALSE(CheckJson(R"({"a":1,"a":2})").ok());
  CHECK_FALSE(CheckJson(R"({"x":[{"a":{"b":1,"b":2}}]})").ok());
  CHECK_FALSE(CheckJson(R"({"a":1,"\u0061":2})").ok());
  CHECK(CheckJson(R"([{"a":1},{"a":2}])").ok());
  CHECK(CheckJson(R"({"a":{"a":{"a":"a"}}})").ok());
  CHECK(CheckJson(R"({"a":"b","b":"a"})").ok());
}

TEST_CASE("a member's value is the text's own bytes") {
  const std::string text = R"( { "payload" : {"n": 1.10, "s":"\u00e9 , }"} , "x":[1, [2] ,"]"] } )";
  REQUIRE(CheckJson(text).ok());
  const auto members = JsonValue(text).Members();
  REQUIRE(members.size() == 2);
  CHECK(members[0].key == "payload");
  CHECK(members[0].value.raw() == R"({"n": 1.10, "s":"\u00e9 , }"})");
  const auto elements = members[1].value.Elements();
  REQUIRE(elements.size() == 3);
  CHECK(elements[1].raw() == "[2]");
  CHECK(elements[2].AsString() == "]");
  CHECK(JsonValue("{}").Members().empty());
  CHECK(JsonValue(" [ ] ").Elements().empty());
}

TEST_CASE("numbers are exact or refused") {
  CHECK(JsonValue("9223372036854775807").AsInteger() == INT64_MAX);
  CHECK_FALSE(JsonValue("9223372036854775808").AsInteger().has_value());
  CHECK(JsonValue("1e3").AsInteger() == 1000);
  CHECK_FALSE(JsonValue("1.5").AsInteger().has_value());
  CHECK_FALSE(JsonValue("1e400").AsDouble().has_value());
  CHECK(JsonValue("-0.25").AsDouble() == -0.25);
}

TEST_CASE("a quoted string is valid JSON whatever bytes it is made of") {
  for (const std::string text : {"plain", "quo\"te\\", "\x01\n", "\xff\xfe", "\xe2\x82\xac"}) {
    CHECK(CheckJson(JsonQuote(text)).ok());
  }
  CHECK(JsonValue(JsonQuote("a\"b\xe2\x82\xac")).AsString() == "a\"b\xe2\x82\xac");
}
