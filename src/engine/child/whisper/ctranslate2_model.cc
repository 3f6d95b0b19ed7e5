// Whisper on CTranslate2: for GPUs, for other compute types than int8, and for processors without AVX2.
// CTranslate2 seeds its generator once per thread, so nothing here samples.
#include "engine/child/whisper/model.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <istream>
#include <map>
#include <new>
#include <streambuf>

#include <ctranslate2/logging.h>
#include <ctranslate2/models/whisper.h>
#include <ctranslate2/ops/concat.h>
#include <fmt/format.h>

#include "base/file.h"
#include "engine/child/whisper/network.h"
#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {
namespace {

namespace ct2 = ctranslate2;

// Reads a file by its descriptor, from its start and whatever the descriptor's own position. The loader takes
// headers in small reads and weights in large ones, and looks for the end before each.
class DescriptorBuffer final : public std::streambuf {
 public:
  explicit DescriptorBuffer(int fd) : fd_(fd), buffer_(64 << 10) {
    struct stat status{};
    if (::fstat(fd, &status) == 0) size_ = status.st_size;
  }

 protected:
  int_type underflow() override {
    const int64_t count = std::min<int64_t>(std::ssize(buffer_), size_ - read_);
    if (count <= 0) return traits_type::eof();
    if (!read_next(buffer_.data(), count)) return traits_type::eof();
    setg(buffer_.data(), buffer_.data(), buffer_.data() + count);
    return traits_type::to_int_type(*gptr());
  }

  std::streamsize xsgetn(char* to, std::streamsize count) override {
    const std::streamsize buffered = std::min<std::streamsize>(count, egptr() - gptr());
    std::copy_n(gptr(), buffered, to);
    setg(eback(), gptr() + buffered, egptr());
    const std::streamsize direct = std::min<std::streamsize>(count - buffered, size_ - read_);
    if (direct <= 0) return buffered;
    return read_next(to + buffered, direct) ? buffered + direct : buffered;
  }

  pos_type seekoff(off_type offset, std::ios_base::seekdir from, std::ios_base::openmode mode) override {
    const int64_t here = read_ - (egptr() - gptr());
    const int64_t base = from == std::ios_base::beg ? 0 : from == std::ios_base::cur ? here : size_;
    return base + offset == here ? pos_type(here) : seekpos(base + offset, mode);
  }

  pos_type seekpos(pos_type position, std::ios_base::openmode /*mode*/) override {
    const int64_t target = position;
    if (target < 0 || target > size_) return pos_type(off_type(-1));
    read_ = target;
    setg(buffer_.data(), buffer_.data(), buffer_.data());
    return position;
  }

 private:
  bool read_next(char* to, int64_t count) {
    const auto bytes = std::as_writable_bytes(std::span(to, static_cast<size_t>(count)));
    if (!read_at(fd_, static_cast<uint64_t>(read_), bytes)) return false;
    read_ += count;
    return true;
  }

  int fd_;
  int64_t size_ = 0;
  int64_t read_ = 0;  // the file's position after the buffer
  std::vector<char> buffer_;
};

class DescriptorStream final : public std::istream {
 public:
  explicit DescriptorStream(int fd) : std::istream(nullptr), buffer_(fd) { rdbuf(&buffer_); }

 private:
  DescriptorBuffer buffer_;
};

class DescriptorReader final : public ct2::models::ModelReader {
 public:
  explicit DescriptorReader(const ModelFiles& files) : files_(files) {}
  std::string get_model_id() const override { return files_.id; }
  std::unique_ptr<std::istream> get_file(const std::string& name, bool /*binary*/) override {
    const int fd = files_.fd(name);
    if (fd < 0) return nullptr;
    return std::make_unique<DescriptorStream>(fd);
  }

