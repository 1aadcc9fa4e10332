"""What there is to tell of functions and limits, as tables of texts, for a terminal and for a notebook alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdanb.model.records import Report
from lambdanb.model.rules import RULES, cpu_share


@dataclass(frozen=True)
class Table:
    """Rows of texts under their headers. `notes` are sentences that belong below; `empty` stands where no row is."""

    title: str
    headers: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: list[str] = field(default_factory=list)
    empty: str = "nothing"

    def text(self) -> str:
        """The table for a terminal, columns aligned."""
        lines = [self.title] if self.title else []
        if self.rows:
            cells = [*([self.headers] if any(self.headers) else []), *self.rows]
            widths = [max(len(row[i]) for row in cells) for i in range(len(self.headers))]
            for row in cells:
                lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        else:
            lines.append(self.empty)
        return "\n".join([*lines, *self.notes])


def functions_table(described: list[dict[str, Any]]) -> Table:
    """One row per function."""
    rows = []
    for each in described:
        configuration = each["configuration"]
        rows.append(
            (
                configuration["function_name"],
                f"{configuration['memory_mb']:,} MB",
                f"{configuration['timeout_s']} s",
                f"{configuration['tmp_mb']:,} MB",
                configuration["runtime"],
                each["state"],
                environments_text(each["environments"]),
                each["last_modified"][:19].replace("T", " "),
            )
        )
    headers = ("function", "memory", "timeout", "/tmp", "runtime", "state", "environments", "last modified (UTC)")
    return Table("", headers, rows, empty="No functions yet. A cell that begins with %%lambda NAME makes one.")


def limits_table(answer: dict[str, Any]) -> Table:
    """Every limit with what holds it on this machine: the answer of the operation `limits`."""
    rows = [
        (each["limit"], each["value"], each["strength"], each["mechanism"], each["note"]) for each in answer["limits"]
    ]
    notes = [
        "hard: the kernel holds it; soft: watched, and acted on a moment after; not enforced: nothing holds it.",
        *(f"Not on this machine: {mechanism}: {why}" for mechanism, why in answer["missing"].items()),
    ]
    return Table(
        f"Limits under the rules {answer['rules']!r}",
        ("limit", "under these rules", "strength", "by", "note"),
        rows,
        notes,
    )


def settings_table(settings: dict[str, Any]) -> Table:
    """The rules in force and the account's concurrency: the answer of the operation `settings`."""
    rules = RULES[settings["rules"]]
    rows = [
        ("rules", rules.name),
        ("concurrency", f"{settings['concurrency']:,} ({settings['unreserved']:,} unreserved)"),
        ("memory", rules.memory_mb.range),
        ("timeout", rules.timeout_s.range),
        ("/tmp", rules.tmp_mb.range),
        ("processes and threads", f"{rules.processes:,}"),
        ("file descriptors", f"{rules.files:,}"),
        ("outbound connections", "no limit" if rules.connections is None else f"{rules.connections:,}"),
        ("billing step", f"{rules.billing_step_ms} ms"),
    ]
    others = ", ".join(name for name in RULES if name != rules.name)
    return Table("", ("", ""), rows, [f"Other rules: {others}."])


def function_table(described: dict[str, Any], limits: dict[str, Any] | None, qualifier: str | None = None) -> Table:
    """All there is to say of one function. `limits`: the answer of the operation `limits`, None to leave them out."""
    c = described["configuration"]
    rules = RULES[limits["rules"]] if limits else RULES["today"]
    rows = [
        ("memory", f"{c['memory_mb']:,} MB, {cpu_share(c['memory_mb'], rules):.2f} vCPU"),
        ("timeout", f"{c['timeout_s']} s"),
        ("/tmp", f"{c['tmp_mb']:,} MB"),
        ("runtime, handler", f"{c['runtime']}, {c['handler']}"),
        ("state", described["state"]),
        ("version", _version_text(described)),
        ("ARN", described["arn"]),
        ("environments", environments_text(described["environments"])),
    ]
    optional = [
        ("description", c["description"]),
        ("variables", ", ".join(sorted(c["environment"]))),
        ("SnapStart", "on" if c["snap_start"] else ""),
        ("concurrency", _concurrency_text(described)),
        ("on success", c["on_success"] or ""),
        ("on failure", c["on_failure"] or ""),
        ("limits", limits_text(limits) if limits else ""),
    ]
    rows += [(label, value) for label, value in optional if value]
    name = c["function_name"] + (f":{qualifier}" if qualifier else "")
    wait = described["provisioned_wait"]
    notes = [f"The other provisioned environments wait for memory. {wait}"] if wait else []
    return Table(f"Function {name}", ("", ""), rows, notes)


def report_table(report: Report) -> Table:
    """AWS's REPORT of an invocation: what it took, and what it is billed."""
    rows = [
        ("duration", f"{report.duration_ms:,.2f} ms"),
        ("billed duration", f"{report.billed_ms:,} ms"),
        ("memory size", f"{report.memory_mb:,} MB"),
        ("max memory used", f"{report.max_memory_mb:,} MB"),
    ]
    if report.init_ms is not None:
        rows.append(("init duration", f"{report.init_ms:,.2f} ms"))
    return Table(f"Report of {report.request_id}", ("", ""), rows)


def limits_text(answer: dict[str, Any]) -> str:
    """The limits in a line, by how strictly they are held."""
    by_strength: dict[str, list[str]] = {}
    for each in answer["limits"]:
        by_strength.setdefault(each["strength"], []).append(each["limit"])
    order = [strength for strength in ("hard", "soft", "not enforced") if strength in by_strength]
    return "; ".join(f"{strength}: {', '.join(by_strength[strength])}" for strength in order)


def environments_text(environments: dict[str, int]) -> str:
    """Execution environments by state, such as "1 idle, 2 busy"."""
    return ", ".join(f"{count} {state}" for state, count in environments.items() if count) or "none"


def _version_text(described: dict[str, Any]) -> str:
    published = [version for version in described["versions"] if version != "$LATEST"]
    text = str(described["version"]) + (f" (published: {', '.join(published)})" if published else "")
    for alias in described["aliases"]:
        shares = "".join(f", {share:.0%} to {version}" for version, share in alias["weights"].items())
        text += f"; alias {alias['name']} -> {alias['version']}{shares}"
    return text


def _concurrency_text(described: dict[str, Any]) -> str:
    reserved = described["reserved_concurrency"]
    parts = [] if reserved is None else [f"{reserved} reserved"]
    parts += [
        f"provisioned for {qualifier}: {described['provisioned_ready'][qualifier]:,} of {count:,} ready"
        for qualifier, count in described["provisioned_concurrency"].items()
    ]
    return ", ".join(parts)
