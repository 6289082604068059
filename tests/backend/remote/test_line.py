"""What a line is made of: addresses, frames in pieces of any size, and files that travel once."""

import hashlib
import random
from pathlib import Path

import pytest

from gazeviz.backend.message_codec import WireError
from gazeviz.backend.remote.frames import STILL_HERE, FrameReader, Greeting, GreetingReader, framed
from gazeviz.backend.remote.place import WorkerPlace
from gazeviz.backend.sent_files import OutgoingFiles, ReceivedFiles
from gazeviz.backend.wire import MAX_MESSAGE_BYTES
from gazeviz.domain.messages import Cancel, Discover, KeepFile, OpenPicture, PictureSource, StripsSource
from gazeviz.errors import UserError


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("ssh://server", ("--", "server", "gazeviz", "worker", "--stdio")),
        ("ssh://me@server:2222", ("-p", "2222", "-l", "me", "--", "server", "gazeviz", "worker", "--stdio")),
        ("ssh://s/opt/venv/bin/gazeviz", ("--", "s", "/opt/venv/bin/gazeviz", "worker", "--stdio")),
        ("ssh://s/~/venv/bin/gazeviz", ("--", "s", "venv/bin/gazeviz", "worker", "--stdio")),
        ("ssh://s/~/gazeviz", ("--", "s", "./gazeviz", "worker", "--stdio")),
        ("ssh://[::1]:22/x", ("-p", "22", "--", "::1", "/x", "worker", "--stdio")),
    ],
)
def test_an_address_becomes_words_for_ssh(text: str, arguments: tuple[str, ...]) -> None:
    place = WorkerPlace.parse(f" {text} ")
    assert place.ssh_arguments() == arguments
    assert str(place) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "server", "http://server", "ssh://", "ssh://-oProxyCommand=x", "ssh://me@-v", "ssh://-l@server",
        "ssh://server;reboot", "ssh://ser ver", "ssh://server/$(reboot)", "ssh://server/a b", "ssh://server/`x`",
        "ssh://server/a'b", 'ssh://server/a"b', "ssh://server/a|b", "ssh://server/a\nb", "ssh://server/",
        "ssh://server/bin/", "ssh://server/~/-x", "ssh://server/~root/x", "ssh://server:0", "ssh://server:65536",
        "ssh://a@b@c", "ssh://server:22:22", "ssh://sérver", "ssh://server\0", "ssh://[::1", "ssh://server/\\x",
    ],
)  # fmt: skip
def test_what_a_shell_or_ssh_could_take_otherwise_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        WorkerPlace.parse(text)


def test_frames_come_whole_whatever_the_pieces() -> None:
    rng = random.Random(0)
    payloads = [rng.randbytes(rng.choice((1, 3, 200, 70_000))) for _ in range(40)]
    stream = b"".join(framed(payload) + rng.choice((b"", STILL_HERE)) for payload in payloads)
    reader, place, got = FrameReader(), 0, []
    while place < len(stream):
        n = rng.choice((1, 2, 5, 4096, 100_000))
        reader.feed(stream[place : place + n])
        place += n
        while (payload := reader.next()) is not None:
            got.append(payload)
    assert got == payloads
    assert not reader.has_message


def test_a_frame_larger_than_any_message_is_refused_before_it_comes() -> None:
    with pytest.raises(WireError):
        FrameReader().feed((MAX_MESSAGE_BYTES + 1).to_bytes(4, "big"))


def test_a_greeting_is_found_behind_noise_and_nothing_is_lost_behind_it() -> None:
    greeting = Greeting(3, "0.2.0+local")
    stream = b"Welcome\0gazeviz-worker\n\0" + greeting.line() + b"rest"
    for cut in range(len(stream) - 3):
        reader = GreetingReader()
        first = reader.feed(stream[:cut])
        found, rest = first or reader.feed(stream[cut:]) or pytest.fail("no greeting")
        assert (found, rest if first is None else rest + stream[cut:]) == (greeting, b"rest")


def test_text_without_end_is_no_worker() -> None:
    reader = GreetingReader()
    with pytest.raises(WireError):
        for _ in range(100):
            reader.feed(b"yes\n" * 1000)
    assert reader.noise.startswith("yes")


# Files


