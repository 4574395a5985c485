// Runs a fuzz target once over each file of its corpus, and over each of their prefixes up to a
// bound: what a fuzzer found once is never lost again, in builds of every compiler.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  constexpr size_t kPrefixes = 256;
  size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
      for (size_t n = 0; n < text.size() && n < kPrefixes; ++n) LLVMFuzzerTestOneInput(bytes, n);
      LLVMFuzzerTestOneInput(bytes, text.size());
      ++files;
    }
  }
  std::printf("%zu files replayed\n", files);
  return files > 0 ? 0 : 1;
}
