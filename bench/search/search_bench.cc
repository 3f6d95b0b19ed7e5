// How fast the search is over many transcripts of several users: the store on SQLite, and what the server
// does with a query before and after. One line of JSON on standard output for each run.
//
//   search-bench fill FOLDER USERS TRANSCRIPTIONS SEGMENTS    made-up speech, as many transcriptions for each
//   user search-bench ask FOLDER USERS QUERIES THREADS             each thread asks so many, of each kind in
//   turn search-bench edit FOLDER COUNT                            replaces one transcription's passages so
//   often
//
// Words come as often as in a language (Zipf, of 50,000); segments have 5 to 25 of them.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "library/search.h"
#include "store/sqlite/sqlite_store.h"

namespace {

using namespace hansard;
using store::Statement;
using store::Transaction;
using Clock = std::chrono::steady_clock;

[[noreturn]] void end_with(std::string_view what, std::string_view detail = {}) {
  fmt::print(stderr, "search-bench: {} {}\n", what, detail);
  std::exit(1);
}

template <typename T>
T must(Result<T> result) {
  if (!result) end_with(result.error().message, result.error().detail);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// ---- speech

class Speech {
 public:
  explicit Speech(uint32_t seed) : random_(seed) {
    if (kWords.empty()) make_words();
  }

  size_t below(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }
  // The more often, the smaller its rank.
  const std::string& word() {
    const double at = std::uniform_real_distribution<double>(0, kSums.back())(random_);
    return kWords[static_cast<size_t>(std::lower_bound(kSums.begin(), kSums.end(), at) - kSums.begin())];
  }
  // One of those ranks.
  const std::string& word_of(size_t from, size_t to) { return kWords[from + below(to - from)]; }
  std::string segment() {
    std::string text;
    for (size_t left = 5 + below(21); left > 0; --left) text += (text.empty() ? "" : " ") + word();
    return text + '.';
  }

 private:
  // Frequent words are short, as words are; no two are the same.
  static void make_words() {
    constexpr size_t kCount = 50'000;
    static constexpr std::string_view kConsonants = "bcdfghklmnprstvw";
    static constexpr std::string_view kVowels = "aeiou";
    double sum = 0;
    for (size_t rank = 0; rank < kCount; ++rank) {
      std::string word;
      for (size_t rest = rank + 1; rest > 0; rest /= 80) {
        word += kConsonants[rest % 80 / 5];
        word += kVowels[rest % 5];
      }
      kWords.push_back(std::move(word));
      kSums.push_back(sum += 1 / static_cast<double>(rank + 1));
    }
  }

  static inline std::vector<std::string> kWords;
  static inline std::vector<double> kSums;
  std::mt19937 random_;
};

// ---- filling

std::string user_id(size_t user) {
  return fmt::format("user_{:026}", user);
}

Result<void> add_user(Transaction& transaction, size_t user) {
  static constexpr Statement kUser{
      "bench.user",
      "INSERT INTO users (id, username, role, created_at, updated_at) VALUES ($1, $1, 'user', 1, 1)"};
  static constexpr Statement kFile{
      "bench.file",
      "INSERT INTO files (id, user_id, title, kind, status, created_at, updated_at) "
      "VALUES ($1, $1, 'a', 'audio', 'uploaded', 1, 1)"};
  TRY(transaction.change(kUser, user_id(user)));
  TRY(transaction.change(kFile, user_id(user)));
  return {};
}

std::vector<store::Passage> made_passages(Speech& speech, size_t segments) {
  std::vector<store::Passage> passages;
  for (size_t i = 0; i < segments; ++i) {
    const auto start = static_cast<double>(i) * 6;
    passages.push_back(
        {fmt::format("seg_{:06}", i + 1), start, start + 5, "SPEAKER_00", std::nullopt, speech.segment()});
  }
  return passages;
}

std::string transcription_id(size_t user, size_t number) {
  return fmt::format("tr_{:013}{:013}", number, user);
}

Result<void> add_transcription(Transaction& transaction, size_t user, size_t number,
                               const std::vector<store::Passage>& passages) {
  static constexpr Statement kInsert{
      "bench.transcription",
      "INSERT INTO transcriptions (id, user_id, file_id, client, title, status, options, priority, progress, "
      "progress_stage, queued_at, started_at, completed_at, attempt, failures, crashes, recoveries, "
      "warnings, "
      "searchable_version, created_at, updated_at) VALUES ($1, $2, $2, 'api', 'A conversation', 'completed', "
      "'{}', 5, 1, 'completed', $3, $3, $3, 1, 0, 0, 0, '[]', 1, $3, $3)"};
  const std::string id = transcription_id(user, number);
  TRY(transaction.change(kInsert, id, user_id(user), number));
  return put_passages(transaction, user_id(user), id, passages);
}

// The users' transcriptions come by turns, as they do.
void fill(store::Store& store, size_t users, size_t transcriptions, size_t segments) {
  constexpr size_t kTogether = 20;
  Speech speech(1);
  const auto began = Clock::now();
  for (size_t user = 0; user < users; ++user) {
    must(store.write([&](Transaction& transaction) { return add_user(transaction, user); }));
  }
  for (size_t number = 0; number < transcriptions; number += kTogether) {
    must(store.write([&](Transaction& transaction) -> Result<void> {
      for (size_t i = number; i < std::min(number + kTogether, transcriptions); ++i) {
        for (size_t user = 0; user < users; ++user)
          TRY(add_transcription(transaction, user, i, made_passages(speech, segments)));
      }
      return {};
    }));
  }
  fmt::print(R"({{"passages":{},"seconds":{:.1f}}})"
             "\n",
             users * transcriptions * segments, std::chrono::duration<double>(Clock::now() - began).count());
}

// ---- asking

struct Kind {
  std::string_view name;
  std::string (*query)(Speech&);
};
const std::vector<Kind> kKinds{
    {"a frequent word", [](Speech& s) { return s.word_of(0, 20); }},
    {"a usual word", [](Speech& s) { return s.word_of(20, 2000); }},
    {"a rare word", [](Speech& s) { return s.word_of(2000, 50'000); }},
    {"two frequent words", [](Speech& s) { return s.word_of(0, 20) + " " + s.word_of(0, 20); }},
    {"a frequent and a rare word",
     [](Speech& s) { return s.word_of(0, 20) + " " + s.word_of(2000, 50'000); }},
    {"three words as they come", [](Speech& s) { return s.word() + " " + s.word() + " " + s.word(); }},
    {"two words in a row", [](Speech& s) { return "\"" + s.word() + " " + s.word() + "\""; }},
    {"two letters", [](Speech& s) { return s.word().substr(0, 2) + "*"; }},
    {"three letters", [](Speech& s) { return s.word().substr(0, 3) + "*"; }},
    {"four letters", [](Speech& s) { return s.word_of(80, 50'000).substr(0, 4) + "*"; }},
    {"no word of theirs", [](Speech& s) { return "zz" + s.word(); }}};

using Times = std::map<std::string_view, std::vector<double>>;

double ask_once(store::Store& store, size_t user, const std::string& text, size_t& hits) {
  const auto began = Clock::now();
  store::SearchQuery query{.user_id = user_id(user), .terms = library::parse_search(text).value()};
  store::SearchPage page;
  must(store.read([&](store::Reader& reader) -> Result<void> {
    page = TRY(reader.search(query));
    return {};
  }));
  for (const store::SearchHit& hit : page.hits) hits += !library::snippet_html(hit.snippet).empty();
  return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

double percentile(std::vector<double>& times, size_t hundredths) {
  std::sort(times.begin(), times.end());
  return times.at(std::min(times.size() * hundredths / 100, times.size() - 1));
}

void ask(store::Store& store, size_t users, size_t queries, size_t threads) {
  std::vector<Times> times(threads);
  std::vector<size_t> hits(threads, 0);
  {
    std::vector<std::jthread> asking;
    for (size_t thread = 0; thread < threads; ++thread) {
      asking.emplace_back([&, thread] {
        Speech speech(static_cast<uint32_t>(100 + thread));
        for (size_t i = 0; i < queries; ++i) {
          const Kind& kind = kKinds[i % kKinds.size()];
          times[thread][kind.name].push_back(
              ask_once(store, speech.below(users), kind.query(speech), hits[thread]));
        }
      });
    }
  }
  std::vector<double> all;
  std::string kinds;
  for (const Kind& kind : kKinds) {
    std::vector<double> of_kind;
    for (Times& one : times) of_kind.insert(of_kind.end(), one[kind.name].begin(), one[kind.name].end());
    if (of_kind.empty()) continue;
    all.insert(all.end(), of_kind.begin(), of_kind.end());
    kinds +=
        fmt::format(R"(,"{}":[{:.2f},{:.2f}])", kind.name, percentile(of_kind, 50), percentile(of_kind, 99));
  }
  size_t found = 0;
  for (const size_t count : hits) found += count;
  fmt::print(R"({{"queries":{},"hits":{},"p50_ms":{:.2f},"p99_ms":{:.2f},"max_ms":{:.2f}{}}})"
             "\n",
             all.size(), found, percentile(all, 50), percentile(all, 99), all.back(), kinds);
}

void edit(store::Store& store, size_t count) {
  Speech speech(7);
  std::vector<double> times;
  for (size_t i = 0; i < count; ++i) {
    const std::vector<store::Passage> passages = made_passages(speech, 600);
    const auto began = Clock::now();
    must(store.write([&](Transaction& transaction) {
      return put_passages(transaction, user_id(0), transcription_id(0, i / 2), passages);
    }));
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - began).count());
  }
  fmt::print(R"({{"edits":{},"p50_ms":{:.1f},"max_ms":{:.1f}}})"
             "\n",
             count, percentile(times, 50), times.back());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 2 ? argv[1] : "";
  const auto number = [&](int place) -> size_t {
    if (argc <= place) end_with("a number is missing");
    return std::strtoul(argv[place], nullptr, 10);
  };
  if (command.empty()) end_with("fill, ask or edit; see the top of search_bench.cc");
  const auto store = must(store::open_sqlite(std::filesystem::path(argv[2]) / "hansard.db"));
  if (command == "fill") {
    fill(*store, number(3), number(4), number(5));
  } else if (command == "ask") {
    ask(*store, number(3), number(4), number(5));
  } else if (command == "edit") {
    edit(*store, number(3));
  } else {
    end_with("there is no such command");
  }
  return 0;
}
