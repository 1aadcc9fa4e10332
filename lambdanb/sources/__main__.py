"""`python -m lambdanb.sources HOME PID`: the pollers of a home's event source mappings.

Started by the home's executor, whose PID that is, and gone with it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from dataclasses import replace
from pathlib import Path

from lambdanb.client.link import Link
from lambdanb.sources.checkpoints import Checkpoints
from lambdanb.sources.keeper import Keeper, Wanted


async def main() -> None:
    """Keep the mappings as the executor wants them."""
    home, executor = Path(sys.argv[1]), int(sys.argv[2])
    # A thread may be in a call of many seconds, which nobody waits for.
    link = await Link.to(home, lambda: os._exit(0))
    if (await link.ask("hello"))["pid"] != executor:
        return  # ours has gone, and this one has pollers of its own
    checkpoints = Checkpoints(home / "checkpoints.db")
    keepers: dict[str, Keeper] = {}
    tasks: dict[str, asyncio.Task[None]] = {}
    revision = -1
    while True:
        told = await link.ask("await_mappings", revision=revision)
        revision = told["revision"]
        wanted = {each["mapping"]["uuid"]: Wanted.from_json(each) for each in told["mappings"]}
        checkpoints.keep_only(wanted)
        for uuid, keeper in keepers.items():
            if uuid not in wanted:
                keeper.want(replace(keeper.wanted, state="Deleting"))
        for uuid, each in wanted.items():
            if uuid in tasks and not tasks[uuid].done():
                keepers[uuid].want(each)
            elif each.state != "Disabled":
                keepers[uuid] = Keeper(each, home, link, checkpoints)
                tasks[uuid] = asyncio.create_task(keepers[uuid].work())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main())
