// The commands of scenarios, each a verb of the stage.
#include "raft/scenario.h"

#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "base/assert.h"
#include "raft/message_text.h"
#include "raft/scenario_world.h"

namespace scheduled::raft {
namespace {

struct AssertionsThrow {
  AssertionsThrow() {
    SetAssertHandler([](const char*, const char*, int, std::string_view what) {
      throw std::runtime_error("assertion: " + std::string(what));
    });
  }
  ~AssertionsThrow() { SetAssertHandler(nullptr); }
};

struct Link {
  std::string from;
  std::string to;
};

Link ParseLink(const std::string& word) {
  const size_t arrow = word.find("->");
  if (arrow == std::string::npos) throw std::runtime_error("expected a link like a->b");
  const auto side = [](const std::string& name) { return name == "*" ? std::string() : name; };
  return Link{side(word.substr(0, arrow)), side(word.substr(arrow + 2))};
}

absl::Duration ParseDuration(Words& words) {
  absl::Duration duration;
  const std::string word = words.Word();
  if (!absl::ParseDuration(word, &duration)) throw std::runtime_error("no duration: " + word);
  return duration;
}

class Scenario {
 public:
  std::string Do(const std::string& line);

 private:
  using Verb = void (Scenario::*)(Words&);
  static const std::map<std::string, Verb>& Stage();
  static const std::map<std::string, Verb>& Verbs();

  // The stage.
  void Nodes(Words& words);
  void Disks(Words& words);
  void Founded(Words& words);
  void Past(Words& words);
  void Option(Words& words);
  void Start();
  // Time and network.
  void Wait(Words& words) { world_.Wait(words.Word()); }
  void Time(Words& words) { world_.PassTime(ParseDuration(words)); }
  void Run(Words& words) { world_.Run(ParseDuration(words)); }
  void Elect(Words& words);
  void Deliver(Words& words) { world_.Deliver(Choice(words)); }
  void Drop(Words& words) { world_.Drop(Choice(words)); }
  void Duplicate(Words& words) { world_.Duplicate(Choice(words)); }
  void Delay(Words& words) { world_.Delay(Choice(words)); }
  void Arrive(Words&) { world_.Arrive(); }
  void Cut(Words& words);
  void Isolate(Words& words) { world_.Isolate(words.Word()); }
  void Heal(Words&) { world_.Heal(); }
  void Say(const Link& link, Words& words);
  static ScenarioWorld::Which Choice(Words& words);
  // Nodes.
  void Crash(Words& words);
  void Restart(Words& words) { world_.Restart(words.Word()); }
  void Wipe(Words& words);
  void Disk(Words& words);
  void Sync(Words& words);
  void Done(Words& words);
  void Apply(Words& words);
  void Applied(Words& words);
  void Reads(Words& words);
  void Answer(Words& words);
  void Snapshot(Words& words);
  void Install(Words& words) { world_.Install(words.Word()); }
  void Received(Words& words);
  void Damaged(Words& words) { world_.RefuseInstall(words.Word()); }
  void Sent(Words& words);
  // Requests.
  void Propose(Words& words);
  void Read(Words& words);
  void Transfer(Words& words);
  void Change(Words& words);
  // What there is to see.
  void Show(Words&) { world_.Show(); }
  void Peers(Words& words) { world_.ShowPeers(words.Word()); }
  void Members(Words& words);
  void Lease(Words& words) { world_.ShowLease(words.Word()); }
  void Dropped(Words& words) { world_.ShowDropped(words.Word()); }
  void Waiting(Words&) { world_.ShowWaiting(); }

