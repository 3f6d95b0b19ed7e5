#include "jobs/options.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "base/languages.h"
#include "base/limits.h"
#include "engine/serialize.h"
#include "transcript/text.h"

namespace hansard::jobs {
namespace {

namespace bj = json::bj;
using Checked = tl::expected<void, std::string>;  // what is wrong with a value

Checked wrong(std::string message) {
  return tl::unexpected(std::move(message));
}

Checked take_text(const bj::value& value, size_t longest, std::string& into) {
  if (!value.is_string() || transcript::character_count(value.get_string()) > longest) {
    return wrong(fmt::format("must be text of at most {} characters", longest));
  }
  into = value.get_string();
  return {};
}

Checked take_truth(const bj::value& value, bool& into) {
  if (!value.is_bool()) return wrong("must be true or false");
  into = value.get_bool();
  return {};
}

Checked take_integer(const bj::value& value, int64_t least, int64_t most, int64_t& into) {
  boost::system::error_code error;
  const auto number = value.to_number<int64_t>(error);
  if (error || number < least || number > most) {
    return wrong(fmt::format("must be a whole number from {} to {}", least, most));
  }
  into = number;
  return {};
}

Checked take_seconds(const bj::value& value, double& into) {
  boost::system::error_code error;
  const auto number = value.to_number<double>(error);
  if (error || !(number >= 0 && number <= limits::kRecordingSeconds)) {
    return wrong("must be a time in seconds since the recording's start");
  }
  into = number;
  return {};
}

// A choice that the command line knows too, by the function that reads it there.
template <typename T>
Checked take_choice(const bj::value& value, Result<T> (*parse)(std::string_view), T& into) {
  if (!value.is_string()) return wrong("must be text");
  Result<T> parsed = parse(value.get_string());
  if (!parsed) return wrong(parsed.error().message);
  into = std::move(*parsed);
  return {};
}

Checked take_speakers(const bj::value& value, std::optional<int>& into) {
  int64_t count = 0;
  if (Checked taken = take_integer(value, 1, limits::kSpeakers, count); !taken) return taken;
  into = static_cast<int>(count);
  return {};
}

Checked take_hotwords(const bj::value& value, std::vector<std::string>& into) {
  constexpr size_t kMost = 200;
  if (!value.is_array() || value.get_array().size() > kMost) {
    return wrong(fmt::format("must be a list of at most {} words", kMost));
  }
  for (const bj::value& word : value.get_array()) {
    if (Checked taken = take_text(word, 100, into.emplace_back()); !taken) return taken;
  }
  return {};
}

Checked take_vad(const bj::value& value, engine::SpeechOptions& into) {
  if (value.is_bool()) {
    into.voice_activity = value.get_bool();
    return {};
  }
  if (!value.is_object()) return wrong("must be true, false, or {threshold, min_silence_ms}");
  for (const auto& [name, part] : value.get_object()) {
    boost::system::error_code error;
    const auto number = part.to_number<double>(error);
    if (name == "threshold") {
      if (error || !(number >= 0.05 && number <= 0.95)) return wrong("threshold must be from 0.05 to 0.95");
      into.threshold = static_cast<float>(number);
    } else if (name == "min_silence_ms") {
      if (error || !(number >= 0 && number <= 10'000)) return wrong("min_silence_ms must be from 0 to 10000");
      into.min_silence_ms = static_cast<int>(number);
    } else {
      return wrong("knows threshold and min_silence_ms alone");
    }
  }
  return {};
}

using Take = Checked (*)(const bj::value&, JobOptions&);

const std::map<std::string_view, Take>& takers() {
  static const std::map<std::string_view, Take> kTakers{
      {"model",
       [](const bj::value& v, JobOptions& o) { return take_text(v, 200, o.pipeline.transcription_model); }},
      {"diarization_model",
       [](const bj::value& v, JobOptions& o) { return take_text(v, 200, o.pipeline.diarization_model); }},
      {"device", [](const bj::value& v,
                    JobOptions& o) { return take_choice(v, engine::parse_device, o.engine.device); }},
      {"compute_type",
       [](const bj::value& v, JobOptions& o) {
         return take_choice(v, engine::parse_compute_type, o.engine.compute_type);
       }},
      {"no_cache",
       [](const bj::value& v, JobOptions& o) {
         bool no = false;
         const Checked taken = take_truth(v, no);
         o.use_cache = !no;
         return taken;
       }},
      {"language",
       [](const bj::value& v, JobOptions& o) { return take_choice(v, parse_language, o.pipeline.language); }},
      {"task", [](const bj::value& v,
                  JobOptions& o) { return take_choice(v, engine::parse_task, o.pipeline.transcribe.task); }},
      {"preset",
       [](const bj::value& v, JobOptions& o) {
         return take_choice(v, engine::parse_preset, o.pipeline.transcribe.preset);
       }},
      {"diarization", [](const bj::value& v, JobOptions& o) { return take_truth(v, o.pipeline.diarize); }},
      {"num_speakers",
       [](const bj::value& v, JobOptions& o) { return take_speakers(v, o.pipeline.speakers.exact); }},
      {"min_speakers",
       [](const bj::value& v, JobOptions& o) { return take_speakers(v, o.pipeline.speakers.least); }},
      {"max_speakers",
       [](const bj::value& v, JobOptions& o) { return take_speakers(v, o.pipeline.speakers.most); }},
      {"multichannel",
       [](const bj::value& v, JobOptions& o) { return take_truth(v, o.pipeline.multichannel); }},
      {"start_time",
       [](const bj::value& v, JobOptions& o) { return take_seconds(v, o.pipeline.range.start_s); }},
      {"end_time",
       [](const bj::value& v, JobOptions& o) { return take_seconds(v, o.pipeline.range.end_s.emplace()); }},
      {"word_timestamps", [](const bj::value& v, JobOptions& o) { return take_truth(v, o.word_timestamps); }},
      {"initial_prompt",
       [](const bj::value& v, JobOptions& o) {
         return take_text(v, 2000, o.pipeline.transcribe.initial_prompt);
       }},
      {"hotwords",
       [](const bj::value& v, JobOptions& o) { return take_hotwords(v, o.pipeline.transcribe.hotwords); }},
      {"beam_size",
       [](const bj::value& v, JobOptions& o) {
         int64_t size = 0;
         const Checked taken = take_integer(v, 0, 20, size);
         o.pipeline.transcribe.beam_size = static_cast<int>(size);
         return taken;
       }},
      {"temperature",
       [](const bj::value& v, JobOptions&) -> Checked {
         boost::system::error_code error;
         if (v.to_number<double>(error) != 0 || error)
           return wrong("must be 0: nothing here is left to chance");
         return {};
       }},
      {"vad", [](const bj::value& v, JobOptions& o) { return take_vad(v, o.pipeline.speech); }},
      {"priority", [](const bj::value& v, JobOptions& o) { return take_integer(v, 0, 9, o.priority); }}};
  return kTakers;
}

}  // namespace

tl::expected<JobOptions, OptionProblem> parse_options(const bj::object& options) {
  JobOptions result;
  for (const auto& [name, value] : options) {
    const auto found = takers().find(std::string_view(name));
    if (found == takers().end()) {
      return tl::unexpected(OptionProblem{std::string(name), "there is no such option", true});
    }
    if (value.is_null()) continue;
    if (Checked taken = found->second(value, result); !taken) {
      return tl::unexpected(OptionProblem{std::string(name), std::move(taken).error(), false});
    }
  }
  const auto refuse = [](std::string field, std::string message) {
    return tl::unexpected(OptionProblem{std::move(field), std::move(message), false});
  };
  const engine::SpeakerCount& count = result.pipeline.speakers;
  if (count.exact && (count.least || count.most)) {
    return refuse("num_speakers", "cannot be given with min_speakers or max_speakers");
  }
  if (count.least && count.most && *count.least > *count.most) {
    return refuse("min_speakers", "must not be more than max_speakers");
  }
  if ((count.exact || count.least || count.most) && !result.pipeline.diarize) {
    return refuse("diarization", "is off, so a number of speakers makes no sense");
  }
  if ((count.exact || count.least || count.most) && result.pipeline.multichannel) {
    return refuse("multichannel", "makes each channel a speaker, so a number of speakers makes no sense");
  }
  const media::Range& range = result.pipeline.range;
  if (range.end_s && *range.end_s <= range.start_s) return refuse("end_time", "must come after start_time");
  return result;
}

bj::object merge_options(bj::object base, const bj::object& over) {
  static constexpr std::array kSpeakers{"num_speakers", "min_speakers", "max_speakers"};
  const auto says_speakers = [](const bj::object& options) {
    return std::any_of(kSpeakers.begin(), kSpeakers.end(),
                       [&](const char* name) { return options.contains(name); });
  };
  if (says_speakers(over)) {
    for (const char* name : kSpeakers) base.erase(name);
  }
  for (const auto& field : over) base[field.key()] = field.value();
  return base;
}

bj::object to_json(const JobOptions& options) {
  const pipeline::Options& run = options.pipeline;
  bj::object json{{"model", run.transcription_model}, {"diarization_model", run.diarization_model}};
  json["device"] = engine::name(options.engine.device);
  json["compute_type"] = engine::name(options.engine.compute_type);
  json["no_cache"] = !options.use_cache;
  json["language"] = run.language;
  json["task"] = engine::name(run.transcribe.task);
  json["preset"] = engine::name(run.transcribe.preset);
  json["diarization"] = run.diarize;
  if (run.speakers.exact) json["num_speakers"] = *run.speakers.exact;
  if (run.speakers.least) json["min_speakers"] = *run.speakers.least;
  if (run.speakers.most) json["max_speakers"] = *run.speakers.most;
  json["multichannel"] = run.multichannel;
  json["start_time"] = run.range.start_s;
  if (run.range.end_s) json["end_time"] = *run.range.end_s;
  json["word_timestamps"] = options.word_timestamps;
  json["initial_prompt"] = run.transcribe.initial_prompt;
  json["hotwords"] = bj::array(run.transcribe.hotwords.begin(), run.transcribe.hotwords.end());
  json["beam_size"] = run.transcribe.beam_size;
  json["temperature"] = 0;
  json["vad"] = false;
  if (run.speech.voice_activity) {
    json["vad"] = bj::object{{"threshold", json::rounded(run.speech.threshold, 4)},
                             {"min_silence_ms", run.speech.min_silence_ms}};
  }
  json["priority"] = options.priority;
  return json;
}

}  // namespace hansard::jobs
