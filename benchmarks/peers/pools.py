"""Process pools: concurrent.futures, multiprocess and loky. They pickle each event, and enforce no limit."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import loky
import multiprocess

from measure import EVENT, Contender
from peers.handler import lambda_handler


@contextmanager
def process_pool(method: str, workers: int) -> Iterator[Contender]:
    """concurrent.futures.ProcessPoolExecutor with the start method `method`, all its workers started."""
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(method)) as pool:
        for future in [pool.submit(lambda_handler, EVENT) for _ in range(workers)]:
            future.result()
        yield Contender(
            f"ProcessPoolExecutor, {method}, {workers} workers",
            call=lambda event: pool.submit(lambda_handler, event).result(),
            submit=lambda event: pool.submit(lambda_handler, event).result,
        )


@contextmanager
def multiprocess_pool(workers: int) -> Iterator[Contender]:
    """multiprocess.Pool, forked; dill instead of pickle."""
    with multiprocess.get_context("fork").Pool(workers) as pool:
        yield Contender(
            f"multiprocess.Pool, fork, {workers} workers",
            call=lambda event: pool.apply(lambda_handler, (event,)),
            submit=lambda event: pool.apply_async(lambda_handler, (event,)).get,
        )


@contextmanager
def loky_pool(workers: int) -> Iterator[Contender]:
    """loky's reusable executor, with its own start method (fork and exec)."""
    pool = loky.ProcessPoolExecutor(workers)
    try:
        for future in [pool.submit(lambda_handler, EVENT) for _ in range(workers)]:
            future.result()
        yield Contender(
            f"loky, {workers} workers",
            call=lambda event: pool.submit(lambda_handler, event).result(),
            submit=lambda event: pool.submit(lambda_handler, event).result,
        )
    finally:
        pool.shutdown(kill_workers=True)
