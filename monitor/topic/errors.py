"""What is wrong with a topic pack, said so that its editor can mend it; and reading its YAML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # libyaml is an option of PyYAML
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]


MAX_FILE = 16_000_000  # bytes: four for a character, at most
MAX_YAML = 4_000_000  # characters
_DEEPEST = 100
_ALIAS = re.compile(r"(?:^|[\s\[{,:-])\*[A-Za-z0-9_-]", re.M)
_BRACKET = re.compile(r"[\[\]{}]")
_RUN = re.compile(rf"(?:[-?:][ \t]+){{{_DEEPEST}}}")


class TopicError(Exception):
    """A topic pack cannot be used; the text names the file, the place in it, and what is allowed there."""


def read_yaml(path: Path) -> Any:
    """The content of one YAML file of plain values. Raises TopicError."""
    return parse_yaml(read_text(path), path)


def read_text(path: Path) -> str:
    """The text of a file. Raises TopicError."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise TopicError(f"{path}: longer than {MAX_FILE // 1_000_000} MB; put its entries into several files")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TopicError(f"{path}: there is no such file; a topic pack needs it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TopicError(f"{path}: cannot be read: {error}") from None


def parse_yaml(text: str, path: Path) -> Any:
    """The content of YAML of plain values that stands, or stood, in the file at `path`. Raises TopicError."""
    if len(text) > MAX_YAML:
        raise TopicError(f"{path}: longer than {MAX_YAML:,} characters; put its entries into several files")
    if _too_deep(text):  # which the parser answers by ending the process
        raise TopicError(f"{path}: nested too deeply; no file of a topic pack needs more than a few levels")
    try:
        if _ALIAS.search(text) and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
            # A few lines of them make more values than any memory holds.
            raise TopicError(f"{path}: aliases (*name) are not taken; write the value out")
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise TopicError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', None) or error}") from None


def _too_deep(text: str) -> bool:
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
        if depth > _DEEPEST:
            return True
    return _RUN.search(text) is not None


def fields_of(value: Any, where: str, required: dict[str, type], optional: dict[str, Any]) -> dict[str, Any]:
    """A mapping with exactly these keys, each of its type; `optional` gives the type or tuple of types. Raises TopicError."""
    allowed = ", ".join([*required, *(f"{name} (optional)" for name in optional)])
    if not isinstance(value, dict):
        raise TopicError(f"{where}: expected a mapping with the keys {allowed}")
    for name in value:
        if name not in required and name not in optional:
            raise TopicError(f"{where}: unknown key {name!r}; allowed are {allowed}")
    for name, kind in required.items():
        if name not in value:
            raise TopicError(f"{where}: the key {name!r} is missing; allowed are {allowed}")
        if not isinstance(value[name], kind) or (isinstance(value[name], str) and not value[name].strip()):
            raise TopicError(f"{where}: {name} must be {_kind_name(kind)}, not {value[name]!r}")
    for name, kind in optional.items():
        if value.get(name) is not None and not isinstance(value[name], kind):
            raise TopicError(f"{where}: {name} must be {_kind_name(kind)}, not {value[name]!r}")
    return value


def texts_of(value: Any, where: str) -> tuple[str, ...]:
    """A list of texts. Numbers are a usual slip of YAML (`- 300`), so the message says to quote them. Raises TopicError."""
    if not isinstance(value, list) or not value:
        raise TopicError(f"{where}: expected a list of texts, one after a dash each")
    for item in value:
        if not isinstance(item, str) or not item.strip():
            raise TopicError(f"{where}: {item!r} is not a text; put it in quotes")
    return tuple(value)


def _kind_name(kind: Any) -> str:
    names = {str: "a text", int: "a whole number", list: "a list", dict: "a mapping", bool: "true or false"}
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(names.get(k, k.__name__) for k in kinds)
