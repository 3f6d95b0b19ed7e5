#include "engine/child/whisper/tokenizer.h"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "base/json.h"
#include "engine/child/whisper/characters.h"

namespace hansard::engine::whisper {
namespace {

namespace bj = boost::json;

// GPT-2 writes each byte as a visible character: printable Latin-1 as itself, the others from U+0100 on.
std::array<char32_t, 256> visible_bytes() {
  std::array<char32_t, 256> characters{};
  char32_t next = 256;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
    characters[byte] = printable ? byte : next++;
  }
  return characters;
}

// Back from visible characters to bytes; nothing where there is another character.
std::optional<std::string> bytes_of(std::string_view visible) {
  static const std::array<char32_t, 256> characters = visible_bytes();
  std::string bytes;
  while (!visible.empty()) {
    const Character character = first_character(visible);
    visible.remove_prefix(character.length_bytes);
    const auto* const found = std::find(characters.begin(), characters.end(), character.value);
    if (!character.valid || found == characters.end()) return std::nullopt;
    bytes += static_cast<char>(found - characters.begin());
  }
  return bytes;
}

uint64_t pair_key(int left, int right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

tl::unexpected<Error> corrupt(std::string_view what) {
  return fail(ErrorCode::model_corrupt, fmt::format("The model's tokenizer.json is damaged: {}.", what));
}

// A merge is "left right", or a list of the two.
std::optional<std::pair<std::string, std::string>> read_merge(const bj::value& value) {
  if (value.is_array() && value.get_array().size() == 2) {
    const bj::array& pair = value.get_array();
    if (!pair[0].is_string() || !pair[1].is_string()) return std::nullopt;
    return std::pair(std::string(pair[0].get_string()), std::string(pair[1].get_string()));
  }
  if (!value.is_string()) return std::nullopt;
  const std::string text(value.get_string());
  const size_t space = text.find(' ');
  if (space == std::string::npos) return std::nullopt;
  return std::pair(text.substr(0, space), text.substr(space + 1));
}

constexpr int kMostTokens = 1 << 20;

}  // namespace

Result<Tokenizer> Tokenizer::parse(std::string_view json) {
  const Result<bj::object> parsed = json::parse_object(json);
  if (!parsed) return corrupt(parsed.error().message);
  const bj::object& model = *TRY(json::get_object(*parsed, "model"));
  const bj::object& vocabulary = *TRY(json::get_object(model, "vocab"));
  const bj::array& merges = *TRY(json::get_array(model, "merges"));
  const bj::array& added = *TRY(json::get_array(*parsed, "added_tokens"));

  Tokenizer result;
  std::unordered_map<std::string, int> ids;
  for (const auto& [text, id] : vocabulary) {
    if (!id.is_int64() || id.get_int64() < 0 || id.get_int64() >= kMostTokens) return corrupt("an id is off");
    const int token = static_cast<int>(id.get_int64());
    // Some exports list special tokens here too; they are no bytes.
    const std::optional<std::string> bytes = bytes_of({text.data(), text.size()});
    if (!bytes) continue;
    if (result.bytes_.size() <= static_cast<size_t>(token))
      result.bytes_.resize(static_cast<size_t>(token) + 1);
    result.bytes_[static_cast<size_t>(token)] = *bytes;
    ids.emplace(*bytes, token);
  }
  for (const bj::value& entry : added) {
    if (!entry.is_object()) return corrupt("an added token is no object");
    const std::string content = TRY(json::get_string(entry.get_object(), "content"));
    const int64_t id = TRY(json::get_integer(entry.get_object(), "id", 0, kMostTokens));
    result.specials_[content] = static_cast<int>(id);
  }
  const std::optional<int> end = result.special("endoftext");
  if (!end) return corrupt("it has no <|endoftext|>");
  result.end_of_text_ = *end;

  for (int byte = 0; byte < 256; ++byte) {
    const auto found = ids.find(std::string(1, static_cast<char>(byte)));
    if (found == ids.end()) return corrupt(fmt::format("it has no token for byte {}", byte));
    result.byte_tokens_.push_back(found->second);
  }
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto merge = read_merge(merges[rank]);
    if (!merge) return corrupt("a merge is no pair");
    const auto left = ids.find(bytes_of(merge->first).value_or(""));
    const auto right = ids.find(bytes_of(merge->second).value_or(""));
    if (left == ids.end() || right == ids.end()) return corrupt("a merge names no token");
    const auto whole = ids.find(left->first + right->first);
    if (whole == ids.end()) return corrupt("a merge makes no token");
    result.merges_.emplace(pair_key(left->second, right->second),
                           Merge{static_cast<int>(rank), whole->second});
  }
  return result;
}

