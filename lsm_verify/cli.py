"""The command line: ``lsm-verify check twin`` and its companions.

Exit codes: 0 passed; 1 a gradient or property is wrong; 2 wrong usage, configuration or data;
3 nothing could be concluded; 4 internal error; 130 interrupted.
"""

from __future__ import annotations

import gc
import io
import sys
import traceback
from typing import Annotated

import typer

from lsm_verify import (
    bench_cli,
    check_cli,
    data_cli,
    doctor_cli,
    inverse_cli,
    map_cli,
    model_cli,
    report_cli,
    selftest_cli,
    usage,
)
from lsm_verify.errors import InputError, NoSolutionError
from lsm_verify.version import __version__

USAGE, INTERNAL, INTERRUPTED = 2, 4, 130

SELDOM = 100
"""Third threshold of the garbage collector, by default 10: torch and numba load 280,000 objects
that stay, and going through all of them four times took 0.3 s of a fast check."""

app = typer.Typer(
    name="lsm-verify",
    help="A differentiable land-surface model, and the proof that its gradient is right.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=usage.epilog(
        "lsm-verify check twin", "lsm-verify check mymodel:problem -o report", "lsm-verify doctor"
    )
    + "\n\nExit codes: 0 passed, 1 wrong gradient, 2 wrong usage or data, 3 inconclusive, "
    "4 internal error, 130 interrupted.",
)
for function in (
    check_cli.check,
    report_cli.report,
    selftest_cli.selftest,
    model_cli.simulate,
    inverse_cli.calibrate,
    map_cli.map,
    inverse_cli.reproduce,
    doctor_cli.doctor,
):
    usage.command(app, function)
app.add_typer(bench_cli.app, name="bench")
app.add_typer(data_cli.app, name="data")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"lsm-verify {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that come before a command."""


def main() -> None:
    """Run the command line; every error becomes a message and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a stream that lacks ∂ or ‖ shows a question mark
            stream.reconfigure(errors="replace")
    gc.set_threshold(*gc.get_threshold()[:2], SELDOM)
    code = run()
    gc.freeze()  # what is left goes with the process: looking for garbage in it took 0.7 s
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        result = app(args=arguments, prog_name="lsm-verify", standalone_mode=False)
        if result == INTERRUPTED:
            return _fail("interrupted.", INTERRUPTED)
        return result if isinstance(result, int) else 0
    except (InputError, NoSolutionError) as error:
        return _fail(str(error), USAGE)
    except SystemExit as done:  # how completion ends
        return done.code if isinstance(done.code, int) else USAGE
    except (KeyboardInterrupt, typer.Abort) as stop:
        return _fail(str(stop) or "interrupted.", INTERRUPTED)
    except Exception as error:
        if hasattr(error, "format_message"):  # usage errors of the option parser
            words = sys.argv[1:] if arguments is None else arguments
            message = usage.explain(error, app, words)
            return _fail(message, USAGE) if message else USAGE
        traceback.print_exc()
        return _fail("internal error, please report it with the lines above.", INTERNAL)


def _fail(message: str, code: int) -> int:
    typer.echo(f"lsm-verify: {' '.join(message.split())}", err=True)
    return code
