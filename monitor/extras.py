"""Libraries that not everybody needs, and what to do where one that is asked for is not there."""

from __future__ import annotations


def not_installed(what: str) -> str:
    """The sentence for whoever asked: `what` is the part of it that says what needs which library."""
    return f"{what}, which is not installed: run `make extras` in the checkout (the container image has it)"
