"""Connections that cost little: a request must arrive whole in time, and nobody can hold all of the places.

A server has room for so many connections, and a connection that sends half a request holds its place for ever unless
somebody minds. Here every request has a deadline from its first byte (a new connection, from its beginning) to its
last, a reader that takes nothing for a minute is let go, and there are two limits. Of the connections on which a
request is still owed, half of the room is the most; above that, whoever holds most of them loses the oldest. And one
network address has at most half of the room in all, unless it is a proxy's, behind which many are. What is being
answered, such as the stream of a page, is never cut.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from arena.limits import network
from arena.server.site import unmapped

REQUEST_SECONDS = 10.0  # for a request to arrive whole
READ_SECONDS = 60.0  # for a reader to take what fills the buffers
TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Connections:
    """Who is connected, by network address, and who still owes a request. is_proxy says whose address many share."""

    def __init__(self, room: int, is_proxy: Callable[[str], bool] = lambda address: False) -> None:
        self._room = room
        self._is_proxy = is_proxy
        self._all: dict[str, set[Connection]] = {}
        self._owing: dict[str, OrderedDict[Connection, None]] = {}  # those that owe a request, oldest first
        self._number = self._number_owing = 0

    def enter(self, new: "Connection") -> None:
        """Take a new connection in, and drop one where there is no room; it may be the new one."""
        place = new.place
        self._all.setdefault(place, set()).add(new)
        self._number += 1
        self.owe(new)
        if len(self._all[place]) > self._room // 2 and not self._is_proxy(new.address):
            self._drop_oldest(place)
        elif self._number > self._room or self._number_owing > self._room // 2:
            self._drop_oldest(max(self._owing, key=lambda each: len(self._owing[each])))

    def owe(self, one: "Connection") -> None:
        """Note that a request of this connection is waited for."""
        owing = self._owing.setdefault(one.place, OrderedDict())
        if one not in owing:
            owing[one] = None
            self._number_owing += 1

    def settle(self, one: "Connection") -> None:
        """Note that its request is whole."""
        owing = self._owing.get(one.place)
        if owing and one in owing:
            del owing[one]
            self._number_owing -= 1
        if not owing:
            self._owing.pop(one.place, None)

    def leave(self, one: "Connection") -> None:
        """Forget a connection, however it ended."""
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
    """uvicorn's protocol with a deadline for each request, and its place among the others."""

    def __init__(self, *arguments: Any, connections: Connections, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.others = connections
        self.address = self.place = ""
        self._has_begun = False  # to send a request, of which some is still owed
        self._deadline: asyncio.TimerHandle | None = None
        self._reader_deadline: asyncio.TimerHandle | None = None

    @property
    def is_owing(self) -> bool:
        """Say whether the client has yet to send a request, or the rest of one."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place."""
        super().connection_made(transport)
        if self.client:
            self.address = unmapped(self.client[0])
            self.client = (self.address, self.client[1])
            self.place = network(self.address)
        self._begin_deadline()
        self.others.enter(self)

    def data_received(self, data: bytes) -> None:
        """Begin a request's deadline with its first byte, and end it with its last."""
        if self.is_owing and not self._has_begun:
            self._has_begun = True
            self._begin_deadline()
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request, of which some may be here already."""
        self._has_begun = False
        self._begin_deadline()
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self.others.leave(self)
        for timer in (self._deadline, self._reader_deadline, self.timeout_keep_alive_task):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Mind a reader that takes nothing."""
        super().pause_writing()
        self._reader_deadline = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Let a reader go on that has taken something."""
        super().resume_writing()
        if self._reader_deadline:
            self._reader_deadline.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; where an answer had begun already, hang up."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.close()

    def shutdown(self) -> None:
        """Hang up unless a whole request is being answered, which will be the last."""
        if self.is_owing:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: whoever asks for another protocol gets this one."""

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
        # What was answered before may be on its way to a slow reader.
        seconds = READ_SECONDS if self.transport.get_write_buffer_size() else 0
        self._deadline = self.loop.call_later(seconds, self.transport.abort)
