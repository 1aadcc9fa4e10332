"""What `import lambdanb` costs over bare Python (it wants under 60 ms), and how soon a fresh kernel's first function
answers (within 1 s): deployed in an empty home, so with the executor and the zygote to be started.

    python benchmarks/import_time.py [--rounds N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from measure import Contender, interleaved, median, print_times

IMPORT = "import lambdanb"
FIRST_DEPLOY = """
import time
start = time.perf_counter()
import lambdanb
hello = lambdanb.deploy("hello", "def lambda_handler(event, context):\\n    return event", memory=128, timeout=3)
assert hello({"n": 1}) == {"n": 1}
print((time.perf_counter() - start) * 1e3)
"""


def python(name: str, code: str) -> Contender:
    """A fresh Python that runs `code`."""

    def call(event: object) -> None:
        subprocess.run([sys.executable, "-P", "-c", code], check=True)

    return Contender(name, call)


def main() -> None:
    """Measure in turn and print."""
    from ours import own_home

    parser = argparse.ArgumentParser(description="The cost of the import and of the first deploy.")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    bare = "python -c pass"
    contenders = [python(bare, "pass"), python(IMPORT, IMPORT), python("import pandas", "import pandas")]
    times = interleaved(contenders, rounds, calls=1, warm=0)
    print_times("Import, in a fresh Python", times, against=bare)
    over = times[1].quantile(0.5) - times[0].quantile(0.5)
    print(f"import lambdanb: {over:.1f} ms over bare Python (wanted: under 60)")

    first_ms = []
    for _ in range(3):
        with own_home():
            done = subprocess.run(
                [sys.executable, "-P", "-c", FIRST_DEPLOY], stdout=subprocess.PIPE, text=True, check=True
            )
            first_ms.append(float(done.stdout))
    print(f"import, first deploy and answer in an empty home: {median(first_ms):.0f} ms (wanted: under 1,000)")


if __name__ == "__main__":
    main()
