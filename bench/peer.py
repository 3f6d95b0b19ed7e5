#!/usr/bin/env python3
"""The peers, as their own documentation uses them: one process over all files, results as JSON beside each other.

  peer.py words MODEL_FOLDER OUT FILE...      faster-whisper, int8, beam 5, voice activity, word times
  peer.py speakers MODELS_FOLDER OUT FILE...  sherpa-onnx's diarization, threshold 0.7
"""
import json
import pathlib
import sys

THREADS = 2


def words(model_folder, out, files):
    from faster_whisper import WhisperModel

    model = WhisperModel(model_folder, device="cpu", compute_type="int8", cpu_threads=THREADS)
    for file in files:
        segments, info = model.transcribe(str(file), beam_size=5, vad_filter=True, word_timestamps=True)
        segments = list(segments)
        words_ = [{"start": w.start, "end": w.end, "word": w.word.strip()} for s in segments for w in s.words or []]
        text = " ".join(s.text.strip() for s in segments)
        result = {"text": text, "language": info.language, "words": words_, "segments": []}
        (out / f"{file.stem}.json").write_text(json.dumps(result))


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
        turns = [{"start": t.start, "end": t.end, "speaker": f"S{t.speaker}"} for t in turns]
        (out / f"{file.stem}.json").write_text(json.dumps({"text": "", "segments": [], "turns": turns}))


if __name__ == "__main__":
    kind, models, out = sys.argv[1:4]
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    {"words": words, "speakers": speakers}[kind](models, out, [pathlib.Path(f) for f in sys.argv[4:]])
