"""The kinds of value a setting may have: durations, secrets, addresses, names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, StringConstraints

_MAX_SECRET = 65_536  # bytes of a file that holds one, or several
_OF_API = "an address that paths are put after holds no ?, no # and no user or password; a key goes into api_key"
_OF_THIS_DAEMON = 'write the address by which others reach this daemon, such as "https://watch.example.org", or ""'
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: object) -> float:
    """Seconds of `"90s"`, `"15m"`, `"24h"` or `"7d"`. Raises ValueError for anything else."""
    if isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value < 1e15:  # and so not nan
        return float(value)
    match = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*([smhd])\s*", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a duration is a number and a unit: "30s", "15m", "24h" or "7d"')
    return float(match[1]) * _UNITS[match[2]]


def _interval(seconds: float) -> float:
    if not 2 <= seconds <= 86400:
        raise ValueError('an interval lies between "2s" and "1d"')
    return seconds


def _timeout(seconds: float) -> float:
    if not 1 <= seconds <= 600:
        raise ValueError('a timeout lies between "1s" and "10m"')
    return seconds


def _retention(seconds: float) -> float:
    if seconds < 3600:
        raise ValueError('it is at least "1h"')
    return seconds


def read_secret(value: object) -> object:
    """The secret behind `env:NAME` or `file:PATH`; any other text is the secret itself.

    Raises ValueError where the variable is not set or the file cannot be read; the message never holds the secret.
    """
    if not isinstance(value, str):
        return value
    if value.startswith("env:"):
        name = value[4:]
        if not os.environ.get(name):
            raise ValueError(f"the environment variable {name} is not set")
        return os.environ[name]
    if value.startswith("file:"):
        path = Path(value[5:]).expanduser()
        try:
            with path.open("rb") as file:
                secret = file.read(_MAX_SECRET + 1)
            if len(secret) > _MAX_SECRET:
                raise ValueError(f"the secret file {path} is longer than {_MAX_SECRET} bytes; is it the right one?")
            return secret.decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"the secret file {path} cannot be read ({type(error).__name__})") from None
    return value


def secret_texts(value: object) -> list[object]:
    """One secret or several, with each line of a `file:` as one of its own. Raises ValueError as `read_secret` does."""
    several = list(value) if isinstance(value, list | tuple) else [value]
    texts: list[object] = []
    for one in several:
        if isinstance(one, str) and one.startswith("file:"):
            read = str(read_secret(one))
            texts += [SecretStr(line.strip()) for line in read.splitlines() if line.strip()] or [SecretStr("")]
        else:
            texts.append(one)
    return texts


def with_a_port(url: str) -> str:
    """The address, if its port is one or left out. Raises ValueError in words that hold nothing of the address."""
    try:
        _ = urlsplit(url).port
    except ValueError:  # the message of the library would quote what may be a part of the password
        raise ValueError(
            "the port of the address is not a number from 0 to 65535; signs such as / and @ in a password are written %2F and %40"
        ) from None
    return url


def _folder(path: Path) -> Path:
    if path == Path() or "\0" in str(path):  # Path() is what an empty text becomes: the folder of the config file itself
        raise ValueError('a folder is a path such as "var" or "/var/lib/exowatch"')
    return path


def _file_path(path: str) -> str:
    if "\0" in path:
        raise ValueError('a file is a path such as "watchlist.yaml" or "/etc/exowatch/watchlist.yaml"')
    return path


def http_url(value: str) -> str:
    """The address, if it is one of HTTP. Raises ValueError in words that hold nothing of it."""
    parts = urlsplit(value)  # raises ValueError itself for a broken address
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address starts with http:// or https:// and names a host")
    if any(ord(char) <= 32 or ord(char) == 127 for char in value):
        raise ValueError("an address holds no blanks or control characters")
    if "\\" in value:  # programs do not agree on where the host ends then
        raise ValueError("an address holds no \\; it is written %5C")
    return with_a_port(value)


def _origin(value: str) -> str:
    parts = urlsplit(http_url(value))
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("an origin is scheme, host and port only, as in http://127.0.0.1:8800")
    return value.rstrip("/")


def _plain_url(wanted: str) -> Callable[[str], str]:
    """Takes "" or an address of HTTP that paths can be put after; `wanted` is the error's sentence."""

    def check(value: str) -> str:
        if not value:
            return value
        parts = urlsplit(http_url(value))
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError(wanted)
        return value.rstrip("/")

    return check


def _api_key(key: SecretStr) -> SecretStr:
    if not all("!" <= char <= "~" for char in key.get_secret_value()):
        raise ValueError("a key is printable ASCII without blanks, since it is sent in a header")
    return key


Duration = Annotated[float, BeforeValidator(parse_duration)]
Interval = Annotated[float, BeforeValidator(parse_duration), AfterValidator(_interval)]
Timeout = Annotated[float, BeforeValidator(parse_duration), AfterValidator(_timeout)]
Retention = Annotated[float, BeforeValidator(parse_duration), AfterValidator(_retention)]
Secret = Annotated[SecretStr, BeforeValidator(read_secret)]
ApiKey = Annotated[SecretStr, BeforeValidator(read_secret), AfterValidator(_api_key)]
PublicUrl = Annotated[str, AfterValidator(_plain_url(_OF_THIS_DAEMON))]
ApiUrl = Annotated[str, AfterValidator(_plain_url(_OF_API))]
ModelName = Annotated[str, StringConstraints(pattern=r"^[!-~]{0,200}$")]
HiddenUrl = Annotated[str, BeforeValidator(read_secret)]
HttpUrl = Annotated[str, AfterValidator(http_url)]
Folder = Annotated[Path, AfterValidator(_folder)]
FilePath = Annotated[str, AfterValidator(_file_path)]
Origin = Annotated[str, AfterValidator(_origin)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
# What a program calls itself in every request: printable ASCII, so that it fits a header.
UserAgent = Annotated[str, StringConstraints(pattern=r"^[!-~](?:[ -~]{0,254}[!-~])?$")]
