"""What every section of the settings is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the config file: an unknown key in it is an error, and nothing changes it once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
