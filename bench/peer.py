#!/usr/bin/env python3
"""The peers, as their own documentation uses them: peer.py KIND MODEL OUT FILE..., one process over all files, results as
JSON beside each other, 2 threads. The kinds:

  sequential-N  faster-whisper, int8, beam N, voice activity, word times
  batched-N     its BatchedInferencePipeline, batches of 8, the same
  whisper.cpp   greedy, no word times; MODEL is a file of ggml_model.py
  speakers      sherpa-onnx's diarization, threshold 0.7
"""
import json
import pathlib
import sys

THREADS = 2


def write(out, file, **result):
    (out / f"{file.stem}.json").write_text(json.dumps({"text": "", "segments": [], **result}))


def faster_whisper(kind, model_folder, out, files):
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    how, beam = kind.split("-")
    model = WhisperModel(model_folder, device="cpu", compute_type="int8", cpu_threads=THREADS)
    options = dict(beam_size=int(beam), vad_filter=True, word_timestamps=True)
    if how == "batched":
        model = BatchedInferencePipeline(model)
        options["batch_size"] = 8
    for file in files:
        segments, info = model.transcribe(str(file), **options)
        segments = list(segments)
        words = [{"start": w.start, "end": w.end, "word": w.word.strip()} for s in segments for w in s.words or []]
        write(out, file, text=" ".join(s.text.strip() for s in segments), language=info.language, words=words)


def whisper_cpp(model_file, out, files):
    from faster_whisper.audio import decode_audio
    from pywhispercpp.model import Model

    model = Model(model_file, n_threads=THREADS, print_progress=False, redirect_whispercpp_logs_to=None)
    for file in files:
        # An empty language has it detected.
        segments = model.transcribe(decode_audio(str(file)), language="")
        write(out, file, text=" ".join(s.text for s in segments))


def speakers(models, out, files):
    import sherpa_onnx
    from faster_whisper.audio import decode_audio

    config = sherpa_onnx.OfflineSpeakerDiarizationConfig(
        segmentation=sherpa_onnx.OfflineSpeakerSegmentationModelConfig(
            pyannote=sherpa_onnx.OfflineSpeakerSegmentationPyannoteModelConfig(model=f"{models}/segmentation.onnx"),
            num_threads=THREADS,
        ),
        embedding=sherpa_onnx.SpeakerEmbeddingExtractorConfig(model=f"{models}/embedding.onnx", num_threads=THREADS),
        clustering=sherpa_onnx.FastClusteringConfig(num_clusters=-1, threshold=0.7),
        min_duration_on=0.3,
        min_duration_off=0.5,
    )
    diarizer = sherpa_onnx.OfflineSpeakerDiarization(config)
    for file in files:
        turns = diarizer.process(decode_audio(str(file))).sort_by_start_time()
        write(out, file, turns=[{"start": t.start, "end": t.end, "speaker": f"S{t.speaker}"} for t in turns])


def main(kind, model, out, *files):
    out, files = pathlib.Path(out), [pathlib.Path(f) for f in files]
    out.mkdir(parents=True, exist_ok=True)
    if kind == "speakers":
        speakers(model, out, files)
    elif kind == "whisper.cpp":
        whisper_cpp(model, out, files)
    else:
        faster_whisper(kind, model, out, files)


if __name__ == "__main__":
    main(*sys.argv[1:])
