// hansard completions, loaded into the shells themselves: what each offers for a line that is being written.
// zsh and fish where they are installed (deps/fetch check).

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>
#include <sstream>

#include "base/process.h"
#include "program.h"

namespace hansard {
namespace {

namespace fs = std::filesystem;
using Words = std::set<std::string>;

class Completions : public Program {
 protected:
  bool make(const std::string& shell) {
    if (run_child({.argv = {shell, "-c", "true"}}, std::chrono::seconds(10), 1 << 10).has_value()) {
      write("hansard." + shell, run({"completions", shell}).out);
      for (const char* name : {"interview.wav", "interview notes.txt"}) write(name, "x");
      return true;
    }
    return false;
  }

  // What a shell that runs `script` in the test's folder writes, word by word.
  Words output(const std::string& shell, const std::vector<std::string>& flags, const std::string& script) {
    ChildOptions options{.argv = {shell}};
    options.argv.insert(options.argv.end(), flags.begin(), flags.end());
    options.argv.insert(options.argv.end(), {"-c", "cd " + folder_.string() + "\n" + script});
    options.environment = {"PATH=" + std::string(std::getenv("PATH")), "HOME=" + folder_.string(),
                           "LC_ALL=C.UTF-8", "TERM=dumb"};
    const auto result = run_child(options, std::chrono::seconds(30), 1 << 20);
    EXPECT_TRUE(result && result->standard_error.empty()) << (result ? result->standard_error : "");
    std::istringstream lines(result ? result->standard_output : "");
    Words words;
    for (std::string line; std::getline(lines, line);) {
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
      if (!line.empty()) words.insert(line);
    }
    return words;
  }
};

// The words of a command line, the last of which is being written.
using Offers = std::function<Words(const std::vector<std::string>&)>;

void expect_what_users_need(const Offers& offers) {
  const Words commands = offers({""});
  for (const char* name : {"transcribe", "serve", "submit", "jobs", "get", "backup", "models"})
    EXPECT_TRUE(commands.contains(name)) << name;
  EXPECT_FALSE(commands.contains("install"));
  EXPECT_EQ(offers({"tran"}), (Words{"transcribe"}));
  EXPECT_EQ(offers({"jobs", "re"}), (Words{"retry"}));
  EXPECT_EQ(offers({"transcribe", "--dev"}), (Words{"--device"}));
  EXPECT_EQ(offers({"transcribe", "--device", ""}), (Words{"auto", "cpu", "cuda"}));
  EXPECT_EQ(offers({"transcribe", "--device", "cpu", "--task", "tra"}), (Words{"transcribe", "translate"}));
  EXPECT_EQ(offers({"get", "tr_1", "--format", "s"}), (Words{"srt"}));
  EXPECT_EQ(offers({"-v", "jobs", "list", "--status", "c"}), (Words{"canceled", "completed"}));
  EXPECT_TRUE(offers({"models", "install", ""}).contains("large-v3"));
  EXPECT_EQ(offers({"transcribe", "--model", "large-v3"}).count("large-v3"), 1U);
  // A value that is named as a command is none, and a recording is no flag.
  EXPECT_EQ(offers({"transcribe", "--initial-prompt", "jobs", "interview.wav", "--max-d"}),
            (Words{"--max-duration"}));
  EXPECT_EQ(offers({"transcribe", "interview.w"}), (Words{"interview.wav"}));
  EXPECT_EQ(offers({"transcribe", "-o", "interview.w"}), (Words{"interview.wav"}));
  EXPECT_EQ(offers({"completions", ""}), (Words{"bash", "fish", "zsh"}));
  EXPECT_EQ(offers({"jobs", "cancel", "inter"}), Words{});
}

TEST_F(Completions, Bash) {
  ASSERT_TRUE(make("bash"));
  const Offers offers = [&](const std::vector<std::string>& words) {
    std::string script = "source hansard.bash\nCOMP_WORDS=(hansard";
    for (const std::string& word : words) script += " '" + word + "'";
    script +=
        ")\nCOMP_CWORD=" + std::to_string(words.size()) + "\n_hansard\nprintf '%s\\n' \"${COMPREPLY[@]}\"";
    return output("bash", {"--norc"}, script);
  };
  expect_what_users_need(offers);
  EXPECT_EQ(offers({"transcribe", "interview n"}), (Words{"interview notes.txt"}));
  EXPECT_EQ(offers({"get", "--format", "=", "s"}), (Words{"srt"}));  // as bash splits --format=s
  EXPECT_EQ(output("bash", {"--norc"}, "source hansard.bash; complete -p hansard"),
            (Words{"complete -o filenames -F _hansard hansard"}));
}

TEST_F(Completions, Fish) {
  if (!make("fish")) GTEST_SKIP() << "fish is not installed";
  const Offers offers = [&](const std::vector<std::string>& words) {
    std::string line = "hansard";
    for (const std::string& word : words) line += " " + word;
    // Each line is a word, a tab, and what it is.
    return output("fish", {"--no-config"},
                  "source hansard.fish; complete -C '" + line + "' | string replace -r '\\t.*' ''");
  };
  expect_what_users_need(offers);
}

TEST_F(Completions, Zsh) {
  if (!make("zsh")) GTEST_SKIP() << "zsh is not installed";
  fs::rename(folder_ / "hansard.zsh", folder_ / "_hansard");
  // A zsh of its own on a terminal, whose last completer writes each match and ends it.
  write(
      "zshrc",
      "fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D\n"
      "zstyle ':completion:*' verbose no\n"
      "compadd() { if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd \"$@\"; return $?; fi\n"
      "  typeset -a matches; builtin compadd -A matches \"$@\"; print -l -- \"${(@Q)matches}\" >> "
      "$PWD/matches\n"
      "  builtin compadd \"$@\"; }\n"
      "finish() { zle complete-word; exit; }; zle -C complete-word complete-word _main_complete; zle -N "
      "finish\n"
      "bindkey '^I' finish; PROMPT=\n");
  const Offers offers = [&](const std::vector<std::string>& words) {
    std::string line = "hansard";
    for (const std::string& word : words) line += " " + word;
    return output("zsh", {"-f"},
                  ": > matches\nzmodload zsh/zpty\nzpty z 'zsh -f -i'\nzpty -w z 'source zshrc'\n"
                  "zpty -w -n z '" +
                      line + "'$'\\t'\nwhile zpty -r z line; do :; done\nzpty -d z\ncat matches");
  };
  expect_what_users_need(offers);
}

}  // namespace
}  // namespace hansard
