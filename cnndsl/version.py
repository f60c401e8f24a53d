"""The version of cnndsl, which must be that of ``pyproject.toml``."""

__version__ = "0.1.0"
