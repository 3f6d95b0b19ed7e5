"""OpenAI's own client for Python against a Hansard server: see check_clients."""

import pathlib
import sys
import time
import warnings

import openai

recordings = pathlib.Path(sys.argv[1])
dialogue = recordings / "endgame_nagg_nell.wav"
warnings.simplefilter("ignore", DeprecationWarning)  # of what OpenAI would rather not offer
client = openai.OpenAI(max_retries=0)


def transcribe(**wishes):
    with open(dialogue, "rb") as file:
        return client.audio.transcriptions.create(file=file, **{"model": "tiny.en"} | wishes)


def refused(kind, **wishes):
    try:
        transcribe(**wishes)
    except kind as error:
        return error
    raise AssertionError(f"{wishes} was not refused")


plain = transcribe()
assert "hear me" in plain.text, plain
assert plain.usage.seconds == 29, plain.usage
assert transcribe(response_format="text") == plain.text + "\n"
assert transcribe(response_format="srt").startswith("1\n00:00:0")
assert transcribe(response_format="vtt").startswith("WEBVTT\n\n")

verbose = transcribe(response_format="verbose_json", timestamp_granularities=["word", "segment"])
assert verbose.language == "english" and 28 < verbose.duration < 29, verbose
assert len(verbose.words) > 50 and verbose.words[0].end > verbose.words[0].start
assert len(verbose.segments) > 3 and verbose.segments[0].avg_logprob < 0
assert transcribe(response_format="verbose_json", timestamp_granularities=["word"]).segments is None

diarized = transcribe(response_format="diarized_json", chunking_strategy="auto")
assert {segment.speaker for segment in diarized.segments} == {"A", "B"}, diarized

told = ""
for event in transcribe(stream=True):
    if event.type == "transcript.text.delta":
        told += event.delta
    else:
        assert event.type == "transcript.text.done" and event.text == told, (event, told)
events = [event.type for event in transcribe(stream=True, response_format="diarized_json")]
assert events.count("transcript.text.segment") > 3 and events[-1] == "transcript.text.done", events

with open(dialogue, "rb") as file:
    english = client.audio.translations.create(model="whisper-1", file=file)
assert "hear me" in english.text, english

assert {model.id for model in client.models.list()} == {"whisper-1", "whisper-base", "whisper-tiny.en"}
assert client.models.retrieve("whisper-1").object == "model"

assert refused(openai.NotFoundError, model="gpt-4o-transcribe").code == "model_not_found"
assert refused(openai.BadRequestError, include=["logprobs"]).code == "unsupported_parameter"
assert refused(openai.BadRequestError, timestamp_granularities=["word"]).param == "timestamp_granularities"
try:
    client.with_options(api_key="sk-wrong").models.list()
    raise AssertionError("a wrong key was taken")
except openai.AuthenticationError as error:
    assert error.code == "invalid_api_key", error
try:
    client.audio.transcriptions.create(model="whisper-1", file=("large.wav", bytes(8 << 20)))
    raise AssertionError("too large a file was taken")
except openai.APIStatusError as error:
    assert error.status_code == 413, error

# One who leaves frees the slot: the next does not wait for what nobody waits for any longer.
try:
    with open(recordings / "two_cities.wav", "rb") as file:
        client.with_options(timeout=0.5).audio.transcriptions.create(model="whisper-1", file=file)
    raise AssertionError("a recording of 45 s was done in half a second")
except openai.APITimeoutError:
    pass
began = time.monotonic()
transcribe()
print(f"Python: openai {openai.__version__}; a slot was free {time.monotonic() - began:.1f} s after its client left")
