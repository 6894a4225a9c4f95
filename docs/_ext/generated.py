"""Pages made from the code itself each time the site is built, so that they cannot go stale.

The command line (from the typer app), the public names (from ``lsm_verify.__all__``), the planted
errors (from the catalogue), the quantities and the fields of a JSON result (from its schema).
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

FOLDER = "reference/_made"

API: dict[str, tuple[str, ...]] = {
    "Verify": ("verify", "Problem", "Operator"),
    "What comes out": ("Report", "Verdict", "Reason", "Location"),
    "Routes to a gradient": ("gradient", "routes", "simulate"),
    "Cases": ("CASES", "load_case", "Case", "Grid", "Forcing", "Observations", "Series"),
    "Parameters and objective": ("Knots", "Objective"),
    "Calibrate": ("calibrate", "calibrate_map", "Calibration", "Unknown", "Normal", "Smooth"),
    "What observations tell": ("identify", "Identifiability"),
    "Errors": ("InputError", "NoSolutionError"),
}
"""Where every public name stands; a name without a place stops the build."""


FUNCTIONS = (
    "verify", "gradient", "routes", "simulate", "calibrate", "calibrate_map", "identify",
    "load_case",
)  # fmt: skip
"""Of these the ones that are called; some are modules that can be."""


def api() -> str:
    """Build the reference of every public name."""
    import lsm_verify

    placed = [name for names in API.values() for name in names]
    if sorted(placed) != sorted(lsm_verify.__all__):
        missing = set(lsm_verify.__all__) ^ set(placed)
        raise ExtensionError(
            f"docs/_ext/generated.py: API and lsm_verify.__all__ differ: {missing}"
        )
    lines = ["# Public names", "", "`import lsm_verify as lv`: each is `lv.` and its name.", ""]
    for title, names in API.items():
        lines += [f"## {title}", ""]
        for name in names:
            home = f"{lsm_verify._HOME[name]}.{name}"
            value = getattr(lsm_verify, name)
            lines += ["```{eval-rst}", *_directive(home, name, value), "```", ""]
    return "\n".join(lines)


def _directive(home: str, name: str, value: object) -> Iterator[str]:
    if inspect.isclass(value):
        yield f".. autoclass:: {home}"
        yield "   :members:"
    elif name in FUNCTIONS:
        yield f".. autofunction:: {home}"
    else:
        yield f".. autodata:: {home}"
        yield "   :no-value:"


# ---------------------------------------------------------------- the command line


def command_line() -> str:
    """Usage, arguments and options of every command."""
    import typer

    from lsm_verify.cli import app

    command = typer.main.get_command(app)
    lines = [
        "# Command line",
        "",
        str(command.help),
        "",
        "Exit codes: [exit codes](../exit-codes.md). `--help` of each command says",
        "what stands here.",
        "",
    ]
    for path, each in _commands("lsm-verify", command):
        lines += _command(path, each)
    return "\n".join(lines)


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    for name, each in sorted(command.commands.items()):
        if getattr(each, "hidden", False):
            continue
        if hasattr(each, "commands"):
            yield from _commands(f"{path} {name}", each)
        else:
            yield f"{path} {name}", each


def _command(path: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    usage = " ".join([path, *(_metavar(a, command) for a in arguments), "[OPTIONS]"])
    yield from (f"## {path}", "", "```text", usage, "```", "")
    text = inspect.cleandoc(command.help or "").replace("\f", "")
    yield from (_plain(text), "")
    rows = [(_metavar(a, command), _plain(getattr(a, "help", None) or "")) for a in arguments] + [
        (_option(o, command), _plain(o.help or "")) for o in options
    ]
    if rows:
        yield from ("| | |", "|---|---|")
        for left, right in rows:
            yield f"| `{left}` | {right} |"
        yield ""


def _metavar(parameter: Any, command: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar).replace("|", "¦")
    name = str(parameter.name).upper()
    return name if parameter.required else f"[{name}]"


def _option(option: Any, command: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag or option.metavar is None:
        return names
    return f"{names} {option.metavar}".replace("|", "¦")


def _plain(text: str) -> str:
    """Text of a help page as Markdown: nothing in it is markup; options are shown as code."""
    escaped = re.sub(r"([\\*_<>\[\]|$])", r"\\\1", text)
    return re.sub(r"(?<![\w`-])(--[a-z][a-z-]+|-[a-z])\b", r"`\1`", escaped)


# ---------------------------------------------------------------- tables of what the code holds


def mutants() -> str:
    """Build the catalogue of planted errors."""
    from lsm_verify.mutants.catalogue import PARTS

    count = sum(map(len, PARTS))
    lines = [
        "# Planted errors",
        "",
        f"The {count} errors that `lsm-verify selftest` plants in copies of the source, each with",
        "an equivalent neighbour that must pass. What came of them stands in",
        "[the self-test](../../evidence/selftest.md). `lsm-verify selftest NAME` runs one; the",
        "beginning of a name runs all that begin so.",
        "",
    ]
    for part in PARTS:
        lines += [f"## {str(part[0].part).capitalize()}", ""]
        lines += ["| name | kind | in | what stands there instead |", "|---|---|---|---|"]
        for m in part:
            new = " ".join(m.new.split()).replace("|", "\\|")
            lines.append(
                f"| {m.name.partition(': ')[2]} | {m.kind} | `{m.site.module}.{m.site.within}` "
                f"| `{new}` |"
            )
        lines.append("")
    return "\n".join(lines)


def quantities() -> str:
    """Build the tables of names, symbols, units and bounds."""
    from lsm_verify import quantities as registry

    lines = ["# Quantities", "", _plain(inspect.cleandoc(registry.__doc__ or "")), ""]
    tables = {
        "Parameters and forcing": registry.PARAMETERS,
        "Output of `simulate`": registry.OUTPUTS,
        "What can be observed": registry.OBSERVABLES,
    }
    for title, table in tables.items():
        lines += [f"## {title}", ""]
        lines += ["| name | symbol | unit | what | from | to | a value per | CF name |"]
        lines += ["|" + "---|" * 8]
        for q in table.values():
            bounds = [f"{b:g}" if abs(b) < float("inf") else "" for b in (q.lower, q.upper)]
            forms = " or ".join(shape.removesuffix("s") for shape in q.shapes if shape != "scalar")
            cells = [q.symbol, q.unit, q.description, *bounds, forms, q.standard_name]
            lines.append(f"| `{q.name}` | {' | '.join(map(_plain, cells))} |")
        lines.append("")
    return "\n".join(lines)


def schema() -> str:
    """Build the fields of a JSON result."""
    import lsm_verify.verify.result as result

    path = Path(result.__file__).parent / "report.schema.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    lines = [
        "# JSON result",
        "",
        "What `--json FILE` writes, as JSON Schema (draft 2020-12):",
        "{download}`report.schema.json <../../../lsm_verify/verify/report.schema.json>`.",
        "`schema_version` grows when a field changes its meaning or goes.",
        "",
    ]
    tables = {"The result": document} | document.get("$defs", {})
    for title, table in tables.items():
        if "enum" in table:
            values = ", ".join(f"`{v}`" for v in table["enum"])
            lines += [f"## {title}", "", f"One of {values}.", ""]
            continue
        lines += [f"## {title}", "", "| field | type |", "|---|---|"]
        for name, each in table.get("properties", {}).items():
            lines.append(f"| `{name}` | {_type(each)} |")
        lines.append("")
    return "\n".join(lines)


def _type(each: dict[str, Any]) -> str:
    if "$ref" in each:
        return str(each["$ref"]).rpartition("/")[2]
    if "anyOf" in each:
        return " or ".join(_type(e) for e in each["anyOf"])
    if "const" in each:
        return f"always {each['const']}"
    kind = each.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        items = each.get("items") or {}
        return f"list of {_type(items)}" if items else "list"
    if kind == "object" and isinstance(each.get("additionalProperties"), dict):
        return f"names to {_type(each['additionalProperties'])}"
    return kind


PAGES = {
    "api": api,
    "cli": command_line,
    "mutants": mutants,
    "quantities": quantities,
    "schema": schema,
}


def write(app: Sphinx) -> None:
    """Write what changed; an unchanged page keeps its time and is not read again."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        path, text = folder / f"{name}.md", make() + "\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def public(app: Sphinx, env: Any, node: Any, contnode: Any) -> Any:
    """Lead a public name, `lsm_verify.verify`, to where it is documented."""
    import lsm_verify

    name = str(node.get("reftarget", "")).removeprefix("lsm_verify.")
    if node.get("refdomain") != "py" or name not in lsm_verify._HOME:
        return None
    home = f"{lsm_verify._HOME[name]}.{name}"
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", home, node, contnode)


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the pages before any is read."""
    app.connect("builder-inited", write)
    app.connect("missing-reference", public)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
