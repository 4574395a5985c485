// See campaign.h. A worker tells what it does by lines on a pipe:
//
//   begin <seed>
//   done <seed> <events> <simulated seconds> <committed> <elections>
//   probe <count> <name>
//   finding                       the report follows, line by line, up to the line "end"
#include "sim/campaign.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "base/assert.h"

namespace scheduled::sim {
namespace {

using RealTime = std::chrono::steady_clock;

double SecondsSince(RealTime::time_point start) {
  return std::chrono::duration<double>(RealTime::now() - start).count();
}

// ---- In a worker

int told = -1;  // the pipe to the parent

void Tell(const std::string& lines) {
  size_t done = 0;
  while (done < lines.size()) {
    const ssize_t wrote = write(told, lines.data() + done, lines.size() - done);
    if (wrote <= 0) _exit(2);
    done += static_cast<size_t>(wrote);
  }
}

// Names are literals, so their addresses tell them apart quickly.
std::map<const char*, uint64_t>& Probes() {
  static std::map<const char*, uint64_t> probes;
  return probes;
}

void TellProbes() {
  std::string lines;
  for (const auto& [name, count] : Probes()) lines += fmt::format("probe {} {}\n", count, name);
  Tell(lines);
  Probes().clear();
}

void TellFinding(const std::string& report) {
  TellProbes();
  Tell(fmt::format("finding\n{}\nend\n", report));
}

[[noreturn]] void Work(const CampaignOptions& options, uint64_t first) {
  SetProbeSink([](const char* name) { ++Probes()[name]; });
  const auto stride = static_cast<uint64_t>(options.jobs);
  for (uint64_t seed = first; seed <= options.last && seed >= first; seed += stride) {
    Tell(fmt::format("begin {}\n", seed));
    SeedOptions one = options.seeds;
    one.seed = seed;
    const SeedResult result = RunSeed(one, &TellFinding);
    if (options.twice_every != 0 && seed % options.twice_every == 0) {
      const SeedResult again = RunSeed(one, &TellFinding);
      if (again.digest != result.digest || again.events != result.events) {
        TellFinding(fmt::format("seed {}: two runs differ, in {} and {} events", seed,
                                result.events, again.events));
        _exit(kFindingExit);
      }
    }
    TellProbes();
    Tell(fmt::format("done {} {} {} {} {}\n", seed, result.events, result.simulated_seconds,
                     result.committed, result.elections));
  }
  _exit(0);
}

// ---- In the parent

struct Worker {
  pid_t pid = -1;
  int pipe = -1;
  uint64_t seed = 0;      // that it runs
  bool reported = false;  // its end has a finding
  RealTime::time_point since;
  std::string unread;
  std::string report;
  bool in_report = false;
};

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options) : options_(options) {}

  CampaignResult Run() {
    for (int i = 0; i < options_.jobs; ++i) {
      workers_.emplace_back();
      Start(&workers_.back(), options_.first + static_cast<uint64_t>(i));
    }
    while (IsAnyAlive()) {
      Listen();
      KillHung();
      Progress();
      if (IsOver()) break;
    }
    for (Worker& worker : workers_) {
      if (worker.pid > 0) {
        kill(worker.pid, SIGKILL);
        waitpid(worker.pid, nullptr, 0);
      }
    }
    result_.real_seconds = SecondsSince(start_);
    return result_;
  }

 private:
  void Start(Worker* worker, uint64_t seed) {
    *worker = Worker();
    if (seed > options_.last) return;
    int ends[2];
    const int made = pipe(ends);
    SCHEDULED_ASSERT(made == 0, "no pipe for a worker");
    worker->pid = fork();
    SCHEDULED_ASSERT(worker->pid >= 0, "no process for a worker");
    if (worker->pid == 0) {
      close(ends[0]);
      told = ends[1];
      Work(options_, seed);
    }
    close(ends[1]);
    worker->pipe = ends[0];
    worker->since = RealTime::now();
    worker->seed = seed;
  }

  bool IsAnyAlive() const {
    for (const Worker& worker : workers_) {
      if (worker.pid > 0) return true;
    }
    return false;
  }

  bool IsOver() const {
    return (options_.minutes > 0 && SecondsSince(start_) > options_.minutes * 60) ||
           result_.findings.size() >= options_.most_findings;
  }

