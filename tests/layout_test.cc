// Holds src/README.md to the folders, and every include to the layering that it states.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace {

namespace fs = std::filesystem;

const fs::path kSource = fs::path(HANSARD_SOURCE_DIR) / "src";

std::string read(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Folder to the folders it may include; "all" where it may include everything.
std::map<std::string, std::set<std::string>> table() {
  std::map<std::string, std::set<std::string>> rows;
  const std::string text = read(kSource / "README.md");
  const std::regex row(R"(\n\| `([a-z0-9/]+)` \|[^|]*\| ([^|\n]*) \|)");
  const std::regex name("`([a-z0-9/]+)`");
  for (std::sregex_iterator it(text.begin(), text.end(), row), end; it != end; ++it) {
    std::set<std::string> allowed;
    const std::string cell = (*it)[2];
    if (cell == "all") allowed.insert("all");
    for (std::sregex_iterator in(cell.begin(), cell.end(), name); in != end; ++in) allowed.insert((*in)[1]);
    rows[(*it)[1]] = allowed;
  }
  return rows;
}

bool is_source(const fs::path& path) {
  return path.extension() == ".h" || path.extension() == ".cc";
}

std::set<std::string> folders() {
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(kSource)) {
    if (entry.is_regular_file() && is_source(entry.path())) {
      found.insert(fs::relative(entry.path().parent_path(), kSource).string());
    }
  }
  return found;
}

TEST(Layout, TheMapNamesEveryFolderAndNoOther) {
  std::set<std::string> named;
  for (const auto& [folder, allowed] : table()) named.insert(folder);
  EXPECT_EQ(named, folders());
}

TEST(Layout, IncludesGoDownwardsOnly) {
  const auto rows = table();
  const std::regex include("\n#include \"([a-z0-9_/]+)/[a-z0-9_]+\\.h\"");
  for (const auto& entry : fs::recursive_directory_iterator(kSource)) {
    if (!entry.is_regular_file() || !is_source(entry.path())) continue;
    const std::string own = fs::relative(entry.path().parent_path(), kSource).string();
    std::set<std::string> allowed = rows.at(own);
    if (entry.path().stem().string().ends_with("_test")) allowed.insert({"store/sqlite", "blob/file"});
    const std::string text = "\n" + read(entry.path());
    for (std::sregex_iterator it(text.begin(), text.end(), include), end; it != end; ++it) {
      const std::string target = (*it)[1];
      EXPECT_TRUE(target == own || target == "base" || allowed.contains(target) || allowed.contains("all"))
          << entry.path() << " includes " << target;
    }
  }
}

// A folder may not, by way of another, come back to one that may include it.
TEST(Layout, TheLayersHaveNoCycle) {
  const auto rows = table();
  std::map<std::string, int> state;
  const std::function<bool(const std::string&)> has_cycle = [&](const std::string& folder) {
    if (state[folder] == 1) return true;
    if (state[folder] == 2) return false;
    state[folder] = 1;
    const auto row = rows.find(folder);
    if (row != rows.end()) {
      for (const std::string& below : row->second) {
        if (below != "all" && has_cycle(below)) return true;
      }
    }
    state[folder] = 2;
    return false;
  };
  for (const auto& [folder, allowed] : rows) EXPECT_FALSE(has_cycle(folder)) << folder;
}

TEST(Layout, HeavyLibrariesStayOutOfHeaders) {
  const std::regex heavy(
      "#include "
      "<(ctranslate2|onnxruntime|curl|archive|openssl|CLI|toml|sqlite3|sodium|boost/beast|boost/asio)[/"
      "_.\\w]*");
  for (const auto& entry : fs::recursive_directory_iterator(kSource)) {
    if (entry.path().extension() != ".h") continue;
    EXPECT_FALSE(std::regex_search(read(entry.path()), heavy)) << entry.path();
  }
}

// The text of every string in the sources, with those that stand beside each other as one.
std::string all_strings() {
  std::string text;
  for (const auto& entry : fs::recursive_directory_iterator(kSource)) {
    if (entry.path().extension() == ".cc") text += read(entry.path());
  }
  return std::regex_replace(text, std::regex("\"\\s*\n\\s*\""), "");
}

TEST(Troubleshooting, WhatItQuotesIsWhatTheProgramSays) {
  const std::string page = read(fs::path(HANSARD_SOURCE_DIR) / "docs/troubleshooting.md");
  const std::string strings = all_strings();
  const std::string ellipsis = "…";
  size_t quotes = 0;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    const std::string speaker = "hansard: ";
    if (!line.starts_with(speaker)) continue;
    ++quotes;
    std::string rest = line.substr(speaker.size());
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(ellipsis), rest.size());
      std::string part = rest.substr(0, end);
      rest.erase(0, std::min(end + ellipsis.size(), rest.size()));
      // Around what is filled in, and between two messages of which one holds the other, there is
      // punctuation.
      part.erase(0, part.find_first_not_of(" :;,.\"()"));
      while (!part.empty() && std::string(" :;,.\"()").find(part.back()) != std::string::npos)
        part.pop_back();
      EXPECT_NE(strings.find(part), std::string::npos) << line << "\nhas: " << part;
    }
  }
  EXPECT_GT(quotes, 10U);
}

}  // namespace
