// Numbers are varints unless a width is given; `id` is a u8 length and that many bytes.
//
//   message        u8 version (1) · u8 form (1) · u64 checksum (XXH3 of all that follows) · body
//   body           u32 group · id from · id to · from_disk · term · u8 type · fields of the type
//   position       index · term
//   entry          term · u8 kind · size · bytes; its index follows from its place
//   configuration  u8 version (1) · u8 count · voters · u8 count · learners · u8 count · old voters
//   member         id · u8 length, address · u64 disk
//   learner        member · u8 promote · id replaces
//   hard state     u8 version (1) · term · id vote
//   snapshot meta  u8 version (1) · position · configuration index · u32 size, configuration
//
// A record is valid if every field is there and in its range, nothing is left over, and for
// messages the checksum agrees. The stored forms carry no checksum: what they are stored in does.
#include "raft/codec.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "raft/frame.h"

namespace scheduled::raft {
namespace {

constexpr uint8_t kVersion = 1;

enum class Type : uint8_t {
  kVoteRequest = 1,
  kVoteReply = 2,
  kAppendRequest = 3,
  kAppendReply = 4,
  kHeartbeat = 5,
  kHeartbeatReply = 6,
  kReadRequest = 7,
  kReadReply = 8,
  kTimeoutNow = 9,
  kSnapshotRequest = 10,
  kSnapshotReply = 11,
};

class Writer {
 public:
  explicit Writer(std::string* out) : out_(out) {}

  void U8(uint8_t value) { AppendU8(out_, value); }
  void Bool(bool value) { AppendU8(out_, value ? 1 : 0); }
  void Number(uint64_t value) { AppendVarint(out_, value); }
  template <typename Tag, typename Int>
  void Number(StrongInt<Tag, Int> value) {
    Number(value.value);
  }
  void Position(LogPosition at) {
    Number(at.index);
    Number(at.term);
  }
  void Short(std::string_view value) {
    SCHEDULED_ASSERT(value.size() <= 255, "names and addresses are short");
    AppendU8(out_, static_cast<uint8_t>(value.size()));
    out_->append(value);
  }
  void Put(const Member& member) {
    Short(member.id.value);
    Short(member.address);
    AppendU64(out_, member.disk.value);
  }
  void Long(std::string_view value) {
    AppendU32(out_, static_cast<uint32_t>(value.size()));
    out_->append(value);
  }

  void Put(const VoteRequest& body) {
    Bool(body.pre);
    Bool(body.transfer);
    Number(body.campaign_term);
    Position(body.last);
  }
  void Put(const VoteReply& body) {
    Bool(body.pre);
    Bool(body.granted);
    U8(static_cast<uint8_t>(body.refusal));
    Number(body.campaign_term);
  }
  void Put(const AppendRequest& body) {
    Position(body.previous);
    Number(body.commit);
    Bool(body.quiet);
    Number(body.entries.size());
    for (const Entry& entry : body.entries) {
      Number(entry.term);
      U8(static_cast<uint8_t>(entry.kind));
      Number(entry.bytes.size());
      out_->append(entry.bytes.view());
    }
  }
  void Put(const AppendReply& body) {
    Bool(body.taken);
    Number(body.match);
    Number(body.previous);
    Position(body.hint);
  }
  void Put(const Heartbeat& body) { Number(body.round); }
  void Put(const HeartbeatReply& body) {
    Number(body.round);
    Number(body.commit);
  }
  void Put(const ReadRequest& body) { Number(body.batch); }
  void Put(const ReadReply& body) {
    Number(body.batch);
    Bool(body.ok);
    Number(body.index);
  }
  void Put(const TimeoutNow&) {}
  void Put(const SnapshotRequest& body) {
    Number(body.transfer);
    Long(EncodeSnapshotMeta(body.meta));
  }
  void Put(const SnapshotReply& body) {
    Number(body.transfer);
    Number(body.index);
    Bool(body.installed);
  }

