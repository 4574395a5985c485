// /cron/next: a look ahead at an expression.
#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "http/json_writer.h"
#include "http/routes.h"
#include "scheduled/cron.h"

namespace scheduled::server {
namespace {

void Next(const ApiContext&, Call call, Reply reply) {
  std::string expression, timezone = "UTC";
  absl::Time from = absl::Now();
  int count = 5;
  Dst dst = Dst::kVixie;
  for (const auto& [name, value] : call.uri.query) {
    if (name == "expression") expression = value;
    if (name == "timezone") timezone = value;
    if (name == "from") {
      const absl::StatusOr<absl::Time> time = ParseTimeText(value);
      if (!time.ok()) {
        return std::move(reply)(ErrorResponse(
            400, "invalid_argument", absl::StrCat("from: ", std::string(time.status().message()))));
      }
      from = *time;
    }
    if (name == "count" && !absl::SimpleAtoi(value, &count)) {
      return std::move(reply)(
          ErrorResponse(400, "invalid_argument", "count is a whole number from 1 to 1,000"));
    }
    if (name == "dst") {
      if (value != "vixie" && value != "skip") {
        return std::move(reply)(
            ErrorResponse(400, "invalid_argument", "dst is neither \"vixie\" nor \"skip\""));
      }
      dst = value == "skip" ? Dst::kSkip : Dst::kVixie;
    }
  }
  if (expression.empty()) {
    return std::move(reply)(
        ErrorResponse(400, "invalid_argument", "parameter \"expression\" is missing"));
  }
  const absl::StatusOr<std::vector<absl::Time>> times =
      NextOccurrences(expression, timezone, from, count, dst);
  if (!times.ok()) return std::move(reply)(StatusResponse(times.status()));
  std::string list = "[", shown = "[";
  for (const absl::Time time : *times) {
    absl::StrAppend(&list, list.size() > 1 ? "," : "", FormatEpochSeconds(time));
    absl::StrAppend(&shown, shown.size() > 1 ? "," : "", JsonQuote(FormatRfc3339(time)));
  }
  std::move(reply)(JsonResponse(JsonObject()
                                    .Text("expression", expression)
                                    .Text("timezone", timezone)
                                    .Raw("occurrences", list + "]")
                                    .Raw("occurrences_utc", shown + "]")
                                    .Take()));
}

}  // namespace

std::vector<Route> CronRoutes() {
  return {{"GET",
           {"cron", "next"},
           {"expression", "timezone", "from", "count", "dst"},
           kNothing,
           Next}};
}

}  // namespace scheduled::server
