// Puts the fields of a line together for the sink.
#include "base/logger.h"

#include "absl/strings/str_cat.h"

namespace scheduled {

LogField LogArg::ToField() const {
  switch (kind_) {
    case Kind::kText:
      return {key_, std::string(text_)};
    case Kind::kSigned:
      return {key_, absl::StrCat(static_cast<int64_t>(number_))};
    case Kind::kUnsigned:
      return {key_, absl::StrCat(number_)};
  }
  return {key_, ""};
}

Logger Logger::With(std::string key, std::string value) const {
  Logger copy = *this;
  copy.own_fields_.emplace_back(std::move(key), std::move(value));
  return copy;
}

void Logger::Write(LogLevel level, std::string_view message, Args args) const {
  std::vector<LogField> fields;
  fields.reserve(own_fields_.size() + args.size());
  for (const auto& [key, value] : own_fields_) fields.push_back({key, value});
  for (const LogArg& arg : args) fields.push_back(arg.ToField());
  sink_(level, message, fields);
}

}  // namespace scheduled
