"""Named tokens: who may ask over HTTP, and for what. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, StringConstraints

from monitor.settings.section import Section
from monitor.settings.values import Name, read_secret

Scope = Literal["read", "review", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)  # each may do what those before it may
OWN_NAME = "api"  # what `api.token` is called where the others have names

TokenHash = Annotated[str, BeforeValidator(read_secret), StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class Token(Section):
    """A token of somebody's own. `rate_limit` (requests a minute; 0: none) stands in the place of `api.rate_limit`."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1)]
    hash: TokenHash
    rate_limit: int | None = Field(default=None, ge=0, le=1_000_000)


def new_token() -> str:
    """A token that nobody can guess: 256 random bits, so that a plain hash of it gives nothing away."""
    return f"exo_{secrets.token_urlsafe(32)}"


def hash_of(token: str) -> str:
    """What is kept of a token."""
    return "sha256:" + hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
