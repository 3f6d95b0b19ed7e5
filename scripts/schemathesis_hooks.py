"""What schemathesis cannot find in the contract: recordings, which are bytes that ffmpeg decodes, and fresh keys."""

import itertools
import os
import struct

import schemathesis
from hypothesis import strategies


def wav(milliseconds):
    samples = b"\0\0" * (16 * milliseconds)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16) + b"data" + struct.pack("<I", len(samples)) + samples
    )


recordings = strategies.integers(20, 2000).map(wav)
for media_type in ("audio/*", "video/*", "application/octet-stream"):
    schemathesis.openapi.media_type(media_type, recordings)

numbers = itertools.count()


@schemathesis.hook
def before_call(context, case, **kwargs):
    headers = case.headers
    # Asked by the token alone: made-up ones are nobody's.
    headers["Authorization"] = "Bearer " + os.environ["HANSARD_TOKEN"]
    headers.pop("X-API-Key", None)
    if isinstance(case.query, dict):
        case.query.pop("stream_token", None)
    # A key that was used before brings the first answer again, also where what it made was deleted since: here each
    # request has its own.
    key = headers.get("Idempotency-Key")
    if key and len(key) < 200:
        headers["Idempotency-Key"] = f"{key}{next(numbers)}"
    # Another password would end the session that all is asked in.
    if case.operation.path == "/api/v1/admin/users/{id}" and case.path_parameters.get("id") == os.environ["HANSARD_USER"]:
        case.path_parameters["id"] = "user_00000000000000000000000000"
