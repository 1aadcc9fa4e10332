"""The wire: messages in any pieces, lies about lengths, and multiprocess.connection at the other end."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiprocess.connection import Connection

from lambdanb.model import wire
from lambdanb.model.wire import MessageReader, WireError

LIMIT = 1000
MESSAGES = st.lists(
    st.tuples(
        st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3), st.binary(max_size=60)
    ),
    max_size=6,
)


@given(messages=MESSAGES, cuts=st.lists(st.integers(1, 50), min_size=1, max_size=50))
def test_pieces(messages: list[tuple[Any, bytes]], cuts: list[int]) -> None:
    """However the stream is cut, the same messages come out, in order, and nothing is left."""
    stream = b"".join(wire.encode(header, payload) for header, payload in messages)
    reader = MessageReader(LIMIT)
    got = []
    position = number = 0
    while position < len(stream):
        size = cuts[number % len(cuts)]
        got += reader.feed(stream[position : position + size])
        position, number = position + size, number + 1
    assert got == messages
    assert not reader.pending


@given(messages=MESSAGES)
def test_all_at_once(messages: list[tuple[Any, bytes]]) -> None:
    reader = MessageReader(LIMIT)
    assert reader.feed(b"".join(wire.encode(header, payload) for header, payload in messages)) == messages


@given(st.binary(max_size=200))
def test_garbage(data: bytes) -> None:
    """Either a message, or more is wanted, or WireError: never another error."""
    try:
        MessageReader(LIMIT).feed(data)
    except WireError:
        pass


def frame(length: int, content: bytes = b"") -> bytes:
    return struct.pack("!i", length) + content


@pytest.mark.parametrize(
    "lie",
    [
        frame(-1),
        frame(-1, b"\0" * 8),
        frame(wire.HEADER_BYTES + 1),
        frame(2**31 - 1, b"{}"),
        frame(2, b"{}") + frame(LIMIT + 1),
        frame(2, b"{}") + frame(-2),
        frame(2, b"{}") + frame(LIMIT + 1, b"x" * (LIMIT + 1)),
        frame(2, b"{]") + frame(0),
        frame(1, b"\xff") + frame(0),
        frame(100_000, b"[" * 100_000) + frame(0),
    ],
    ids=range(10),
)
@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_lies(lie: bytes, step: int) -> None:
    reader = MessageReader(LIMIT)
    if step == 1 and len(lie) > 10_000:
        step = 997
    with pytest.raises(WireError):
        for start in range(0, len(lie), step):
            reader.feed(lie[start : start + step])


def test_what_is_announced_costs_nothing() -> None:
    reader = MessageReader(10**9)
    assert reader.feed(frame(2, b"{}") + frame(10**9)) == []
    assert reader.pending


def test_multiprocess_connection_takes_part() -> None:
    ours, theirs = socket.socketpair()
    with ours, Connection(theirs.detach()) as connection:
        connection.send_bytes(b'{"n": 1}')
        connection.send_bytes(b"x" * 20_000)
        reader = MessageReader(100_000)
        assert wire.receive(ours, reader) == ({"n": 1}, b"x" * 20_000)
        ours.sendall(wire.encode({"n": 1, "status": 200}, b"[]"))
        assert json.loads(connection.recv_bytes()) == {"n": 1, "status": 200}
        assert connection.recv_bytes() == b"[]"


def test_the_end_of_the_stream() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(wire.encode({"n": 1})[:5])
        theirs.close()
        assert wire.receive(ours, MessageReader(LIMIT)) is None
