"""A real sshd on the loopback address, with keys and configuration of its own, and a slow line to it."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gazeviz.backend.remote.place import WorkerPlace
from tests.backend.listening import is_alive, until_gone

ROOT = Path(__file__).parents[3]
DELAY_MS = 50
"""Added in each direction."""


@dataclass
class OtherMachine:
    """A place that ssh can reach. folder: where its programs lie, and where each worker leaves its number."""

    folder: Path
    port: int
    options: tuple[str, ...]
    relay: "subprocess.Popen[str]"
    direct_port: int
    known: set[int] = field(default_factory=set)

    def place(self, program: str | None = None, port: int | None = None) -> WorkerPlace:
        """The scripted worker, unless another program is named."""
        named = program or str(self.folder / "gazeviz")
        return WorkerPlace.parse(f"ssh://{getpass.getuser()}@127.0.0.1:{port or self.port}{named}")

    def ssh_on_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the ssh that programs find know this machine, as a person's own configuration would."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        found = folder / "ssh"
        found.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {" ".join(self.options)} "$@"\n')
        found.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def workers(self) -> set[int]:
        """Process ids of the workers that have begun there since this was last asked."""
        found = {int(path.stem) for path in self.folder.glob("*.worker")} - self.known
        self.known |= found
        return found

    def break_line(self) -> None:
        """Let every connection fall, as a cable does."""
        assert self.relay.stdin is not None
        self.relay.stdin.write("break\n")
        self.relay.stdin.flush()

    def program(self, name: str, text: str) -> str:
        """Put a program there; returns its path."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def sshd_program() -> str:
    found = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    assert found, "These tests need an ssh server: Debian has it in openssh-server."
    return found


def start_sshd(folder: Path) -> tuple["subprocess.Popen[bytes]", int, tuple[str, ...]]:
    """Begin a server that one new key may log in to; returns it, its port, and ssh's options for it."""
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    port = free_port()
    (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:* {host_key}\n")
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder / 'host_key'}\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nPidFile {folder / 'sshd.pid'}\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
        "StrictModes no\nUsePAM no\nPrintMotd no\nMaxStartups 100:30:200\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where a server of root's separates privileges
    server = subprocess.Popen(
        [sshd_program(), "-D", "-E", str(folder / "sshd.log"), "-f", str(folder / "sshd_config")]
    )
    (folder / "ssh_config").write_text(
        f"IdentityFile {folder / 'user_key'}\nIdentitiesOnly yes\nStrictHostKeyChecking yes\n"
        f"UserKnownHostsFile {folder / 'known_hosts'}\nGlobalKnownHostsFile /dev/null\n"
    )
    return server, port, ("-F", str(folder / "ssh_config"))


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherMachine]:
    folder = tmp_path_factory.mktemp("sshd")
    server, direct_port, options = start_sshd(folder)
    relay = subprocess.Popen(
        [sys.executable, "-m", "tests.backend.remote.relay", str(direct_port), str(DELAY_MS)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert relay.stdout is not None and relay.stdin is not None
    other = OtherMachine(folder, int(relay.stdout.readline()), options, relay, direct_port)
    program = f"{sys.executable} -m tests.backend.remote.other_machine {folder}"
    for name, token_s in (("gazeviz", 0.01), ("slow", 0.1)):
        other.program(name, f'cd {ROOT} && PYTHONPATH={ROOT} exec {program} {token_s} "$@"')
    try:
        yield other
    finally:
        relay.stdin.close()
        relay.stdout.close()
        relay.wait()
        server.terminate()
        server.wait()
        left = [pid for pid in other.known | other.workers() if is_alive(pid)]
        for pid in left:
            until_gone(pid)
