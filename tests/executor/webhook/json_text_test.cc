// Whether bytes are JSON, by example and at the edge of depth.
#include "executor/webhook/json_text.h"

#include <catch2/catch.hpp>
#include <string>

namespace scheduled::webhook {
namespace {

TEST_CASE("JSON texts are told from others") {
  for (const std::string text : {"null",
                                 "true",
                                 "false",
                                 "0",
                                 "-0",
                                 "12",
                                 "-1.5",
                                 "1e9",
                                 "1E+9",
                                 "0.25e-3",
                                 "\"\"",
                                 "[]",
                                 "{}",
                                 " { } ",
                                 "\t[\n1 , 2\r]\n",
                                 R"({"a":{"b":[1,{"c":null}]},"d":""})",
                                 R"("\"\\\/\b\f\n\r\t\u12aF")",
                                 "\"\xc3\xa9\"",
                                 "[[],[[]],{}]",
                                 "{\"a\":1,\"a\":2}",
                                 "1e400"}) {
    INFO(text);
    CHECK(IsJsonText(text));
  }
  for (const std::string text : {"",
                                 " ",
                                 "nul",
                                 "nulll",
                                 "True",
                                 "+1",
                                 "01",
                                 "1.",
                                 ".5",
                                 "1e",
                                 "1e+",
                                 "-",
                                 "0x1",
                                 "NaN",
                                 "\"",
                                 "\"a",
                                 "'a'",
                                 R"("\x")",
                                 R"("\u12g4")",
                                 R"("\u12")",
                                 "\"\t\"",
                                 "[",
                                 "]",
                                 "[1",
                                 "[1,]",
                                 "[,1]",
                                 "[1 2]",
                                 "{",
                                 "}",
                                 "{\"a\"}",
                                 "{\"a\":}",
                                 "{\"a\":1,}",
                                 "{a:1}",
                                 "{1:1}",
                                 "[}",
                                 "{]",
                                 "[1}",
                                 "1 2",
                                 "{} {}",
                                 "\"\xff\"",
                                 "\"\xed\xa0\x80\"",
                                 "// x\n1",
                                 "\"\\"}) {
    INFO(text);
    CHECK_FALSE(IsJsonText(text));
  }
  CHECK_FALSE(IsJsonText(std::string("1\0", 2)));
}

TEST_CASE("deep nesting costs no stack") {
  const size_t depth = 1000000;
  CHECK(IsJsonText(std::string(depth, '[') + std::string(depth, ']')));
  CHECK_FALSE(IsJsonText(std::string(depth, '[') + std::string(depth - 1, ']')));
}

}  // namespace
}  // namespace scheduled::webhook
