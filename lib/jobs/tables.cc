// See tables.h.
#include "jobs/tables.h"

#include "base/codec.h"
#include "base/planted.h"
#include "slots/slot_key.h"

namespace scheduled::jobs {
namespace {

// Reads one key: its tag at once, then its parts, and at the end that nothing is left.
class TableKeyReader {
 public:
  TableKeyReader(char tag, std::string_view key) : reader_(key) {
    uint8_t first = 0;
    ok_ = reader_.U8(&first) && first == static_cast<uint8_t>(tag);
  }

  void Name(std::string* out) {
    std::string_view name;
    ok_ = ok_ && reader_.String(&name) && IsKeyName(name);
    if (ok_) *out = name;
  }
  void U8(uint8_t* out) { ok_ = ok_ && reader_.U8(out); }
  void U32(uint32_t* out) { ok_ = ok_ && reader_.U32(out); }
  void U64(uint64_t* out) { ok_ = ok_ && reader_.U64(out); }
  void I64(int64_t* out) { ok_ = ok_ && reader_.I64(out); }
  void Rest(std::string* out) {
    const std::string_view rest = reader_.rest();
    std::string_view raw;
    ok_ = ok_ && !rest.empty() && reader_.Raw(rest.size(), &raw);
    if (ok_) *out = raw;
  }
  void Require(bool condition) { ok_ = ok_ && condition; }
  bool Done() const { return ok_ && reader_.AtEnd(); }

 private:
  KeyReader reader_;
  bool ok_ = false;
};

KeyWriter Begin(char tag) {
  KeyWriter writer;
  writer.U8(static_cast<uint8_t>(tag));
  return writer;
}

std::string NameKey(char tag, std::string_view name) { return Begin(tag).String(name).Take(); }

bool DecodeNameKey(char tag, std::string_view key, std::string* name) {
  TableKeyReader reader(tag, key);
  reader.Name(name);
  return reader.Done();
}

bool IsDedupKind(uint8_t kind) {
  return kind >= static_cast<uint8_t>(DedupKind::kIdempotencyKey) &&
         kind <= static_cast<uint8_t>(DedupKind::kUndoneCreate);
}

static_assert(kMaxKeyNameBytes == kMaxSlotIdBytes, "a job's id is the id of its slot entries");

}  // namespace

bool IsKeyName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxKeyNameBytes &&
         name.find('\0') == std::string_view::npos;
}

std::string EncodeJobKey(std::string_view job_id) { return NameKey(kJobsTag, job_id); }
std::string EncodeScheduleKey(std::string_view job_id) { return NameKey(kSchedulesTag, job_id); }
std::string EncodeQueueKey(std::string_view queue) { return NameKey(kQueuesTag, queue); }
std::string EncodeSessionKey(std::string_view node_id) { return NameKey(kSessionsTag, node_id); }

std::string EncodeSlotKey(const SlotKey& key) {
  KeyWriter writer = Begin(kSlotsTag);
  writer.String(key.queue);
  const uint64_t number = IsPlanted(Bug::kRunNotInSlotKey) ? 1 : key.run;
  AppendSlotKey(
      {.due_us = key.ready_us, .priority = key.priority, .id = key.job_id, .number = number},
      &writer);
  return writer.Take();
}

std::string EncodeInflightKey(std::string_view job_id, uint64_t run) {
  return Begin(kInflightTag).String(job_id).U64(run).Take();
}

std::string EncodeDeliveryKey(const DeliveryKey& key) {
  return Begin(kRunsTag).String(key.job_id).U64(key.run).U32(key.attempt).U32(key.delivery).Take();
}

std::string EncodeDoneKey(const DoneKey& key) {
  return Begin(kDoneTag)
      .U8(static_cast<uint8_t>(key.status))
      .I64(key.end_us)
      .String(key.job_id)
      .U64(key.run)
      .Take();
}

std::string EncodeDedupKey(const DedupKey& key) {
  return Begin(kDedupTag).U8(static_cast<uint8_t>(key.kind)).Raw(key.key).Take();
}

