"""Which live events a client asks for: by topic, kind and district. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from alerts.incident import group_of
from alerts.installation import KIND
from storage.read_alerts import Row
from storage.read_latest import Latest

Topic = Literal["alert", "incident", "latest", "command", "presence", "beat"]
TOPICS: frozenset[Topic] = frozenset(("alert", "incident", "latest", "command", "presence", "beat"))
ALERT: frozenset[Topic] = frozenset(("alert",))
INCIDENT: frozenset[Topic] = frozenset(("alert", "incident"))


class About(NamedTuple):
    """What an event is about; None: of any kind, or of more than one district, so that nobody may miss it."""

    topics: frozenset[Topic]
    kind: str | None = None
    district: str | None = None


BEAT = About(frozenset(("beat",)))
NOWHERE = ""


class Wanted(NamedTuple):
    """What one client asks for; clients that ask for the same share the bytes."""

    topics: frozenset[Topic] = TOPICS
    kind: str | None = None
    district: str | None = None

    def takes(self, about: About) -> bool:
        return (
            not self.topics.isdisjoint(about.topics)
            and (self.kind is None or about.kind is None or about.kind == self.kind)
            and (self.district is None or about.district is None or about.district == self.district)
        )

    @property
    def leaves_alerts_out(self) -> bool:
        return "alert" not in self.topics or self.kind is not None or self.district is not None


EVERYTHING = Wanted()


def about_alert(alert: Row) -> About:
    """An incident without a district of its own has members in several, and one of the installation of any kind."""
    kind, district = alert["kind"], alert["district"]
    if group_of(alert["device_id"]) is None:
        return About(ALERT, kind, district or NOWHERE)
    return About(INCIDENT, None if kind == KIND else kind, district)


def about_device(topic: Topic, row: Row) -> About:
    """A row with the kind and the district of its device."""
    return About(frozenset((topic,)), row["kind"], row["district"] or NOWHERE)


def about_latest(found: Latest) -> About:
    return About(frozenset(("latest",)), found.kind, found.district or NOWHERE)
