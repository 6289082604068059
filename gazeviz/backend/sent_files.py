"""Files that travel to a worker which cannot read them itself: once each, in pieces, named by their digest.

Both ends keep the same account of what is still there, by one rule: the oldest file goes where all together
take too much. So the app knows without asking what it has to send again.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import OrderedDict
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from gazeviz.backend.message_codec import WireError
from gazeviz.domain.messages import Discover, KeepFile, OpenPicture, PictureSource, Request, StripsSource
from gazeviz.errors import UserError

KEPT_BYTES: Final = 2**29
"""For all files together, and so for one."""

PIECE_BYTES: Final = 2**20
"""A piece is short enough that a new target need not wait long behind it."""

MAX_FILES: Final = 5000

_NOT_PLAIN: Final = re.compile(r"[\\:\x00-\x1f]")


class FileAccount:
    """Which files are there, by digest, the latest last."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._n_bytes: OrderedDict[str, int] = OrderedDict()

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._n_bytes

    def use(self, sha256: str) -> None:
        """A request names a file that is there."""
        self._n_bytes.move_to_end(sha256)

    def add(self, sha256: str, n_bytes: int) -> tuple[str, ...]:
        """A file is sent; returns those that have to go for it."""
        self._n_bytes[sha256] = n_bytes
        gone = []
        while sum(self._n_bytes.values()) > self._kept_bytes and len(self._n_bytes) > 1:
            gone.append(self._n_bytes.popitem(last=False)[0])
        return tuple(gone)


class OutgoingFiles:
    """The app's end: turns requests that name files of this machine into pieces, and a request by digests."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._account = FileAccount(kept_bytes)
        self._digests: dict[tuple[str, int, int], str] = {}

    def parts(self, request: Request) -> Iterator[Request]:
        """What is to be sent for a request; UserErrors of files that cannot be read or are too large."""
        if isinstance(request, OpenPicture) and request.picture.sent is None:
            picture = request.picture
            sha256 = yield from self._file(picture.name, picture.path, picture.data)
            yield replace(request, picture=PictureSource(picture.sha256, picture.name, sent=sha256))
        elif isinstance(request, Discover) and request.strips.folder is not None:
            yield from self._folder(request, Path(request.strips.folder), request.strips.n)
        else:
            yield request

    def _folder(self, request: Discover, folder: Path, n: int | None) -> Iterator[Request]:
        paths = _strip_files(folder)
        if sum(path.stat().st_size for path in paths) > self._kept_bytes or len(paths) > MAX_FILES:
            raise UserError(
                f"The folder {folder} is too large to be sent to another machine.",
                next_step=f"Choose one of at most {self._kept_bytes >> 20} MB and {MAX_FILES} files.",
            )
        named = []
        for path in paths:
            sha256 = yield from self._file(path.name, str(path), None)
            named.append((path.relative_to(folder).as_posix(), sha256))
        yield replace(request, strips=StripsSource("sent", n, files=tuple(named)))

    def _file(self, name: str, path: str | None, data: bytes | None) -> Generator[KeepFile, None, str]:
        """Send a file, or only say that it is still needed; its digest is what the generator returns."""
        if data is None:
            sha256, n_bytes, data = self._read(name, Path(path or ""))
        else:
            sha256, n_bytes = hashlib.sha256(data).hexdigest(), len(data)
        if sha256 in self._account:
            self._account.use(sha256)
            yield KeepFile(sha256, n_bytes, n_bytes, b"")
            return sha256
        if not data or n_bytes > self._kept_bytes:
            raise UserError(
                f"{name} has {n_bytes / 1e6:.1f} MB.",
                next_step=f"To be sent to another machine a file may have {self._kept_bytes / 1e6:.0f} MB.",
            )
        for offset in range(0, n_bytes, PIECE_BYTES):
            yield KeepFile(sha256, n_bytes, offset, data[offset : offset + PIECE_BYTES])
        self._account.add(sha256, n_bytes)
        return sha256

    def _read(self, name: str, path: Path) -> tuple[str, int, bytes | None]:
        """A file's digest and size, and what is in it unless it was sent and has not changed since."""
        try:
            about = path.stat()
            key = (str(path), about.st_mtime_ns, about.st_size)
            known = self._digests.get(key)
            if known is not None and known in self._account:
                return known, about.st_size, None
            data = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"{name} cannot be read: {error.strerror}.", next_step="Check the file, or open another one."
            ) from error
        self._digests[key] = hashlib.sha256(data).hexdigest()
        return self._digests[key], len(data), data


