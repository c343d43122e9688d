"""Limits on connections: requests must arrive in time, and no client can occupy all of the room.

A server has room for so many connections, and a client that sends half a request would occupy one for ever. Here every
request has a deadline, from its first byte (on a new connection, from its beginning) to its last, and a client that
reads nothing for a minute is disconnected. Connections that still owe a request may take at most half of the room;
beyond that, the address with most of them loses its oldest. One network address may take at most half of the room in
all, unless it is a proxy's. Connections whose request is being answered, such as a page's stream, are never cut.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from arena.guard.limits import network
from arena.server.site import unmapped

REQUEST_SECONDS = 10.0  # for a request to arrive completely
READ_SECONDS = 60.0  # for a client to read what fills the buffers
TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Connections:
    """The connections, by network address, and which of them still owe a request. is_proxy exempts shared addresses."""

    def __init__(self, room: int, is_proxy: Callable[[str], bool] = lambda address: False) -> None:
        self._room = room
        self._is_proxy = is_proxy
        self._all: dict[str, set[Connection]] = {}
        self._owing: dict[str, OrderedDict[Connection, None]] = {}  # those that owe a request, oldest first
        self._number = self._number_owing = 0

    def enter(self, new: "Connection") -> None:
        """Add a new connection, and drop one if there is no room; it may be the new one."""
        place = new.place
        self._all.setdefault(place, set()).add(new)
        self._number += 1
        self.owe(new)
        if len(self._all[place]) > self._room // 2 and not self._is_proxy(new.address):
            self._drop_oldest(place)
        elif self._number > self._room or self._number_owing > self._room // 2:
            self._drop_oldest(max(self._owing, key=lambda each: len(self._owing[each])))

    def owe(self, one: "Connection") -> None:
        """Note that this connection owes a request."""
        owing = self._owing.setdefault(one.place, OrderedDict())
        if one not in owing:
            owing[one] = None
            self._number_owing += 1

    def settle(self, one: "Connection") -> None:
        """Note that its request has arrived completely."""
        owing = self._owing.get(one.place)
        if owing and one in owing:
            del owing[one]
            self._number_owing -= 1
        if not owing:
            self._owing.pop(one.place, None)

    def leave(self, one: "Connection") -> None:
        """Remove a connection."""
        self.settle(one)
        same = self._all.get(one.place, set())
        if one in same:
            same.remove(one)
            self._number -= 1
        if not same:
            self._all.pop(one.place, None)

    def _drop_oldest(self, place: str) -> None:
        oldest = next(iter(self._owing[place]))
        self.leave(oldest)
        oldest.transport.abort()


class Connection(H11Protocol):
    """uvicorn's protocol, with a deadline for each request and the limits of Connections."""

    def __init__(self, *arguments: Any, connections: Connections, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.others = connections
        self.address = self.place = ""
        self._has_begun = False  # to send a request that is not complete yet
        self._deadline: asyncio.TimerHandle | None = None
        self._reader_deadline: asyncio.TimerHandle | None = None

    @property
    def is_owing(self) -> bool:
        """Return whether the client has yet to send a request, or the rest of one."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Add the connection to the others."""
        super().connection_made(transport)
        if self.client:
            self.address = unmapped(self.client[0])
            self.client = (self.address, self.client[1])
            self.place = network(self.address)
        self._begin_deadline()
        self.others.enter(self)

    def data_received(self, data: bytes) -> None:
        """Start a request's deadline with its first byte, and end it with its last."""
        if self.is_owing and not self._has_begun:
            self._has_begun = True
            self._begin_deadline()
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request, which may have begun already."""
        self._has_begun = False
        self._begin_deadline()
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection from the others."""
        self.others.leave(self)
        for timer in (self._deadline, self._reader_deadline, self.timeout_keep_alive_task):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the deadline of a client that reads nothing."""
        super().pause_writing()
        self._reader_deadline = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """End the deadline of a client that reads again."""
        super().resume_writing()
        if self._reader_deadline:
            self._reader_deadline.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; if an answer has begun already, disconnect."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.close()

    def shutdown(self) -> None:
        """Disconnect, or let the request that is being answered be the last."""
        if self.is_owing:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: requests for another protocol are answered in this one."""

    def _look(self) -> None:
        if not self.is_owing:
            self._end_deadline()
            self.others.settle(self)
        elif not self.transport.is_closing():
            self.others.owe(self)

    def _begin_deadline(self) -> None:
        self._end_deadline()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._be_too_late)

    def _end_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _be_too_late(self) -> None:
        if self.conn.our_state is h11.IDLE and self._has_begun:
            self.transport.write(TOO_LATE)
        self.transport.close()
        # The previous answer may still be on its way to a slow client.
        seconds = READ_SECONDS if self.transport.get_write_buffer_size() else 0
        self._deadline = self.loop.call_later(seconds, self.transport.abort)
