// An immutable, reference-counted piece of bytes. A log entry is encoded once into one of these and
// then shared by the log, the transport and the state machine: encoded once, copied never.
#ifndef SCHEDULED_LIB_BASE_SHARED_BUFFER_H_
#define SCHEDULED_LIB_BASE_SHARED_BUFFER_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace scheduled {

// A view into shared bytes; cheap to copy, safe to hand to another thread.
class SharedBuffer {
 public:
  SharedBuffer() = default;
  explicit SharedBuffer(std::string bytes)
      : owner_(std::make_shared<const std::string>(std::move(bytes))), view_(*owner_) {}

  std::string_view view() const { return view_; }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  // A part of this buffer that keeps the whole alive. `part` must lie within view().
  SharedBuffer Slice(std::string_view part) const {
    SharedBuffer slice;
    slice.owner_ = owner_;
    slice.view_ = part;
    return slice;
  }

  friend bool operator==(const SharedBuffer& a, const SharedBuffer& b) {
    return a.view_ == b.view_;
  }

 private:
  std::shared_ptr<const std::string> owner_;
  std::string_view view_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_SHARED_BUFFER_H_
