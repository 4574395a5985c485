// See job_client.h.
#include "sim/job_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "scheduler/client_commands.h"
#include "sim/node_member.h"

namespace scheduled::sim {
namespace {

constexpr absl::Duration kAgain = absl::Milliseconds(50);

std::string What(const pb::Command& command) {
  if (!command.has_create()) return std::to_string(static_cast<int>(command.body_case()));
  return fmt::format("create {} of {}", command.create().items(0).job_id(),
                     command.create().items_size());
}

}  // namespace

Node* JobClient::NodeOf(Machine& machine) {
  return machine.up() ? &static_cast<NodeMember*>(machine.member.get())->node() : nullptr;
}

size_t JobClient::open() const {
  return std::count_if(open_.begin(), open_.end(), [this](const auto& each) {
    return each.second.machine < 0 || world_.IsInCore(each.second.machine);
  });
}

// Any that is up, and not left out of what must come to its end; -1 if there is none.
int JobClient::Choose() {
  std::vector<int> up;
  for (int i = 0; i < world_.size(); ++i) {
    if (world_.machine(i).up() && world_.IsInCore(i)) up.push_back(i);
  }
  return up.empty() ? -1 : up[random_.Uniform(up.size())];
}

void JobClient::Write(pb::Command command, int tries, WriteDone done) {
  KeyWriter id;
  command.set_request_id(id.U64(random_.Next()).U64(random_.Next()).Take());
  const uint64_t number = ++last_;
  Call& call = open_[number];
  call.command = std::move(command);
  call.tries = tries;
  call.written = std::move(done);
  Try(number);
}

void JobClient::Try(uint64_t number) {
  Call& call = open_[number];
  call.machine = Choose();
  --call.tries;
  if (call.machine < 0) {
    world_.After(kAgain,
                 [this, number] { Answered(number, absl::UnavailableError("no node is up")); });
    return;
  }
  Node* node = NodeOf(world_.machine(call.machine));
  // A life of the node that is over answers nothing: its lanes are dead.
  node->Write(call.command, ReplyTo::kHost, [this, number, tries = call.tries](WriteResult result) {
    const auto it = open_.find(number);
    if (it == open_.end() || it->second.tries != tries) return;
    Answered(number, std::move(result));
  });
}

void JobClient::Answered(uint64_t number, WriteResult result) {
  Call& call = open_[number];
  const absl::Status answer = result.ok() ? ToStatus(*result) : result.status();
  world_.Digest(number * 32 + static_cast<uint64_t>(result.status().code()));
  if (world_.tracing()) {
    world_.Trace("client", fmt::format("call {} ({}) try {} at {}: {}", number, What(call.command),
                                       call.tries, call.machine + 1, answer.ToString()));
  }
  call.machine = -1;
  call.maybe |= absl::IsUnknown(result.status());
  const bool decided =
      result.ok() || (!absl::IsUnknown(result.status()) && !absl::IsUnavailable(result.status()) &&
                      !absl::IsResourceExhausted(result.status()));
  if (!decided && call.tries > 0) {
    world_.After(random_.Between(absl::Milliseconds(1), kAgain), [this, number] { Try(number); });
    return;
  }
  // A create that is sent again after its last occurrence is refused. That says nothing about the
  // first try, which may have been carried out, or may still be. Nor does it about a copy that the
  // network, or the node that forwards it, has made, once the clock has gone back.
  const bool copied = world_.size() > 1 && world_.clocks_were_moved();
  const bool too_late = absl::IsInvalidArgument(answer) && (call.maybe || copied);
  if ((!decided && call.maybe) || too_late) result = absl::UnknownError("no answer");
  const WriteDone done = std::move(call.written);
  open_.erase(number);
  done(result);
}

void JobClient::Read(const JobId& id, ReadDone done) {
  const uint64_t number = ++last_;
  Call& call = open_[number];
  call.read = true;
  call.was_read = std::move(done);
  TryRead(number, id);
}

void JobClient::TryRead(uint64_t number, const JobId& id) {
  Call& call = open_[number];
  const auto end = [this, number](const absl::StatusOr<JobInfo>& info) {
    const auto it = open_.find(number);
    if (it == open_.end()) return;
    world_.Digest(number * 32 + static_cast<uint64_t>(info.status().code()));
    const ReadDone done = std::move(it->second.was_read);
    open_.erase(it);
    done(info);
  };
  call.machine = Choose();
  if (call.machine < 0) return end(absl::UnavailableError("no node is up"));
  Node* node = NodeOf(world_.machine(call.machine));
  const SimTableStore& tables = *world_.machine(call.machine).tables;
  node->Barrier(ReplyTo::kHost, [node, id, end, &tables](absl::Status reached) {
    if (!reached.ok()) return end(absl::UnavailableError(reached.message()));
    const jobs::Queries* queries = node->queries();
    if (queries == nullptr) return end(absl::UnavailableError("no cluster yet"));
    // The node has not stopped yet.
    if (tables.failed()) return end(absl::UnavailableError("the disk failed"));
    end(queries->Get(id.value));
  });
}

void JobClient::OnCrash(const Machine& machine) {
  std::vector<uint64_t> lost;
  for (const auto& [number, call] : open_) {
    if (call.machine == machine.number) lost.push_back(number);
  }
  for (const uint64_t number : lost) {
    Call& call = open_[number];
    if (call.read) {
      const ReadDone done = std::move(call.was_read);
      open_.erase(number);
      done(absl::UnavailableError("the node crashed"));
    } else {
      Answered(number, absl::UnknownError("the node crashed"));
    }
  }
}

}  // namespace scheduled::sim
