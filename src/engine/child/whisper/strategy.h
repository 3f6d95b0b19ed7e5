// The numbers of the decoding strategy, with what each was found good for. They were measured with Whisper
// base in int8; the ones that must change together stand together.
#pragma once

#include "engine/types.h"

namespace hansard::engine::whisper::strategy {

// ---- encoder input
// The encoder may be given fewer frames than 30 s. With a second of silence after the speech Whisper
// sometimes goes round in circles; with two it never did.
inline constexpr double kTrailingSeconds = 2.0;
// Windows of one length are decoded together, so lengths come in steps. A window's step depends on the window
// alone: what it says must not depend on its neighbours.
inline constexpr int kFrameStep = 500;

// ---- first decoding: greedy, without timestamps
// A wider beam everywhere deletes more than it mends; timestamps cost a sixth more tokens and worsen the
// text.
inline constexpr int kGreedy = 1;
// CTranslate2 halves this: 224 tokens, what fits beside a prompt of as many.
inline constexpr int kMaxLength = 448;

// ---- weak results, decoded again from all 3,000 frames with a beam
inline constexpr int kBeam = 5;
// Whisper in int8 sometimes ends after the first word: fewer tokens a second than anyone speaks.
inline constexpr double kLeastTokensPerSecond = 1.0;
// A second result that is so much longer replaces a first one of better probability.
inline constexpr double kMuchLonger = 1.5;
// For text that goes round in circles even with a beam. Anywhere else a penalty does harm: lists repeat
// words.
inline constexpr float kRepetitionPenalty = 1.1F;

// ---- how much care each preset takes
struct Care {
  int beam;                     // of the first decoding
  int beam_alone;               // where the recording is a single window
  double weak_log_probability;  // an average below it is weak
};
inline constexpr Care kFast{kGreedy, kGreedy, -0.6};
inline constexpr Care kBalanced{kGreedy, kBeam, -0.25};
inline constexpr Care kAccurate{kGreedy, kBeam, -0.15};
constexpr const Care& care(Preset preset) {
  return preset == Preset::fast ? kFast : preset == Preset::accurate ? kAccurate : kBalanced;
}

// ---- circles: the text ends in one group of up to 12 tokens, 5 times over; or it never ended
inline constexpr int kLoopTokens = 12;
inline constexpr int kLoopTimes = 5;
inline constexpr int kEndlessTokens = 220;

// ---- text without speech (Whisper's own thresholds)
inline constexpr double kNoSpeech = 0.6;
inline constexpr double kNoSpeechLogProbability = -1.0;

// ---- an end too early: speech that goes on so long after the last word is decoded as a window of its own
inline constexpr double kUnheardSeconds = 3.0;
inline constexpr double kBackSeconds = 0.1;  // how far before the end of the last word it begins
inline constexpr int kMostCuts = 3;
// What was not heard at all, or only in circles, is tried in halves when it is longer than this.
inline constexpr double kHalvedSeconds = 8.0;

// ---- word times
inline constexpr int kMedianWidth = 7;
inline constexpr double kAlignmentSeconds = 0.02;  // one position of the encoder's output

// ---- prompt
// Half of the decoder's 448 positions, less <|startofprev|>.
inline constexpr int kPromptTokens = 223;

// ---- languages
inline constexpr int kSampledWindows = 8;
// A language with less of the recording than this is taken for an error.
inline constexpr double kLeastShare = 0.1;
// In a recording of several languages a window that is sure keeps its own; pure windows gave .97 to 1, some
// .89, mixed ones .50 to .93. Others are looked at part by part.
inline constexpr double kSureOfLanguage = 0.95;
// A part so long that is so sure is right, though the language be rare in the recording.
inline constexpr double kSurePartSeconds = 3.0;
inline constexpr double kSureOfPart = 0.9;
// Regions shorter than this join their neighbour before their language is looked at.
inline constexpr double kLanguageRegionSeconds = 2.0;

}  // namespace hansard::engine::whisper::strategy
