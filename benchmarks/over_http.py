"""Warm invocations over HTTP: AWS's API as we serve it beside awslambdaric behind a minimal server, and boto3 beside
boto3 against a server that answers a constant.

    python benchmarks/over_http.py [--rounds N] [--calls N]

Ours checks a signature, has logs, records and every limit on; the others have none. It wants, of plain HTTP's p50s,
at most 1.0 times awslambdaric's (the server by aiohttp); of boto3's, at most 1.3 times the constant server's; and 1,000
invocations a second.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from lambdanb.client.connection import Executor
from lambdanb.client.credentials import variables
from measure import OURS, Contender, Event, calls_per_s, interleaved, median, print_times, verdict
from ours import MEMORY_MB, NAME, deployed, own_home
from peers.aws_ric import RIC, runtime_clients

PATH = f"/2015-03-31/functions/{NAME}/invocations"
BOTO3, CONSTANT = "boto3 to lambdanb", "boto3 to a constant"
IN_FLIGHT = 8
_CONSTANT_SERVER = """
from aiohttp import web
async def answer(request):
    await request.read()
    return web.Response(body=b'{"n": 7}', content_type="application/json")
async def main():
    server = web.ServerRunner(web.Server(answer, access_log=None))
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
import asyncio
asyncio.run(main())
"""


def plain(told: dict[str, str]) -> Contender:
    """Our API by a socket and bytes: requests are signed beforehand, since signing is the client's work."""
    host = told["AWS_ENDPOINT_URL"].removeprefix("http://")
    address = (host.partition(":")[0], int(host.partition(":")[2]))
    pair = Credentials(told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"])
    own = threading.local()
    signed: dict[int, bytes] = {}

    def request(event: Event) -> bytes:
        if event["n"] not in signed:
            body = json.dumps(event).encode()
            made = AWSRequest("POST", told["AWS_ENDPOINT_URL"] + PATH, data=body)
            SigV4Auth(pair, "lambda", "us-east-1").add_auth(made)
            head = "".join(f"{name}: {value}\r\n" for name, value in made.headers.items())
            signed[event["n"]] = (
                f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
            )
        return signed[event["n"]]

    def call(event: Event) -> Any:
        if not hasattr(own, "sock"):
            own.sock = socket.create_connection(address, timeout=30)
            own.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own.sock.sendall(request(event))
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += own.sock.recv(65536)
        head, data = data[:end].lower(), data[end + 4 :]
        size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(data) < size:
            data += own.sock.recv(65536)
        return json.loads(data)

    threads = ThreadPoolExecutor(IN_FLIGHT)
    return Contender(OURS, call, submit=lambda event: threads.submit(call, event).result)


def by_boto3(name: str, url: str, told: dict[str, str]) -> Contender:
    """boto3's client, as one writes it."""
    client = boto3.client(
        "lambda",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        config=Config(max_pool_connections=IN_FLIGHT),
    )

    def call(event: Event) -> Any:
        return json.load(client.invoke(FunctionName=NAME, Payload=json.dumps(event).encode())["Payload"])

    return Contender(name, call)


@contextmanager
def constant_server() -> Iterator[str]:
    """The URL of an aiohttp server that answers every request with the right constant."""
    with subprocess.Popen([sys.executable, "-c", _CONSTANT_SERVER], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description="Warm invocations over HTTP, ours beside its peers.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=150, help="of each contender in each round")
    asked = parser.parse_args()
    with ExitStack() as stack:
        stack.enter_context(own_home())
        stack.enter_context(deployed(NAME, MEMORY_MB, IN_FLIGHT))
        executor = Executor.of(Path(os.environ["LAMBDANB_HOME"]))
        told = variables(executor.home, executor.ask("endpoint")["url"])
        ric = stack.enter_context(runtime_clients(1, "runtime_api_aiohttp", "a Runtime API of aiohttp"))
        by_hand = stack.enter_context(runtime_clients(1, "runtime_api", "a Runtime API by hand"))
        ours = plain(told)
        times = interleaved([ours, ric, by_hand], asked.rounds, asked.calls)
        print_times("Plain HTTP, one call after the other", times)
        p50 = {each.name: each.quantile(0.5) for each in times}
        for name in (name for name in p50 if name.startswith(RIC)):
            verdict(f"p50, ours over {name}'s", p50[OURS] / p50[name], "at most 1.0 of aiohttp's")
        constant = by_boto3(CONSTANT, stack.enter_context(constant_server()), told)
        times = interleaved([by_boto3(BOTO3, told["AWS_ENDPOINT_URL"], told), constant], asked.rounds, asked.calls)
        print_times("boto3, one call after the other", times, against=BOTO3)
        p50 = {each.name: each.quantile(0.5) for each in times}
        verdict("p50, boto3 to ours over boto3 to a constant", p50[BOTO3] / p50[CONSTANT], "at most 1.3")
        rates = [calls_per_s(ours, asked.calls * 8, IN_FLIGHT) for _ in range(asked.rounds)]
        verdict(f"invocations a second with {IN_FLIGHT} in flight", median(rates), "at least 1,000")


if __name__ == "__main__":
    main()
