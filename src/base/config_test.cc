#include "base/config.h"

#include "base/temporary_folder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

namespace hansard {
namespace {

namespace fs = std::filesystem;

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() { environment_["HOME"] = folder_; }

  void write_file(const std::string& text) {
    fs::create_directories(folder_ / ".config/hansard");
    std::ofstream(folder_ / ".config/hansard/config.toml") << text;
  }

  Result<Config> load() {
    return Config::load([this](std::string_view name) -> std::optional<std::string> {
      const auto found = environment_.find(std::string(name));
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    });
  }

  static std::string lower_case(std::string_view text) {
    std::string result(text);
    for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
  }
  std::string error() {
    const Result<Config> config = load();
    return config ? "" : config.error().message;
  }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_;
  std::map<std::string, std::string> environment_;
};

TEST_F(ConfigTest, DefaultsThenFileThenEnvironmentThenFlag) {
  EXPECT_EQ(load()->integer("SPEECH_ENGINE_THREADS"), 0);
  write_file("speech_engine_threads = 2\nspeech_engine_auto_download = false\n");
  EXPECT_EQ(load()->integer("SPEECH_ENGINE_THREADS"), 2);
  EXPECT_FALSE(load()->boolean("SPEECH_ENGINE_AUTO_DOWNLOAD"));
  environment_["SPEECH_ENGINE_THREADS"] = "3";
  Config config = load().value();
  EXPECT_EQ(config.integer("SPEECH_ENGINE_THREADS"), 3);
  ASSERT_TRUE(config.set("SPEECH_ENGINE_THREADS", "4"));
  EXPECT_EQ(config.integer("SPEECH_ENGINE_THREADS"), 4);
  for (const Config::Shown& row : config.show()) {
    if (row.name == "SPEECH_ENGINE_THREADS") {
      EXPECT_EQ(row.origin, "flag");
    }
    if (row.name == "SPEECH_ENGINE_AUTO_DOWNLOAD") {
      EXPECT_EQ(row.origin, "file");
    }
  }
}

TEST_F(ConfigTest, BadValuesAreNamedWithWhatIsAllowed) {
  environment_["SPEECH_ENGINE_THREADS"] = "many";
  EXPECT_EQ(error(), "SPEECH_ENGINE_THREADS is \"many\"; allowed is a whole number from 0 to 256");
  environment_["SPEECH_ENGINE_THREADS"] = "257";
  EXPECT_NE(error(), "");
  environment_.erase("SPEECH_ENGINE_THREADS");
  environment_["SPEECH_ENGINE_PROVIDER"] = "tpu";
  EXPECT_EQ(error(), "SPEECH_ENGINE_PROVIDER is \"tpu\"; allowed is one of: auto cpu cuda");
  environment_["SPEECH_ENGINE_PROVIDER"] = "cpu";
  environment_["SPEECH_ENGINE_IDLE_TIMEOUT"] = "10";
  EXPECT_EQ(error(),
            "SPEECH_ENGINE_IDLE_TIMEOUT: \"10\" could mean 10 seconds or 10 minutes; write 10s or 10m");
}

// Values that no setting of this kind may have.
std::vector<std::string> bad_values(const ConfigKey& key) {
  const auto range = [&] {
    const size_t dots = key.choices.find("..");
    return std::pair(std::string(key.choices.substr(0, dots)), std::string(key.choices.substr(dots + 2)));
  };
  switch (key.kind) {
    case ConfigKey::Kind::integer: {
      const auto [least, most] = range();
      return {std::to_string(std::stoll(least) - 1),
              std::to_string(std::stoll(most) + 1),
              "many",
              "1.5",
              "1 ",
              "0x1",
              "99999999999999999999"};
    }
    case ConfigKey::Kind::duration:
      return {"10", "soon", "-1s", "10 s", "nan", "1d", "9999h"};
    case ConfigKey::Kind::boolean:
      return {"yes", "1", "TRUE"};
    case ConfigKey::Kind::choice:
      return {"some", "auto|cpu", " none"};
    case ConfigKey::Kind::text:
    case ConfigKey::Kind::path:
      return {};
  }
  return {};
}

TEST_F(ConfigTest, EachSettingNamesItselfTheValueAndWhatIsAllowed) {
  for (const ConfigKey& key : config_keys()) {
    for (const std::string& value : bad_values(key)) {
      for (const bool in_file : {false, true}) {
        if (in_file) {
          write_file(fmt::format("{} = \"{}\"\n", lower_case(key.name), value));
        } else {
          environment_[std::string(key.name)] = value;
        }
        const std::string said = error();
        EXPECT_NE(said.find(key.name), std::string::npos) << key.name << "=" << value << ": " << said;
        EXPECT_NE(said.find('"' + value + '"'), std::string::npos)
            << key.name << "=" << value << ": " << said;
        EXPECT_TRUE(said.find("allowed is") != std::string::npos || said.find("write ") != std::string::npos)
            << said;
        environment_.erase(std::string(key.name));
        write_file("");
      }
    }
    if (key.default_value.empty()) continue;
    environment_[std::string(key.name)] = key.default_value;
    EXPECT_EQ(error(), "") << "its own default";
    environment_.erase(std::string(key.name));
  }
}

TEST_F(ConfigTest, AnUnknownKeyInTheFileIsAnErrorThatNamesTheNearest) {
  write_file("speech_engine_thread = 2\n");
  EXPECT_NE(error().find("unknown key \"speech_engine_thread\"; did you mean speech_engine_threads?"),
            std::string::npos);
  write_file("speech_engine_threads = [1]\n");
  EXPECT_NE(error().find("speech_engine_threads"), std::string::npos);
  write_file("speech_engine_threads = \n");
  EXPECT_NE(error().find("line 1"), std::string::npos);
}

TEST_F(ConfigTest, SecretsAreMasked) {
  environment_["HF_TOKEN"] = "hf_secret";
  for (const Config::Shown& row : load()->show()) EXPECT_EQ(row.value.find("hf_secret"), std::string::npos);
  EXPECT_EQ(load()->text("HF_TOKEN"), "hf_secret");
}

TEST_F(ConfigTest, FoldersFollowTheDataFolder) {
  EXPECT_EQ(load()->data_folder(), folder_ / ".local/share/hansard");
  environment_["XDG_DATA_HOME"] = "/xdg";
  EXPECT_EQ(load()->data_folder(), "/xdg/hansard");
  environment_["HANSARD_DATA_DIR"] = "/data";
  EXPECT_EQ(load()->models_folder(), "/data/models");
  for (const Config::Shown& row : load()->show()) {
    if (row.name == "HANSARD_MODEL_PATH") {
      EXPECT_EQ(row.value, load()->model_path().front());
    }
  }
  environment_["HANSARD_MODEL_PATH"] = "/a:/b";
  EXPECT_EQ(load()->model_path(), (std::vector<fs::path>{"/a", "/b"}));
  environment_["HANSARD_MODEL_PATH"] = "none";
  EXPECT_TRUE(load()->model_path().empty());
}

TEST_F(ConfigTest, WithoutAHomeItSaysWhatToSet) {
  environment_.clear();
  EXPECT_EQ(error(), "there is no HOME; set HANSARD_DATA_DIR to the folder to keep data in");
}

TEST(Duration, TakesWhatPeopleWrite) {
  EXPECT_EQ(parse_duration("90s").value(), 90);
  EXPECT_EQ(parse_duration("1.5s").value(), 1.5);
  EXPECT_EQ(parse_duration("30m").value(), 1800);
  EXPECT_EQ(parse_duration("2h").value(), 7200);
  EXPECT_EQ(parse_duration("1:02:03.5").value(), 3723.5);
  EXPECT_EQ(parse_duration("90:00").value(), 5400);
}

TEST(Duration, RefusesABareNumberWithBothReadings) {
  EXPECT_EQ(parse_duration("30").error().message,
            "\"30\" could mean 30 seconds or 30 minutes; write 30s or 30m");
  for (const char* text :
       {"", "s", "-5s", "1:60", "1:2:3:4", "1e3s", "5 s", "::", "1.5:00", "nan", "1..5s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Clock, HasHoursOnlyWhereItNeedsThem) {
  EXPECT_EQ(format_clock(0), "00:00.0");
  EXPECT_EQ(format_clock(59.6, 0), "01:00");
  EXPECT_EQ(format_clock(62.34), "01:02.3");
  EXPECT_EQ(format_clock(3723.4), "1:02:03.4");
  EXPECT_EQ(format_clock(59.96), "01:00.0");
}

TEST(ConfigReference, IsThePageInTheDocumentation) {
  std::ifstream file(HANSARD_SOURCE_DIR "/docs/configuration.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_NE(page.str().find(config_reference()), std::string::npos) << "docs/configuration.md must hold:\n"
                                                                    << config_reference();
}

}  // namespace
}  // namespace hansard
