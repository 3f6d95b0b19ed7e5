// The provider boundary: all that the rest of Hansard knows of an engine.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/audio.h"
#include "base/result.h"
#include "engine/types.h"
#include "models/library.h"

namespace hansard::engine {

// Takes results while a call runs, on the thread that made the call.
class Sink {
 public:
  virtual ~Sink() = default;
  // Of this call's work, in [0, 1], never going back.
  virtual void progress(double /*fraction*/) {}
  // The call is done, and took so much.
  virtual void effort(const Effort& /*effort*/) {}
  // A group is final. An error ends the call with that error.
  virtual Result<void> group(GroupText /*group*/) { return {}; }
};

// Finds speech, writes words, tells voices apart. One call at a time. Stages are separate calls because the
// result of each is kept: a provider that does everything at once answers plan() with one group of one
// window. Every call: `stop` is looked at between windows; the error is then `canceled`. Errors hold no path,
// token or cache folder, and are one of model_unavailable, model_corrupt, media_unreadable, out_of_memory,
// engine_crashed, engine_timeout, canceled, internal. After engine_crashed or engine_timeout the provider may
// be used again: it starts anew.
class Provider {
 public:
  virtual ~Provider() = default;

  virtual std::string_view id() const = 0;

  // Starts what has to be started; loads no model.
  virtual Result<Capabilities> capabilities() = 0;

  // Makes a model ready under its id; cheap when it is loaded. The least recently used one may be unloaded.
  virtual Result<void> prepare(const models::Installed& model, std::stop_token stop) = 0;

  virtual Result<Plan> plan(const Pcm& pcm, const PlanRequest& request, Sink& sink, std::stop_token stop) = 0;

  // Gives request.groups to the sink one by one, in that order.
  virtual Result<void> transcribe(const Pcm& pcm, const TranscribeRequest& request, Sink& sink,
                                  std::stop_token stop) = 0;

  // Everything about the voices that does not depend on the number of speakers, as bytes to be kept.
  virtual Result<std::string> voices(const Pcm& pcm, const VoicesRequest& request, Sink& sink,
                                     std::stop_token stop) = 0;

  // Turns in order of their start; they may overlap. Takes seconds at most.
  virtual Result<std::vector<Turn>> diarize(DiarizeRequest request, Sink& sink, std::stop_token stop) = 0;

  // Between calls, now and then: clears away what has ended by itself, having had nothing to do.
  virtual void tidy() {}

  // Gives memory and device back; the next call starts anew.
  virtual void close() = 0;
};

// Versions of the stages' algorithms: part of each artifact's key. Raise one when its results change.
inline constexpr int kPlanVersion = 2;
inline constexpr int kWordsVersion = 3;
inline constexpr int kVoicesVersion = 2;
inline constexpr int kTurnsVersion = 2;

}  // namespace hansard::engine