std::string EncodeDedupExpiryKey(const DedupExpiryKey& key) {
  return Begin(kDedupExpiryTag)
      .I64(key.expires_us)
      .U8(static_cast<uint8_t>(key.key.kind))
      .Raw(key.key.key)
      .Take();
}

std::string TablePrefix(char tag) { return std::string(1, tag); }
std::string SlotsPrefix(std::string_view queue) { return NameKey(kSlotsTag, queue); }
std::string RunsPrefix(std::string_view job_id) { return NameKey(kRunsTag, job_id); }

std::string RunsFrom(std::string_view job_id, uint64_t run) {
  return Begin(kRunsTag).String(job_id).U64(run).Take();
}

std::string DonePrefix(JobStatus status) {
  return Begin(kDoneTag).U8(static_cast<uint8_t>(status)).Take();
}

std::string DoneFrom(JobStatus status, int64_t end_us) {
  return Begin(kDoneTag).U8(static_cast<uint8_t>(status)).I64(end_us).Take();
}

std::string DedupExpiryFrom(int64_t expires_us) {
  return Begin(kDedupExpiryTag).I64(expires_us).Take();
}

bool DecodeJobKey(std::string_view key, std::string* job_id) {
  return DecodeNameKey(kJobsTag, key, job_id);
}
bool DecodeScheduleKey(std::string_view key, std::string* job_id) {
  return DecodeNameKey(kSchedulesTag, key, job_id);
}
bool DecodeQueueKey(std::string_view key, std::string* queue) {
  return DecodeNameKey(kQueuesTag, key, queue);
}
bool DecodeSessionKey(std::string_view key, std::string* node_id) {
  return DecodeNameKey(kSessionsTag, key, node_id);
}

bool DecodeSlotKey(std::string_view key, SlotKey* out) {
  KeyReader reader(key);
  uint8_t tag = 0;
  std::string_view queue;
  SlotKeyParts parts;
  reader.U8(&tag);
  if (!reader.String(&queue) || tag != static_cast<uint8_t>(kSlotsTag) || !IsKeyName(queue) ||
      !ReadSlotKey(reader.rest(), &parts)) {
    return false;
  }
  *out = {.queue = std::string(queue),
          .ready_us = parts.due_us,
          .priority = parts.priority,
          .job_id = std::string(parts.id),
          .run = parts.number};
  return true;
}

bool DecodeInflightKey(std::string_view key, RunKey* out) {
  TableKeyReader reader(kInflightTag, key);
  reader.Name(&out->job_id);
  reader.U64(&out->run);
  return reader.Done();
}

bool DecodeDeliveryKey(std::string_view key, DeliveryKey* out) {
  TableKeyReader reader(kRunsTag, key);
  reader.Name(&out->job_id);
  reader.U64(&out->run);
  reader.U32(&out->attempt);
  reader.U32(&out->delivery);
  return reader.Done();
}

bool DecodeDoneKey(std::string_view key, DoneKey* out) {
  TableKeyReader reader(kDoneTag, key);
  uint8_t status = 0;
  reader.U8(&status);
  reader.Require(status >= static_cast<uint8_t>(JobStatus::kPending) &&
                 status <= static_cast<uint8_t>(JobStatus::kSkipped));
  reader.I64(&out->end_us);
  reader.Name(&out->job_id);
  reader.U64(&out->run);
  out->status = static_cast<JobStatus>(status);
  return reader.Done();
}

bool DecodeDedupKey(std::string_view key, DedupKey* out) {
  TableKeyReader reader(kDedupTag, key);
  uint8_t kind = 0;
  reader.U8(&kind);
  reader.Require(IsDedupKind(kind));
  reader.Rest(&out->key);
  out->kind = static_cast<DedupKind>(kind);
  return reader.Done();
}

bool DecodeDedupExpiryKey(std::string_view key, DedupExpiryKey* out) {
  TableKeyReader reader(kDedupExpiryTag, key);
  uint8_t kind = 0;
  reader.I64(&out->expires_us);
  reader.U8(&kind);
  reader.Require(IsDedupKind(kind));
  reader.Rest(&out->key.key);
  out->key.kind = static_cast<DedupKind>(kind);
  return reader.Done();
}

}  // namespace scheduled::jobs
