#include "engine/child/whisper/characters.h"

#include <algorithm>
#include <array>
#include <vector>

namespace hansard::engine::whisper {
namespace {

// Runs of characters of one class, from U+0000 up to U+FFFF. Each is 3 * length + class (0 other, 1 letter, 2
// number), written in digits of 5 bits, the lowest first: '0' + digit, and 32 more where another digit
// follows. Made from the general categories of the Unicode Character Database, version 16.
constexpr std::string_view kRuns =
    R"(`4P1E_2B_2]44E8349543;3V23n23oZ1<U1Z1@E434S<@376=34B43:343m13j73R=Hc?3c364Bl3e6b2<=W4R4o1P1<73Z934]1)"
    R"(7E7P1:64`143k2g2\8Q14Z1P1T3K7<4?S2<4K494U2\2ER1?Y23Cc1o3^5S594f14EO<P13a1<I676S23F349=94`14W173:<P17)"
    R"(6D64HC<76S23F373737m2=34EP16:`1L3:3S23F373@94f14]17<P1K4Q1I676S23F373@94j273:<P134DQ143C9:3=97343797)"
    R"(9:9U1R24o1Y1f1I3:3V23a194^2:6467<P1HG34<I3:3V23O3@94m2737<P137c1L3:3l364`14?:3G:<k13C?g19Y23L346Fm2P)"
    R"(1c1a437T1FKP1e37343@3Y2343O37K46@34KP16=P34m2n1T1I3]3a2@i:R4l14P1BC<=9497E:<X1T143P1Bc334?46R43XO3=6)"
    R"(F343=6l33=6T33=6F343=6^13\53=6Z6Z1n19a1`1S86C9Uj16d13_2?R79;IEg1W1j1Z1g1Z1X13:]1m4Y34<49P1BP1R2P1B\8)"
    R"(E@6W334?c6Nn2e3P1k26@Q1U4<_2BS1_3V2KP5Q4P1BP1W14g8^4c1I9P1k3k2W17P1U4^2]3d2P19:P1]36R1?R46:k3=3C3794)"
    R"(?QBP6SJ6C6c36C6I3434343n26P53F349:3F9=6C<X1?:3Fi:546D?4P1BX1_94<46O349@B434343=3R16=?@<43k47ART2f5Z7)"
    R"(T2Rk1l2TZ3`EB=97K56c334?46Y5E4`1V2KF3F3F3F3F3F3F3F`74o[175[2ME@6;7<S8B:3_83=?R43k89>NQ3`4a1P3P1j2J3_)"
    R"(1P3P1e3_1PNQZCP6XmP2Y6[46XI9a1P17l1^4`1n26c6P1e3L6f96Z667343Io1a13:3=3V2W1DNm4Z1g4d2P1X2C94373P1e2NV)"
    R"(2[2h2E^4d24P1B@3OP1@3l3U2:3I<P1BV2949g434976@6434X2:6R1E:T1C6C6CKF3F3R43[1Bj:W1P1B]gP1T1V2<d4\hH[R16)"
    R"(o9b3FT1@?43O3X13@3437373U:S3RR1f1Q66S5h3U1l:@3f<i1P1E_2B_2Q1\89C6C6C6:Y3)";

struct Run {
  char32_t end;
  CharacterClass kind;
};

std::vector<Run> read_runs() {
  std::vector<Run> runs;
  char32_t end = 0;
  unsigned value = 0;
  unsigned shift = 0;
  for (const char c : kRuns) {
    const unsigned digit = static_cast<unsigned>(c - '0');
    value |= (digit & 31U) << shift;
    shift += 5;
    if ((digit & 32U) != 0) continue;
    end += value / 3;
    runs.push_back({end, static_cast<CharacterClass>(value % 3)});
    value = 0;
    shift = 0;
  }
  return runs;
}

bool is_space(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

// Past the first plane: old scripts, mathematical letters and digits, symbols and pictures, rare ideographs.
CharacterClass class_beyond(char32_t c) {
  if (c < 0x1D000) return CharacterClass::letter;
  if (c >= 0x1D400 && c < 0x1D7CE) return CharacterClass::letter;
  if (c >= 0x1D7CE && c < 0x1D800) return CharacterClass::number;
  if (c >= 0x20000 && c < 0x32400) return CharacterClass::letter;
  return CharacterClass::other;
}

}  // namespace

CharacterClass class_of(char32_t character) {
  static const std::vector<Run> runs = read_runs();
  if (is_space(character)) return CharacterClass::space;
  if (character > 0xFFFF) return class_beyond(character);
  return std::upper_bound(runs.begin(), runs.end(), character,
                          [](char32_t c, const Run& run) { return c < run.end; })
      ->kind;
}

Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, true, false};
  const size_t length = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || lead >= 0xF5) return {0, 1, false, false};
  // The second byte's range keeps out overlong forms, surrogates and what lies past U+10FFFF.
  const unsigned least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t value = lead & (0xFFU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {0, i, false, true};
    if (byte(i) < (i == 1 ? least : 0x80U) || byte(i) > (i == 1 ? most : 0xBFU)) return {0, i, false, false};
    value = (value << 6) | (byte(i) & 0x3FU);
  }
  return {value, length, true, false};
}

std::string repaired(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character character = first_character(text);
    result += character.valid ? text.substr(0, character.length_bytes) : std::string_view("\xEF\xBF\xBD");
    text.remove_prefix(character.length_bytes);
  }
  return result;
}

}  // namespace hansard::engine::whisper
