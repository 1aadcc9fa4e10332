"""What is known of a function at each memory size: how long it runs, how long its init takes, how often it fails."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lambdanb.model.rules import TODAY
from lambdanb.simulator.function_model import Simulated
from lambdanb.simulator.laws import Sample
from lambdanb.simulator.named_laws import law_samples_ms
from lambdanb.simulator.report_log import ReportLog, read_cloudwatch, read_report_log

if TYPE_CHECKING:
    from pandas import DataFrame

Floats = NDArray[np.float64]

_COLUMNS = ("function", "memory_mb", "duration_ms", "init_ms", "cold", "status", "max_memory_mb", "request_id")
_RAN = ("ok", "error", "timeout", "crashed")
SETTINGS = ("keep_alive_s", "timeout_s", "tmp_mb", "architecture")
"""Of `model.configuration.Configuration`, those that `Simulated` has too."""


@dataclass(frozen=True, eq=False)
class MemorySize:
    """What was measured at one memory size. Samples are in ms, ascending.

    warm_ms         the handler's time of warm invocations that answered, with success or an error
    cold_ms         the handler's time of cold ones, without init: often longer, as caches are cold too
    init_ms         init, or the restore of a snapshot, of each cold start
    invocations     how many there were; those throttled, or failed by the service, aren't among them
    errors          how many of these failed or crashed
    timeouts        how many ran into the timeout; their times aren't among the samples
    max_memory_mb   the most that any used; 0 if unknown
    """

    memory_mb: int
    warm_ms: Floats
    cold_ms: Floats
    init_ms: Floats
    invocations: int = 0
    errors: int = 0
    timeouts: int = 0
    max_memory_mb: int = 0

    @property
    def error_share(self) -> float:
        """Errors per invocation; timeouts aren't among them."""
        return self.errors / self.invocations if self.invocations else 0.0

    @property
    def timeout_share(self) -> float:
        """Timeouts per invocation."""
        return self.timeouts / self.invocations if self.invocations else 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """A function as the simulator sees it. Made by `from_records` (`Function.profile()`), `from_report_log`,
    `from_cloudwatch` or `of_law`.

    name        the function's
    memory_mb   the memory size meant where none is given: of the last record
    sizes       memory size in MB -> what was measured at it
    settings    of the function's configuration, what a forecast needs and records don't tell: any of SETTINGS

    `at(memory_mb)` gives the samples and counts. `sample_warm`, `sample_cold` and `sample_init` draw times in ms from a
    NumPy generator: a warm invocation takes one of the first, a cold one an init and one of the second; each errs with
    `at().error_share`, and runs to its timeout with `at().timeout_share`.

    Drawn is from the samples' quantile function (`laws.Sample`); what is beyond the longest measured is never drawn, so
    that a far tail needs many records.
    """

    name: str
    memory_mb: int
    sizes: Mapping[int, MemorySize]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def invocations(self) -> int:
        """How many records it was learnt from, at all memory sizes; 0 of a law."""
        return sum(each.invocations for each in self.sizes.values())

    def at(self, memory_mb: int | None = None) -> MemorySize:
        """What was measured at a memory size; ValueError that tells those that were if it wasn't."""
        memory_mb = self.memory_mb if memory_mb is None else memory_mb
        if memory_mb not in self.sizes:
            raise ValueError(f"{self.name} was not measured at {memory_mb} MB, only at {self._measured()}")
        return self.sizes[memory_mb]

    def sample_warm(self, generator: np.random.Generator, n: int, memory_mb: int | None = None) -> Floats:
        """The handler's time in ms of `n` warm invocations; by the cold ones, if all that were measured were cold."""
        size = self.at(memory_mb)
        return self._sample(generator, n, size, size.warm_ms if len(size.warm_ms) else size.cold_ms)

    def sample_cold(self, generator: np.random.Generator, n: int, memory_mb: int | None = None) -> Floats:
        """The handler's time in ms of `n` cold invocations, without init; by the warm ones, if none was cold."""
        size = self.at(memory_mb)
        return self._sample(generator, n, size, size.cold_ms if len(size.cold_ms) else size.warm_ms)

    def sample_init(self, generator: np.random.Generator, n: int, memory_mb: int | None = None) -> Floats:
        """The init time in ms of `n` cold starts; ValueError if no cold start was measured at that memory size."""
        size = self.at(memory_mb)
        if not len(size.init_ms):
            others = [f"{mb} MB" for mb, each in self.sizes.items() if len(each.init_ms)]
            raise ValueError(
                f"no cold start of {self.name} was measured at {size.memory_mb} MB, so that its init time is unknown; "
                f"there are some at {', '.join(others) or 'no memory size'}"
            )
        return _drawn(generator, n, size.init_ms)

    def simulated(self, memory_mb: int | None = None, **different: Any) -> Simulated:
        """The function as `simulate` takes it, at a memory size; `different` are other settings of `Simulated`.

        A cold start takes an init, and then the handler's time of a cold one. Without any cold start measured, init
        takes no time, and the handler a warm one's. The share that ran into the timeout does so again, if `timeout_s`
        is known. What is neither among the profile's settings nor `different` has the default of `Simulated`.
        """
        size = self.at(memory_mb)
        warm_ms = size.warm_ms if len(size.warm_ms) else size.cold_ms
        if not len(warm_ms):
            raise ValueError(self._unknown(size))
        settings = dict(self.settings) | different
        if size.timeouts and "timeout_s" in settings:
            warm_ms = np.append(warm_ms, np.full(size.timeouts, settings["timeout_s"] * 1e3))
        known: dict[str, Any] = {
            "name": self.name,
            "memory_mb": size.memory_mb,
            "warm": Sample(warm_ms / 1e3),
            "first": Sample(size.cold_ms / 1e3) if len(size.cold_ms) else None,
            "init": Sample(size.init_ms / 1e3) if len(size.init_ms) else None,
            "error_share": size.error_share,
        }
        unknown = settings.keys() - {each.name for each in fields(Simulated)}
        if unknown:
            choices = ", ".join(each.name for each in fields(Simulated))
            raise TypeError(f"{self.name}: no setting {', '.join(sorted(unknown))}; there are {choices}")
        return Simulated(**(known | settings))

    def _sample(self, generator: np.random.Generator, n: int, size: MemorySize, samples: Floats) -> Floats:
        if not len(samples):
            raise ValueError(self._unknown(size))
        return _drawn(generator, n, samples)

    def _unknown(self, size: MemorySize) -> str:
        return (
            f"no invocation of {self.name} at {size.memory_mb} MB ended by itself, so that its duration is unknown: of "
            f"{size.invocations}, {size.timeouts} ran into the timeout and {size.errors} crashed"
        )

    def _measured(self) -> str:
        return ", ".join(f"{mb} MB ({size.invocations:,} invocations)" for mb, size in self.sizes.items())

    def __repr__(self) -> str:
        return f"<Profile {self.name}: {self._measured()}>"

    @classmethod
    def from_records(cls, frame: DataFrame, **settings: Any) -> Profile:
        """From the records of one function, all its versions and memory sizes: the DataFrame of `Function.records()`.

        `settings`: any of SETTINGS. ValueError if there are no records, none that ran, those of several functions, or
        numbers that can't be; TypeError for another setting.
        """
        if not hasattr(frame, "columns"):
            raise ValueError(f"records are the DataFrame of Function.records(), not a {type(frame).__name__}")
        unknown = sorted(settings.keys() - set(SETTINGS))
        if unknown:
            raise TypeError(f"unknown setting {', '.join(unknown)}; there are {', '.join(SETTINGS)}")
        missing = [name for name in _COLUMNS if name not in frame.columns]
        if missing:
            raise ValueError(f"the frame has no columns {', '.join(missing)}: it must be one of Function.records()")
        if not len(frame):
            raise ValueError("there are no records: invoke the function first, or ask for records since longer ago")
        names = [str(name) for name in frame["function"].unique()]
        if len(names) > 1:
            raise ValueError(
                f"these are records of {len(names)} functions ({', '.join(names[:5])}): choose one, "
                f"frame[frame.function == {names[0]!r}]"
            )
        columns = [frame[name].to_numpy() for name in ("memory_mb", "duration_ms", "init_ms", "cold")]
        memory_mb, duration_ms, init_ms, cold = (np.asarray(each, dtype=np.float64) for each in columns)
        wrong = ~(np.isfinite(duration_ms) & (duration_ms >= 0)) | (init_ms < 0) | ~(memory_mb > 0)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise ValueError(
                f"record {at} of {names[0]} ({frame['request_id'].iloc[at]}) has duration_ms {duration_ms[at]:g}, "
                f"init_ms {init_ms[at]:g}, memory_mb {memory_mb[at]:g}: times must be from 0, and memory above 0"
            )
        status = frame["status"].to_numpy().astype(str)
        used_mb = np.asarray(frame["max_memory_mb"].to_numpy(), dtype=np.float64)
        return cls._of(names[0], memory_mb, duration_ms, init_ms, cold > 0, status, used_mb, settings)

    @classmethod
    def from_reports(cls, name: str, log: ReportLog) -> Profile:
        """From the REPORT lines of a log that was read by `report_log`. Warns of those that couldn't be read."""
        if not log.reports:
            raise ValueError(f"there is no invocation to learn {name} from: {log.summary()}")
        if log.unused:
            warnings.warn(log.summary(), stacklevel=3)
        init_ms = np.array(
            [each.restore_ms if each.init_ms is None else each.init_ms for each in log.reports], dtype=np.float64
        )
        return cls._of(
            name,
            np.array([each.memory_mb for each in log.reports], dtype=np.float64),
            np.array([each.duration_ms for each in log.reports]),
            init_ms,
            ~np.isnan(init_ms),
            np.array([_STATUS.get(each.status, "error") for each in log.reports]),
            np.array([each.max_memory_mb for each in log.reports], dtype=np.float64),
        )

    @classmethod
    def from_report_log(cls, source: str | PathLike[str] | Iterable[str], name: str | None = None) -> Profile:
        """From the REPORT lines of a real AWS log: a file as `report_log` reads them, or lines.

        The log must be of one function. `name` is by default that of the file, without its endings.
        """
        if name is None:
            name = Path(source).name.split(".")[0] if isinstance(source, str | PathLike) else "function"
        return cls.from_reports(name, read_report_log(source))

    @classmethod
    def from_cloudwatch(
        cls, log_group: str, *, start: datetime | None = None, end: datetime | None = None, client: Any = None
    ) -> Profile:
        """From a function's log group in CloudWatch Logs: see `report_log.read_cloudwatch`."""
        return cls.from_reports(
            log_group.rpartition("/")[2], read_cloudwatch(log_group, start=start, end=end, client=client)
        )

    @classmethod
    def of_law(
        cls,
        name: str = "function",
        *,
        warm: float | Mapping[str, Any],
        init: float | Mapping[str, Any],
        memory_mb: int = 128,
    ) -> Profile:
        """A function that nobody has measured: durations and init times by laws, as `named_laws` has them.

        Profile.of_law(warm={"law": "lognormal", "median_ms": 20, "p99_ms": 90}, init=300). Nothing fails. ValueError
        for a law or a memory size that can't be.
        """
        if memory_mb not in TODAY.memory_mb:
            raise ValueError(f"{name}: memory_mb is {memory_mb!r}: it must be a whole number, {TODAY.memory_mb.range}")
        warm_ms, init_ms = law_samples_ms("warm", warm), law_samples_ms("init", init)
        return cls(name, memory_mb, {memory_mb: MemorySize(memory_mb, warm_ms, warm_ms, init_ms)})

    @classmethod
    def _of(
        cls,
        name: str,
        memory_mb: Floats,
        duration_ms: Floats,
        init_ms: Floats,
        cold: NDArray[np.bool_],
        status: NDArray[np.str_],
        used_mb: Floats,
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> Profile:
        """From columns, a row for each record; `init_ms` is nan where there was none."""
        ran = np.isin(status, _RAN)
        if not ran.any():
            kinds, counts = np.unique(status, return_counts=True)
            told = ", ".join(f"{count} {kind}" for kind, count in zip(kinds, counts, strict=True))
            raise ValueError(f"no record of {name} is of an invocation that ran: {told}")
        answered = np.isin(status, ("ok", "error"))
        failed = np.isin(status, ("error", "crashed"))
        sizes = {}
        for mb in np.unique(memory_mb[ran]):
            here = ran & (memory_mb == mb)
            sizes[int(mb)] = MemorySize(
                int(mb),
                warm_ms=np.sort(duration_ms[here & answered & ~cold]),
                cold_ms=np.sort(duration_ms[here & answered & cold]),
                init_ms=np.sort(init_ms[here & ~np.isnan(init_ms)]),
                invocations=int(here.sum()),
                errors=int((here & failed).sum()),
                timeouts=int((here & (status == "timeout")).sum()),
                max_memory_mb=int(used_mb[here].max()),
            )
        return cls(name, int(memory_mb[ran][-1]), sizes, settings)


_STATUS = {None: "ok", "timeout": "timeout"}


def _drawn(generator: np.random.Generator, n: int, samples_ms: Floats) -> Floats:
    drawn = np.empty(n)
    Sample(samples_ms).draw(generator, drawn)
    return drawn
