// See channel.h.
#include "scheduler/channel.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace scheduled {
namespace {

size_t SizeOf(const ChannelItem& item) {
  const auto* start = std::get_if<StartRequest>(&item.body);
  return start != nullptr ? start->job->payload.size() : 0;
}

}  // namespace

Channel::Channel(Term term, SessionId session, MonoTime now) : term_(term), session_(session) {
  Add(ReconcileRequest{}, now);
}

void Channel::Add(decltype(ChannelItem::body) body, MonoTime now) {
  items_.push_back({{next_number_++, std::move(body)}, now});
}

void Channel::Taken(uint64_t number) {
  while (!items_.empty() && sent_ > 0 && items_.front().item.number <= number) {
    items_.pop_front();
    --sent_;
  }
}

ChannelMessages Channel::Copy(size_t from) {
  ChannelMessages out{term_, session_, {}};
  size_t bytes = 0;
  for (size_t i = from; i < items_.size() && out.items.size() < kMaxMessages; ++i) {
    bytes += SizeOf(items_[i].item);
    if (bytes > kMaxBytes && !out.items.empty()) break;
    out.items.push_back(items_[i].item);
  }
  return out;
}

ChannelMessages Channel::TakeUnsent(MonoTime now) {
  ChannelMessages out = Copy(sent_);
  sent_ += out.items.size();
  if (!out.items.empty()) last_sent_ = now;
  return out;
}

ChannelMessages Channel::Resend(MonoTime now, absl::Duration quiet) {
  if (sent_ == 0 || now - last_sent_ < quiet) return {term_, session_, {}};
  ChannelMessages out = Copy(0);
  sent_ = std::max(sent_, out.items.size());
  last_sent_ = now;
  return out;
}

std::optional<MonoTime> Channel::unanswered_since() const {
  if (items_.empty()) return std::nullopt;
  return items_.front().since;
}

void Channel::CheckInvariants() const {
  SCHEDULED_ASSERT(sent_ <= items_.size(), "no more was sent than there is");
  for (size_t i = 0; i < items_.size(); ++i) {
    SCHEDULED_ASSERT(items_[i].item.number == next_number_ - items_.size() + i,
                     "numbers are consecutive and end before the next one");
  }
}

}  // namespace scheduled
