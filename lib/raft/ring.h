// A queue in a ring of slots that are used again: once it is as large as it gets, nothing is
// allocated any more. std::deque allocates and frees a block every few elements for ever.
#ifndef SCHEDULED_LIB_RAFT_RING_H_
#define SCHEDULED_LIB_RAFT_RING_H_

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace scheduled::raft {

// `T` is default-constructible; an element that has left is overwritten by T(), so that what it
// held is released at once.
template <typename T>
class Ring {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  T& operator[](size_t i) { return slots_[Place(i)]; }
  const T& operator[](size_t i) const { return slots_[Place(i)]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == slots_.size()) Grow();
    ++size_;
    back() = std::move(value);
  }
  void pop_front() {
    front() = T();
    front_ = (front_ + 1) & (slots_.size() - 1);
    --size_;
  }
  void pop_back() {
    back() = T();
    --size_;
  }
  void clear() {
    while (!empty()) pop_back();
  }

 private:
  size_t Place(size_t i) const {
    SCHEDULED_ASSERT(i < size_, "an element of a ring is within it");
    return (front_ + i) & (slots_.size() - 1);
  }
  void Grow() {
    std::vector<T> larger(std::max<size_t>(16, slots_.size() * 2));
    for (size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_ = std::move(larger);
    front_ = 0;
  }

  std::vector<T> slots_;  // a power of two
  size_t front_ = 0;
  size_t size_ = 0;
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_RING_H_
