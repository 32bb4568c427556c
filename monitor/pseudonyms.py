"""What stands in the place of authors: keyed hashes, and the keys of this installation."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from monitor.datadir import kept_key, new_key, write_key
from monitor.settings import Settings


class PseudonymsError(Exception):
    """Authors cannot be hidden as the settings want it; the text says what to do."""


class Pseudonyms:
    """How authors are kept: as `privacy.authors` says.

    Of several keys the last is the present one. A pseudonym is made with the first and made anew with each later one, so that
    those on record can follow a new key although nobody knows the names any more. From the second on its number stands first.
    """

    def __init__(self, how: str, *keys: bytes) -> None:
        self._how = how
        self._keys = keys

    @property
    def generation(self) -> int:
        """The number of the present key, from 1; 0 where authors are no pseudonyms."""
        return len(self._keys) if self._how == "pseudonym" else 0

    def of(self, platform: str, author: str | None) -> str | None:
        """The author as stored: a keyed hash (the same for the same person on one platform), the plain name, or None."""
        if author is None or self._how == "none":
            return None
        if self._how == "plain":
            return author
        return self.renewed(_keyed(self._keys[0], f"{platform}\0{author}"))

    def renewed(self, stored: str) -> str:
        """A stored pseudonym under the present key."""
        number, mark, _ = stored.partition("-")
        made_with = int(number) if mark else 1
        for place, key in enumerate(self._keys[made_with:], start=made_with + 1):
            stored = f"{place}-{_keyed(key, stored)}"
        return stored


def _keyed(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:24]


def pseudonyms_of(settings: Settings) -> Pseudonyms:
    """The pseudonyms of this installation. Raises PseudonymsError."""
    how = settings.privacy.authors
    return Pseudonyms(how, *(keys_of(settings) if how == "pseudonym" else ()))


def keys_of(settings: Settings) -> list[bytes]:
    """The keys of this installation, the present one last: the lines of `privacy.key`, else of a file in `data_dir`.

    Raises PseudonymsError.
    """
    given = settings.privacy.key.get_secret_value()
    return [line.encode() for line in given.splitlines()] if given else _key_file(key_file(settings)).splitlines()


def key_file(settings: Settings) -> Path:
    """Where the keys are kept that exowatch makes itself."""
    return settings.data_dir / "author.key"


def add_key(settings: Settings) -> None:
    """Makes another key the present one of the file, whole or not at all. Raises PseudonymsError."""
    file = key_file(settings)
    keys = _key_file(file).splitlines()
    new = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        write_key(new, b"\n".join([*keys, new_key()]))
        new.replace(file)
    except OSError as error:
        raise PseudonymsError(f"the pseudonyms' key {file} cannot be changed: {error.strerror}") from None


def _key_file(file: Path) -> bytes:
    """The keys in the file, which is made where it is missing: whole or not at all, and once. Raises PseudonymsError."""
    try:
        return kept_key(file)
    except OSError as error:
        raise PseudonymsError(f"the pseudonyms' key {file} cannot be read or made: {error.strerror}") from None
    except ValueError:
        raise PseudonymsError(
            f"{file} holds no key for pseudonyms; put its copy back, set privacy.key, or remove it for a new one"
        ) from None
