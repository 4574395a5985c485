// The part of one queue's rows that is held in memory: the first ones, as far as they were loaded.
// It knows keys, not what they mean; it reads the store and never writes it. Owned by a SlotQueue;
// on the apply lane in a scheduler.
//
// Invariant: let `loaded` be the rows of the store with prefix <= key < loaded_before_ (all of the
// range once `all_loaded_`). Then rows_ and the taken keys together hold exactly these, rows_ none
// that is taken; a taken key beyond the mark may be held as well. Its size never passes the limit.
#ifndef SCHEDULED_LIB_SLOTS_HOT_WINDOW_H_
#define SCHEDULED_LIB_SLOTS_HOT_WINDOW_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "storage/table_store.h"

namespace scheduled {

class HotWindow {
 public:
  struct Limits {
    size_t rows = 8192;  // held and not taken; at least 1
    size_t load = 512;   // read at a time; at least 1
  };

  // Over the keys of `store` that begin with `prefix`. With `empty` the range is known to hold
  // nothing, and nothing needs to be read. `store` outlives the window.
  HotWindow(const TableStore& store, std::string prefix, Limits limits, bool empty);

  // A row was committed; its removal was.
  void Inserted(std::string_view key);
  void Erased(std::string_view key);

  // The first key that is not taken; reads the store where the window has run dry. Nothing if there
  // is none, or if the store failed (status()).
  std::optional<std::string_view> First();
  // Takes that key: it is not seen again until it is erased and inserted anew, or returned.
  // Precondition: First() returned a key, and nothing happened since.
  std::string TakeFirst();
  // Unmarks a taken key; anything else is ignored.
  void Return(std::string_view key);

  void SetLimit(size_t rows);
  const absl::Status& status() const { return status_; }
  size_t size() const { return rows_.size(); }
  size_t taken() const { return taken_.size(); }

  // Asserts the invariant above against the store: reads all of it. For tests.
  void CheckInvariants() const;

 private:
  void Load();
  void DropLargest();
  bool IsLoaded(std::string_view key) const { return all_loaded_ || key < loaded_before_; }

  const TableStore& store_;
  const std::string prefix_;
  Limits limits_;
  absl::btree_set<std::string, std::less<>> rows_;
  absl::flat_hash_set<std::string> taken_;
  std::string loaded_before_;  // meaningful until all_loaded_
  bool all_loaded_;
  absl::Status status_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SLOTS_HOT_WINDOW_H_
