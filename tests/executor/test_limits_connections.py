"""Ten outbound connections of an environment at a time, under the rules of 2014: those of children and of Node too.

The peer is this test, at an address of this machine that isn't loopback: connections to loopback don't count.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import limits_rig
import pytest

import lambdanb

pytestmark = pytest.mark.limits
machine = limits_rig.machines(*limits_rig.WAYS, limits_rig.BARE, rules="preview-2014")

SOURCE = '''
import errno, json, os, socket, subprocess, sys

CHILD = """
import errno, json, socket, sys
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
held = [socket.socket() for _ in range(count)]
print(json.dumps([errno.errorcode.get(each.connect_ex((host, port)), "made") for each in held]))
"""
NODE = """
const net = require("net"), answers = [], held = [], [host, port, count] = process.argv.slice(1);
const done = (answer) => {
  answers.push(answer);
  if (answers.length == count) { console.log(JSON.stringify(answers)); process.exit(); }
};
for (let i = 0; i < count; i++) {
  held.push(net.connect(Number(port), host).on("connect", () => done("made")).on("error", (error) => done(error.code)));
}
"""

def lambda_handler(event, context):
    held, answers = [], []
    for _ in range(event["own"]):
        each = socket.socket()
        answers.append(errno.errorcode.get(each.connect_ex((event["host"], event["port"])), "made"))
        held.append(each)
    for runner, command in (("python", [sys.executable, "-c", CHILD]), ("node", [event.get("path"), "-e", NODE])):
        if event.get(runner):
            command += [event["host"], str(event["port"]), str(event[runner])]
            answers += json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    for each in held:
        each.close()
    return [answers.count("made"), answers.count("EADDRNOTAVAIL"), len(answers)]
'''


@pytest.fixture(scope="module")
def peer() -> Iterator[dict[str, object]]:
    """A listener whose backlog takes every connection; to find this machine's address needs no packet to be sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as finder, socket.socket() as listening:
        try:
            finder.connect(("198.51.100.1", 9))
        except OSError as error:
            pytest.skip(f"this machine has no address but loopback: {error}")
        listening.bind((finder.getsockname()[0], 0))
        listening.listen(512)
        host, port = listening.getsockname()
        yield {"host": host, "port": port}


@pytest.mark.parametrize(
    ("event", "limited"),
    [
        ({"own": 10}, [10, 0, 10]),
        ({"own": 12}, [10, 2, 12]),
        ({"own": 6, "python": 6}, [10, 2, 12]),
        ({"own": 6, "node": 6}, [10, 2, 12]),
        ({"own": 3, "python": 5, "node": 9}, [15, 2, 17]),  # the child's are closed when it has ended
    ],
    ids=["ten", "twelve", "a child's too", "Node's too", "closed ones make room"],
)
def test_the_eleventh_connection_fails(machine, peer, event: dict, limited: list[int]) -> None:
    assert machine.limit("connections")["value"] == "10 outbound"
    if "node" in event:
        node = shutil.which("node")
        if node is None or not Path(node).resolve().is_relative_to("/usr"):
            pytest.skip("no node where a function can see it")
        event = event | {"path": node}
    function = lambdanb.deploy("dials", SOURCE, memory=1024, timeout=20)
    counted = machine.check("connections", "not enforced" if "seccomp" in machine.without else "hard") == "hard"
    for _ in range(2):  # the ones before make room
        answers = function(event | peer)
        assert answers == (limited if counted else [answers[2], 0, answers[2]])


def test_loopback_is_free(machine, peer) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        event = {"own": 20, "host": "127.0.0.1", "port": listening.getsockname()[1]}
        assert lambdanb.deploy("dials", SOURCE, memory=1024, timeout=20)(event) == [20, 0, 20]
