"""The Python bootstrap: runs a function's init, then one event after another, in the environment's runtime process.

It speaks frames (`lambdanb.model.wire`) over an inherited socket. To the executor it says first

    {"init": true or false}  with the failure as payload when init failed,

and then, for each {"id", "deadline_ms", "arn", "context", "trace"} with an event as payload,

    {"id", "error": true or false, "rss_kb", "cpu_us"}  with the result or the failure as payload.

A handler that ends the process (sys.exit, os._exit, a signal) is seen by init, which tells the executor.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import Any, NoReturn

from lambdanb.model import wire
from lambdanb.runtime import faults
from lambdanb.runtime.context import LambdaContext, describe_function
from lambdanb.runtime.handler import Handler, load_handler
from lambdanb.runtime.measure import used


def run(data: socket.socket, start: dict[str, Any]) -> NoReturn:
    """Init, then events until the executor closes `data`. Never returns: the process ends here."""
    handler, failure = initialise(start)
    say(data, b'{"init":true}' if handler is not None else b'{"init":false}', failure)
    if handler is None:
        leave(1)
    serve(data, start, handler)


def initialise(start: dict[str, Any]) -> tuple[Handler | None, bytes]:
    """Run the function's init: its handler, or None and the failure."""
    try:
        return load_handler(start["handler"]), b""
    except SystemExit as error:
        leave(exit_status(error))
    except Exception as error:
        failure = faults.describe(error, "")
        faults.log(failure)
        return None, faults.encode(failure)
    finally:
        flush_output()


def serve(data: socket.socket, start: dict[str, Any], handler: Handler) -> NoReturn:
    """Answer one event after another. A forked child of the handler drops the socket: only this process answers."""
    os.register_at_fork(after_in_child=data.close)
    describe_function()
    reader = wire.MessageReader(start["request_bytes"])
    limit = start["response_bytes"]
    cpu_before, _ = used()
    while True:
        message = wire.receive(data, reader)
        if message is None:
            leave(0)
        header, event = message
        result, failed = handle(handler, header, event)
        if len(result) > limit and not failed:
            result, failed = too_large(limit), True
        flush_output()
        cpu, peak_kb = used()
        error = "true" if failed else "false"
        said = f'{{"id":"{header["id"]}","error":{error},"rss_kb":{peak_kb},"cpu_us":{cpu - cpu_before}}}'
        say(data, said.encode(), result)
        cpu_before = cpu


def handle(handler: Handler, header: dict[str, Any], event: bytes) -> tuple[bytes, bool]:
    """Call the handler with one event: its result as JSON, or its failure and True."""
    request_id = header["id"]
    _request.id = request_id
    if header.get("trace"):
        os.environ["_X_AMZN_TRACE_ID"] = header["trace"]
    try:
        context = make_context(header)
        return marshal(handler(unmarshal(event), context)), False
    except SystemExit as error:
        leave(exit_status(error))
    except Exception as error:
        failure = faults.describe(error, request_id)
        faults.log(failure)
        return faults.encode(failure), True


def make_context(header: dict[str, Any]) -> LambdaContext:
    """The handler's second argument."""
    try:
        return LambdaContext(header["id"], header["deadline_ms"], header["arn"], header.get("context"))
    except (AttributeError, TypeError, ValueError) as error:
        text = f"Unable to parse Client Context JSON: {error}"
        raise faults.Fault("Runtime.LambdaContextUnmarshalError", text) from error


def unmarshal(event: bytes) -> Any:
    """The event as Python data."""
    try:
        return _decode(event.decode())
    except (ValueError, RecursionError) as error:
        raise faults.Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


def marshal(result: Any) -> bytes:
    """The handler's result as JSON; a Decimal (DynamoDB's numbers) counts as a number."""
    try:
        return _encode(result).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise faults.Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def _as_json(value: Any) -> Any:
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(default=_as_json).encode


def too_large(limit: int) -> bytes:
    """The failure of a result over the limit."""
    message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
    return json.dumps({"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}).encode()


def say(data: socket.socket, header: bytes, payload: bytes) -> None:
    """Send one message, whose header is JSON. A closed socket, by the function or the executor, ends this runtime."""
    try:
        data.sendall(wire.encode_raw(header, payload))
    except OSError:
        leave(1)


def flush_output() -> None:
    """Bring what the handler printed into the log pipe, whatever the handler did to its streams."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def exit_status(error: SystemExit) -> int:
    """The status with which Python would end for this SystemExit; a text is printed, as Python does."""
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def leave(status: int) -> NoReturn:
    """End the process without the interpreter's clean-up, which belongs to the zygote's image, not to ours."""
    flush_output()
    os._exit(status)


class _Request:
    """The request under way, for the log handler."""

    id = ""


_request = _Request()


def forget_request() -> None:
    """As before the first one."""
    _request.id = ""


def set_up_logging() -> None:
    """`logging` as on AWS: the root logger writes level, time and request id to the function's log."""
    import logging

    class Formatter(logging.Formatter):
        converter = staticmethod(time.gmtime)

        def format(self, record: logging.LogRecord) -> str:
            record.aws_request_id = _request.id
            return super().format(record)

    stream = logging.StreamHandler(sys.stdout)
    pattern = "[%(levelname)s]\t%(asctime)s.%(msecs)dZ\t%(aws_request_id)s\t%(message)s"
    stream.setFormatter(Formatter(pattern, "%Y-%m-%dT%H:%M:%S"))
    logging.root.handlers[:] = [stream]
