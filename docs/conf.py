"""How the site is built: ``make docs``; warnings are errors."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "_ext"), str(ROOT), str(ROOT / "reference")]

import lsm_verify  # noqa: E402

project = "lsm-verify"
author = copyright = "the lsm-verify developers"
release = version = lsm_verify.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    # Ours, in _ext: formulas as MathML, and pages made from the code while the site is built.
    "mathml",
    "generated",
]

# ---------------------------------------------------------------- Markdown

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 4
exclude_patterns = ["_build"]

# ---------------------------------------------------------------- docstrings

default_role = "py:obj"
autodoc_member_order = "bysource"
# Types stand in the numpydoc sections, in words, with shapes.
autodoc_typehints = "none"
autodoc_preserve_defaults = True
add_module_names = False
napoleon_google_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 80

# ---------------------------------------------------------------- links

nitpicky = True
# Types in docstrings are prose ("sequence of str, optional"), and names in backticks may be those
# of private modules: only links between pages, labels and files are held.
nitpick_ignore_regex = [("py:.*", ".*")]

# ---------------------------------------------------------------- pages

html_theme = "furo"
html_title = f"lsm-verify {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"top_of_page_buttons": []}
html_show_sphinx = False


def setup(app):
    """Take bars in docstrings for what they are here, absolute values: no substitutions."""

    def escape_bars(app, what, name, obj, options, lines) -> None:
        lines[:] = [line.replace("|", r"\|") for line in lines]

    app.connect("autodoc-process-docstring", escape_bars, priority=900)
