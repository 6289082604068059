"""A slow line: passes bytes on between two ports of this machine, each after a while.

    python -m tests.backend.remote.relay TARGET_PORT MILLISECONDS

Prints the port that it listens on. Each line of its input breaks all connections that there are.
"""

import asyncio
import sys


class Relay:
    """Both directions of every connection, in order and delayed alike."""

    def __init__(self, target_port: int, delay_s: float) -> None:
        self._target_port, self._delay_s = target_port, delay_s
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a caller through."""
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._ends |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pass_on(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def break_all(self) -> None:
        """Let every connection fall, as a cable does."""
        for writer in self._ends:
            writer.transport.abort()
        self._ends.clear()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await source.read(65536):
                loop.call_later(self._delay_s, self._write, sink, data)
        except OSError:
            pass
        loop.call_later(self._delay_s, sink.close)

    @staticmethod
    def _write(sink: asyncio.StreamWriter, data: bytes) -> None:
        if not sink.is_closing():
            sink.write(data)


async def main(target_port: int, delay_s: float) -> None:
    """Serve until input ends."""
    relay = Relay(target_port, delay_s)
    server = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        relay.break_all()
    relay.break_all()
    server.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000))
