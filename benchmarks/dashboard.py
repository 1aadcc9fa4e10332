"""What the live stream dashboard costs: shares of one core of kernel, server and browser, five frames a second, beside
an empty notebook in the same JupyterLab and the same Chromium. From /proc, over some seconds each, round after round.

What is driven (executor, loader, the function's environments) isn't counted: that is the load itself.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "browser"))

from lab import Lab, Notebook

SECONDS = 12.0
ROUNDS = 3
SETTLE_S = 3.0
WANTED = 0.15
PARTS = ("kernel", "server", "browser")
LOAD = "%load_ext lambdanb"
FUNCTION = """\
%%lambda echo
import time
def lambda_handler(event, context):
    time.sleep(0.05)
    return event"""
NOTEBOOKS = {
    "an empty notebook": [],
    "live, 10 requests/s": [
        LOAD,
        FUNCTION,
        "from lambdanb.streams import Poisson\necho.dashboard(Poisson(10), seconds=3600)",
    ],
    "live, 100 requests/s": [
        LOAD,
        FUNCTION,
        "from lambdanb.streams import Poisson\necho.dashboard(Poisson(100), seconds=3600)",
    ],
}


def used_s() -> Counter[str]:
    """Processor seconds of this process's descendants so far, by part."""
    used: Counter[str] = Counter()
    for pid in descendants(os.getpid()):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        part = part_of(command)
        if part is not None:
            used[part] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def part_of(command: bytes) -> str | None:
    """Which part a process is of, by its command line."""
    for part, word in (("kernel", b"ipykernel_launcher"), ("server", b"jupyterlab"), ("browser", b"chrom")):
        if word in command:
            return part
    return None


def descendants(pid: int) -> Iterator[int]:
    """All processes that a process has started, and theirs."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    for child in {int(each) for listed in children for each in listed.read_text().split()}:
        yield child
        yield from descendants(child)


def shares(page: Any) -> dict[str, float]:
    """Of one core, over SECONDS; the page's own loop goes on meanwhile."""
    before, since_s = used_s(), time.monotonic()
    page.wait_for_timeout(1e3 * SECONDS)
    after, took_s = used_s(), time.monotonic() - since_s
    return {part: (after[part] - before[part]) / took_s for part in PARTS}


def measure(browser: Any, lab: Lab, name: str, cells: list[str]) -> dict[str, float]:
    """One turn of one contender: a page and a kernel of its own, gone afterwards."""
    page = browser.new_page(viewport={"width": 1400, "height": 1150})
    notebook = Notebook(page, lab, "".join(letter for letter in name if letter.isalnum()), cells)
    notebook.run_all()
    if cells:
        page.get_by_role("button", name="Start", exact=True).click()
        page.locator(".lambdanb-panel canvas").first.scroll_into_view_if_needed()
    page.wait_for_timeout(1e3 * SETTLE_S)
    found = shares(page)
    if cells:
        page.get_by_role("button", name="Close", exact=True).click()
        page.locator(".lambdanb-lives").wait_for(state="detached")
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.close()
    return found


def main() -> None:
    """All contenders in turn, round after round."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("There is no Chromium here (Debian's package is chromium).")
    from playwright.sync_api import sync_playwright

    found: dict[str, list[dict[str, float]]] = {name: [] for name in NOTEBOOKS}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        with Lab(home, {"LAMBDANB_HOME": str(home / "lambdanb")}) as lab:
            for _ in range(ROUNDS):
                for name, cells in NOTEBOOKS.items():
                    found[name].append(measure(browser, lab, name, cells))
        browser.close()
    print(
        f"Shares of one core, medians of {ROUNDS} rounds of {SECONDS:g} s; at most {WANTED:.0%} together are wanted\n"
    )
    print(f"{'':24}" + "".join(f"{part:>10}" for part in (*PARTS, "together")))
    for name, turns in found.items():
        parts = [statistics.median(turn[part] for turn in turns) for part in PARTS]
        together = statistics.median(sum(turn.values()) for turn in turns)
        print(f"{name:24}" + "".join(f"{share:>10.1%}" for share in (*parts, together)))


if __name__ == "__main__":
    main()
