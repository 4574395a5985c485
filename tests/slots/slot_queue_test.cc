// The SlotQueue against a naive twin: an ordered set of entries and a set of marks.
#include "scheduled/slot_queue.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "base/random.h"
#include "base/sanitized.h"
#include "slots/slot_key.h"
#include "slots/slot_ranges.h"
#include "slots/slot_store.h"
#include "storage/applied_row.h"
#include "storage/memory_table_store.h"
#include "storage/rocks_log_store.h"
#include "storage/table_batch.h"

namespace scheduled {
namespace {

absl::Time At(int64_t micros) { return absl::FromUnixMicros(micros); }

SlotEntry Entry(int64_t due, const std::string& id, int priority = 0, uint64_t number = 0) {
  return {.due = At(due), .priority = priority, .id = id, .number = number};
}

struct Before {
  bool operator()(const SlotEntry& a, const SlotEntry& b) const {
    return std::tuple(a.due, -a.priority, a.id, a.number) <
           std::tuple(b.due, -b.priority, b.id, b.number);
  }
};

// What a SlotQueue promises, in the simplest way.
class Twin {
 public:
  bool Add(const SlotEntry& entry) { return entries_.insert(entry).second; }
  bool Remove(const SlotEntry& entry) {
    taken_.erase(entry);
    return entries_.erase(entry) > 0;
  }
  std::optional<SlotEntry> Peek() const {
    for (const SlotEntry& entry : entries_) {
      if (!taken_.contains(entry)) return entry;
    }
    return std::nullopt;
  }
  std::vector<SlotEntry> Take(absl::Time until, size_t max) {
    std::vector<SlotEntry> found;
    for (const SlotEntry& entry : entries_) {
      if (found.size() == max || entry.due > until) break;
      if (taken_.insert(entry).second) found.push_back(entry);
    }
    return found;
  }
  void Return(const SlotEntry& entry) { taken_.erase(entry); }
  uint64_t size() const { return entries_.size(); }
  std::optional<SlotEntry> Any(uint64_t pick) const {
    if (entries_.empty()) return std::nullopt;
    return *std::next(entries_.begin(), static_cast<long>(pick % entries_.size()));
  }
  const std::set<SlotEntry, Before>& taken() const { return taken_; }

