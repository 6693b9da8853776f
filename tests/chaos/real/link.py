"""A TCP proxy whose connections can be cut, slowed and muted."""

import asyncio
import contextlib
import threading

OPEN, CUT, SLOW, MUTE = "open", "cut", "slow", "mute"
_CHUNK = 2**16
_SLOW_S = 0.08


class Link:
    """Listens on `port` and passes on to `target`, both on loopback. `mode` may be set from any thread."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self._mode = OPEN
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._listen())

    @property
    def mode(self) -> str:
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        self._mode = mode
        if mode == CUT:
            self._call(self._cut())

    def close(self) -> None:
        """Cut everything and stop listening."""
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _call(self, what: "asyncio.coroutines.Coroutine[None, None, None]") -> None:  # type: ignore[name-defined]
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        await self._cut()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode == CUT:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there_writer}
        await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        self._open -= {writer, there_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._mode == SLOW:
                    await asyncio.sleep(_SLOW_S)
                while self._mode == MUTE:
                    await asyncio.sleep(0.05)
                writer.write(data)
                await writer.drain()
        writer.transport.abort() if reader.exception() else writer.close()
