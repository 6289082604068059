"""The judge behind an address, against a real server on this machine."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gazeviz.domain.evaluation import Verdict
from gazeviz.engine.evaluation.language_judge import LanguageModelJudge
from gazeviz.errors import UserError
from tests.engine.fixtures.scripted_engine import CAPTIONS, strips
from tests.patience import PATIENCE_S

ITEM = strips(1)[0]
Answering = Callable[[dict[str, Any]], tuple[int, bytes]]


class Server:
    """What came in, and where to send it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []


@contextmanager
def serving(answer: Answering) -> Iterator[Server]:
    """A server that answers every request as told."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append((self.path, dict(self.headers), body))
            status, reply = answer(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Retry-After-Ms", "1")  # so that no test waits as long as a client usually does
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            """Say nothing on stderr."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = Server(f"http://127.0.0.1:{http.server_address[1]}/v1")
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def completion(text: str) -> tuple[int, bytes]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    told = {"id": "1", "object": "chat.completion", "created": 0, "model": "small", "choices": [choice]}
    return 200, json.dumps(told).encode()


def letter_of(body: dict[str, Any], caption: str) -> str:
    """The letter that the question gave to a caption."""
    lines = body["messages"][0]["content"].splitlines()
    return str(next(line[0] for line in lines if line.endswith(caption)))


def test_the_panel_behind_the_letter_is_chosen_whatever_the_order() -> None:
    with serving(lambda body: completion(f" {letter_of(body, CAPTIONS[2])}.")) as server:
        judge = LanguageModelJudge(server.address, "small", api_key="secret", sees=False, tries=1)
        for text in ("a bird reads", "green bird", "it is night"):
            assert judge.judge(text, ITEM) == Verdict((0.0, 0.0, 1.0), 2)
    letters = {letter_of(body, CAPTIONS[2]) for _, _, body in server.requests}
    assert len(letters) > 1
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert {name.lower(): value for name, value in headers.items()}["authorization"] == "Bearer secret"
    assert (body["model"], body["temperature"]) == ("small", 0)
    assert "secret" not in repr(judge)


def test_zero_means_none_and_an_empty_text_is_not_sent() -> None:
    with serving(lambda _: completion("0")) as server:
        judge = LanguageModelJudge(server.address, "small", sees=False, tries=1)
        assert judge.judge("a text", ITEM).chosen is None
        assert judge.judge(" ", ITEM).chosen is None
    assert len(server.requests) == 1
    assert "secret" not in json.dumps(server.requests[0][1])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda _: (401, b"no"), "answered with the error 401"),
        (lambda _: (200, b"<html>"), "something else than a chat completion"),
        (lambda _: (200, b"[]"), "something else than a chat completion"),
        (lambda _: (200, b'{"choices": []}'), "something else than a chat completion"),
        (lambda _: completion("I think it is nice"), "names no panel"),
        (lambda _: completion("Z"), "names no panel"),
    ],
)
def test_refusals_are_sentences(answer: Answering, sentence: str) -> None:
    with serving(answer) as server, pytest.raises(UserError, match=sentence):
        LanguageModelJudge(server.address, "small", sees=False, tries=1).judge("a text", ITEM)


def test_a_judge_that_does_not_answer_is_given_up() -> None:
    given_up = threading.Event()

    def slow(_: dict[str, Any]) -> tuple[int, bytes]:
        given_up.wait(PATIENCE_S)
        return completion("A")

    limit_s = 0.2
    with serving(slow) as server:
        judge = LanguageModelJudge(server.address, "small", timeout_s=limit_s, sees=False, tries=1)
        try:
            with pytest.raises(UserError, match=r"within 0\.2 seconds"):
                judge.judge("a text", ITEM)
        finally:
            given_up.set()


def test_a_judge_that_closes_without_a_word_is_asked_again_then_given_up() -> None:
    """What the server does on a connection: nothing at all, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted: list[int] = []

    def hang_up() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            accepted.append(1)
            connection.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    judge = LanguageModelJudge(
        f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "gone", sees=False, tries=2
    )
    with pytest.raises(UserError, match="cannot be reached"):
        judge.judge("a text", ITEM)
    thread.join()
    listener.close()
    assert len(accepted) == 2


def test_nobody_at_the_address() -> None:
    with serving(lambda _: completion("A")) as server:
        address = server.address
    with pytest.raises(UserError, match="cannot be reached"):
        LanguageModelJudge(address, "small", sees=False, tries=1).judge("a text", ITEM)


@pytest.mark.parametrize("address", ["judge.example:8000", "file://judge.example/page", "", "http://"])
def test_an_address_must_be_one(address: str) -> None:
    with pytest.raises(UserError, match="no address"):
        LanguageModelJudge(address, "small", sees=False, tries=1)


def test_captions_are_needed() -> None:
    bare = type(ITEM)(ITEM.image, ITEM.panels)
    with pytest.raises(UserError, match="there are 0"):
        LanguageModelJudge("http://localhost:1", "small", sees=False, tries=1).judge("a text", bare)