 private:
  std::string* out_;
};

// Every method is total; a failure sticks in the KeyReader beneath.
class Reader {
 public:
  explicit Reader(std::string_view input) : in_(input) {}

  bool U8(uint8_t* value) { return in_.U8(value); }
  bool Bool(bool* value) {
    uint8_t byte = 0;
    if (!in_.U8(&byte) || byte > 1) return Fail();
    *value = byte == 1;
    return true;
  }
  template <typename Tag, typename Int>
  bool Number(StrongInt<Tag, Int>* value) {
    return in_.Varint(&value->value);
  }
  bool Size(size_t* value) {
    uint64_t number = 0;
    if (!in_.Varint(&number) || number > in_.rest().size()) return Fail();
    *value = static_cast<size_t>(number);
    return true;
  }
  bool Position(LogPosition* at) { return Number(&at->index) && Number(&at->term); }
  bool Short(std::string* value) {
    uint8_t size = 0;
    std::string_view view;
    if (!in_.U8(&size) || !in_.Raw(size, &view)) return false;
    *value = std::string(view);
    return true;
  }
  bool Id(NodeId* id) { return Short(&id->value); }
  bool Get(Member* member) {
    return Id(&member->id) && Short(&member->address) && in_.U64(&member->disk.value);
  }
  bool Long(std::string_view* value) {
    uint32_t size = 0;
    return in_.U32(&size) && in_.Raw(size, value);
  }
  bool U32(uint32_t* value) { return in_.U32(value); }
  bool U64(uint64_t* value) { return in_.U64(value); }

  bool Get(VoteRequest* body) {
    return Bool(&body->pre) && Bool(&body->transfer) && Number(&body->campaign_term) &&
           Position(&body->last);
  }
  bool Get(VoteReply* body) {
    uint8_t refusal = 0;
    if (!Bool(&body->pre) || !Bool(&body->granted) || !U8(&refusal)) return false;
    if (refusal > static_cast<uint8_t>(VoteRefusal::kTermPast)) return Fail();
    body->refusal = static_cast<VoteRefusal>(refusal);
    return Number(&body->campaign_term);
  }
  bool Get(AppendRequest* body, const SharedBuffer& whole) {
    size_t count = 0;
    if (!Position(&body->previous) || !Number(&body->commit) || !Bool(&body->quiet) ||
        !Size(&count)) {
      return false;
    }
    constexpr size_t kLeastEntryBytes = 3;
    if (count > in_.rest().size() / kLeastEntryBytes) return Fail();
    body->entries.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      Entry entry;
      entry.index = LogIndex(body->previous.index.value + i + 1);
      if (!Get(&entry, whole)) return false;
      body->entries.push_back(std::move(entry));
    }
    return true;
  }
  bool Get(Entry* entry, const SharedBuffer& whole) {
    uint8_t kind = 0;
    size_t size = 0;
    std::string_view bytes;
    if (!Number(&entry->term) || !U8(&kind) || !Size(&size) || !in_.Raw(size, &bytes)) return false;
    if (kind < static_cast<uint8_t>(EntryKind::kCommand) ||
        kind > static_cast<uint8_t>(EntryKind::kConfiguration)) {
      return Fail();
    }
    entry->kind = static_cast<EntryKind>(kind);
    if (size > 0) entry->bytes = whole.Slice(bytes);
    return true;
  }
  bool Get(AppendReply* body) {
    return Bool(&body->taken) && Number(&body->match) && Number(&body->previous) &&
           Position(&body->hint);
  }
  bool Get(Heartbeat* body) { return Number(&body->round); }
  bool Get(HeartbeatReply* body) { return Number(&body->round) && Number(&body->commit); }
  bool Get(ReadRequest* body) { return Number(&body->batch); }
  bool Get(ReadReply* body) {
    return Number(&body->batch) && Bool(&body->ok) && Number(&body->index);
  }
  bool Get(TimeoutNow*) { return true; }
  bool Get(SnapshotRequest* body) {
    std::string_view meta;
    if (!Number(&body->transfer) || !Long(&meta)) return false;
    auto decoded = DecodeSnapshotMeta(meta);
    if (!decoded.ok()) return Fail();
    body->meta = *std::move(decoded);
    return true;
  }
  bool Get(SnapshotReply* body) {
    return Number(&body->transfer) && Number(&body->index) && Bool(&body->installed);
  }

