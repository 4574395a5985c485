// The two line formats, and the logger of the library's own code.
#include "scheduled/log.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "base/logger.h"

namespace scheduled {
namespace {

using namespace std::string_literals;

const absl::Time kNewYear = absl::FromUnixSeconds(1'767'225'600) + absl::Microseconds(42);

std::string Written(const std::function<LogSink(std::FILE*)>& make_sink,
                    const std::function<void(const LogSink&)>& log) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* file = open_memstream(&text, &size);
  log(make_sink(file));
  std::fclose(file);
  std::string written(text, size);
  std::free(text);
  return written;
}

}  // namespace

TEST_CASE("a text line has time, level, message and fields") {
  const std::vector<LogField> fields = {{"node", "a"}, {"term", "3"}};
  CHECK(FormatLogText(kNewYear, LogLevel::kInfo, "became leader", fields) ==
        "2026-01-01T00:00:00.000042Z INFO became leader node=a term=3");
}

TEST_CASE("a text line stays one line, and its values can be told apart") {
  const std::vector<LogField> fields = {
      {"a", "two words"}, {"b", ""}, {"c", "say \"hi\"\n"}, {"d", "x=y"}, {"e", "\x1b[0m"}};
  CHECK(FormatLogText(kNewYear, LogLevel::kWarn, "first\nsecond", fields) ==
        "2026-01-01T00:00:00.000042Z WARN first\\nsecond a=\"two words\" b=\"\" "
        "c=\"say \\\"hi\\\"\\n\" d=\"x=y\" e=\"\\x1b[0m\"");
}

TEST_CASE("a JSON line escapes what JSON must, and replaces what is not UTF-8") {
  const std::vector<LogField> fields = {
      {"job", "a\"b\\c\n\t\r\x01\x7f"}, {"raw", "\xff"}, {"ñ", "€"}};
  CHECK(FormatLogJson(kNewYear, LogLevel::kError, "it \"failed\"", fields) ==
        R"({"time":"2026-01-01T00:00:00.000042Z","level":"ERROR","message":"it \"failed\"",)"
        R"("job":"a\"b\\c\n\t\r\u0001\u007f",)"
        "\"raw\":\"\xef\xbf\xbd\",\"ñ\":\"€\"}");
}

TEST_CASE("a sink writes whole lines, and drops what is below its level") {
  const auto log = [](const LogSink& sink) {
    sink(LogLevel::kInfo, "dropped", {});
    sink(LogLevel::kWarn, "kept", {});
    sink(LogLevel::kError, "kept too", {});
  };
  const std::string text =
      Written([](std::FILE* f) { return TextLogSink(f, LogLevel::kWarn); }, log);
  CHECK(text.find("dropped") == text.npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK(text.find(" WARN kept\n") != text.npos);
  const std::string json =
      Written([](std::FILE* f) { return JsonLogSink(f, LogLevel::kDebug); }, log);
  CHECK(std::count(json.begin(), json.end(), '\n') == 3);
  CHECK(json.find("\"message\":\"dropped\"") != json.npos);
}

TEST_CASE("a logger passes its own fields and those of the line to the sink") {
  std::vector<std::string> lines;
  const Logger plain(
      [&](LogLevel level, std::string_view message, std::span<const LogField> fields) {
        lines.push_back(FormatLogText(absl::UnixEpoch(), level, message, fields).substr(28));
      });
  const Logger logger = plain.With("node", "n1");
  logger.Info("started", {{"job", "x"s},
                          {"count", -5},
                          {"big", ~uint64_t{0}},
                          {"small", int64_t{INT64_MIN}},
                          {"yes", true}});
  logger.Debug("d");
  logger.Warn("w");
  logger.Error("e");
  plain.Info("p");
  CHECK(lines == std::vector<std::string>{"INFO started node=n1 job=x count=-5 "
                                          "big=18446744073709551615 small=-9223372036854775808 "
                                          "yes=1",
                                          "DEBUG d node=n1", "WARN w node=n1", "ERROR e node=n1",
                                          "INFO p"});
  Logger().Error("nobody hears this", {{"a", 1}});
}

}  // namespace scheduled