  void Listen() {
    std::vector<pollfd> polled;
    std::vector<Worker*> of;
    for (Worker& worker : workers_) {
      if (worker.pid <= 0) continue;
      polled.push_back({worker.pipe, POLLIN, 0});
      of.push_back(&worker);
    }
    poll(polled.data(), polled.size(), 500);
    for (size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents != 0) Read(of[i]);
    }
  }

  void Read(Worker* worker) {
    char bytes[65536];
    const ssize_t got = read(worker->pipe, bytes, sizeof bytes);
    if (got <= 0) {
      OnEnd(worker);
      return;
    }
    worker->unread.append(bytes, static_cast<size_t>(got));
    size_t begin = 0;
    for (size_t end; (end = worker->unread.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      OnLine(worker, worker->unread.substr(begin, end - begin));
    }
    worker->unread.erase(0, begin);
  }

  void OnLine(Worker* worker, const std::string& line) {
    if (worker->in_report && line != "end") {
      worker->report += line + "\n";
      return;
    }
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "begin") {
      words >> worker->seed;
      worker->since = RealTime::now();
    } else if (word == "done") {
      uint64_t events = 0, committed = 0, elections = 0;
      double simulated = 0;
      words >> worker->seed >> events >> simulated >> committed >> elections;
      ++result_.seeds;
      result_.events += events;
      result_.fewest_events = std::min(result_.fewest_events, events);
      result_.simulated_seconds += simulated;
      result_.committed += committed;
      result_.elections += elections;
    } else if (word == "probe") {
      uint64_t count = 0;
      std::string name;  // may have spaces
      words >> count >> std::ws;
      std::getline(words, name);
      result_.probes[name] += count;
    } else if (word == "finding") {
      worker->in_report = true;
    } else if (word == "end") {
      worker->in_report = false;
      worker->reported = true;
      AddFinding(worker->seed, worker->report);
    }
  }

  void AddFinding(uint64_t seed, const std::string& report) {
    result_.findings.push_back({seed, report});
    if (!options_.quiet) fmt::print(stderr, "FINDING {}\n", report);
  }

  void OnEnd(Worker* worker) {
    int status = 0;
    waitpid(worker->pid, &status, 0);
    close(worker->pipe);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      *worker = Worker();
      return;
    }
    if (!worker->reported) {
      AddFinding(worker->seed, WIFSIGNALED(status)
                                   ? fmt::format("seed {} nodes {}: ended by signal {} ({})",
                                                 worker->seed, options_.seeds.nodes,
                                                 WTERMSIG(status), strsignal(WTERMSIG(status)))
                                   : fmt::format("seed {} nodes {}: exit {}", worker->seed,
                                                 options_.seeds.nodes, WEXITSTATUS(status)));
    }
    Start(worker, worker->seed + static_cast<uint64_t>(options_.jobs));
  }

  void KillHung() {
    for (Worker& worker : workers_) {
      if (worker.pid <= 0 || SecondsSince(worker.since) < options_.hang_seconds) continue;
      worker.reported = true;
      worker.since = RealTime::now();
      AddFinding(worker.seed, fmt::format("seed {} nodes {}: not done within {} s", worker.seed,
                                          options_.seeds.nodes, options_.hang_seconds));
      kill(worker.pid, SIGKILL);
    }
  }

  void Progress() {
    if (options_.quiet || SecondsSince(last_progress_) < 10) return;
    last_progress_ = RealTime::now();
    const double seconds = SecondsSince(start_);
    fmt::print(stderr,
               "{:.0f} s: {} seeds, {:.2f} seeds/s, {:.0f} events/s, {:.0f} simulated s/s, {} "
               "findings\n",
               seconds, result_.seeds, static_cast<double>(result_.seeds) / seconds,
               static_cast<double>(result_.events) / seconds, result_.simulated_seconds / seconds,
               result_.findings.size());
  }

  const CampaignOptions options_;
  const RealTime::time_point start_ = RealTime::now();
  RealTime::time_point last_progress_ = start_;
  std::vector<Worker> workers_;
  CampaignResult result_;
};

}  // namespace

CampaignResult RunCampaign(const CampaignOptions& options) { return Campaign(options).Run(); }

}  // namespace scheduled::sim