 private:
  const ModelFiles& files_;
};

ct2::ComputeType compute_type_of(ComputeType type, Device device) {
  switch (type) {
    case ComputeType::float32:
      return ct2::ComputeType::FLOAT32;
    case ComputeType::float16:
      return ct2::ComputeType::FLOAT16;
    case ComputeType::automatic:
    case ComputeType::int8:
      break;
  }
  return device == Device::cuda ? ct2::ComputeType::INT8_FLOAT16 : ct2::ComputeType::INT8_FLOAT32;
}

std::vector<size_t> to_ids(std::span<const int> tokens) {
  return {tokens.begin(), tokens.end()};
}

struct Ct2Encoding final : Encoding {
  explicit Ct2Encoding(ct2::StorageView tensor) : output(std::move(tensor)) {}
  ct2::StorageView output;  // of frames / 2 positions
  int64_t positions() const { return output.dim(1); }
};

const Ct2Encoding& own(const EncodingPtr& encoding) {
  return static_cast<const Ct2Encoding&>(*encoding);
}

// The tensor of an encoding without copying it; calls of CTranslate2 take it by value and only read it.
ct2::StorageView view_of(const Ct2Encoding& encoding) {
  auto& output = const_cast<ct2::StorageView&>(encoding.output);
  ct2::StorageView view(output.dtype(), output.device());
  view.view(output.buffer(), output.shape());
  return view;
}

ct2::StorageView stacked(std::span<const EncodingPtr> encodings) {
  if (encodings.size() == 1) return view_of(own(encodings[0]));
  std::vector<const ct2::StorageView*> parts;
  for (const EncodingPtr& encoding : encodings) parts.push_back(&own(encoding).output);
  ct2::StorageView all(parts[0]->dtype(), parts[0]->device());
  ct2::ops::Concat(0)(parts, all);
  return all;
}

Hypothesis to_hypothesis(const ct2::models::WhisperGenerationResult& result) {
  Hypothesis hypothesis;
  if (!result.sequences_ids.empty()) {
    hypothesis.tokens.assign(result.sequences_ids[0].begin(), result.sequences_ids[0].end());
  }
  // The score is a mean over the tokens; the end token counts too.
  const double count = static_cast<double>(hypothesis.tokens.size());
  const double score = result.scores.empty() ? 0 : static_cast<double>(result.scores[0]);
  hypothesis.average_log_probability = score * count / (count + 1);
  hypothesis.no_speech_probability = static_cast<double>(result.no_speech_prob);
  return hypothesis;
}

std::vector<TokenTime> to_times(const ct2::models::WhisperAlignmentResult& result, double seconds) {
  const size_t count = result.text_token_probs.size();
  std::vector<int> first(count + 1, -1);
  for (const auto& [row, position] : result.alignments) {
    const auto token = static_cast<size_t>(row);
    if (token <= count && first[token] < 0) first[token] = static_cast<int>(position);
  }
  return token_times(first, result.text_token_probs, seconds);
}

class Ct2Model final : public Model {
 public:
  Ct2Model(const std::shared_ptr<const ct2::models::Model>& model, size_t lanes, int threads,
           const NetworkSize& size)
      : threads_(threads), size_(size) {
    ct2::ReplicaPoolConfig config;
    config.num_threads_per_replica = 1;
    config.max_queued_batches = -1;
    pool_ = std::make_unique<ct2::models::Whisper>(
        std::vector<std::shared_ptr<const ct2::models::Model>>(lanes, model), config);
  }

  bool multilingual() const override { return pool_->is_multilingual(); }
  int bands() const override { return static_cast<int>(pool_->n_mels()); }
  int lanes() const override { return static_cast<int>(pool_->num_replicas()); }

  // The encoder's scores of all heads, twice; and for each window its encoding and each layer's keys and
  // values, once more when a batch gets smaller.
  ModelMemory memory() const override {
    const int64_t positions = size_.positions;
    return {2LL * 4 * size_.heads * positions * positions,
            4LL * positions * size_.width * (1 + 4LL * size_.decoder_layers)};
  }

  Result<std::vector<EncodingPtr>> do_encode(std::span<const Features> windows) override {
    return guarded("encoding", [&] {
      return run<EncodingPtr>(windows.size(), [&](ct2::models::WhisperReplica& replica, size_t i) {
        const ct2::dim_t frames = windows[i].frames;
        auto* values = const_cast<float*>(windows[i].values.data());
        ct2::StorageView features({1, std::ssize(windows[i].values) / frames, frames}, values);
        return std::make_shared<const Ct2Encoding>(replica.encode(std::move(features), false));
      });
    });
  }

  // A batch has one length of encodings.
  Result<std::vector<Hypothesis>> do_generate(std::span<const EncodingPtr> windows,
                                              std::span<const std::vector<int>> prompts,
                                              const Search& search) override {
    std::map<int64_t, std::vector<size_t>> by_length;
    for (size_t i = 0; i < windows.size(); ++i) by_length[own(windows[i]).positions()].push_back(i);
    return guarded("decoding", [&] {
      std::vector<Hypothesis> all(windows.size());
      for (const auto& [length, indices] : by_length) generate_batch(windows, prompts, indices, search, all);
      return all;
    });
  }

