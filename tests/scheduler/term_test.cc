// The class of each command, which decides what the log takes where it has grown too long.
#include "scheduler/term.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

namespace scheduled {
namespace {

TEST_CASE("where the log is too long only commands from outside wait") {
  const google::protobuf::OneofDescriptor* body =
      pb::Command::descriptor()->FindOneofByName("body");
  REQUIRE(body != nullptr);
  std::set<std::string> waiting;
  for (int i = 0; i < body->field_count(); ++i) {
    pb::Command command;
    command.GetReflection()->MutableMessage(&command, body->field(i));
    if (ClassOf(command) == ProposalClass::kClient) waiting.insert(body->field(i)->name());
  }
  CHECK(waiting == std::set<std::string>{"create", "replace", "delete_job", "cancel", "pause",
                                         "resume", "trigger", "redrive"});
}

}  // namespace
}  // namespace scheduled
