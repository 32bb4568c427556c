"""The `[[endpoint]]` section: a place that alerts are delivered to, which of them it wants, and how and when."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, SecretStr, field_validator, model_validator

from monitor.settings.section import Section
from monitor.settings.timing import DigestOf, QuietHours, RateOf, some_time_is_left
from monitor.settings.values import HiddenUrl, Name, Secret, http_url, read_secret, secret_texts
from monitor.words import AlertKind, ClaimType, Verdict

Format = Literal["standard", "cloudevents"]


class Endpoint(Section):
    """A place that alerts are delivered to, and which of them it wants.

    `secret_files` are the files that its secrets were read from: what is written there later counts without a new start.
    """

    name: Name
    kind: Literal["webhook", "apprise"]
    url: HiddenUrl = Field(repr=False)  # of an Apprise service it holds a key, and of many a webhook too
    secret: list[Secret] = []
    format: Format = "standard"
    thin: bool = False
    events: list[AlertKind] = []
    types: list[ClaimType] = []
    verdicts: list[Verdict] = []
    platforms: list[str] = []
    watch: list[str] = []
    min_confidence: float = Field(default=0, ge=0, le=1)
    max_per_hour: int | None = Field(default=None, ge=1)
    rate: RateOf | None = None
    quiet: QuietHours = []
    digest: DigestOf | None = None
    allow_private: bool = False

    _given: tuple[object, ...] = PrivateAttr(default=())

    @field_validator("secret", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return secret_texts(value)

    @field_validator("secret")
    @classmethod
    def _standard_form(cls, secrets: list[SecretStr]) -> list[SecretStr]:
        return _in_standard_form(secrets)

    @field_validator("quiet")
    @classmethod
    def _some_time_is_left(cls, quiet: Any) -> Any:
        return some_time_is_left(quiet)

    @model_validator(mode="wrap")
    @classmethod
    def _remember_files(cls, given: Any, make: ModelWrapValidatorHandler[Endpoint]) -> Endpoint:
        made = make(given)
        if isinstance(given, dict):
            secret = given.get("secret", ())
            made._given = tuple(secret) if isinstance(secret, list | tuple) else (secret,)
        return made

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Endpoint:
        if self.kind == "webhook":
            _checked(self.url, http_url)
            if not self.secret:
                raise ValueError('secret is missing: a webhook is signed, as with secret = "env:HOOK_SECRET"')
        else:
            _checked(self.url, _apprise_url)
            for key, is_set in (("secret", self.secret), ("thin", self.thin), ("format", self.format != "standard")):
                if is_set:
                    raise ValueError(f'{key} is for kind = "webhook": an Apprise service takes a message for people')
        if self.digest is not None and self.max_per_hour is not None:
            raise ValueError("digest and max_per_hour exclude each other: with a digest nothing is sent singly")
        return self

    @property
    def secret_files(self) -> list[str]:
        """The files that hold its secrets."""
        return [text.removeprefix("file:") for text in self._given if isinstance(text, str) and text.startswith("file:")]

    def secrets_now(self) -> list[str]:
        """Its secrets as their files hold them now. Raises ValueError where one cannot be read or holds something else."""
        texts = [read_secret(one) for one in secret_texts(list(self._given))]
        secrets = [one if isinstance(one, SecretStr) else SecretStr(str(one)) for one in texts]
        return [one.get_secret_value() for one in _in_standard_form(secrets)]


def _in_standard_form(secrets: list[SecretStr]) -> list[SecretStr]:
    for secret in secrets:
        prefix, mark, encoded = secret.get_secret_value().partition("_")
        try:
            length = len(base64.b64decode(encoded, validate=True)) if prefix == "whsec" and mark else 0
        except ValueError:
            length = 0
        if not 24 <= length <= 64:
            raise ValueError("a secret is whsec_ and the base64 of 24 to 64 random bytes (`openssl rand -base64 32`)")
    return secrets


def _checked(url: str, check: Callable[[str], object]) -> None:
    try:
        check(url)
    except ValueError as error:
        raise ValueError(f"url: {error}") from None


def _apprise_url(url: str) -> None:
    """Raises ValueError for what is no Apprise address, in words that hold nothing of it."""
    if any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise ValueError("an Apprise address holds no blanks or control characters; they are written %20")
    parts = urlsplit(url)
    if not parts.scheme or "://" not in url:
        raise ValueError("an Apprise address starts with the name of a service, as slack://, mailtos:// or json://")