  Result<std::vector<std::vector<TokenTime>>> do_align(std::span<const Alignment> windows) override {
    return guarded("alignment", [&] {
      return run<std::vector<TokenTime>>(
          windows.size(), [&](ct2::models::WhisperReplica& replica, size_t i) -> std::vector<TokenTime> {
            const Alignment& window = windows[i];
            if (window.hypothesis->tokens.empty()) return {};
            // A pair of frames is one position; there must be one at least.
            const int64_t frames = std::llround(std::ceil(window.seconds * 100));
            const size_t looked_at =
                static_cast<size_t>(std::clamp<int64_t>(frames, 2, 2 * own(window.encoding).positions()));
            const auto results =
                replica.align(view_of(own(window.encoding)), to_ids(window.start),
                              {to_ids(window.hypothesis->tokens)}, {looked_at}, strategy::kMedianWidth);
            return to_times(results.at(0), window.seconds);
          });
    });
  }

  Result<std::vector<Languages>> do_detect_language(std::span<const EncodingPtr> windows) override {
    return guarded("language detection", [&] {
      return run<Languages>(windows.size(), [&](ct2::models::WhisperReplica& replica, size_t i) {
        const auto results = replica.detect_language(view_of(own(windows[i])));
        Languages languages;
        for (const auto& [token, probability] : results.at(0)) {
          // "<|en|>"
          languages.emplace_back(token.substr(2, token.size() - 4), probability);
        }
        return languages;
      });
    });
  }

 private:
  // Runs `work(replica, i)` for i in [0, count) on the pool, and gives the results in order. With fewer
  // pieces of work than threads, each piece gets several.
  template <typename T, typename Work>
  std::vector<T> run(size_t count, const Work& work) {
    const size_t share = std::max<size_t>(1, static_cast<size_t>(threads_) / std::max<size_t>(1, count));
    std::vector<std::future<T>> futures;
    for (size_t i = 0; i < count; ++i) {
      futures.push_back(pool_->post<T>([&work, i, share](ct2::models::WhisperReplica& replica) {
        ct2::set_num_threads(share);
        return work(replica, i);
      }));
    }
    // All must be done before `work` and what it refers to go away, even where one threw.
    for (auto& future : futures) future.wait();
    std::vector<T> results;
    for (auto& future : futures) results.push_back(future.get());
    return results;
  }

  void generate_batch(std::span<const EncodingPtr> windows, std::span<const std::vector<int>> prompts,
                      std::span<const size_t> indices, const Search& search, std::vector<Hypothesis>& all) {
    ct2::models::WhisperOptions options;
    options.beam_size = static_cast<size_t>(search.beam_size);
    options.repetition_penalty = search.repetition_penalty;
    options.max_length = strategy::kMaxLength;
    options.return_scores = true;
    options.return_no_speech_prob = true;
    // Even parts, one for each lane.
    const size_t parts = std::min(pool_->num_replicas(), indices.size());
    const auto begin = [&](size_t part) { return indices.size() * part / parts; };
    run<bool>(parts, [&](ct2::models::WhisperReplica& replica, size_t part) {
      std::vector<std::vector<size_t>> ids;
      std::vector<EncodingPtr> batch;
      for (size_t k = begin(part); k < begin(part + 1); ++k) {
        ids.push_back(to_ids(prompts[indices[k]]));
        batch.push_back(windows[indices[k]]);
      }
      const auto results = replica.generate(stacked(batch), ids, options);
      for (size_t k = 0; k < results.size(); ++k) all[indices[begin(part) + k]] = to_hypothesis(results[k]);
      return true;
    });
  }

  int threads_;
  NetworkSize size_;
  std::unique_ptr<ct2::models::Whisper> pool_;
};

}  // namespace

Result<std::unique_ptr<Model>> load_with_ctranslate2(const ModelFiles& files, Device device,
                                                     ComputeType compute_type, int threads) {
  ct2::set_log_level(ct2::LogLevel::Off);
  try {
    ct2::set_num_threads(static_cast<size_t>(threads));
    const NetworkSize size = Network::size_of(TRY(WeightsFile::open(files.fd("model.bin"))));
    DescriptorReader reader(files);
    const auto ct2_device = device == Device::cuda ? ct2::Device::CUDA : ct2::Device::CPU;
    auto model = ct2::models::Model::load(reader, ct2_device, 0, compute_type_of(compute_type, device));
    if (dynamic_cast<const ct2::models::WhisperModel*>(model.get()) == nullptr) {
      return fail(ErrorCode::model_unavailable,
                  fmt::format("The model {} is not a Whisper model.", files.id));
    }
    const size_t lanes = device == Device::cuda ? 1 : static_cast<size_t>(threads);
    return std::make_unique<Ct2Model>(model, lanes, threads, size);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory,
                fmt::format("There is not enough memory for the model {}.", files.id));
  } catch (const std::exception& error) {
    return fail(ErrorCode::model_corrupt, fmt::format("The model {} is damaged.", files.id), error.what());
  }
}

}  // namespace hansard::engine::whisper