def open_file(path: Path, job: int = 1) -> OpenPicture:
    return OpenPicture(job, PictureSource("name", path.name, str(path)))


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(data)
    return path


def test_both_ends_agree_on_what_is_there(tmp_path: Path) -> None:
    """Many files through little room: what arrives is what the file holds, each time."""
    rng = random.Random(0)
    files = [written(tmp_path, f"{n}.png", rng.randbytes(rng.randint(1, 400))) for n in range(12)]
    app, worker, n_pieces = OutgoingFiles(1000), ReceivedFiles(1000), 0
    for _ in range(300):
        path = rng.choice(files)
        for part in app.parts(open_file(path)):
            if isinstance(part, KeepFile):
                worker.keep(part)
                n_pieces += bool(part.data)
            else:
                request = worker.with_files(part)
                assert isinstance(request, OpenPicture)
                assert request.picture == PictureSource("name", path.name, data=path.read_bytes())
    assert 12 < n_pieces < 300


def test_a_file_that_has_changed_travels_again(tmp_path: Path) -> None:
    app = OutgoingFiles()
    path = written(tmp_path, "a.png", b"first")
    list(app.parts(open_file(path)))
    path.write_bytes(b"second")
    pieces = [part for part in app.parts(open_file(path)) if isinstance(part, KeepFile)]
    assert b"".join(piece.data for piece in pieces) == b"second"


def test_a_folder_of_strips_is_laid_out_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "strips"
    for name in ("a.png", "b/p1.jpg", "b/p2.jpg", "samples.json"):
        written(folder, name, name.encode())
    written(folder, "secret.txt", b"not a picture")
    app, worker = OutgoingFiles(), ReceivedFiles()
    parts = list(app.parts(Discover(1, StripsSource("folder", 5, folder=str(folder)))))
    for part in parts[:-1]:
        assert isinstance(part, KeepFile)
        worker.keep(part)
    request = worker.with_files(parts[-1])
    assert isinstance(request, Discover) and request.strips.folder is not None
    laid_out = Path(request.strips.folder)
    found = {p.relative_to(laid_out).as_posix(): p.read_bytes() for p in laid_out.rglob("*") if p.is_file()}
    assert found == {name: name.encode() for name in ("a.png", "b/p1.jpg", "b/p2.jpg", "samples.json")}
    assert request.strips.n == 5


@pytest.mark.parametrize(
    "name", ["../a.png", "/a.png", "a/b/c.png", "..", "", "a//b", "C:a.png", "a\\b", "a\0"]
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    worker = ReceivedFiles()
    digest = hashlib.sha256(b"x").hexdigest()
    worker.keep(KeepFile(digest, 1, 0, b"x"))
    with pytest.raises(WireError):
        worker.with_files(Discover(1, StripsSource("sent", files=((name, digest),))))


@pytest.mark.parametrize(
    "pieces",
    [
        [KeepFile("ab", 3, 0, b"abc")],
        [KeepFile("ab", 3, 1, b"bc")],
        [KeepFile("ab", 0, 0, b"a")],
        [KeepFile("ab", 2**40, 0, b"a")],
        [KeepFile("ab", 3, 3, b"")],
        [KeepFile("ab", 9, 0, b"abc"), KeepFile("ab", 9, 4, b"e")],
    ],
)
def test_pieces_that_do_not_fit_are_refused(pieces: list[KeepFile]) -> None:
    worker = ReceivedFiles()
    with pytest.raises(WireError):
        for piece in pieces:
            worker.keep(piece)


def test_what_was_not_sent_cannot_be_named_and_all_else_passes() -> None:
    with pytest.raises(WireError):
        ReceivedFiles().with_files(OpenPicture(1, PictureSource("a", "b", sent="ab")))
    assert ReceivedFiles().with_files(Cancel(3)) == Cancel(3)
    assert list(OutgoingFiles().parts(Cancel(3))) == [Cancel(3)]


def test_files_that_are_too_large_or_empty_are_said_here(tmp_path: Path) -> None:
    app = OutgoingFiles(10)
    for data in (b"", bytes(11)):
        with pytest.raises(UserError):
            list(app.parts(open_file(written(tmp_path, "a.png", data))))
    with pytest.raises(UserError, match="too large to be sent"):
        list(app.parts(Discover(1, StripsSource("folder", folder=str(tmp_path)))))
