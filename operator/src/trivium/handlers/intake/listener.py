"""Connections: accepted here and not by asyncio's server, so that each is counted before it costs a TLS handshake.

One conversation is one report, and ends after seconds in any case: a peer that sends a byte now and then holds one of
its own few places, and nothing else.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable

from trivium.handlers.intake.rates import Places, Rate

HANDSHAKE_SECONDS = 5.0
CONVERSATION_SECONDS = 15.0
"""From accept to close: the trainer itself hangs up after 5 seconds without a byte."""
CONNECTIONS_OF_ADDRESS = 32
"""At once. Where a network hides pods behind their node, some jobs share one address."""
CONNECTIONS = 1024
_BURST_OF_ADDRESS = 200
_PER_SECOND_OF_ADDRESS = 20.0
"""New connections; a handshake is a millisecond of this process."""

Protocols = Callable[[asyncio.Event], asyncio.Protocol]
"""Makes a connection's protocol, which sets the event when the connection is lost."""

_log = logging.getLogger(__name__)


class Listener:
    """Accepts on one socket until `stop`."""

    def __init__(self, protocols: Protocols, tls: Callable[[], ssl.SSLContext]) -> None:
        """`tls` is asked at each connection, so a renewed certificate is served from the next one on."""
        self._protocols = protocols
        self._tls = tls
        self._places = Places(each=CONNECTIONS_OF_ADDRESS, total=CONNECTIONS)
        self._rate = Rate(burst=_BURST_OF_ADDRESS, per_second=_PER_SECOND_OF_ADDRESS, monotonic=time.monotonic)
        self._conversations: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None
        self.port = 0

    def start(self, *, host: str, port: int) -> None:
        """Listen; `port` 0 takes a free one. An empty host is every address. Raises OSError."""
        if host == "" and socket.has_dualstack_ipv6():
            server = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
        else:
            server = socket.create_server((host, port), backlog=256)
        server.setblocking(False)
        self.port = server.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept(server), name="accept reports")

    def stop_accepting(self) -> None:
        """Close the socket; conversations go on."""
        if self._accepting is not None:
            self._accepting.cancel()

    async def stop(self) -> None:
        """End what still goes on."""
        self.stop_accepting()
        for one in self._conversations:
            one.cancel()
        accepting = () if self._accepting is None else (self._accepting,)
        await asyncio.gather(*accepting, *self._conversations, return_exceptions=True)

    async def _accept(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with server:
            while True:
                try:
                    connection, peer = await loop.sock_accept(server)
                except OSError as error:  # out of file descriptors: those in use are given back within seconds
                    _log.warning("no connection is accepted: %s", error)
                    await asyncio.sleep(1)
                    continue
                address = str(peer[0])
                if not self._rate.take(address) or not self._places.enter(address):
                    connection.close()
                    continue
                task = asyncio.create_task(self._converse(connection, address))
                self._conversations.add(task)
                task.add_done_callback(self._conversations.discard)

    async def _converse(self, connection: socket.socket, address: str) -> None:
        over, transport = asyncio.Event(), None
        try:
            async with asyncio.timeout(CONVERSATION_SECONDS):
                transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: self._protocols(over),
                    connection,
                    ssl=self._tls(),
                    ssl_handshake_timeout=HANDSHAKE_SECONDS,
                    ssl_shutdown_timeout=1.0,
                )
                await over.wait()
        except (OSError, TimeoutError) as error:
            _log.debug("a connection of %s ends: %s", address, error or type(error).__name__)
        finally:
            if transport is not None:
                # CPython 3.11.2, Debian 12's: a TLS transport that was closed twice has lost what abort() calls.
                with contextlib.suppress(AttributeError):
                    transport.abort()
            with contextlib.suppress(OSError):
                connection.close()
            self._places.leave(address)
