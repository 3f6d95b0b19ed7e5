"""Makes of the built page what the server serves: a table of its files as constants of C++, and their bytes.

make_page.py DIST FOLDER writes page_data.cc and page.bin there.
"""

import gzip
import hashlib
import json
import pathlib
import sys

# By extension: the media type, and whether it is worth compressing.
TYPES = {
    ".css": ("text/css; charset=utf-8", True),
    ".ico": ("image/vnd.microsoft.icon", False),
    ".js": ("text/javascript; charset=utf-8", True),
    ".png": ("image/png", False),
    ".svg": ("image/svg+xml", True),
    ".txt": ("text/plain; charset=utf-8", True),
    ".webmanifest": ("application/manifest+json", False),
    ".woff2": ("font/woff2", False),
}
SMALLEST = 1400  # below it, compressing saves no packet, as of limits::kCompressedBytes

data = bytearray()


def view(content):
    """Keeps bytes; the C++ expression for them."""
    data.extend(content)
    return f"{{hansard_page_bytes + {len(data) - len(content)}, {len(content)}}}"


def entry(path, name):
    if path.suffix not in TYPES:
        sys.exit(f"make_page.py: of which type is {name}? TYPES does not say")
    media_type, compressible = TYPES[path.suffix]
    content = path.read_bytes()
    fields = [
        json.dumps(name),
        json.dumps(media_type),
        json.dumps(f'"{hashlib.sha256(content).hexdigest()[:16]}"'),
        view(content),
        view(gzip.compress(content, 9, mtime=0)) if compressible and len(content) >= SMALLEST else "{}",
    ]
    return "{" + ", ".join(fields) + "}"


def main():
    dist, folder = map(pathlib.Path, sys.argv[1:])
    index = dist / "index.html"
    files = sorted(path for path in dist.rglob("*") if path.is_file() and path != index)
    entries = [entry(path, "/" + path.relative_to(dist).as_posix()) for path in files]
    page = view(index.read_bytes())
    (folder / "page.bin").write_bytes(data)
    (folder / "page_data.cc").write_text(
        f"""#include <array>

#include "page/page.h"

asm(".section .rodata\\n"
    ".hidden hansard_page_bytes\\n"
    ".global hansard_page_bytes\\n"
    "hansard_page_bytes:\\n"
    ".incbin \\"{(folder / "page.bin").resolve()}\\"\\n"
    ".previous\\n");
extern "C" const char hansard_page_bytes[{len(data)}];

namespace hansard::page {{
namespace {{

constexpr std::array<File, {len(entries)}> kFiles{{{{{", ".join(entries)}}}}};

}}  // namespace

constinit const Built kBuilt{{{page}, kFiles}};

}}  // namespace hansard::page
"""
    )


main()
