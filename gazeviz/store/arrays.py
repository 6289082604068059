"""Arrays and files by what they hold: small ones in the log, those over 256 kB beside it.

Nothing that is kept by its content is ever written to again, so logs, backups and exports may share it, and
what is read back can be checked. `gazeviz.db` has its neighbours in `arrays/` and `pictures/`, a log of
another name in `NAME.arrays/` and `NAME.pictures/`.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import sqlite3
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gazeviz.store.faults import LogFault, faults_told

BESIDE_BYTES: Final = 256 * 1024
"""What is larger than this once it is packed lies beside the log."""
MOST_ARRAY_BYTES: Final = 512 * 1024**2
"""No array is larger unpacked: the mask of the largest picture takes 8 MB, the matrices of the largest models
some tens."""
_HEADER_BYTES: Final = 64 * 1024
_UNREADABLE: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, KeyError, EOFError, OSError, AttributeError,
    NotImplementedError, RuntimeError, MemoryError, OverflowError, SyntaxError, TypeError,
)  # fmt: skip
"""What zipfile and numpy raise for damaged files, beside ValueErrors."""
DEFAULT_NAME: Final = "gazeviz.db"
SUFFIXES: Final = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\x00": ".tif",
    b"MM\x00*": ".tif",
    b"RIFF": ".webp",
}


def beside(log: Path, kind: str) -> Path:
    """Return the folder of a log's "arrays" or "pictures"."""
    return log.parent / (kind if log.name == DEFAULT_NAME else f"{log.stem}.{kind}")


def array_digest(values: NDArray[Any]) -> str:
    """Return the hex digest of an array's type, shape and values."""
    digest = hashlib.sha256(f"{values.dtype.str}{values.shape}".encode())
    digest.update(np.ascontiguousarray(values).data if values.size else b"")
    return digest.hexdigest()


def keep_array(connection: sqlite3.Connection, log: Path, values: NDArray[Any]) -> str:
    """Keep an array, unless it is kept already, and return its digest; OSErrors and sqlite3 errors."""
    digest = array_digest(values)
    known = connection.execute("SELECT data IS NULL FROM arrays WHERE digest = ?", (digest,)).fetchone()
    path = beside(log, "arrays") / f"{digest}.npz"
    if known is not None:
        if known[0] and not path.is_file():
            write_whole(path, _npz(values))
        return digest
    data: bytes | None = zlib.compress(np.ascontiguousarray(values).tobytes(), 1)
    if data is not None and len(data) > BESIDE_BYTES:
        write_whole(path, _npz(values))
        data = None
    connection.execute(
        "INSERT INTO arrays(digest, dtype, shape, n_bytes, data) VALUES (?, ?, ?, ?, ?)",
        (digest, values.dtype.str, "x".join(map(str, values.shape)), values.nbytes, data),
    )
    return digest


def kept_array(connection: sqlite3.Connection, log: Path, digest: str) -> NDArray[Any]:
    """Return an array by its digest; LogFault where it is missing, or is not what was kept."""
    row = connection.execute("SELECT dtype, shape, data FROM arrays WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        raise _missing(f"an array ({digest[:12]})", log)
    dtype, shape_text, data = row
    if data is None:
        values = read_npz(beside(log, "arrays") / f"{digest}.npz", log)
    else:
        try:
            values = _unpacked(data, str(dtype), str(shape_text))
        except (zlib.error, ValueError, TypeError, OverflowError, AttributeError) as error:
            raise _changed(f"an array ({digest[:12]})", log) from error
    if array_digest(values) != digest:
        raise _changed(f"an array ({digest[:12]})", log)
    return values


def _unpacked(data: bytes, dtype: str, shape_text: str) -> NDArray[Any]:
    """An array from its packed bytes; no more of them is unpacked than its shape has room for."""
    kind, shape = np.dtype(dtype), tuple(int(part) for part in shape_text.split("x") if part)
    n_bytes = math.prod(shape) * kind.itemsize
    if kind.hasobject or min(shape, default=0) < 0 or n_bytes > MOST_ARRAY_BYTES:
        raise ValueError(f"an array of {shape_text} {dtype}")
    unpacker = zlib.decompressobj()
    values = unpacker.decompress(data, n_bytes + 1)
    if len(values) != n_bytes:
        raise ValueError(f"{len(values)} bytes are no array of {shape_text} {dtype}")
    return np.frombuffer(values, dtype=kind).reshape(shape)


def read_npz(path: Path, log: Path) -> NDArray[Any]:
    """Return the values of an array file; LogFault where it is missing or damaged."""
    try:
        return npz_values(path.read_bytes())
    except FileNotFoundError as error:
        raise _missing(path.name, log) from error
    except (ValueError, OSError) as error:
        raise _changed(path.name, log) from error


def npz_values(data: bytes) -> NDArray[Any]:
    """Return the values of an array file's bytes; ValueError where they are none, or too many."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            # Looked at before it is unpacked: a few bytes may claim to be any number of them.
            if packed.getinfo("values.npy").file_size > MOST_ARRAY_BYTES + _HEADER_BYTES:
                raise ValueError("too large an array")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            values: NDArray[Any] = file["values"]
            return values
    except _UNREADABLE as error:
        raise ValueError("no array file") from error


def keep_file(log: Path, data: bytes) -> tuple[str, str]:
    """Keep a picture's file beside the log, and return its digest and suffix; OSErrors."""
    digest, suffix = hashlib.sha256(data).hexdigest(), suffix_of(data)
    path = beside(log, "pictures") / f"{digest}{suffix}"
    if not path.is_file():
        write_whole(path, data)
    return digest, suffix


def kept_file(log: Path, digest: str, suffix: str) -> bytes:
    """Return a kept picture's bytes; LogFault where the file is missing, or is not what was kept."""
    path = beside(log, "pictures") / f"{digest}{suffix}"
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise _missing(path.name, log) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise _changed(path.name, log)
    return data


def suffix_of(data: bytes) -> str:
    """Tell a picture's usual suffix by its first bytes; ".bin" for anything else."""
    return next((suffix for magic, suffix in SUFFIXES.items() if data.startswith(magic)), ".bin")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut; LogFaults name it."""
    with faults_told(path, "The file"):
        _write_whole(path, data)


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    part = Path(temporary)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o600)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A rename counts once its folder is on the disk; Windows has no such call and needs none."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _npz(values: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, values=values)
    return buffer.getvalue()


def _missing(what: str, log: Path) -> LogFault:
    return LogFault(
        f"The log {log} has lost {what}.",
        next_step="Bring the file back from a backup or an export; everything else can still be read.",
        kind="missing",
    )


def _changed(what: str, log: Path) -> LogFault:
    return LogFault(
        f"In the log {log}, {what} is no longer what was written.",
        next_step="Restore it from a backup or an export; everything else is readable.",
        kind="changed",
    )
