"""Reads the settings: one file, the environment above it, and one clear sentence where anything is wrong."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError as SourceError

from monitor.settings.model import SHIPPED, Settings, known_environment
from monitor.settings.sources import KINDS

MAX_FILE = 1_000_000  # bytes: thousands of sources
DEFAULT_FILE = SHIPPED / "monitor.toml"


class SettingsError(Exception):
    """The settings cannot be used; the text names the key, where it stands and what is allowed."""


def load(path: Path | None = None) -> Settings:
    """The settings of `path`, else of EXOWATCH_CONFIG, else of the shipped `config/monitor.toml`.

    Paths in the file are relative to the file. Raises SettingsError.
    """
    file = path or Path(os.environ.get("EXOWATCH_CONFIG") or DEFAULT_FILE)
    values = _read_toml(file)
    unknown = [name for name in known_environment(dict(os.environ)) if name not in _variables_of_secrets(values)]
    if unknown:
        raise SettingsError(f"environment: {unknown[0]} names no setting; see docs/configuration.md for the list")
    try:
        settings = Settings(**_beside(file.resolve().parent, values))
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(file, values, problem) for problem in error.errors())) from None
    except SourceError as error:  # a list or table in the environment that is not JSON; the library's text names no variable
        section = re.search(r'field "(\w+)"', str(error))
        name = f"EXOWATCH_{section[1].upper()}" if section else "a variable"
        raise SettingsError(f"environment: the value of {name} or one below it is not JSON, as lists and tables are") from None
    except RecursionError:
        raise SettingsError("environment: a list or table in EXOWATCH_… is nested too deeply") from None
    data_dir = settings.data_dir if settings.data_dir.is_absolute() else file.resolve().parent / settings.data_dir
    settings = settings.model_copy(update={"data_dir": data_dir})
    settings._file = file.resolve()
    return settings


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise SettingsError(f"the config file {file} is longer than {MAX_FILE // 1000} kB; is it the right one?")
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except FileNotFoundError:
        raise SettingsError(f"there is no config file {file}; name one with --config or EXOWATCH_CONFIG") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"the config file {file} cannot be read: {reason}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{file} cannot be read: its lists or tables are nested too deeply") from None


def _variables_of_secrets(values: Any) -> set[str]:
    """The environment variables that the file names as `env:NAME`; whatever they are called, they are meant."""
    return {text.removeprefix("env:") for text in _texts(values) if text.startswith("env:")}


def _texts(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, dict | list):
        for inner in values.values() if isinstance(values, dict) else values:
            yield from _texts(inner)


def _beside(folder: Path, values: Any) -> Any:
    """The values with `file:` and `sqlite:///` paths and those of folders absolute: they start beside the file, wherever the
    program is started."""
    if isinstance(values, dict):
        inside = {name: _beside(folder, inner) for name, inner in values.items()}
        if values.get("kind") == "folder" and isinstance(values.get("path"), str):
            inside["path"] = str(folder / Path(values["path"]).expanduser())
        return inside
    if isinstance(values, list):
        return [_beside(folder, inner) for inner in values]
    if isinstance(values, str) and values.startswith("file:"):
        return f"file:{folder / Path(values.removeprefix('file:')).expanduser()}"
    if isinstance(values, str) and values.startswith("sqlite:///"):
        return f"sqlite:///{folder / values.removeprefix('sqlite:///')}"
    return values


def _explain(file: Path, values: dict[str, Any], problem: Any) -> str:
    """One problem of pydantic's as a sentence: where, which key, what is wrong, what is allowed."""
    keys = [part for part in problem["loc"] if part not in KINDS]  # the tags of the union of sources
    # What is missing stands nowhere; the section that misses it does.
    variable = _variable_of(keys)
    in_file = not variable and _stands_in(values, keys[:-1] if problem["type"] == "missing" else keys)
    where = str(file) if in_file else f"environment: {variable}" if variable else "environment"
    key = _dotted(keys, values)
    prefix = f"{where}: {key}: " if key else f"{where}: "
    message: str = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        allowed = _allowed_keys(problem["loc"][:-1])
        return f"{where}: unknown key {key}" + (f"; allowed here: {', '.join(allowed)}" if allowed else "")
    if problem["type"] == "missing":
        return f"{where}: {key} is missing"
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"{where}: {key}: a source needs a kind, one of {problem['ctx'].get('expected_tags', ', '.join(KINDS))}"
    return prefix + message[0].lower() + message[1:]


def _variable_of(keys: list[Any]) -> str:
    """The environment variable that sets the key, or a part of the settings that holds it; it wins over the file. "" for none."""
    given = {name.upper() for name in os.environ}
    named = [str(key).upper() for key in takewhile(lambda key: isinstance(key, str), keys)]
    names = ("__".join(("EXOWATCH_" + named[0], *named[1:length])) for length in range(len(named), 0, -1))
    return next((name for name in names if name in given), "")


def _stands_in(values: Any, keys: list[Any]) -> bool:
    for key in keys:
        try:
            values = values[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _dotted(keys: list[Any], values: dict[str, Any]) -> str:
    """`source[0] (fda-press).url`: the path of a key, list entries with their names."""
    text, here = "", values
    for key in keys:
        here = here[key] if _stands_in(here, [key]) else {}
        if isinstance(key, int):
            name = here.get("name") if isinstance(here, dict) else None
            text += f"[{key}]" + (f" ({name})" if isinstance(name, str) and name.isprintable() else "")
        else:
            text += f".{key}" if text else str(key)
    return text


def _allowed_keys(location: tuple[Any, ...]) -> list[str]:
    """The keys of the section that `location` names."""
    model: Any = Settings
    for part in location:
        if isinstance(part, int):
            continue
        if isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
            model = model.model_fields[part].annotation
            model = _element(model)
        else:
            model = next((m for m in _members(model) if m.model_fields["kind"].annotation.__args__[0] == part), model)
    return sorted(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _element(annotation: Any) -> Any:
    """What a list holds, or the thing itself."""
    arguments = get_args(annotation)
    return arguments[0] if arguments and not isinstance(annotation, type) else annotation


def _members(union: Any) -> list[Any]:
    return [m for part in get_args(union) for m in (get_args(part) or (part,)) if hasattr(m, "model_fields")]