  bool AtEnd() const { return !failed_ && in_.AtEnd(); }

 private:
  bool Fail() {
    failed_ = true;
    return false;
  }

  KeyReader in_;
  bool failed_ = false;
};

Type TypeOf(const MessageBody& body) { return static_cast<Type>(body.index() + 1); }
static_assert(std::variant_size_v<MessageBody> == static_cast<size_t>(Type::kSnapshotReply));
static_assert(std::is_same_v<std::variant_alternative_t<0, MessageBody>, VoteRequest>);
static_assert(std::is_same_v<std::variant_alternative_t<10, MessageBody>, SnapshotReply>);

template <typename Body>
bool GetInto(Reader& in, MessageBody* body) {
  return in.Get(&body->emplace<Body>());
}

bool GetBody(Reader& in, uint8_t type, const SharedBuffer& whole, MessageBody* body) {
  switch (static_cast<Type>(type)) {
    case Type::kVoteRequest:
      return GetInto<VoteRequest>(in, body);
    case Type::kVoteReply:
      return GetInto<VoteReply>(in, body);
    case Type::kAppendRequest:
      return in.Get(&body->emplace<AppendRequest>(), whole);
    case Type::kAppendReply:
      return GetInto<AppendReply>(in, body);
    case Type::kHeartbeat:
      return GetInto<Heartbeat>(in, body);
    case Type::kHeartbeatReply:
      return GetInto<HeartbeatReply>(in, body);
    case Type::kReadRequest:
      return GetInto<ReadRequest>(in, body);
    case Type::kReadReply:
      return GetInto<ReadReply>(in, body);
    case Type::kTimeoutNow:
      return GetInto<TimeoutNow>(in, body);
    case Type::kSnapshotRequest:
      return GetInto<SnapshotRequest>(in, body);
    case Type::kSnapshotReply:
      return GetInto<SnapshotReply>(in, body);
  }
  return false;
}

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("raft: damaged ", what));
}

absl::Status CheckVersion(absl::string_view what, uint8_t version) {
  if (version == kVersion) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat("raft: ", what, " of version ", version,
                                               "; this program knows version ", kVersion));
}

}  // namespace

std::string EncodeMessage(const Message& message) {
  size_t entry_bytes = 0;
  if (const auto* append = std::get_if<AppendRequest>(&message.body)) {
    for (const Entry& entry : append->entries) entry_bytes += EntryWeight(entry);
  }
  std::string out;
  out.reserve(256 + entry_bytes);
  BeginFrame(FrameForm::kWhole, &out);
  Writer writer(&out);
  AppendU32(&out, message.group.value);
  writer.Short(message.from.value);
  writer.Short(message.to.value);
  writer.Number(message.from_disk);
  writer.Number(message.term);
  writer.U8(static_cast<uint8_t>(TypeOf(message.body)));
  std::visit([&](const auto& body) { writer.Put(body); }, message.body);
  FinishFrame(&out);
  return out;
}

absl::StatusOr<Message> DecodeMessage(const SharedBuffer& bytes) {
  auto frame = OpenFrame(bytes.view());
  if (!frame.ok()) return frame.status();
  if (frame->form != FrameForm::kWhole) return Damaged("message: a piece of one stands alone");
  Reader in(frame->rest);
  Message message;
  uint8_t type = 0;
  const bool whole = in.U32(&message.group.value) && in.Id(&message.from) && in.Id(&message.to) &&
                     in.Number(&message.from_disk) && in.Number(&message.term) && in.U8(&type) &&
                     GetBody(in, type, bytes, &message.body) && in.AtEnd();
  if (!whole) return Damaged("message: a field is missing or out of range");
  return message;
}