class ReceivedFiles:
    """The worker's end. What cannot be, if the app keeps to the account, is a WireError."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._account = FileAccount(kept_bytes)
        self._data: dict[str, bytes] = {}
        self._begun = bytearray()
        self._folders: dict[tuple[tuple[str, str], ...], str] = {}

    def keep(self, piece: KeepFile) -> None:
        """Take a piece; an empty one says that a file is still needed."""
        if not piece.data:
            self._named(piece.sha256)
            self._account.use(piece.sha256)
            return
        if piece.offset == 0:
            self._begun = bytearray()
        if piece.offset != len(self._begun) or not 0 < piece.n_bytes <= self._kept_bytes:
            raise WireError("a piece of a file that does not follow the one before")
        self._begun += piece.data
        if len(self._begun) >= piece.n_bytes:
            self._finish(piece)

    def with_files(self, request: Request) -> Request:
        """Return a request with what was sent in the place of its digests."""
        if isinstance(request, OpenPicture) and request.picture.sent is not None:
            data = self._named(request.picture.sent)
            return replace(request, picture=replace(request.picture, data=data, sent=None))
        if isinstance(request, Discover) and request.strips.files:
            folder = self._laid_out(request.strips.files)
            return replace(request, strips=StripsSource("folder", request.strips.n, folder=folder))
        return request

    def _finish(self, piece: KeepFile) -> None:
        data, self._begun = bytes(self._begun), bytearray()
        if len(data) != piece.n_bytes or hashlib.sha256(data).hexdigest() != piece.sha256:
            raise WireError("a file that is not what its digest says")
        self._data[piece.sha256] = data
        for gone in self._account.add(piece.sha256, piece.n_bytes):
            del self._data[gone]

    def _named(self, sha256: str) -> bytes:
        if sha256 not in self._data:
            raise WireError("a file that was not sent")
        return self._data[sha256]

    def _laid_out(self, files: tuple[tuple[str, str], ...]) -> str:
        """A folder of the files, once for each choice of them; temporary, until the worker ends."""
        if files not in self._folders:
            folder = Path(tempfile.mkdtemp(prefix="gazeviz-strips-"))
            for name, sha256 in files:
                path = folder / _inside(name)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(self._named(sha256))
            self._folders[files] = str(folder)
        return self._folders[files]


def _strip_files(folder: Path) -> list[Path]:
    """What a folder of strips is read from: its pictures, its list, and pictures one folder further down."""
    from gazeviz.backend.strips import CONTENTS_FILE  # with Pillow behind it, which most requests do not need
    from gazeviz.imaging import SUFFIXES

    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", next_step="Choose a folder of strips.")
    paths = [path for pattern in ("*", "*/*") for path in sorted(folder.glob(pattern)) if path.is_file()]
    return [path for path in paths if path.suffix.lower() in SUFFIXES or path.name == CONTENTS_FILE]


def _inside(name: str) -> PurePosixPath:
    """A path of at most two plain names."""
    parts = name.split("/")
    if not 1 <= len(parts) <= 2 or any(part in ("", ".", "..") or _NOT_PLAIN.search(part) for part in parts):
        raise WireError("a file whose name leads elsewhere")
    return PurePosixPath(name)