  ScenarioWorld world_;
  bool started_ = false;
  bool disks_ = false;
  std::set<std::string> known_disks_;  // empty: all
  Configuration founded_;
  std::vector<std::string> outside_;
};

const std::map<std::string, Scenario::Verb>& Scenario::Stage() {
  static const std::map<std::string, Verb> verbs = {{"nodes", &Scenario::Nodes},
                                                    {"disks", &Scenario::Disks},
                                                    {"members", &Scenario::Founded},
                                                    {"past", &Scenario::Past},
                                                    {"option", &Scenario::Option}};
  return verbs;
}

const std::map<std::string, Scenario::Verb>& Scenario::Verbs() {
  static const std::map<std::string, Verb> verbs = {{"wait", &Scenario::Wait},
                                                    {"time", &Scenario::Time},
                                                    {"run", &Scenario::Run},
                                                    {"elect", &Scenario::Elect},
                                                    {"deliver", &Scenario::Deliver},
                                                    {"drop", &Scenario::Drop},
                                                    {"duplicate", &Scenario::Duplicate},
                                                    {"delay", &Scenario::Delay},
                                                    {"arrive", &Scenario::Arrive},
                                                    {"cut", &Scenario::Cut},
                                                    {"isolate", &Scenario::Isolate},
                                                    {"heal", &Scenario::Heal},
                                                    {"crash", &Scenario::Crash},
                                                    {"restart", &Scenario::Restart},
                                                    {"wipe", &Scenario::Wipe},
                                                    {"disk", &Scenario::Disk},
                                                    {"sync", &Scenario::Sync},
                                                    {"done", &Scenario::Done},
                                                    {"apply", &Scenario::Apply},
                                                    {"applied", &Scenario::Applied},
                                                    {"reads", &Scenario::Reads},
                                                    {"answer", &Scenario::Answer},
                                                    {"snapshot", &Scenario::Snapshot},
                                                    {"received", &Scenario::Received},
                                                    {"damaged", &Scenario::Damaged},
                                                    {"install", &Scenario::Install},
                                                    {"sent", &Scenario::Sent},
                                                    {"propose", &Scenario::Propose},
                                                    {"read", &Scenario::Read},
                                                    {"transfer", &Scenario::Transfer},
                                                    {"change", &Scenario::Change},
                                                    {"show", &Scenario::Show},
                                                    {"peers", &Scenario::Peers},
                                                    {"members", &Scenario::Members},
                                                    {"lease", &Scenario::Lease},
                                                    {"dropped", &Scenario::Dropped},
                                                    {"waiting", &Scenario::Waiting}};
  return verbs;
}

std::string Scenario::Do(const std::string& line) {
  try {
    Words words(line);
    const bool quietly = words.Eat("quietly ");
    const std::string verb = words.Word();
    const auto stage = Stage().find(verb);
    const bool asks = words.rest().substr(0, 3) == "of ";  // members of a
    if (!started_ && stage != Stage().end() && !asks) {
      (this->*stage->second)(words);
    } else {
      if (!started_) Start();
      const auto found = Verbs().find(verb);
      if (found != Verbs().end()) {
        (this->*found->second)(words);
      } else {
        Say(ParseLink(verb), words);
      }
    }
    if (!words.empty()) words.Fail("no more");
    if (quietly) world_.TakeOutput();
  } catch (const std::runtime_error& error) {
    world_.Line(error.what());
  }
  return world_.TakeOutput();
}

// --- The stage ---

void Scenario::Nodes(Words& words) {
  for (uint64_t number = 1; !words.empty(); ++number) {
    const bool phantom = words.Eat("(");
    std::string name = words.Word();
    if (phantom) words.Expect(")");
    std::string as = "voter";
    if (const size_t equals = name.find('='); equals != std::string::npos) {
      as = name.substr(equals + 1);
      name.resize(equals);
    }
    world_.AddNode(name, DiskId(number), phantom);
    const Member member{NodeId(name), "", DiskId()};
    if (as == "voter") founded_.voters.push_back(member);
    if (as == "learner") founded_.learners.push_back(Learner{member, false, NodeId()});
  }
  founded_.Sort();
}

void Scenario::Disks(Words& words) {
  disks_ = true;
  if (words.Eat("on")) return;
  while (!words.empty()) known_disks_.insert(words.Word());
}

void Scenario::Founded(Words& words) { founded_ = ParseConfiguration(words); }

void Scenario::Past(Words& words) {
  const std::string name = words.Word();
  words.Expect(":");
  ScenarioWorld::Past past;
  while (!words.empty()) {
    if (words.Eat("term ")) {
      past.term = words.Number();
    } else if (words.Eat("vote ")) {
      past.vote = words.Word();
    } else if (words.Eat("applied ")) {
      past.applied = words.Number();
    } else if (words.Eat("base ")) {
      past.base = words.Position();
    } else if (words.Eat("members ")) {
      const uint64_t index = words.Number();
      past.members[index] = ParseConfiguration(words);
    } else {
      past.log.push_back(words.Number());
    }
  }
  world_.SetPast(name, past);
}

void Scenario::Option(Words& words) {
  Options& options = world_.options();
  const std::map<std::string, size_t*> sizes = {
      {"max_entry_bytes", &options.max_entry_bytes},
      {"max_append_bytes", &options.max_append_bytes},
      {"max_append_entries", &options.max_append_entries},
      {"max_unapplied_bytes", &options.max_unapplied_bytes},
      {"max_inflight_bytes", &options.max_inflight_bytes},
      {"max_inflight_messages", &options.max_inflight_messages},
      {"max_pending_reads", &options.max_pending_reads},
      {"tail_bytes", &options.tail_bytes}};
  const auto found = sizes.find(words.Word());
  if (found == sizes.end()) words.Fail("an option before");
  *found->second = words.Number();
}

void Scenario::Start() {
  started_ = true;
  if (disks_) {
    const auto know = [this](Member& member) {
      const std::string& name = member.id.value;
      if (known_disks_.empty() || known_disks_.contains(name)) member.disk = world_.DiskOf(name);
    };
    for (Member& member : founded_.voters) know(member);
    for (Member& member : founded_.old_voters) know(member);
    for (Learner& learner : founded_.learners) know(learner.member);
  } else {
    world_.ForgetDisks();
  }
  world_.Found(founded_);
  world_.StartAll();
}

// --- Time and network ---

void Scenario::Elect(Words& words) {
  const std::string name = words.Word();
  std::vector<std::string> phantoms;
  if (words.Eat("by ")) {
    while (!words.empty()) phantoms.push_back(words.Word());
  }
  world_.Elect(name, phantoms);
}

ScenarioWorld::Which Scenario::Choice(Words& words) {
  ScenarioWorld::Which which;
  while (!words.empty()) {
    const std::string word = words.Word();
    if (word.find("->") != std::string::npos) {
      const Link link = ParseLink(word);
      which.from = link.from;
      which.to = link.to;
    } else if (word == "first") {
      which.first = true;
    } else if (word == "last") {
      which.last = true;
    } else {
      which.kind = word;
    }
  }
  return which;
}

void Scenario::Cut(Words& words) {
  if (words.Eat("log ")) {
    const std::string name = words.Word();
    world_.CutLog(name, LogIndex(words.Number()));
    return;
  }
  const std::string word = words.Word();
  if (words.empty()) {
    const Link link = ParseLink(word);
    world_.CutLink(link.from, link.to);
    return;
  }
  const std::string other = words.Word();
  world_.CutLink(word, other);
  world_.CutLink(other, word);
}

void Scenario::Say(const Link& link, Words& words) {
  Message message;
  message.group = GroupId(1);
  message.from = NodeId(link.from);
  message.to = NodeId(link.to);
  message.from_disk = disks_ ? world_.DiskOf(link.from) : DiskId();
  message.term = words.Eat("term ") ? Term(words.Number()) : world_.TermOf(link.to);
  if (words.Eat("disk ")) message.from_disk = DiskId(words.Number());
  words.Expect(":");
  message.body = ParseBody(words);
  world_.Step(link.to, std::move(message));
}

// --- Nodes ---

void Scenario::Crash(Words& words) {
  const std::string name = words.Word();
  world_.Crash(name, words.Eat("keeping ") ? words.Number() : 0);
}

void Scenario::Wipe(Words& words) {
  const std::string name = words.Word();
  words.Expect("disk ");
  world_.Wipe(name, DiskId(words.Number()));
}

void Scenario::Disk(Words& words) {
  const std::string name = words.Word();
  const bool slow = words.Eat("slow");
  if (!slow) words.Expect("quick");
  world_.SetDiskSlow(name, slow);
}

void Scenario::Sync(Words& words) {
  const std::string name = words.Word();
  world_.Sync(name, words.empty() ? SIZE_MAX : words.Number());
}

void Scenario::Done(Words& words) {
  const std::string name = words.Word();
  world_.Done(name, IoSeq(words.Number()));
}

void Scenario::Apply(Words& words) {
  const std::string name = words.Word();
  const bool slow = words.Eat("slow");
  if (!slow) words.Expect("quick");
  world_.SetApplySlow(name, slow);
}

void Scenario::Applied(Words& words) {
  const std::string name = words.Word();
  world_.Applied(name, LogIndex(words.Number()));
}

void Scenario::Reads(Words& words) {
  const std::string name = words.Word();
  const bool slow = words.Eat("slow");
  if (!slow) words.Expect("quick");
  world_.SetFetchSlow(name, slow);
}

void Scenario::Answer(Words& words) {
  const std::string name = words.Word();
  world_.AnswerFetch(name, !words.Eat("cut"));
}

void Scenario::Snapshot(Words& words) {
  const Link link = ParseLink(words.Word());
  world_.SendSnapshot(link.from, link.to);
}

void Scenario::Received(Words& words) {
  const std::string name = words.Word();
  words.Expect("from ");
  SnapshotReceived received{NodeId(words.Word()), world_.TermOf(name), TransferId(world_.NextId()),
                            SnapshotMeta()};
  if (words.Eat("term ")) received.term = Term(words.Number());
  words.Expect(":");
  received.meta = ParseMeta(words);
  world_.Step(name, std::move(received));
}

void Scenario::Sent(Words& words) {
  const Link link = ParseLink(words.Word());
  const LogIndex index(words.Number());
  const bool installed = words.Eat("installed");
  if (!installed) words.Expect("failed");
  world_.Step(link.from, SnapshotSent{NodeId(link.to), index, installed});
}

// --- Requests ---

void Scenario::Propose(Words& words) {
  const std::string name = words.Word();
  raft::Propose propose;
  while (!words.empty()) {
    std::string text = words.Quoted();
    if (words.Eat("bytes")) text = std::string(std::stoull(text), 'x');
    propose.batch.push_back(Proposal{ProposalId(world_.NextId()), SharedBuffer(std::move(text))});
  }
  world_.Step(name, std::move(propose));
}

void Scenario::Read(Words& words) {
  const std::string name = words.Word();
  world_.Step(name, ReadBarrier{ReadId(world_.NextId())});
}

void Scenario::Transfer(Words& words) {
  const std::string name = words.Word();
  const NodeId target(words.Eat("to ") ? words.Word() : std::string());
  world_.Step(name, TransferTo{TransferId(world_.NextId()), target});
}

void Scenario::Change(Words& words) {
  const std::string name = words.Word();
  ChangeMembers change{ProposalId(world_.NextId()), {}};
  const auto member = [&] {
    std::string id = words.Word();
    Member named;
    if (const size_t slash = id.find('/'); slash != std::string::npos) {
      named.disk = DiskId(std::stoull(id.substr(slash + 1)));
      id.resize(slash);
    }
    named.id = NodeId(id);
    return named;
  };
  do {
    MemberChange& each = change.changes.emplace_back();
    if (words.Eat("add ")) {
      each.kind = MemberChangeKind::kAddVoter;
    } else if (words.Eat("learner ")) {
      each.kind = MemberChangeKind::kAddLearner;
    } else if (words.Eat("remove ")) {
      each.kind = MemberChangeKind::kRemove;
    } else {
      words.Expect("replace ");
      each.kind = MemberChangeKind::kReplace;
      each.replaces = NodeId(words.Word());
      words.Expect("by ");
    }
    each.member = member();
  } while (words.Eat(","));
  world_.Step(name, std::move(change));
}

void Scenario::Members(Words& words) {
  words.Expect("of ");
  world_.ShowMembers(words.Word());
}

}  // namespace

std::string RunScenario(const std::string& text) {
  const AssertionsThrow guard;
  Scenario scenario;
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.front() == ' ') continue;  // what came of it before
    out += line + "\n";
    if (!line.empty() && line.front() != '#') out += scenario.Do(line);
  }
  return out;
}

}  // namespace scheduled::raft