std::vector<int> Tokenizer::encode(std::string_view text) const {
  std::vector<int> tokens;
  const std::string clean = repaired(text);
  for (const std::string_view piece : split_pieces(clean)) encode_piece(piece, tokens);
  return tokens;
}

// Merges the neighbours of least rank until none can be merged.
void Tokenizer::encode_piece(std::string_view piece, std::vector<int>& out) const {
  std::vector<int> tokens;
  for (const char c : piece) tokens.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
  for (;;) {
    Merge best{std::numeric_limits<int>::max(), 0};
    size_t at = 0;
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      const auto found = merges_.find(pair_key(tokens[i], tokens[i + 1]));
      if (found == merges_.end() || found->second.rank >= best.rank) continue;
      best = found->second;
      at = i;
    }
    if (best.rank == std::numeric_limits<int>::max()) break;
    tokens[at] = best.result;
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  out.insert(out.end(), tokens.begin(), tokens.end());
}

std::string Tokenizer::decode(std::span<const int> tokens) const {
  std::string text;
  for (const int token : tokens) text += bytes(token);
  return repaired(text);
}

std::string_view Tokenizer::bytes(int token) const {
  if (token < 0 || !is_text(token) || static_cast<size_t>(token) >= bytes_.size()) return {};
  return bytes_[static_cast<size_t>(token)];
}

std::optional<int> Tokenizer::special(std::string_view name) const {
  const auto found = specials_.find(fmt::format("<|{}|>", name));
  return found == specials_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<int> Tokenizer::language(std::string_view code) const {
  const bool looks_like_one =
      (code.size() == 2 || code.size() == 3) &&
      std::all_of(code.begin(), code.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  return looks_like_one ? special(code) : std::nullopt;
}

// As the expression 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ would.
std::vector<std::string_view> split_pieces(std::string_view text) {
  constexpr std::array<std::string_view, 7> kEndings = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
  // The end of the run of characters of one class that begins at `at`.
  const auto run_end = [&](size_t at, CharacterClass kind) {
    while (at < text.size()) {
      const Character character = first_character(text.substr(at));
      if (class_of(character.value) != kind) break;
      at += character.length_bytes;
    }
    return at;
  };
  std::vector<std::string_view> pieces;
  size_t at = 0;
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    size_t end = at;
    for (const std::string_view ending : kEndings) {
      if (rest.starts_with(ending)) end = at + ending.size();
    }
    if (end == at) {
      const bool space_first = rest[0] == ' ' && rest.size() > 1;
      const CharacterClass kind = class_of(first_character(rest.substr(space_first ? 1 : 0)).value);
      if (kind != CharacterClass::space) end = run_end(at + (space_first ? 1 : 0), kind);
    }
    if (end == at) {
      // Spaces: the last one stays with what follows, unless it is the only one.
      end = run_end(at, CharacterClass::space);
      size_t last = end - 1;
      while ((static_cast<unsigned char>(text[last]) & 0xC0U) == 0x80U) --last;
      if (end < text.size() && last > at) end = last;
    }
    pieces.push_back(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

}  // namespace hansard::engine::whisper
