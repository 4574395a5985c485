// The lane's thread and its sleep.
#include "base/thread_lane.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <utility>

#include "base/assert.h"
#include "base/system_clock.h"
#include "base/thread_runtime.h"
#include "base/wall_nanos.h"

namespace scheduled {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr size_t kMaxThreadName = 15;

thread_local const ThreadLane* current_lane = nullptr;

int Checked(int fd) {
  SCHEDULED_ASSERT(fd >= 0, "the process may open the file descriptors of its lanes");
  return fd;
}

// `due` on the timer's own clock; INT64_MAX disarms.
void Arm(int fd, int flags, int64_t due) {
  itimerspec spec{};
  if (due != INT64_MAX) {
    // 0 would disarm, and what is past fires at once anyway.
    const int64_t nanos = due < 1 ? 1 : due;
    spec.it_value.tv_sec = nanos / kNanosPerSecond;
    spec.it_value.tv_nsec = nanos % kNanosPerSecond;
  }
  const int result = timerfd_settime(fd, flags, &spec, nullptr);
  // ECANCELED tells that the clock was stepped since the timer was last armed, and nobody has read
  // it since. The timer is armed all the same (timerfd_create(2), notes), and by the new clock.
  SCHEDULED_ASSERT(result == 0 || errno == ECANCELED, "the kernel takes the deadline of a timer");
}

void Drain(int fd) {
  uint64_t ignored;
  // ECANCELED is how a timer tells that its clock was stepped; the lane looks at the clock anyway.
  while (read(fd, &ignored, sizeof(ignored)) < 0 && errno == EINTR) {
  }
}

int64_t Translate(int64_t due, int64_t own_now, int64_t kernel_now) {
  int64_t ahead;
  if (due == INT64_MAX || __builtin_sub_overflow(due, own_now, &ahead)) return due;
  int64_t translated;
  return __builtin_add_overflow(kernel_now, ahead, &translated) ? INT64_MAX : translated;
}

}  // namespace

