// The two ends of a transfer as pure functions: pieces in order within a window and a rate, and a
// way on from every loss.
#include "consensus/snapshot_transfer.h"

#include <catch2/catch.hpp>
#include <utility>
#include <vector>

#include "base/random.h"

namespace scheduled {
namespace {

SnapshotManifest ManifestOf(const std::vector<uint64_t>& sizes) {
  SnapshotManifest manifest{SnapshotId(7), "meta", {}};
  for (size_t i = 0; i < sizes.size(); ++i) {
    manifest.files.push_back({"f" + std::to_string(100 + i), sizes[i]});
  }
  return manifest;
}

SnapshotPacing Small() {
  SnapshotPacing pacing;
  pacing.piece_bytes = 10;
  pacing.window_bytes = 30;
  return pacing;
}

constexpr MonoTime kStart{1'000'000'000};

TEST_CASE("pieces go in order, none before an answer, and no more than a window") {
  OutgoingSnapshot out(ManifestOf({25, 0, 10, 100}), Small(), kStart);
  CHECK_FALSE(out.TakePiece(kStart).has_value());
  REQUIRE(out.TakeOffer(kStart));
  CHECK_FALSE(out.TakeOffer(kStart));
  REQUIRE(out.Progressed(kStart, kSnapshotBegin, true));
  CHECK(out.TakePiece(kStart)->place == SnapshotPlace{0, 0});
  CHECK(out.TakePiece(kStart)->place == SnapshotPlace{0, 10});
  // The window has room for a whole piece or for none.
  const auto last = out.TakePiece(kStart);
  REQUIRE(last.has_value());
  CHECK(last->place == SnapshotPlace{0, 20});
  CHECK(last->bytes == 5);
  CHECK_FALSE(out.TakePiece(kStart).has_value());
  // The end of one file is the beginning of the next that has bytes.
  REQUIRE(out.Progressed(kStart, {1, 0}, false));
  CHECK(out.acknowledged_bytes() == 25);
  CHECK(out.TakePiece(kStart)->place == SnapshotPlace{2, 0});
}

TEST_CASE("an answer that speaks of what was not sent, or of no place, is not believed") {
  OutgoingSnapshot out(ManifestOf({25}), Small(), kStart);
  CHECK_FALSE(out.Progressed(kStart, {2, 0}, true));
  CHECK_FALSE(out.Progressed(kStart, {1, 3}, true));
  CHECK_FALSE(out.Progressed(kStart, {0, 26}, true));
  REQUIRE(out.Progressed(kStart, {0, 0}, true));
  CHECK_FALSE(out.Progressed(kStart, {0, 10}, false));
}

TEST_CASE("a rate spreads pieces over time") {
  SnapshotPacing pacing = Small();
  pacing.bytes_per_second = 100;
  OutgoingSnapshot out(ManifestOf({1000}), pacing, kStart);
  REQUIRE(out.Progressed(kStart, kSnapshotBegin, true));
  REQUIRE(out.TakePiece(kStart).has_value());
  CHECK_FALSE(out.TakePiece(kStart + absl::Milliseconds(99)).has_value());
  CHECK(out.NextDeadline() == kStart + absl::Milliseconds(100));
  CHECK(out.TakePiece(kStart + absl::Milliseconds(100)).has_value());
}

TEST_CASE("without an answer the offer is repeated, and without progress it is given up") {
  SnapshotPacing pacing = Small();
  pacing.patience = absl::Seconds(5);
  OutgoingSnapshot out(ManifestOf({1000}), pacing, kStart);
  MonoTime now = kStart;
  int offers = 0;
  while (!out.IsGivenUp(now)) {
    if (out.TakeOffer(now)) ++offers;
    REQUIRE(out.NextDeadline() > now);
    now = out.NextDeadline();
  }
  CHECK(now == kStart + absl::Seconds(5));
  CHECK(offers == 10);
}

TEST_CASE("a piece that reaches beyond its file, or finds no room, is a gap that is told once") {
  IncomingSnapshot in(ManifestOf({10}));
  const auto take = [&](uint64_t offset, std::string_view bytes, bool full = false) {
    return in.Take({SnapshotId(7), {0, offset}, bytes}, full);
  };
  CHECK(take(0, "12345678901") == IncomingSnapshot::Fit::kGap);
  CHECK(in.TellGap());
  CHECK_FALSE(in.TellGap());
  CHECK(take(0, "12345", true) == IncomingSnapshot::Fit::kGap);
  CHECK(take(0, "12345") == IncomingSnapshot::Fit::kNext);
  CHECK(take(0, "12345") == IncomingSnapshot::Fit::kKnown);
  CHECK(take(9, "1") == IncomingSnapshot::Fit::kGap);
  CHECK(in.TellGap());
  CHECK(take(5, "67890") == IncomingSnapshot::Fit::kNext);
  CHECK(in.IsTaken());
  CHECK_FALSE(in.IsWritten());
  in.Wrote(in.place());
  CHECK(in.IsWritten());
}

// A sender and a receiver with a network between them that loses, doubles and reorders.
class LossyTransfer {
 public:
  explicit LossyTransfer(uint64_t seed) : random_(seed) {
    for (uint64_t i = 0; i <= random_.Uniform(5); ++i) sizes_.push_back(random_.Uniform(80));
    manifest_ = ManifestOf(sizes_);
    out_.emplace(manifest_, Small(), now_);
  }

  bool IsOver() const { return in_ && in_->IsWritten() && out_->IsSent(); }
  void Round(bool may_restart) {
    now_ = now_ + absl::Milliseconds(random_.Uniform(200));
    const bool offered = out_->TakeOffer(now_) && !random_.Chance(1, 3);
    while (const auto piece = out_->TakePiece(now_)) {
      for (uint64_t copies = random_.Uniform(3); copies > 0; --copies) pieces_.push_back(*piece);
    }
    if (may_restart && random_.Chance(1, 50)) in_.reset();
    if (offered) Offer();
    while (!pieces_.empty() && random_.Chance(3, 4)) Deliver();
    while (!answers_.empty() && random_.Chance(2, 3)) {
      const auto [place, resume] = answers_.front();
      answers_.erase(answers_.begin());
      if (!random_.Chance(1, 4)) out_->Progressed(now_, place, resume);
    }
  }
  void CheckReceived() const {
    for (size_t i = 0; i < sizes_.size(); ++i) {
      CHECK(received_[i] == std::string(sizes_[i], static_cast<char>('a' + i)));
    }
  }

 private:
  void Offer() {
    if (!in_) {
      in_.emplace(manifest_);
      received_.assign(sizes_.size(), "");
    }
    answers_.emplace_back(in_->place(), true);
  }
  void Deliver() {
    const size_t which = random_.Chance(1, 8) ? random_.Uniform(pieces_.size()) : 0;
    const OutgoingSnapshot::Piece piece = pieces_[which];
    pieces_.erase(pieces_.begin() + static_cast<std::ptrdiff_t>(which));
    if (!in_) return;
    const std::string bytes(piece.bytes, static_cast<char>('a' + piece.place.file));
    const auto fit = in_->Take({manifest_.id, piece.place, bytes}, false);
    if (fit == IncomingSnapshot::Fit::kNext) {
      received_[piece.place.file] += bytes;
      in_->Wrote(in_->place());
      answers_.emplace_back(in_->written(), false);
    } else if (fit == IncomingSnapshot::Fit::kGap && in_->TellGap()) {
      answers_.emplace_back(in_->place(), true);
    }
  }

  Random random_;
  MonoTime now_ = kStart;
  std::vector<uint64_t> sizes_;
  SnapshotManifest manifest_;
  std::optional<OutgoingSnapshot> out_;
  std::optional<IncomingSnapshot> in_;
  std::vector<std::string> received_;
  std::vector<std::pair<SnapshotPlace, bool>> answers_;
  std::vector<OutgoingSnapshot::Piece> pieces_;
};

TEST_CASE("whatever is lost, doubled or late, and wherever the receiver restarts, all arrives") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    LossyTransfer transfer(seed);
    int rounds = 0;
    while (!transfer.IsOver()) {
      REQUIRE(++rounds < 20'000);
      transfer.Round(/*may_restart=*/rounds < 300);
    }
    transfer.CheckReceived();
  }
}

}  // namespace
}  // namespace scheduled
