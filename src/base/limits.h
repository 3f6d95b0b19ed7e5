// The limits of the program, each with its reason. What a user may change is in base/config.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hansard::limits {

using namespace std::chrono_literals;

// ---- engine protocol
// A header is a small JSON object; plans of the longest recordings (30 h, 16,000 windows) stay below 8 MiB.
inline constexpr uint32_t kFrameHeaderBytes = 16U << 20;
// A payload holds the voices of a recording: about 3 MB an hour.
inline constexpr uint32_t kFramePayloadBytes = 512U << 20;
// Descriptors in one frame: the files of a model.
inline constexpr size_t kFrameDescriptors = 16;
// An engine that says nothing for so long, and does not compute either, hangs.
inline constexpr auto kEngineSilence = 120s;
// So does one that computes for so long, in time of all its threads, and says nothing: a group of the largest
// model takes minutes on two slow cores.
inline constexpr auto kEngineSilentWork = 20min;
// After `cancel` an engine has so long to stop before it is killed: Ctrl-C ends within 2 s.
inline constexpr auto kEngineCancelGrace = 1500ms;
// Starting an engine loads shared libraries only.
inline constexpr auto kEngineStart = 20s;

// ---- media
// The longest recording: positions fit, and a spool of it (5.4 GB) is no accident.
inline constexpr double kRecordingSeconds = 48 * 3600.0;
// ffprobe reads headers; more is a hostile file.
inline constexpr auto kProbeTime = 30s;
// An upload is answered after so long, whatever ffprobe does.
inline constexpr std::chrono::milliseconds kUploadProbeTime = 5s;
// ffmpeg decodes at hundreds of times real time; so much CPU time for each second of sound is a hostile file.
inline constexpr double kDecodeCpuSecondsPerSecond = 1.0;
inline constexpr uint64_t kDecodeCpuSecondsLeast = 120;
// ffmpeg that decodes nothing for so long hangs, or its disk does.
inline constexpr auto kDecodeSilence = 60s;
// Address space of ffmpeg and ffprobe: video of the largest frame sizes needs 1 GB.
inline constexpr uint64_t kMediaAddressSpaceBytes = 4ULL << 30;
// A waveform is kept in so many peaks at most, from which any that is drawn is made: several for each point
// of the widest.
inline constexpr size_t kWaveformPeaks = 1 << 16;
inline constexpr int64_t kWaveformPoints = 10'000;
// ffmpegs that make waveforms and playback renditions at once, and requests that wait for one at once: the
// processor has transcriptions to do, and threads others to answer.
inline constexpr size_t kRenditionMakers = 2;
inline constexpr size_t kRenditionWaiters = 4;
// Room that must stay free on the spool's disk.
inline constexpr uint64_t kDiskReserveBytes = 64ULL << 20;

// ---- speakers
// More people than this are not told apart by any model; a larger number is a slip of the finger.
inline constexpr int kSpeakers = 100;
// Each channel that is a speaker has a spool of its own; tables and consoles record no more.
inline constexpr int kChannels = 16;

// ---- retries of one run
// An engine that died so often over one recording will die again.
inline constexpr int kTranscribeCrashes = 3;
inline constexpr int kDiarizeCrashes = 2;

// ---- jobs
// What may pass (memory, network, a full disk) is tried so often, the first time again after kJobBackoff,
// then each time after twice as long.
inline constexpr int kJobFailures = 3;
inline constexpr std::chrono::milliseconds kJobBackoff = 5s;
// A job that was in work at so many ends of the server may be the cause of them.
inline constexpr int kJobRecoveries = 20;
// A recording that is transcribed in a few seconds: a job in work makes way for it, but not more often than
// this.
inline constexpr std::chrono::seconds kShortRecording = 60s;
inline constexpr std::chrono::seconds kMakeWayInterval = 60s;

