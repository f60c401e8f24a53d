"""Writing files: completely or not at all, and never over files of others."""

from __future__ import annotations

import errno
import json
import os
import struct
import zlib
from collections.abc import Container, Mapping
from contextlib import suppress
from pathlib import Path

from cnndsl.writing import SIGNATURE, check_folder, read_file, write_file

#: In a folder that we write: the digests of each file as we wrote it. There are two if we may have been stopped
#: before or after replacing the file.
MANIFEST = ".cnndsl.json"
#: How comments begin and end in formats that are text. Others have C's.
COMMENTS = {".mmd": (b"%% ", b""), ".md": (b"<!-- ", b" -->"), ".tex": (b"% ", b"")}
#: The length of a PNG's signature and first chunk, which must stay the first.
_PNG_HEAD = 33


class NotOurs(Exception):
    """An existing file was not written by us, or was changed since."""


def write_folder(folder: Path, files: Mapping[str, bytes], force: bool = False) -> None:
    """Writes all ``files`` into a folder, with a manifest. Raises :class:`NotOurs`, before anything is
    written, if a file exists whose digest is not in the manifest, unless ``force``.

    The manifest is written first, with the digests of the old and the new files, so that the build after an interrupted
    one knows every file.
    """
    known = _manifest(folder / MANIFEST, force)
    for name, data in files.items():
        if not force and not _is_ours(folder / name, {*known.get(name, ()), _digest(data)}):
            raise NotOurs(folder / name)
    written = {name: [_digest(data)] for name, data in files.items()}
    folder.mkdir(parents=True, exist_ok=True)
    _write_manifest(folder, known | {name: [*known.get(name, ()), *written[name]] for name in files})
    for name, data in files.items():
        write_file(folder / name, data)
    _write_manifest(folder, known | written)


def _is_ours(path: Path, digests: Container[str]) -> bool:
    """Whether nothing would be lost: the file does not exist, or we wrote it."""
    return not os.path.lexists(path) or (path.is_file() and _digest(read_file(path)) in digests)


def _manifest(path: Path, force: bool) -> dict[str, list[str]]:
    """The digests in a manifest. Raises :class:`NotOurs` for one that we cannot have written, unless ``force``."""
    if not os.path.lexists(path):
        return {}
    with suppress(OSError, ValueError):
        found = json.loads(read_file(path))
        if isinstance(found, dict) and all(isinstance(digests, list) for digests in found.values()):
            return found
    if force:
        return {}
    raise NotOurs(path)


def _write_manifest(folder: Path, digests: Mapping[str, list[str]]) -> None:
    write_file(folder / MANIFEST, (json.dumps(digests, indent=2, sort_keys=True) + "\n").encode())


def check_free(path: Path, force: bool = False) -> None:
    """Raises :class:`NotOurs` if a file of others would be lost, unless ``force``; OSError if there is no folder for
    it, or if it is one. Called before a long computation whose result goes there."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not force and os.path.lexists(path) and not is_signed(path):
        raise NotOurs(path)
    check_folder(path)


def sign(data: bytes, ending: str) -> bytes:
    """A file with a line that names cnndsl, as a comment of its format; in formats without comments, as the first key
    or in the first cell."""
    if ending == ".svg":
        return data.replace(b"<svg", b"<!-- " + SIGNATURE + b" -->\n<svg", 1)
    if ending == ".pdf":
        return data + b"% " + SIGNATURE + b"\n"
    if ending == ".png":
        chunk = b"tEXtSoftware\0" + SIGNATURE
        text = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return data[:_PNG_HEAD] + text + data[_PNG_HEAD:]
    if ending == ".html":  # a page begins with its type, and names us itself
        return data
    if ending == ".json":
        return data.replace(b"{", b'{\n  "generator": "' + SIGNATURE + b'",', 1)
    if ending == ".csv":
        return SIGNATURE + b": " + data
    left, right = COMMENTS.get(ending, (b"// ", b""))
    return left + SIGNATURE + right + b"\n" + data


def is_signed(path: Path) -> bool:
    """Whether a file was signed by us."""
    return path.is_file() and SIGNATURE in read_file(path)


def _digest(data: bytes) -> str:
    import hashlib  # here, because only folders have digests

    return hashlib.sha256(data).hexdigest()
