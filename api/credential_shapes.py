"""Credentials of devices at the broker: what is sent and what is answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from api.bodies import WHOLE, Body
from api.shapes import Shape
from devices.identity import Mode

ModeOf = Annotated[Mode, Field(description="certificate: whoever shows one with this name gets in")]


class NewCredential(Body):
    """What a device is to get in with."""

    mode: ModeOf = "password"
    days: Annotated[
        Annotated[int, Field(ge=0, le=36_500), WHOLE] | None,
        Field(description="until it expires, 0: never; SIAGA_CREDENTIAL_DAYS when left out"),
    ] = None


class Credential(Shape):
    name: Annotated[str, Field(description="user name, and MQTT client id, at the broker")]
    mode: ModeOf
    generation: Annotated[int, Field(description="the first, and one more with each that took its place")]
    state: Annotated[Literal["active", "expired", "revoked"], Field(description="whether the broker lets it in")]
    topics: Annotated[list[str], Field(description="filters it may publish under beside those of its devices")]
    devices: Annotated[list[str], Field(description="ids in whose names it publishes, 1,000 at most")]
    created_at: AwareDatetime
    created_by: str
    changed_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None


class CredentialMade(Credential):
    password: Annotated[str | None, Field(description="it is shown this once; null in mode certificate")]
