// Runs a target on every file of a folder: replay_TARGET FOLDER. What it must not do ends the process: a crash, an exception, or a huge allocation.
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

#include "lib/base/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
#ifndef __SANITIZE_ADDRESS__
  const rlimit most{rlim_t{4} << 30, rlim_t{4} << 30};  // address sanitizer itself claims terabytes
  setrlimit(RLIMIT_AS, &most);
#endif
  if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
    std::cerr << "replay: FOLDER\n";
    return 2;
  }
  std::vector<onecard::Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry.path());
  std::ranges::sort(files);
  for (const auto& file : files) {
    std::cout << file.filename().string() << std::endl;
    std::ifstream in(file, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }
  std::cout << files.size() << " files replayed" << std::endl;
  return 0;
}
