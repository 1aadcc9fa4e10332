"""The closed forms: what queueing theory says of concurrency, throttles, cold starts and idle environments.

They are exact where their assumptions hold, cost milliseconds, and are what the simulator is held against.
`load` is always the offered load, in erlangs: the mean number of invocations under way if none is throttled. Functions
of several numbers take NumPy arrays for those and follow NumPy's broadcasting; of plain numbers they give a float.

    >>> erlang_b(25, offered_load(rate_per_s=10, service_s=2))      # the throttled share at a concurrency of 25
    0.0502217778907946
    >>> keep_alive_law(rate_per_s=1, service_s=2, keep_alive_s=10).cold_share
    0.09969984652043...

Sources: L. Kleinrock, Queueing Systems I (1975), for Erlang's formulas, M/G/infinity and Little's law; J. Keilson,
Markov Chain Models (1979), for the first passages of birth-death chains.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, xlogy

Numbers: TypeAlias = float | NDArray[np.float64]
"""A float where all that was given are plain numbers, else an array."""


def offered_load(rate_per_s: ArrayLike, service_s: ArrayLike) -> Numbers:
    """rate x mean service time: the mean number busy where nothing is throttled (Little's law), in erlangs."""
    return _plain(_checked("rate_per_s", rate_per_s) * _checked("service_s", service_s))


def little(rate_per_s: ArrayLike, time_s: ArrayLike) -> Numbers:
    """Little's law, L = lambda W: the mean number of things that come `rate_per_s` often and stay `time_s` each.

    Environments = rate of cold starts x their mean life span, under any policy and any law.
    """
    return _plain(_checked("rate_per_s", rate_per_s) * _checked("time_s", time_s))


def erlang_b(servers: ArrayLike, load: ArrayLike) -> Numbers:
    """The share of Poisson arrivals that finds all `servers` busy and is lost: the throttled share at that concurrency.

    B(0) = 1, B(c) = a B(c-1) / (c + a B(c-1)): no factorials, so that no `servers` is too large. Holds for every law
    of service with the mean that `load` was made of. `servers` are whole numbers from 0.
    """
    return _per_element(_erlang_b, _checked_whole("servers", servers), _checked("load", load))


def erlang_c(servers: ArrayLike, load: ArrayLike) -> Numbers:
    """The share of Poisson arrivals that must wait for one of the `servers`, where they queue and none is lost.

    C = B / (1 - rho (1 - B)) with rho = load / servers, of exponential service. Where `load` isn't less than `servers`
    the queue grows without bound: ValueError.
    """
    c, a = np.broadcast_arrays(_checked_whole("servers", servers), _checked("load", load))
    if not np.all(a < c):
        worst = int(np.argmax((a - c).ravel()))
        raise ValueError(
            f"a load of {a.ravel()[worst]:g} on {c.ravel()[worst]:g} servers has no steady state: the queue grows "
            "without bound. load must be less than servers"
        )
    lost = np.asarray(erlang_b(c, a))
    return _plain(lost / (1 - a / c * (1 - lost)))


def occupancy(load: ArrayLike, busy: ArrayLike) -> Numbers:
    """P(`busy` invocations are under way), with no limit: Poisson(load) for every law of service (M/G/infinity).

    exp(-a) a^n / n!, of its logarithm, so that no load underflows. `busy` are whole numbers from 0.
    """
    a, n = _checked("load", load), _checked_whole("busy", busy)
    return _plain(np.exp(xlogy(n, a) - a - gammaln(n + 1)))


def cold_share_of_one(rate_per_s: ArrayLike, keep_alive_s: ArrayLike) -> Numbers:
    """P(cold | accepted) at a concurrency of 1 under Poisson arrivals: exp(-rate x keep-alive).

    What comes while the environment is busy is throttled, so that the next accepted one comes an exponential time
    after it fell idle: service times have no part in it.
    """
    return _plain(np.exp(-_checked("rate_per_s", rate_per_s) * _checked("keep_alive_s", keep_alive_s)))


def loss_of_one(rate_per_s: ArrayLike, warm_s: ArrayLike, cold_s: ArrayLike, keep_alive_s: ArrayLike) -> Numbers:
    """The throttled share at a concurrency of 1: lambda ES / (1 + lambda ES), by renewal.

    ES is the mean service time of the accepted: `cold_s` (init and handler) for the share that `cold_share_of_one`
    gives, `warm_s` for the rest.
    """
    rate, warm, cold = _checked("rate_per_s", rate_per_s), _checked("warm_s", warm_s), _checked("cold_s", cold_s)
    share = np.asarray(cold_share_of_one(rate, keep_alive_s))
    load = rate * (share * cold + (1 - share) * warm)
    return _plain(load / (1 + load))


@dataclass(frozen=True)
class KeepAliveLaw:
    """What `keep_alive_law` gives, in the steady state; arrays where several keep-alives were asked for.

    cold_share    the share of invocations that start an environment
    busy, idle    mean numbers of environments
    life_span_s   mean time from an environment's start to its end (Little); infinite where none ever starts
    """

    rate_per_s: float
    cold_share: Numbers
    busy: float
    idle: Numbers

    @property
    def environments(self) -> Numbers:
        """Mean number of environments, busy and idle."""
        return self.busy + self.idle

    @property
    def life_span_s(self) -> Numbers:
        cold_rate = np.asarray(self.rate_per_s * self.cold_share)
        with np.errstate(divide="ignore", invalid="ignore"):
            return _plain(np.where(cold_rate > 0, self.environments / cold_rate, math.inf))


def keep_alive_law(rate_per_s: float, service_s: float, keep_alive_s: ArrayLike) -> KeepAliveLaw:
    """The exact cold share and number of idle environments of M/M/infinity, reusing the most recently used one.

    Poisson arrivals, exponential service of mean `service_s` (cold or warm), no limit, a keep-alive of `keep_alive_s`.

    The environments form a stack, so that the one an arrival at k-1 busy would reuse has been idle since the number
    busy last fell from k to k-1. It has expired if the first passage T(k) from k-1 busy to k took longer:

        P(cold) = sum over k of pi(k-1) P(T(k) > keep-alive)       pi = Poisson(load)
        idle    = rate x sum over k of pi(k-1) E[min(T(k), keep-alive)]

    T(k) is phase-type: its tail is a row of the exponential of the birth-death chain's generator on 0..k-1. Its
    transform obeys a recursion of one line (see `_cold_transform`), which is inverted numerically; this agrees with the
    matrix exponential to 1e-11, and where that takes minutes (a load of thousands) it takes milliseconds.

    `rate_per_s` > 0, `service_s` from 0, `keep_alive_s` from 0 and finite.
    """
    rate, service = float(_checked("rate_per_s", rate_per_s)), float(_checked("service_s", service_s))
    if rate == 0:
        raise ValueError("rate_per_s is 0: there must be arrivals, a rate above 0")
    keep_alive = _checked("keep_alive_s", keep_alive_s)
    if service == 0:
        cold = np.exp(-rate * keep_alive)
        return KeepAliveLaw(rate, _plain(cold), 0.0, _plain(-np.expm1(-rate * keep_alive)))
    flat = keep_alive.ravel()
    cold, idle = np.ones_like(flat), np.zeros_like(flat)
    kept = flat > 0
    if kept.any():
        cold[kept] = _inverse(lambda s: _cold_transform(s, rate, service) / s, flat[kept])
        idle[kept] = rate * _inverse(lambda s: _cold_transform(s, rate, service) / s**2, flat[kept])
    np.clip(cold, 0, 1, out=cold)
    return KeepAliveLaw(
        rate, _plain(cold.reshape(keep_alive.shape)), rate * service, _plain(idle.reshape(keep_alive.shape))
    )


def cold_share_by_interval(interval_s: ArrayLike, keep_alive_s: float, service_s: float = 0.0) -> Numbers:
    """P(cold) of `keep_alive_law` against the mean interval between calls (Poisson), the question people ask.

    For calls that don't overlap (`service_s` 0) it is exp(-keep-alive / interval). Calls by the clock have another law:
    all are cold if the interval is longer than service and keep-alive together, else none.
    """
    interval = _checked("interval_s", interval_s)
    if not np.all(interval > 0):
        raise ValueError("interval_s is 0 somewhere: all must be above 0 s")
    return _per_element(lambda each: float(keep_alive_law(1 / each, service_s, keep_alive_s).cold_share), interval)


def _cold_transform(s: NDArray[np.complex128], rate: float, service: float) -> NDArray[np.complex128]:
    """sum over k of pi(k-1) (1 - E exp(-s T(k))).

    One step of the chain gives psi(k) = 1 - E exp(-s T(k)) = g / (rate + g) with g = s + (k-1) psi(k-1) / service: all
    of it sums of like sign, so that nothing cancels for small s.
    """
    load = rate * service
    levels = int(load + 12 * math.sqrt(load) + 20)
    pi = np.atleast_1d(occupancy(load, np.arange(levels)))
    psi = np.zeros_like(s)
    total = np.zeros_like(s)
    for below in range(levels):
        g = s + (below / service) * psi
        psi = g / (rate + g)
        if pi[below] > 1e-18:
            total += pi[below] * psi
    return total


_NODES = 14
_STEP = 1.081792140 / _NODES
_WIDTH = 4.492075287 * _NODES
_TILT = 1.172104229


def _inverse(
    transform: Callable[[NDArray[np.complex128]], NDArray[np.complex128]], t: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The function of time with this Laplace transform at times `t` > 0: the Bromwich integral over a hyperbola.

    For transforms whose singularities are real and not positive, as a first passage's are: the error falls tenfold with
    each node. Weideman and Trefethen, Mathematics of Computation 76 (2007), 1341-1356; the constants are theirs.
    """
    theta = (np.arange(_NODES) + 0.5) * _STEP
    shape = _WIDTH * (1 + np.sin(1j * theta - _TILT))
    slope = 1j * _WIDTH * np.cos(1j * theta - _TILT)
    values = transform(shape[:, None] / t)
    total: NDArray[np.float64] = np.imag((np.exp(shape) * slope)[:, None] * values).sum(axis=0) * (_STEP / math.pi)
    return total / t


def _erlang_b(servers: float, load: float) -> float:
    lost = 1.0
    for c in range(1, int(servers) + 1):
        lost = load * lost / (c + load * lost)
    return lost


def _checked(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """The value as an array of finite numbers from 0; ValueError that names it if it isn't one."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}: it must be a number, or an array of numbers") from None
    wrong = ~(np.isfinite(array) & (array >= 0))
    if wrong.any():
        raise ValueError(f"{name} is {array[wrong].flat[0]:g}: it must be a finite number from 0")
    return array


def _checked_whole(name: str, value: ArrayLike) -> NDArray[np.float64]:
    array = _checked(name, value)
    wrong = array != np.floor(array)
    if wrong.any():
        raise ValueError(f"{name} is {array[wrong].flat[0]:g}: it must be a whole number from 0")
    return array


def _per_element(function: Callable[..., float], *arrays: NDArray[np.float64]) -> Numbers:
    together = np.broadcast_arrays(*arrays)
    flat = [function(*(float(each) for each in row)) for row in zip(*(each.flat for each in together), strict=True)]
    return _plain(np.array(flat, dtype=np.float64).reshape(together[0].shape))


def _plain(array: NDArray[np.float64]) -> Numbers:
    """A float for an array of no dimensions."""
    return float(array) if np.ndim(array) == 0 else array
