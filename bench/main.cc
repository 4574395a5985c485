// scheduled_bench: one subcommand a row of the table in bench/README.md. Every run prints the
// physical reference of the same machine and minute first, unless told not to.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>

#include "benches.h"

using namespace scheduled::bench;  // NOLINT: this file is nothing but the command line

namespace {

// In a process of its own: RocksDB's threads, once started, would be missing in every later fork,
// and a database of such a child never flushes (`recover` fills one in a child).
void PrintReference(const Common& common) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    Reference(common).Print(common.json);
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) std::exit(1);
}

void AddStart(CLI::App& app, const Common& common, StartOptions* options,
              std::function<Report()>* run) {
  CLI::App* sub = app.add_subcommand("start", "the server as a single node, from exec to ready");
  sub->add_option("--server", options->server, "the server binary [beside this program]");
  sub->add_option("--rounds", options->rounds, "how often")->capture_default_str();
  sub->callback(
      [&common, options, run] { *run = [&common, options] { return Start(common, *options); }; });
}

void AddCatchUp(CLI::App& app, const Common& common, CatchUpOptions* options,
                std::function<Report()>* run) {
  CLI::App* sub =
      app.add_subcommand("catch-up", "a follower that was away gets a snapshot under load");
  sub->add_option("--server", options->server, "the server binary [beside this program]");
  sub->add_option("--jobs", options->jobs, "written while it is away")->capture_default_str();
  sub->add_option("--callers", options->callers, "batches in flight")->capture_default_str();
  sub->add_option("--compact-log-bytes", options->compact_log_bytes, "of each server")
      ->capture_default_str();
  sub->add_option("--snapshot-bytes-per-second", options->bytes_per_second, "of each server")
      ->capture_default_str();
  sub->callback(
      [&common, options, run] { *run = [&common, options] { return CatchUp(common, *options); }; });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures libscheduled on this machine", "scheduled_bench");
  app.require_subcommand(1);
  app.fallthrough();  // --json may stand behind the subcommand too
  Common common;
  bool reference = true;
  app.add_option("--dir", common.dir, "where scratch data goes: the disk that is measured")
      ->capture_default_str();
  app.add_flag("--json", common.json, "one JSON object a line");
  app.add_flag("!--no-reference", reference, "leave the physical reference out");

  std::function<Report()> run;
  app.add_subcommand("reference", "what this machine does without us")->callback([&] {
    reference = false;
    run = [&] { return Reference(common); };
  });

  RaftCoreOptions raft_core;
  CLI::App* sub =
      app.add_subcommand("raft-core", "time and allocations of the Raft core for each entry");
  sub->add_option("--entries", raft_core.entries, "entries in all")->capture_default_str();
  sub->add_option("--batch", raft_core.batch, "entries in a proposal")->capture_default_str();
  sub->add_option("--payload", raft_core.payload, "bytes of an entry")->capture_default_str();
  sub->callback([&] {
    reference = false;  // no disk takes part
    run = [&] { return RaftCore(raft_core); };
  });

  CreateOptions create;
  sub = app.add_subcommand("create", "durable creates in process, one node");
  sub->add_option("--callers", create.callers, "calls in flight")->capture_default_str();
  sub->add_option("--batch", create.batch, "jobs in a call")->capture_default_str();
  sub->add_option("--jobs", create.jobs, "jobs in all")->capture_default_str();
  sub->add_option("--payload", create.payload, "bytes")->capture_default_str();
  sub->callback([&] { run = [&] { return Create(common, create); }; });

  LatenessOptions lateness;
  sub = app.add_subcommand("lateness", "start of a run less its due time");
  sub->add_option("--instant", lateness.at_one_instant, "jobs at one instant")
      ->capture_default_str();
  sub->add_option("--rate", lateness.per_second, "jobs a second")->capture_default_str();
  sub->add_option("--seconds", lateness.seconds, "how long")->capture_default_str();
  sub->callback([&] { run = [&] { return Lateness(common, lateness); }; });

  DrainOptions drain;
  sub = app.add_subcommand("drain", "a backlog of due no-op jobs");
  sub->add_option("--jobs", drain.jobs, "jobs in all")->capture_default_str();
  sub->callback([&] { run = [&] { return Drain(common, drain); }; });

  RecoverOptions recover;
  sub = app.add_subcommand("recover", "restart with many pending jobs");
  sub->add_option("--jobs", recover.jobs, "jobs in all")->capture_default_str();
  sub->add_flag("!--clean", recover.killed, "stop cleanly instead of being killed");
  sub->callback([&] { run = [&] { return Recover(common, recover); }; });

  FailoverOptions failover;
  sub = app.add_subcommand("failover", "three server processes, kill -9 of the leader");
  sub->add_option("--server", failover.server, "the server binary [beside this program]");
  sub->add_option("--rounds", failover.rounds, "leaders to kill")->capture_default_str();
  sub->callback([&] { run = [&] { return Failover(common, failover); }; });

  StartOptions start;
  AddStart(app, common, &start, &run);
  CatchUpOptions catch_up;
  AddCatchUp(app, common, &catch_up, &run);

  CLI11_PARSE(app, argc, argv);
  if (reference) PrintReference(common);
  run().Print(common.json);
}