std::string EncodeConfiguration(const Configuration& configuration) {
  SCHEDULED_ASSERT(configuration.IsWellFormed(), "only what makes sense is written");
  std::string out;
  Writer writer(&out);
  writer.U8(kVersion);
  writer.U8(static_cast<uint8_t>(configuration.voters.size()));
  for (const Member& member : configuration.voters) writer.Put(member);
  writer.U8(static_cast<uint8_t>(configuration.learners.size()));
  for (const Learner& learner : configuration.learners) {
    writer.Put(learner.member);
    writer.Bool(learner.promote);
    writer.Short(learner.replaces.value);
  }
  writer.U8(static_cast<uint8_t>(configuration.old_voters.size()));
  for (const Member& member : configuration.old_voters) writer.Put(member);
  return out;
}

absl::StatusOr<Configuration> DecodeConfiguration(std::string_view bytes) {
  Reader in(bytes);
  Configuration configuration;
  uint8_t version = 0;
  if (!in.U8(&version)) return Damaged("configuration: it is empty");
  if (auto known = CheckVersion("configuration", version); !known.ok()) return known;
  const auto members = [&in](std::vector<Member>* list) {
    uint8_t count = 0;
    if (!in.U8(&count) || count > kMaxVoters) return false;
    list->resize(count);
    for (Member& member : *list) {
      if (!in.Get(&member)) return false;
    }
    return true;
  };
  const auto learners = [&in](std::vector<Learner>* list) {
    uint8_t count = 0;
    if (!in.U8(&count) || count > kMaxLearners) return false;
    list->resize(count);
    for (Learner& learner : *list) {
      if (!in.Get(&learner.member) || !in.Bool(&learner.promote) || !in.Id(&learner.replaces)) {
        return false;
      }
    }
    return true;
  };
  if (!members(&configuration.voters) || !learners(&configuration.learners) ||
      !members(&configuration.old_voters) || !in.AtEnd()) {
    return Damaged("configuration: a field is missing or out of range");
  }
  if (!configuration.IsWellFormed()) return Damaged("configuration: its lists make no sense");
  return configuration;
}

std::string EncodeHardState(const HardState& state) {
  std::string out;
  Writer writer(&out);
  writer.U8(kVersion);
  writer.Number(state.term);
  writer.Short(state.vote.value);
  return out;
}

absl::StatusOr<HardState> DecodeHardState(std::string_view bytes) {
  Reader in(bytes);
  HardState state;
  uint8_t version = 0;
  if (!in.U8(&version)) return Damaged("hard state: it is empty");
  if (auto known = CheckVersion("hard state", version); !known.ok()) return known;
  if (!in.Number(&state.term) || !in.Id(&state.vote) || !in.AtEnd()) return Damaged("hard state");
  return state;
}

std::string EncodeSnapshotMeta(const SnapshotMeta& meta) {
  std::string out;
  Writer writer(&out);
  writer.U8(kVersion);
  writer.Position(meta.at);
  writer.Number(meta.configuration_index);
  writer.Long(EncodeConfiguration(meta.configuration));
  return out;
}

absl::StatusOr<SnapshotMeta> DecodeSnapshotMeta(std::string_view bytes) {
  Reader in(bytes);
  SnapshotMeta meta;
  uint8_t version = 0;
  std::string_view configuration;
  if (!in.U8(&version)) return Damaged("snapshot description: it is empty");
  if (auto known = CheckVersion("snapshot description", version); !known.ok()) return known;
  if (!in.Position(&meta.at) || !in.Number(&meta.configuration_index) || !in.Long(&configuration) ||
      !in.AtEnd()) {
    return Damaged("snapshot description");
  }
  auto decoded = DecodeConfiguration(configuration);
  if (!decoded.ok()) return decoded.status();
  meta.configuration = *std::move(decoded);
  return meta;
}

}  // namespace scheduled::raft