ThreadLane::ThreadLane(ThreadRuntime* runtime, std::string_view name, bool is_system_clock)
    : runtime_(*runtime),
      clock_(runtime->clock()),
      is_system_clock_(is_system_clock),
      wake_fd_(Checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))),
      mono_fd_(Checked(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK))),
      wall_fd_(Checked(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK))) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this, name = std::string(name.substr(0, kMaxThreadName))] { Loop(name); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ThreadLane::~ThreadLane() {
  Stop();
  runtime_.Forget(this);
  close(wake_fd_);
  close(mono_fd_);
  close(wall_fd_);
}

// Called under the lock, so that a lane is not destroyed between the decision and the write.
void ThreadLane::WakeIfAsleep() {
  if (!asleep_) return;
  asleep_ = false;
  const uint64_t one = 1;
  const ssize_t written = write(wake_fd_, &one, sizeof(one));
  SCHEDULED_ASSERT(written == sizeof(one), "an eventfd takes a wake-up");
}

void ThreadLane::Post(Task task) {
  Lock lock(mu_);
  if (stopped_) {
    lock.unlock();  // what the task holds may post when it goes
    task = nullptr;
    return;
  }
  posted_.push_back(std::move(task));
  WakeIfAsleep();
}

TimerId ThreadLane::AddTimer(TimerQueue* timers, std::atomic<int64_t>* next, int64_t due,
                             Task task) {
  Lock lock(mu_);
  if (stopped_) {
    lock.unlock();
    task = nullptr;
    return TimerId(0);
  }
  const uint64_t id = next_timer_id_++;
  timers->Add(due, id, std::move(task));
  if (due < *next) {
    *next = due;
    WakeIfAsleep();
  }
  return TimerId(id);
}

TimerId ThreadLane::PostAt(MonoTime when, Task task) {
  return AddTimer(&mono_timers_, &next_mono_, when.nanos, std::move(task));
}

TimerId ThreadLane::PostAtWall(absl::Time when, Task task) {
  return AddTimer(&wall_timers_, &next_wall_, WallNanosCeil(when), std::move(task));
}

void ThreadLane::Cancel(TimerId timer) {
  Task of_mono, of_wall;  // destroyed after the lock is released
  Lock lock(mu_);
  of_mono = mono_timers_.Remove(timer.value);
  of_wall = wall_timers_.Remove(timer.value);
  PublishDeadlines();
}

bool ThreadLane::IsCurrent() const { return current_lane == this; }

void ThreadLane::Nudge() {
  Lock lock(mu_);
  WakeIfAsleep();
}

void ThreadLane::Stop() {
  SCHEDULED_ASSERT(!IsCurrent(), "a lane is not stopped by its own task");
  std::vector<Task> dropped;
  {
    Lock lock(mu_);
    stopped_ = true;
    WakeIfAsleep();
  }
  {
    std::lock_guard joining(join_mu_);
    if (thread_.joinable()) thread_.join();
  }
  Lock lock(mu_);
  for (Task& task : posted_) dropped.push_back(std::move(task));
  posted_.clear();
  mono_timers_.TakeAll(&dropped);
  wall_timers_.TakeAll(&dropped);
  lock.unlock();
}

// ---- The lane's thread

void ThreadLane::Loop(const std::string& name) {
  pthread_setname_np(pthread_self(), name.c_str());
  current_lane = this;
  std::vector<Task> batch;  // taken from posted_ at once; batch[next] is the next to run
  size_t next = 0;
  Lock lock(mu_);
  while (!stopped_) {
    RunDueTimers(&lock);
    if (stopped_) break;
    if (next == batch.size()) {
      batch.clear();
      next = 0;
      batch.swap(posted_);
    }
    if (next < batch.size()) {
      RunPosted(&lock, &batch, &next);
    } else if (!IsTimerDue()) {
      Sleep(&lock);
    }
  }
  lock.unlock();
  batch.clear();
}

// Runs those that are due now and were posted before; timers that these post wait for the next
// round, so that posted tasks get their turn.
void ThreadLane::RunDueTimers(Lock* lock) {
  const uint64_t end_id = next_timer_id_;
  for (TimerQueue* timers : {&mono_timers_, &wall_timers_}) {
    if (timers->NextDue() == INT64_MAX) continue;
    const int64_t now = timers == &mono_timers_ ? MonoNanos() : WallNanos();
    while (!stopped_) {
      Task task = timers->TakeDue(now, end_id);
      if (!task) break;
      PublishDeadlines();
      lock->unlock();
      std::move(task)();
      task = nullptr;
      lock->lock();
    }
  }
}

// Runs at least one task of the batch, and goes on without the lock until a timer is due.
void ThreadLane::RunPosted(Lock* lock, std::vector<Task>* batch, size_t* next) {
  lock->unlock();
  do {
    Task task = std::move((*batch)[(*next)++]);
    std::move(task)();
  } while (*next < batch->size() && !stopped_.load(std::memory_order_relaxed) && !IsTimerDue());
  lock->lock();
}

bool ThreadLane::IsTimerDue() const {
  const int64_t mono = next_mono_.load(std::memory_order_relaxed);
  const int64_t wall = next_wall_.load(std::memory_order_relaxed);
  return (mono != INT64_MAX && mono <= MonoNanos()) || (wall != INT64_MAX && wall <= WallNanos());
}

void ThreadLane::PublishDeadlines() {
  next_mono_ = mono_timers_.NextDue();
  next_wall_ = wall_timers_.NextDue();
}

// The kernel is told only of deadlines that changed. One that is no longer wanted stays armed, and
// costs one idle wake-up.
void ThreadLane::ArmTimers() {
  int64_t mono = next_mono_;
  int64_t wall = next_wall_;
  if (!is_system_clock_) {
    const SystemClock system;
    mono = Translate(mono, MonoNanos(), system.MonoNow().nanos);
    wall = Translate(wall, WallNanos(), absl::ToUnixNanos(system.WallNow()));
  }
  if (mono != armed_mono_ && mono != INT64_MAX) {
    Arm(mono_fd_, TFD_TIMER_ABSTIME, mono);
    armed_mono_ = mono;
  }
  if (wall != armed_wall_ && wall != INT64_MAX) {
    Arm(wall_fd_, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, wall);
    armed_wall_ = wall;
  }
}

void ThreadLane::Sleep(Lock* lock) {
  ArmTimers();
  asleep_ = true;
  lock->unlock();
  pollfd fds[] = {{wake_fd_, POLLIN, 0}, {mono_fd_, POLLIN, 0}, {wall_fd_, POLLIN, 0}};
  const int ready = poll(fds, 3, -1);
  SCHEDULED_ASSERT(ready > 0 || errno == EINTR, "a lane can wait for its own descriptors");
  if (ready > 0) {
    if (fds[0].revents != 0) Drain(wake_fd_);
    if (fds[1].revents != 0) {
      Drain(mono_fd_);
      armed_mono_ = INT64_MAX;
    }
    if (fds[2].revents != 0) {
      Drain(wall_fd_);
      armed_wall_ = INT64_MAX;
    }
  }
  lock->lock();
  asleep_ = false;
}

}  // namespace scheduled
