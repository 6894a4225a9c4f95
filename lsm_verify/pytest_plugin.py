"""pytest plugin: ``verify_gradient`` fails a test whose gradient is wrong, with the table of why.

Three lines are a test::

    def test_gradient(verify_gradient):
        verify_gradient(lsm_verify.Problem(rosen, x0, gradients={"mine": gradient}))

Nothing but the standard library and pytest is loaded before a test asks for the fixture.
"""

from __future__ import annotations

import io
import json
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lsm_verify.errors import InputError, NoSolutionError, unknown

if TYPE_CHECKING:
    from lsm_verify.cases import Case
    from lsm_verify.verify.problem import Problem
    from lsm_verify.verify.result import Report

MARKER = "gradient"
OPTION = "--gradient-report"
WIDTH = 120
"""Columns of the table in a failure: all of the check table's columns fit."""

ATTRIBUTE = "lsm_verify_reports"
"""Attribute of a test's report under which results travel, from an xdist worker too."""

SCHEMA_VERSION = 1

PENDING: pytest.StashKey[list[str]] = pytest.StashKey()
COLLECTED: pytest.StashKey[list[tuple[str, str]]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the reports."""
    group = parser.getgroup("lsm-verify", "gradient verification")
    group.addoption(
        OPTION, metavar="FILE", type=Path, help="Write all reports of verify_gradient as JSON."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; refuse an output that cannot be written before any test runs."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**options): options of verify_gradient in this test: strict=True, "
        "tolerance=1e-8, routes=…, seed=…, allow_inconclusive=True.",
    )
    config.stash[COLLECTED] = []
    path = _output(config)
    if path is not None:
        from lsm_verify import files

        try:
            files.check_writable(path)
        except InputError as error:
            raise pytest.UsageError(f"{OPTION}: {error}") from None


@pytest.fixture
def verify_gradient(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Verify the gradient of a problem or case; anything but PASS fails the test.

    ``verify_gradient(problem, **options)`` takes the options of `lsm_verify.verify`, beside those
    of ``@pytest.mark.gradient(**options)``, and returns the report. An inconclusive verification
    fails too, for it has shown nothing; with ``allow_inconclusive=True`` the test is skipped
    instead. It never passes.
    """
    marked: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers(MARKER))):  # the nearest last
        if mark.args:
            pytest.fail(f"@pytest.mark.{MARKER} takes keywords only: {mark.args!r}.", pytrace=False)
        marked |= mark.kwargs

    def call(problem: Problem | Case, **options: Any) -> Report:
        return _verify(request.node, problem, {**marked, **options})

    return call


def _verify(item: pytest.Item, problem: Problem | Case, options: dict[str, Any]) -> Report:
    import inspect

    from lsm_verify.report import text
    from lsm_verify.verify.run import verify

    _, *known = (*inspect.signature(verify).parameters, "allow_inconclusive")
    for name in options:
        if name not in known:
            pytest.fail(str(unknown("option of verify_gradient", name, known)), pytrace=False)
    allow = options.pop("allow_inconclusive", False)
    try:
        report = verify(problem, **options)
    except (InputError, NoSolutionError) as error:
        pytest.fail(_told(error), pytrace=False)
    item.stash.setdefault(PENDING, []).append(json.dumps(report.to_json(), allow_nan=False))
    conclusion = text.verdict_line(report).plain
    item.user_properties.append((f"{report.case}: gradient", conclusion))  # for JUnit XML
    if report.exit_code == 0:
        return report
    if report.exit_code == 1 or not allow:
        pytest.fail(_table(report), pytrace=False)
    pytest.skip(conclusion)


def _table(report: Report) -> str:
    """Render a report as `lsm-verify check` prints it."""
    from rich.console import Console

    from lsm_verify.report import text

    page = io.StringIO()
    text.show(report, Console(file=page, width=WIDTH, highlight=False, no_color=True))
    return page.getvalue().rstrip()


def _told(error: Exception) -> str:
    """Return a message, and the traceback of the user's own function where that is the cause."""
    cause = error.__cause__
    return (
        str(error) if cause is None else f"{error}\n\n{''.join(traceback.format_exception(cause))}"
    )


# ---------------------------------------------------------------- reports of a session


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach what a phase of a test verified to its report; xdist sends that to the controller."""
    report = yield
    pending = item.stash.get(PENDING, [])
    if pending:
        setattr(report, ATTRIBUTE, list(pending))
        pending.clear()
    return report


@pytest.hookimpl
def pytest_sessionstart(session: pytest.Session) -> None:
    """Collect reports in this process; a worker of xdist leaves that to its controller."""
    if _output(session.config) is not None:
        session.config.pluginmanager.register(_Collector(session.config), "lsm-verify-collector")


class _Collector:
    """Gathers the reports of all tests and writes them when the session ends."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for text in getattr(report, ATTRIBUTE, ()):
            self.config.stash[COLLECTED].append((report.nodeid, text))

    def pytest_sessionfinish(self) -> None:
        from lsm_verify import files

        path = _output(self.config)
        assert path is not None
        found = self.config.stash[COLLECTED]
        found.sort(key=lambda entry: entry[0])  # xdist delivers in any order
        reports = [{"test": test, "report": json.loads(text)} for test, text in found]
        content = {"schema_version": SCHEMA_VERSION, "reports": reports}
        try:
            files.write_text(path, json.dumps(content, indent=1) + "\n")
        except InputError as error:
            pytest.exit(f"{OPTION}: {error}", returncode=pytest.ExitCode.USAGE_ERROR)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        count = len(self.config.stash[COLLECTED])
        terminalreporter.write_line(f"lsm-verify: wrote {count} reports to {_output(self.config)}")


def _output(config: pytest.Config) -> Path | None:
    """File for the reports; ``None`` where none is wanted, and in workers of xdist."""
    path: Path | None = config.getoption(OPTION)
    return None if hasattr(config, "workerinput") else path
