"""Users, keys, sessions and the audit log: what is sent and what is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StrictBool

from api.alert_shapes import BIGINT_MAX
from api.bodies import WHOLE, Body
from api.shapes import Cursor, Shape
from devices.topics import REGION
from storage.keys import Role
from storage.passwords import LENGTH_MAX, LENGTH_MIN

# What a person is called in every log: letters of any script, and no character that could hide.
NAME = r"^[\w][\w .@+'-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME, description="1 to 64 letters, digits, spaces and .@+'-")]
Regions = Annotated[
    list[Annotated[str, Field(pattern=REGION.pattern)]] | None,
    Field(min_length=1, max_length=600, description="Kemendagri codes as devices have them; null: all regions"),
]
Password = Annotated[str, Field(max_length=LENGTH_MAX)]
NewSecret = Annotated[str, Field(min_length=LENGTH_MIN, max_length=LENGTH_MAX)]
By = Literal["user", "key", "link", "command", "nobody"]


class ByKey(Body):
    key: Annotated[str, Field(min_length=1, max_length=200)]


class ByPassword(Body):
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
    password: Password


class WaysIn(Shape):
    regency: str
    oidc: Annotated[bool, Field(description="/sign-in/oidc leads to the organisation's own accounts")]


class NewPassword(Body):
    old: Password
    new: NewSecret


class NewUser(Body):
    name: Name
    role: Role
    regions: Regions = None
    password: Annotated[NewSecret | None, Field(description="null: only by OIDC")] = None


class UserChange(Body):
    """What a user may do from now on. A password, where one is given, ends their sessions, as disabling does."""

    role: Role
    regions: Regions
    disabled: StrictBool
    password: NewSecret | None = None


class User(Shape):
    name: str
    role: Role
    regions: list[str] | None
    has_password: bool
    subject: Annotated[str | None, Field(description="who it is to the OIDC provider")]
    disabled: bool
    created_at: AwareDatetime
    changed_at: AwareDatetime


class Users(Shape):
    items: list[User]
    next_cursor: Cursor


class NewKey(Body):
    """own: it is the caller's, and ends with them; false (admin): the installation's."""

    name: Name
    role: Role
    regions: Regions = None
    days: Annotated[
        Annotated[int, Field(ge=1), WHOLE] | None, Field(description="until it expires; SIAGA_KEY_DAYS when left out")
    ] = None
    own: StrictBool = True


class Key(Shape):
    id: int
    name: str
    role: Role
    regions: list[str] | None
    owner: Annotated[str | None, Field(description="whose it is; null: the installation's")]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    last_used_at: Annotated[AwareDatetime | None, Field(description="to the minute")]
    revoked_at: AwareDatetime | None


class KeyMade(Key):
    key: Annotated[str, Field(description="the secret; it is shown this once")]


class Keys(Shape):
    items: list[Key]
    next_cursor: Cursor


class Session(Shape):
    id: int
    name: str
    role: Role
    created_at: AwareDatetime
    seen_at: Annotated[AwareDatetime, Field(description="to the minute")]
    expires_at: AwareDatetime
    address: str | None
    current: Annotated[bool, Field(description="it is the one that asks")]


class Sessions(Shape):
    items: list[Session]
    next_cursor: Cursor


class Line(Shape):
    id: Annotated[int, Field(le=BIGINT_MAX)]
    at: AwareDatetime
    who: str
    by: Annotated[By, Field(description="how they were let in")]
    what: str
    subject: str | None
    request: Annotated[str | None, Field(description="X-Request-Id, as in the log")]
    address: str | None
    details: dict[str, Any]


class Lines(Shape):
    items: list[Line]
    next_cursor: Cursor
