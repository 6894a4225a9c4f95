"""Run the self-test and write reports/selftest.json and reports/selftest.md.

Usage: python tools/make_selftest.py [--draws N]
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from lsm_verify.files import write_text
from lsm_verify.mutants.outcome import SelfTest
from lsm_verify.mutants.selftest import selftest
from lsm_verify.mutants.share import share_seen
from lsm_verify.report import matrix
from lsm_verify.verify.draws import draw_inputs
from lsm_verify.verify.provenance import provenance

FOLDER = Path(__file__).parents[1] / "reports"
WIDTH = 120

PAGE = """# Self-test: planted errors

Made by `python tools/make_selftest.py`; the numbers are in `selftest.json`. Every error is planted
in a copy of the source and the whole verification is run on it; × means that the check failed, as
it must, · that it did not see this error, a blank that it was not asked. "Route" says whether the
guilty route, the parameters and the objective's value were told rightly, "place" whether step, node
and term were, where the catalogue knows them. Each error's neighbour, the same value in other
arithmetic, must pass.

```
{table}
```

## Errors of 1e-8 in drawn columns

An error of 1e-8 in the emission of one step, planted in {draws} drawn columns with per-step
parameters:

| in | agreement on the probe sees it in | dot product per step |
|---|---|---|
{shares}

Made with {made}.
"""


def draw(rng: Any) -> Any:
    """Draw a column of ten steps."""
    return draw_inputs(rng).window(10)


def page(found: SelfTest, shares: dict[str, Any], draws: int, made: dict[str, str]) -> str:
    """Lay the result out."""
    console = Console(file=io.StringIO(), width=WIDTH, highlight=False, no_color=True)
    matrix.show(found, console)
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().rstrip().splitlines()]
    rows = [
        f"| {part} | {share['agreement']} | {share['per_step']} |" for part, share in shares.items()
    ]
    return PAGE.format(
        table="\n".join(lines),
        draws=draws,
        shares="\n".join(rows),
        made=", ".join(f"{name} {version}" for name, version in made.items()),
    )


def main() -> None:
    """Run everything and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200, help="columns per part (default 200)")
    options = parser.parse_args()
    found = selftest(announce=print)
    shares = {}
    for part in ("adjoint", "tangent", "torch"):
        share = share_seen(draw, options.draws, part=part)
        steps = "cannot see it" if part == "torch" else f"{share.steps} of {share.count}"
        shares[part] = {"agreement": f"{share.agreement} of {share.count}", "per_step": steps}
        print(part, shares[part])
    made = provenance({})
    content = {
        "selftest": found.to_json(),
        "shares_at_1e-8": {"draws": options.draws, **shares},
        "provenance": made,
    }
    write_text(FOLDER / "selftest.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
    write_text(FOLDER / "selftest.md", page(found, shares, options.draws, made))


if __name__ == "__main__":
    main()
