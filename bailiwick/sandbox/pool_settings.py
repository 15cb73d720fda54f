"""How many containers wait, and how many there may be: given in code, or by BAILIWICK_POOL_* in the environment."""

from __future__ import annotations

import os
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bailiwick.errors import ConfigError

__all__ = ["PoolSettings"]

_PREFIX = "BAILIWICK_POOL_"


class PoolSettings(BaseModel):
    """A floor of 0: nothing waits but what demand asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    floor: int = Field(default=1, ge=0, le=1024)
    """Containers that wait for each tool that is prepared, or was called more than once lately."""
    most: int = Field(default=32, ge=1, le=4096)
    """Containers at once, in use and waiting, over all tools."""
    wait: float = Field(default=30.0, gt=0)
    """Seconds that a call waits for one."""
    age: float = Field(default=300.0, gt=0, le=540)
    """Seconds after which one that waits is renewed; a runner ends by itself after 600."""

    @classmethod
    def from_environment(cls) -> Self:
        """What BAILIWICK_POOL_FLOOR, _MOST, _WAIT and _AGE say. Raises ConfigError that names the variable."""
        given = {
            name: os.environ[_PREFIX + name.upper()]
            for name in cls.model_fields
            if _PREFIX + name.upper() in os.environ
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            name = _PREFIX + str(first["loc"][0]).upper()
            raise ConfigError(
                f"{name}={first['input']!r}: {first['msg']}", fix=f"set {name} to such a number, or unset it"
            ) from None