 private:
  std::set<SlotEntry, Before> entries_;
  std::set<SlotEntry, Before> taken_;
};

// One random operation on both.
void Step(Random& random, SlotQueue& queue, Twin& twin, int64_t instants) {
  const auto any_entry = [&] {
    return Entry(static_cast<int64_t>(random.Uniform(instants)),
                 std::string(1, static_cast<char>('a' + random.Uniform(8))),
                 static_cast<int>(random.Uniform(4)), random.Uniform(3));
  };
  switch (random.Uniform(8)) {
    case 0:
    case 1:
    case 2: {
      const SlotEntry entry = any_entry();
      REQUIRE(queue.Add(entry).ok() == twin.Add(entry));
      break;
    }
    case 3: {
      const SlotEntry entry = any_entry();
      REQUIRE(queue.Remove(entry).ok() == twin.Remove(entry));
      break;
    }
    case 4:
      if (const auto entry = twin.Any(random.Next())) {
        REQUIRE(queue.Remove(*entry).ok() == twin.Remove(*entry));
      }
      break;
    case 5: {
      const absl::Time until = At(static_cast<int64_t>(random.Uniform(instants)));
      const size_t max = random.Uniform(6);
      REQUIRE(queue.Take(until, max) == twin.Take(until, max));
      break;
    }
    case 6:
      if (!twin.taken().empty()) {
        const SlotEntry entry = *std::next(twin.taken().begin(),
                                           static_cast<long>(random.Uniform(twin.taken().size())));
        queue.Return(entry);
        twin.Return(entry);
      }
      break;
    case 7:
      if (random.Chance(1, 4)) queue.SetWindow(1 + random.Uniform(9));
      break;
  }
  REQUIRE(queue.Peek() == twin.Peek());
  REQUIRE(queue.size() == twin.size());
  queue.CheckInvariants();
}

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "slots-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("a queue gives what is due first, the more urgent before the less at one instant") {
  const auto queue = SlotQueue::InMemory();
  REQUIRE(queue->Add(Entry(20, "late")).ok());
  REQUIRE(queue->Add(Entry(10, "calm", 0)).ok());
  REQUIRE(queue->Add(Entry(10, "urgent", 3)).ok());
  REQUIRE(queue->Add(Entry(10, "also urgent", 3)).ok());
  const std::vector<SlotEntry> due = queue->Take(At(10), 10);
  REQUIRE(due.size() == 3);
  REQUIRE(due[0].id == "also urgent");
  REQUIRE(due[1].id == "urgent");
  REQUIRE(due[2].id == "calm");
  REQUIRE(queue->Peek()->id == "late");
}

TEST_CASE("what was taken is not seen again until it is returned") {
  const auto queue = SlotQueue::InMemory();
  const SlotEntry entry = Entry(5, "a");
  REQUIRE(queue->Add(entry).ok());
  REQUIRE(queue->Take(At(5), 1).size() == 1);
  REQUIRE_FALSE(queue->Peek().has_value());
  REQUIRE(queue->size() == 1);
  queue->Return(entry);
  queue->Return(entry);
  REQUIRE(queue->Peek() == entry);
  REQUIRE(queue->Remove(entry).ok());
  REQUIRE(queue->Remove(entry).code() == absl::StatusCode::kNotFound);
}

TEST_CASE("an entry is refused if it is there, or if it cannot be") {
  const auto queue = SlotQueue::InMemory();
  REQUIRE(queue->Add(Entry(5, "a")).ok());
  REQUIRE(queue->Add(Entry(5, "a")).code() == absl::StatusCode::kAlreadyExists);
  REQUIRE(queue->Add(Entry(5, "a", 0, 1)).ok());
  REQUIRE(queue->Add(Entry(5, "a", 1)).ok());
  for (const SlotEntry& bad : {Entry(5, ""), Entry(5, std::string(256, 'x')), Entry(5, "a", 4),
                               Entry(5, "a", -1), Entry(5, std::string("a\0b", 3))}) {
    REQUIRE(queue->Add(bad).code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("instants before the epoch come first") {
  const auto queue = SlotQueue::InMemory();
  REQUIRE(queue->Add(Entry(0, "epoch")).ok());
  REQUIRE(queue->Add(Entry(-1, "before")).ok());
  REQUIRE(queue->Peek()->id == "before");
}

TEST_CASE("random operations equal those of a naive twin, whatever the window") {
  const size_t window = GENERATE(1, 2, 4, 16);
  const size_t load = GENERATE(1, 3, 512);
  const int64_t instants = GENERATE(1, 3, 1000);
  CAPTURE(window, load, instants);
  Random random(window * 1000003 + load * 1009 + static_cast<uint64_t>(instants));
  const auto queue = SlotQueue::InMemory({.window = window, .load = load});
  Twin twin;
  for (int i = 0; i < (testing::kSanitized ? 500 : 2000); ++i) Step(random, *queue, twin, instants);
}

TEST_CASE("many entries at one instant pass through a window of four") {
  const auto queue = SlotQueue::InMemory({.window = 4, .load = 512});
  for (int i = 0; i < 1000; ++i) REQUIRE(queue->Add(Entry(7, "job" + std::to_string(i))).ok());
  std::set<std::string> seen;
  while (true) {
    const std::vector<SlotEntry> due = queue->Take(At(7), 30);
    if (due.empty()) break;
    REQUIRE(queue->window_size() <= 4);
    for (const SlotEntry& entry : due) REQUIRE(seen.insert(entry.id).second);
  }
  REQUIRE(seen.size() == 1000);
}

TEST_CASE("slots are ranges of time, and only those that hold anything are told") {
  const auto queue = SlotQueue::InMemory({.gap = absl::Seconds(10)});
  const auto seconds = [](int64_t s) { return absl::FromUnixSeconds(s); };
  for (const int64_t due : {1000, 1009, 1010, 1035}) {
    REQUIRE(queue->Add({.due = seconds(due), .id = "at " + std::to_string(due)}).ok());
  }
  REQUIRE(queue->Add({.due = seconds(1010) - absl::Microseconds(1), .id = "just before"}).ok());
  const auto page = queue->Slots(seconds(0), 100);
  REQUIRE(page.ok());
  REQUIRE(page->next.empty());
  const std::vector<Slot>& slots = page->slots;
  REQUIRE(slots.size() == 3);
  REQUIRE(slots[0].key == 100);
  REQUIRE(slots[0].min_time == seconds(1000));
  REQUIRE(slots[0].max_time == seconds(1009));
  REQUIRE(slots[0].job_ids == std::vector<std::string>{"at 1000", "at 1009", "just before"});
  REQUIRE(slots[1].job_ids == std::vector<std::string>{"at 1010"});
  REQUIRE(slots[2].key == 103);
  // A slot is read whole, though the instant asked for is within it.
  const auto from = queue->Slots(seconds(1005), 2);
  REQUIRE(from->slots.size() == 2);
  REQUIRE(from->slots[0] == slots[0]);
  const auto rest = queue->Slots(seconds(1005), 2, from->next);
  REQUIRE(rest->slots == std::vector<Slot>{slots[2]});
  REQUIRE(rest->next.empty());
  REQUIRE(queue->Slots(seconds(0), 0)->slots.empty());
  for (const std::string& wrong :
       {std::string("x"), std::string(8, '\0'), std::string(8, '\xff')}) {
    REQUIRE(absl::IsInvalidArgument(queue->Slots(seconds(0), 9, wrong).status()));
  }
}

// All slots of the prefixes, as if a page had no bound: the listing's dumb twin.
std::vector<Slot> SlotsOf(const std::map<std::string, std::vector<SlotEntry>>& queues,
                          int64_t from_slot) {
  std::map<int64_t, Slot> slots;
  for (const auto& [prefix, entries] : queues) {
    for (const SlotEntry& entry : entries) {
      const int64_t key = SlotNumber(entry.due, absl::Seconds(1));
      if (key < from_slot) continue;
      Slot& slot = slots[key];
      slot.key = key;
      slot.min_time = slot.max_time = absl::FromUnixSeconds(key);
      slot.job_ids.push_back(entry.id);
    }
  }
  std::vector<Slot> list;
  for (auto& [key, slot] : slots) list.push_back(std::move(slot));
  return list;
}

TEST_CASE("pages of any size tell every slot of every queue once, and hold no more than they may") {
  Random random(17);
  for (int round = 0; round < 60; ++round) {
    MemoryTableStore store;
    TableBatch batch(store);
    std::map<std::string, std::vector<SlotEntry>> queues;  // in the order of their rows
    std::vector<std::string> prefixes;
    for (const char* prefix : {"a", "b", "c"}) {
      prefixes.emplace_back(prefix);
      std::map<std::string, SlotEntry> rows;
      for (uint64_t i = random.Uniform(round < 5 ? 1'500 : 60); i > 0; --i) {
        const SlotEntry entry{.due = At(static_cast<int64_t>(random.Uniform(6'000'000))),
                              .id = prefix + std::to_string(i)};
        rows[EncodeSlotEntry(prefix, entry)] = entry;
      }
      for (const auto& [key, entry] : rows) {
        batch.Put(key, "");
        queues[prefix].push_back(entry);
      }
    }
    PutApplied(batch, {.index = LogIndex(1), .term = Term(1)});
    REQUIRE(store.Apply(batch).ok());
    for (int64_t from = 0; from < 3; ++from) {
      SlotRange range{.gap = absl::Seconds(1),
                      .from = absl::FromUnixSeconds(from),
                      .limit = 1 + random.Uniform(7),
                      .max_ids = 1 + random.Uniform(40)};
      std::vector<Slot> told;
      std::string next;
      do {
        range.after = next;
        absl::StatusOr<SlotPage> page = ReadSlots(store, prefixes, range);
        REQUIRE(page.ok());
        REQUIRE(page->slots.size() <= range.limit);
        size_t ids = 0;
        for (Slot& slot : page->slots) {
          REQUIRE_FALSE(slot.job_ids.empty());
          ids += slot.job_ids.size();
          if (told.empty() || told.back().key != slot.key) {
            told.push_back(std::move(slot));
          } else {
            told.back().job_ids.insert(told.back().job_ids.end(), slot.job_ids.begin(),
                                       slot.job_ids.end());
          }
        }
        REQUIRE(ids <= range.max_ids);
        REQUIRE((ids > 0 || page->next.empty()));
        next = page->next;
      } while (!next.empty());
      REQUIRE(told == SlotsOf(queues, from));
    }
  }
}

TEST_CASE("slots before the epoch are whole") {
  const auto queue = SlotQueue::InMemory({.gap = absl::Seconds(10)});
  REQUIRE(queue->Add(Entry(-1, "a")).ok());
  REQUIRE(queue->Add(Entry(-10'000'000, "b")).ok());
  REQUIRE(queue->Add(Entry(-10'000'001, "c")).ok());
  const std::vector<Slot> slots = queue->Slots(absl::FromUnixSeconds(-100), 10)->slots;
  REQUIRE(slots.size() == 2);
  REQUIRE(slots[0].key == -2);
  REQUIRE(slots[1].key == -1);
  REQUIRE(slots[1].min_time == absl::FromUnixSeconds(-10));
}

TEST_CASE("slots from the infinite past on are all slots, and the infinite future has one") {
  const auto queue = SlotQueue::InMemory();
  for (const absl::Time due : {absl::InfinitePast(), At(0), absl::InfiniteFuture()}) {
    REQUIRE(queue->Add({.due = due, .id = "a"}).ok());
  }
  const std::vector<Slot> all = queue->Slots(absl::InfinitePast(), 10)->slots;
  REQUIRE(all.size() == 3);
  REQUIRE(all[0].key < all[1].key);
  REQUIRE(all[1].key == 0);
  REQUIRE(queue->Slots(At(1), 10)->slots.size() == 2);
  REQUIRE(queue->Slots(absl::InfiniteFuture(), 10)->slots.size() == 1);
}

TEST_CASE("a queue on disk comes back with what was acknowledged, and with no marks") {
  TempDir dir;
  const std::string path = dir.path() + "/queue";
  Random random(7);
  Twin twin;
  for (int life = 0; life < 3; ++life) {
    auto queue = SlotQueue::Open(path, {.window = 4, .load = 3});
    INFO(queue.status().ToString());
    REQUIRE(queue.ok());
    REQUIRE((*queue)->size() == twin.size());
    for (int i = 0; i < 200; ++i) Step(random, **queue, twin, 50);
    const auto marked = twin.taken();
    for (const SlotEntry& entry : marked) twin.Return(entry);
  }
  auto queue = SlotQueue::Open(path);
  REQUIRE(queue.ok());
  REQUIRE((*queue)->size() == twin.size());
  REQUIRE((*queue)->Take(At(100), SIZE_MAX) == twin.Take(At(100), SIZE_MAX));
}

TEST_CASE("a queue whose process died comes back from its log") {
  TempDir dir;
  auto queue = SlotQueue::Open(dir.path() + "/queue", {.window = 4});
  REQUIRE(queue.ok());
  Random random(11);
  Twin twin;
  for (int i = 0; i < 300; ++i) Step(random, **queue, twin, 50);
  // What is on disk at this moment is what a process that is killed now leaves behind.
  std::filesystem::copy(dir.path() + "/queue", dir.path() + "/left",
                        std::filesystem::copy_options::recursive);
  auto left = SlotQueue::Open(dir.path() + "/left");
  INFO(left.status().ToString());
  REQUIRE(left.ok());
  REQUIRE(twin.size() > 0);
  REQUIRE((*left)->size() == twin.size());
  const auto marked = twin.taken();
  for (const SlotEntry& entry : marked) twin.Return(entry);
  REQUIRE((*left)->Take(At(100), SIZE_MAX) == twin.Take(At(100), SIZE_MAX));
}

TEST_CASE("the log that many short lives of a queue have left is cut") {
  TempDir dir;
  const std::string path = dir.path() + "/queue";
  std::filesystem::create_directory(path);
  const std::string key = EncodeSlotEntry(SlotStore::kPrefix, Entry(5, "a"));
  const RocksResources resources;
  {
    // As if an entry had come and gone in each of 35,000 lives.
    auto log = *RocksLogStore::Open(path + "/log", resources);
    REQUIRE(log->Load(GroupId(1)).ok());
    LogWrite write{.group = GroupId(1), .hard_state = HardState{.term = Term(1), .vote = {}}};
    for (uint64_t i = 1; i <= 70'000; ++i) {
      const std::string op(1, i % 2 == 1 ? '\1' : '\2');
      write.entries.push_back(
          {.term = Term(1), .index = LogIndex(i), .bytes = SharedBuffer(op + key)});
    }
    REQUIRE(log->Write({&write, 1}).ok());
  }
  {
    auto queue = *SlotQueue::Open(path);
    REQUIRE(queue->size() == 0);
    REQUIRE(queue->Add(Entry(5, "a")).ok());
  }
  auto log = *RocksLogStore::Open(path + "/log", resources);
  REQUIRE(log->Load(GroupId(1))->first > LogIndex(70'000));
}

TEST_CASE("a queue is not opened with a gap or window that makes no sense") {
  TempDir dir;
  REQUIRE(SlotQueue::Open(dir.path() + "/q", {.gap = absl::Milliseconds(1500)}).status().code() ==
          absl::StatusCode::kInvalidArgument);
  REQUIRE(SlotQueue::Open(dir.path() + "/q", {.window = 0}).status().code() ==
          absl::StatusCode::kInvalidArgument);
  REQUIRE(SlotQueue::Open(dir.path() + "/no/such", {}).status().code() ==
          absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a queue over foreign rows follows what it is told") {
  MemoryTableStore store;
  uint64_t index = 0;
  const std::string prefix = "Qmine";
  const auto write = [&](const SlotEntry& entry, bool put) {
    TableBatch batch(store);
    if (put) {
      batch.Put(EncodeSlotEntry(prefix, entry), "");
    } else {
      batch.Delete(EncodeSlotEntry(prefix, entry));
    }
    PutApplied(batch, {.index = LogIndex(++index), .term = Term(1)});
    REQUIRE(store.Apply(batch).ok());
  };
  for (int i = 0; i < 20; ++i) write(Entry(i, "old"), true);
  const auto queue = SlotQueue::Over(store, prefix, 20, {.window = 4, .load = 2});
  REQUIRE(queue->Peek() == Entry(0, "old"));
  write(Entry(3, "new"), true);
  queue->Inserted(Entry(3, "new"));
  REQUIRE(queue->size() == 21);
  REQUIRE(queue->Take(At(3), 10).size() == 5);
  write(Entry(3, "new"), false);
  queue->Erased(Entry(3, "new"));
  queue->Return(Entry(3, "new"));
  REQUIRE(queue->Peek() == Entry(4, "old"));
  queue->CheckInvariants();
}

TEST_CASE("slot keys come back as they were, and sort as entries do") {
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    const auto any = [&] {
      std::string id(1 + random.Uniform(4), 'a');
      for (char& c : id) c = static_cast<char>(1 + random.Uniform(255));
      return Entry(static_cast<int64_t>(random.Next() >> random.Uniform(64)) *
                       (random.Chance(1, 2) ? 1 : -1),
                   id, static_cast<int>(random.Uniform(4)), random.Next());
    };
    const SlotEntry a = any(), b = any();
    SlotEntry back;
    if (std::abs(DueMicros(a)) < int64_t{1} << 60) {
      REQUIRE(DecodeSlotEntry("P", EncodeSlotEntry("P", a), &back));
      REQUIRE(back == a);
    }
    REQUIRE((EncodeSlotEntry("P", a) < EncodeSlotEntry("P", b)) == Before()(a, b));
    REQUIRE_FALSE(DecodeSlotEntry("P", EncodeSlotEntry("P", a) + "x", &back));
    REQUIRE_FALSE(DecodeSlotEntry("P", EncodeSlotEntry("O", a), &back));
  }
}

}  // namespace scheduled
