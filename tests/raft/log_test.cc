// The log against a twin that is a plain list of entries, and the stream of writes against one that
// replays every write.
#include "raft/log.h"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "base/random.h"
#include "raft/writes.h"

namespace scheduled::raft {
namespace {

Entry Command(uint64_t index, uint64_t term, size_t size = 0) {
  return Entry{Term(term), LogIndex(index), EntryKind::kCommand,
               SharedBuffer(std::string(size, 'x'))};
}

// A whole log, entry by entry.
struct NaiveLog {
  LogPosition base;
  std::vector<Entry> entries;
  LogIndex last() const { return LogIndex(base.index.value + entries.size()); }
  std::optional<Term> TermAt(LogIndex index) const {
    if (index == base.index) return base.term;
    if (index < base.index || index > last()) return std::nullopt;
    return entries[index.value - base.index.value - 1].term;
  }
  LogPosition LastAtOrBefore(LogIndex index, Term term) const {
    for (uint64_t i = std::min(index, last()).value; i > base.index.value; --i) {
      if (*TermAt(LogIndex(i)) <= term) return LogPosition{LogIndex(i), *TermAt(LogIndex(i))};
    }
    return base;
  }
};

TEST_CASE("a log agrees with its naive twin") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    NaiveLog naive;
    Log log(LogPosition{}, LogIndex(), {});
    uint64_t term = 1;
    for (int step = 0; step < 200; ++step) {
      switch (random.Uniform(8)) {
        case 0:
          if (naive.last() > naive.base.index) {
            const LogIndex from(naive.base.index.value + 1 + random.Uniform(naive.entries.size()));
            naive.entries.resize(from.value - naive.base.index.value - 1);
            log.TruncateFrom(from);
            term += 1;
          }
          break;
        case 1:
          log.Trim(LogIndex(random.Uniform(naive.last().value + 1)), random.Uniform(400));
          break;
        case 2:
          if (random.Chance(1, 4)) {
            const LogIndex at(naive.base.index.value + random.Uniform(naive.entries.size() + 1));
            const Term at_term = *naive.TermAt(at);
            naive.entries.erase(naive.entries.begin(),
                                naive.entries.begin() +
                                    static_cast<std::ptrdiff_t>(at.value - naive.base.index.value));
            naive.base = LogPosition{at, at_term};
            log.CutThrough(at);
          }
          break;
        default: {
          if (random.Chance(1, 4)) term += random.Uniform(3);
          Entry entry = Command(naive.last().value + 1, term, random.Uniform(30));
          naive.entries.push_back(entry);
          log.Append(std::move(entry));
          break;
        }
      }
      log.CheckInvariants();
      REQUIRE(log.last() == naive.last());
      REQUIRE(log.base() == naive.base);
      for (uint64_t i = 0; i <= naive.last().value + 2; ++i) {
        REQUIRE(log.TermAt(LogIndex(i)) == naive.TermAt(LogIndex(i)));
      }
      const LogIndex at(random.Uniform(naive.last().value + 3));
      const Term below(random.Uniform(term + 2));
      REQUIRE(log.LastAtOrBefore(at, below) == naive.LastAtOrBefore(at, below));
      std::vector<Entry> tail;
      log.Copy(log.tail_first(), log.last(), SIZE_MAX, SIZE_MAX, &tail);
      uint64_t weight = 0;
      for (const Entry& entry : tail) {
        REQUIRE(entry == naive.entries[entry.index.value - naive.base.index.value - 1]);
        if (entry.index > at) weight += EntryWeight(entry);
      }
      REQUIRE(log.WeightAfter(at) == weight);
    }
  }
}

TEST_CASE("copying entries stops at either limit, but gives at least one") {
  Log log(LogPosition{}, LogIndex(), {});
  for (uint64_t i = 1; i <= 10; ++i) log.Append(Command(i, 1, 100));
  const auto copied = [&log](size_t bytes, size_t count) {
    std::vector<Entry> out;
    log.Copy(LogIndex(3), LogIndex(9), bytes, count, &out);
    return out.size();
  };
  CHECK(copied(1, 100) == 1);
  CHECK(copied(3 * (100 + kEntryOverheadBytes), 100) == 3);
  CHECK(copied(SIZE_MAX, 4) == 4);
  CHECK(copied(SIZE_MAX, SIZE_MAX) == 7);
  log.Trim(LogIndex(5), 0);
  CHECK(log.tail_first() == LogIndex(6));
  CHECK(copied(SIZE_MAX, SIZE_MAX) == 0);
}

