// Recordings whose ffprobe takes its time: a real one, behind a gate that the test opens.

#include "library/probing.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "library/kept_library_test.h"
#include "media/made_media.h"

namespace hansard::library {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class ProbingTest : public KeptLibrary {
 protected:
  ProbingTest() {
    const fs::path programs = folder_ / "programs";
    fs::create_directory(programs);
    EXPECT_EQ(::mkfifo((programs / "gate").c_str(), 0600), 0);
    std::ofstream(programs / "ffprobe")
        << "#!/bin/sh\nread line < \"${0%/*}/gate\"\nPATH=\"${PATH#*:}\"\nexec ffprobe \"$@\"\n";
    fs::permissions(programs / "ffprobe", fs::perms::owner_all);
    ::setenv("PATH", (programs.string() + ":" + path_).c_str(), 1);
    relay_.tell([this](const store::Notice& notice) { happen(notice); });
  }
  ~ProbingTest() override {
    relay_.tell({});
    probing_.reset();
    ::setenv("PATH", path_.c_str(), 1);
  }
  void happen(const store::Notice& notice) {
    if (notice.channel == "events") events_.release();
  }
  void start() {
    probing_ = std::make_unique<Probing>(*store_, *blobs_);
    relay_.tell([this](const store::Notice& notice) {
      probing_->notice(notice);
      happen(notice);
    });
    probing_->start();
  }
  // Lets one ffprobe through, once there is one.
  void open_gate() const { std::ofstream(folder_ / "programs" / "gate") << "open\n"; }
  File settled(const std::string& id) {
    while (found(id).status == "processing") events_.acquire();
    return found(id);
  }
  jobs::Job job_of(const File& file) {
    jobs::Job job;
    write([&](store::Transaction& transaction) -> Result<void> {
      job = TRY(jobs::enqueue(
          transaction,
          {.user_id = "ann", .file_id = file.id, .title = "a", .file_ready = file.status == "ready"}));
      return {};
    });
    return job;
  }
  jobs::Job now(const jobs::Job& job) {
    std::optional<jobs::Job> found;
    read([&](store::Reader& reader) -> Result<void> {
      found = TRY(jobs::find(reader, job.id));
      return {};
    });
    return *found;
  }
  std::string wav() const {
    return read_file(made_.write_wav("a.wav", media::clicks(1), 1, 44100), 1 << 20).value();
  }

  const std::string path_ = std::getenv("PATH");
  media::MadeMedia made_;
  std::counting_semaphore<> events_{0};
  std::unique_ptr<Probing> probing_;
};

TEST_F(ProbingTest, AFileThatTakesLongBecomesReadyAndItsJobCanRun) {
  start();
  const File file = hand_in(wav(), 20ms).value();
  EXPECT_EQ(file.status, "processing");
  EXPECT_EQ(file.sha256, sha256_hex(wav()));
  const jobs::Job job = job_of(file);
  EXPECT_EQ(job.stage, "downloading");
  open_gate();
  const File ready = settled(file.id);
  EXPECT_EQ(ready.status, "ready");
  EXPECT_EQ(ready.mime_type, "audio/wav");
  EXPECT_NEAR(ready.duration_s.value_or(0), 1, 0.01);
  EXPECT_EQ(now(job).stage, "queued");
}

TEST_F(ProbingTest, ARestartTakesUpWhatWasNotDone) {
  start();
  const File file = hand_in(wav(), 20ms).value();
  const jobs::Job job = job_of(file);
  probing_.reset();
  EXPECT_EQ(found(file.id).status, "processing");
  start();
  open_gate();
  EXPECT_EQ(settled(file.id).status, "ready");
  EXPECT_EQ(now(job).stage, "queued");
}

TEST_F(ProbingTest, AFileThatIsNoRecordingFailsAndItsJobWithIt) {
  start();
  const File file = hand_in(std::string(5000, 'x'), 20ms).value();
  const jobs::Job job = job_of(file);
  open_gate();
  const File failed = settled(file.id);
  EXPECT_EQ(failed.status, "failed");
  EXPECT_EQ(failed.error_code, "UNSUPPORTED_MEDIA");
  EXPECT_EQ(failed.error_message, "this is not an audio or video file that ffmpeg can decode");
  EXPECT_EQ(now(job).status, jobs::Status::failed);
  EXPECT_EQ(now(job).error_code, "FILE_FAILED");
}

}  // namespace
}  // namespace hansard::library