// ---- http
// Cookies and tokens of a proxy fit; more is no browser's.
inline constexpr uint32_t kHeaderBytes = 32 << 10;
// Titles are searched for in the query; more is no search.
inline constexpr size_t kTargetBytes = 8 << 10;
// One byte a second must not hold a connection: headers come at once.
inline constexpr auto kHeaderTime = 15s;
// A body that stands still for so long is given up, and so is one slower than this on average.
inline constexpr auto kBodySilence = 30s;
inline constexpr uint64_t kBodyBytesPerSecond = 256;
// A kept connection without a request.
inline constexpr auto kIdleTime = 75s;
// A client that takes less than a piece in so long is gone.
inline constexpr auto kWriteSilence = 30s;
inline constexpr size_t kWritePiece = 64 << 10;
// After a refusal the rest of a body is read for so long, so that the client reads the answer.
inline constexpr auto kLinger = 2s;
// Connections at once, event streams among them; each costs some 7 KB when it waits, over TLS 20.
inline constexpr size_t kConnections = 10'000;
// So many more are told that there are too many; the rest is closed without a word.
inline constexpr size_t kRefusedConnections = 64;
// Descriptors kept for the database, recordings and engines.
inline constexpr size_t kOtherDescriptors = 512;
// Bodies streamed at once; each has two pieces of kBodyPiece in memory.
inline constexpr size_t kStreamedBodies = 64;
// Threads that run handlers: they wait for the database's disk.
inline constexpr int kHttpWorkers = 8;
// Threads that run handlers of slow routes: they wait for ffmpeg, copy whole recordings, or wait for a
// password to be checked; more than may wait for that, so that one is free to say so.
inline constexpr int kHttpSlowWorkers = 24;
// A comment on an event stream, so that proxies keep it open.
inline constexpr auto kEventComment = 15s;
// Headers of one part of a multipart body: a name and a file's name.
inline constexpr size_t kPartHeaderBytes = 16 << 10;
// Fields and one file; more is no form of ours.
inline constexpr int kMultipartParts = 64;
// Text below this goes in one packet anyway; what is larger is compressed, up to what one call of zlib takes.
inline constexpr size_t kCompressedBytes = 1400;
inline constexpr size_t kCompressedMostBytes = 1U << 30;
// Bytes of a streamed body that are handed on at once.
inline constexpr size_t kBodyPiece = 1 << 20;
// Parts of an upload: so large that the disk's sync is little beside them, so small that one is soon sent
// again; and no more of them than are looked at in a moment.
inline constexpr int64_t kUploadPartBytes = 8 << 20;
inline constexpr int64_t kUploadParts = 10'000;
// Who has not sent all parts by then will not.
inline constexpr std::chrono::hours kUploadAge{24};

// ---- addresses of others
// Signed links have some 1,500 bytes; more is none.
inline constexpr size_t kUrlBytes = 4096;
// Recordings brought at once, so many of them for one user; and those that may wait.
inline constexpr size_t kImportsAtOnce = 4;
inline constexpr size_t kImportsOfUserAtOnce = 2;
inline constexpr int64_t kImportsOfUser = 100;
// What the network did not give is asked for so often, the first time again after kJobBackoff.
inline constexpr int64_t kImportTries = 3;
// The longest recording over a slow line.
inline constexpr std::chrono::hours kImportTime{6};
// Receivers of one user that are told what happens.
inline constexpr int64_t kWebhooksOfUser = 20;
// Receivers told at once, each of them one thing at a time; so many of one user.
inline constexpr size_t kDeliveriesAtOnce = 8;
inline constexpr size_t kDeliveriesOfUserAtOnce = 4;
// A receiver answers at once, and does its work later.
inline constexpr auto kDeliveryTime = 10s;
// One that does not take it is tried again after kDeliveryBackoff, then each time after twice as long, up to
// kDeliveryBackoffMost, until kDeliveryAge has passed.
inline constexpr std::chrono::milliseconds kDeliveryBackoff = 10s;
inline constexpr std::chrono::milliseconds kDeliveryBackoffMost = 1h;
inline constexpr std::chrono::milliseconds kDeliveryAge = 24h;

// ---- accounts
// A password takes a tenth of a second and 64 MB to check; who comes when so many wait is told to come again.
inline constexpr size_t kWaitingPasswords = 16;
// Wrong passwords in kAttemptsAge before the next must wait: of one name, and of one address, behind which
// many people may be.
inline constexpr int kAttemptsOfName = 10;
inline constexpr int kAttemptsOfAddress = 50;
inline constexpr std::chrono::minutes kAttemptsAge{15};
// Names and addresses remembered for that; the oldest are forgotten first.
inline constexpr size_t kAttemptsKept = 10'000;
inline constexpr std::chrono::minutes kAccessTokenAge{15};
inline constexpr std::chrono::hours kRefreshTokenAge{30 * 24};
// Two tabs that refresh at once are no attack: the same client gets the same successor for so long.
inline constexpr auto kRefreshGrace = 10s;
inline constexpr std::chrono::minutes kAudioTokenAge{10};
// Keys that sign are replaced at the first start after so long.
inline constexpr std::chrono::hours kTokenKeyAge{90 * 24};
// A key's last use is written down no more often.
inline constexpr std::chrono::minutes kLastUseInterval{1};
inline constexpr int64_t kKeysOfUser = 100;
inline constexpr int64_t kProfilesOfUser = 200;
// Those who follow events are looked at so often, and lose the stream when they lost the right.
inline constexpr auto kStandingInterval = 10s;
// Who read what is known for so long.
inline constexpr std::chrono::hours kAuditAge{365 * 24};

// ---- event streams
// Events that wait for one client; one that is further behind is dropped, and may come back and replay.
inline constexpr size_t kWaitingEvents = 1024;
// Recordings in the trash can be restored for so long; then they are erased.
inline constexpr std::chrono::hours kTrashAge{7 * 24};
// What was transcribed for a request that waited for it is kept so long after its end, for whoever sends the
// same recording again.
inline constexpr std::chrono::hours kEphemeralAge{1};
// An answer is kept so long for a client that asks again with the same Idempotency-Key.
inline constexpr std::chrono::hours kIdempotencyAge{24};
// Events are kept for replay for so long.
inline constexpr std::chrono::hours kEventAge{7 * 24};

}  // namespace hansard::limits