TEST_CASE("a late completion of an overwritten suffix makes nothing durable") {
  Writes writes{LogIndex(10)};
  REQUIRE(writes.Take(MonoTime{}, LogIndex(20))->io_seq == IoSeq(1));  // 11..20
  writes.Truncated(LogIndex(15));
  CHECK(writes.SeqFor(LogIndex(14)) == IoSeq(1));
  CHECK(writes.SeqFor(LogIndex(15)) == IoSeq(2));
  const auto second = writes.Take(MonoTime{}, LogIndex(17));  // 15..17 anew
  REQUIRE(second);
  CHECK(second->io_seq == IoSeq(2));
  CHECK(second->truncate_from == LogIndex(15));
  CHECK(second->from == LogIndex(15));
  REQUIRE(writes.Done(IoSeq(1)));
  CHECK(writes.durable() == LogIndex(14));
  CHECK(writes.SeqFor(LogIndex(16)) == IoSeq(2));
  REQUIRE(writes.Done(IoSeq(2)));
  CHECK(writes.durable() == LogIndex(17));
  CHECK_FALSE(writes.Done(IoSeq(1)));  // once more, and late
  CHECK(writes.durable() == LogIndex(17));
}

TEST_CASE("the durable index falls when what is durable is overwritten") {
  Writes writes{LogIndex(10)};
  writes.Truncated(LogIndex(8));
  CHECK(writes.durable() == LogIndex(7));
  CHECK(writes.SeqFor(LogIndex(7)) == IoSeq());
  CHECK(writes.SeqFor(LogIndex(8)) == IoSeq(1));
}

TEST_CASE("completions that skip a number complete all before it, and strand nothing") {
  Writes writes{LogIndex()};
  for (uint64_t last = 1; last <= 4; ++last) writes.Take(MonoTime{}, LogIndex(last));
  REQUIRE(writes.Done(IoSeq(3)));
  CHECK(writes.durable() == LogIndex(3));
  CHECK_FALSE(writes.Done(IoSeq(2)));
  REQUIRE(writes.Done(IoSeq(4)));
  CHECK(writes.durable() == LogIndex(4));
  CHECK_FALSE(writes.OldestSince());
}

TEST_CASE("a term and its entries wait for one write, and neither overtakes the other") {
  Writes writes{LogIndex()};
  writes.HardStateChanged();
  CHECK(writes.HardStateSeq() == IoSeq(1));
  CHECK(writes.SeqFor(LogIndex()) == IoSeq(1));
  const auto first = writes.Take(MonoTime{}, LogIndex(2));
  CHECK(first->hard_state);
  CHECK(first->from == LogIndex(1));
  CHECK(writes.HardStateSeq() == IoSeq(1));
  const auto second = writes.Take(MonoTime{}, LogIndex(3));
  CHECK_FALSE(second->hard_state);
  CHECK(writes.SeqFor(LogIndex(3)) == IoSeq(2));
  writes.Done(IoSeq(1));
  CHECK(writes.HardStateSeq() == IoSeq());
  CHECK(writes.SeqFor(LogIndex(2)) == IoSeq());
}

// Applies each write to a model disk when it is done, and compares what the bookkeeping calls
// durable with what the disk and the memory share.
TEST_CASE("what the writes call durable is on the disk, and equal to memory") {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    Random random(seed);
    Writes writes{LogIndex()};
    std::vector<uint64_t> memory, disk;  // a stamp for each entry
    struct Pending {
      Writes::Next next;
      std::vector<uint64_t> entries;
    };
    std::vector<Pending> pending;
    uint64_t stamp = 0;
    for (int step = 0; step < 100; ++step) {
      switch (random.Uniform(5)) {
        case 0:
          if (!memory.empty() && random.Chance(1, 2)) {
            const uint64_t from = 1 + random.Uniform(memory.size());
            memory.resize(from - 1);
            writes.Truncated(LogIndex(from));
          }
          break;
        case 1:
          if (auto next = writes.Take(MonoTime{}, LogIndex(memory.size()))) {
            const auto begin = memory.begin() + static_cast<std::ptrdiff_t>(next->from.value - 1);
            pending.push_back(Pending{*next, {begin, memory.end()}});
          }
          break;
        case 2:
          if (!pending.empty()) {
            const Pending& done = pending.front();
            if (done.next.truncate_from) disk.resize(done.next.truncate_from->value - 1);
            REQUIRE(disk.size() + 1 == done.next.from.value);
            disk.insert(disk.end(), done.entries.begin(), done.entries.end());
            writes.Done(done.next.io_seq);
            pending.erase(pending.begin());
          }
          break;
        default:
          memory.push_back(++stamp);
      }
      writes.CheckInvariants(LogIndex(memory.size()));
      const uint64_t durable = writes.durable().value;
      REQUIRE(durable <= disk.size());
      for (uint64_t i = 0; i < durable; ++i) REQUIRE(disk[i] == memory[i]);
    }
  }
}

}  // namespace
}  // namespace scheduled::raft
