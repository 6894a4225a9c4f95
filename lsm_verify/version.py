"""The version, for modules below the package's door: importing that door would be a circle."""

__version__ = "0.1.0"
"""A test holds it to pyproject.toml."""
