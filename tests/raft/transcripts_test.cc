// Every text of tests/raft/scenarios is a test case: the scenario is run, and what comes out must
// be what stands there. RAFT_REWRITE=1 writes it there instead, to be reviewed as a diff.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "raft/scenario.h"

namespace scheduled::raft {
namespace {

const std::filesystem::path& Folder() {
  static const std::filesystem::path folder =
      std::filesystem::path(SCHEDULED_TEST_DATA) / "scenarios";
  return folder;
}

std::string Contents(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

size_t LeadingComments(const std::string& text) {
  std::istringstream lines(text);
  size_t count = 0;
  for (std::string line; std::getline(lines, line) && !line.empty() && line[0] == '#';) ++count;
  return count;
}

// Empty if they are equal; otherwise the lines that differ, with some around them: the longest
// common subsequence, and what each text has of its own.
std::string DiffOfLines(const std::string& expected, const std::string& actual) {
  const auto split = [](const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  };
  const std::vector<std::string> a = split(expected);
  const std::vector<std::string> b = split(actual);
  std::vector<std::vector<size_t>> common(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      common[i][j] =
          a[i] == b[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::vector<std::string> all;
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      all.push_back("  " + a[i++]);
      ++j;
    } else if (i < a.size() && (j == b.size() || common[i + 1][j] >= common[i][j + 1])) {
      all.push_back("- " + a[i++]);
    } else {
      all.push_back("+ " + b[j++]);
    }
  }
  constexpr size_t kAround = 4;
  std::vector<bool> shown(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i][0] == ' ') continue;
    for (size_t k = i < kAround ? 0 : i - kAround; k <= i + kAround && k < all.size(); ++k) {
      shown[k] = true;
    }
  }
  std::string out;
  for (size_t i = 0; i < all.size(); ++i) {
    if (shown[i]) out += all[i] + "\n";
    if (!shown[i] && i > 0 && shown[i - 1]) out += "  ...\n";
  }
  return out;
}

class ScenarioCase : public Catch::ITestInvoker {
 public:
  explicit ScenarioCase(std::filesystem::path file) : file_(std::move(file)) {}

  void invoke() const override {
    const std::string expected = Contents(file_);
    const std::string actual = RunScenario(expected);
    if (std::getenv("RAFT_REWRITE") != nullptr) std::ofstream(file_) << actual;
    CHECK(LeadingComments(expected) >= 2);
    CHECK(LeadingComments(expected) <= 5);
    const std::string difference = DiffOfLines(expected, actual);
    if (std::getenv("RAFT_REWRITE") == nullptr && !difference.empty()) {
      FAIL(file_.filename().string() << ": - is expected, + is what came\n" << difference);
    }
  }

 private:
  std::filesystem::path file_;
};

// One test case for each file, named by it.
std::vector<std::filesystem::path> ScenarioFiles() {
  std::vector<std::filesystem::path> files;
  for (const auto& each : std::filesystem::directory_iterator(Folder())) {
    if (each.path().extension() == ".txt") files.push_back(each.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

const bool kRegistered = [] {
  for (const std::filesystem::path& file : ScenarioFiles()) {
    const std::string name = "scenario " + file.stem().string();
    Catch::AutoReg(new ScenarioCase(file), CATCH_INTERNAL_LINEINFO, Catch::StringRef(),
                   Catch::NameAndTags{name, "[scenario]"});
  }
  return true;
}();

TEST_CASE("there are scenarios, and a changed one is seen") {
  CHECK(kRegistered);
  CHECK(ScenarioFiles().size() >= 80);
  const std::string lone = "nodes a\nwait a\n";
  const std::string ran = RunScenario(lone);
  CHECK(RunScenario(ran) == ran);
  CHECK(DiffOfLines(ran, ran).empty());
  CHECK(DiffOfLines("a\nb\nc\n", "a\nx\nc\n") == "  a\n- b\n+ x\n  c\n");
  CHECK(RunScenario("nodes a\nfly a\n").find("expected a link") != std::string::npos);
}

}  // namespace
}  // namespace scheduled::raft
