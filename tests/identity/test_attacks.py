"""Each attack on each broker ends as docs/security.md says; the page has this table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.identity import attacks
from tests.identity.attacks import Attack, World, reads, to

PAGE = Path(__file__).resolve().parents[2] / "docs/security.md"
# paho leaves its socket to the garbage collector where a handshake fails.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:unclosed")

NOT_LET_IN, REFUSED = "not let in", "refused"
NOWHERE, FINE = "taken, reaches nobody", "taken, is delivered"


class Tried(NamedTuple):
    """What is tried, and what comes of it on NATS and on Mosquitto, which is the same where one is said."""

    words: str
    attack: Attack
    nats: str
    mosquitto: str = ""

    def on(self, which: str) -> str:
        return self.mosquitto or self.nats if "mosquitto" in which else self.nats


# With a password, on a broker with TLS. Lines in bold are no attacks: what a device is there for.
BY_PASSWORD = (
    Tried("connect without user and password", attacks.without_a_name, NOT_LET_IN),
    Tried("a wrong password", attacks.with_a_wrong_password, NOT_LET_IN),
    Tried("the password of another device", attacks.with_the_password_of_another, NOT_LET_IN),
    Tried("connect without TLS", attacks.without_tls, NOT_LET_IN),
    Tried(
        "stand between, with a certificate of another authority", attacks.to_a_device_that_believes_another_authority,
        "no TLS",
    ),
    Tried("**publish under its own topics**", attacks.to_its_own_topics, FINE),
    Tried("publish as another device", attacks.as_another_device, NOWHERE),
    Tried("publish under another region", attacks.under_another_region, NOWHERE),
    Tried("set the retained status of another", attacks.the_status_of_another, NOWHERE),
    Tried("send a command to another", attacks.a_command_to_another, NOWHERE),
    Tried("leave a retained command for another", attacks.a_retained_command_to_another, NOWHERE),
    Tried("send a command to itself", attacks.a_command_to_itself, NOWHERE),
    Tried("a will in the name of another", attacks.a_will_in_the_name_of_another, "let in, reaches nobody"),
    Tried("**a gateway publishes for its devices**", attacks.a_gateway_for_its_own, FINE),
    Tried("a gateway publishes for another's", attacks.a_gateway_for_another, NOWHERE),
    Tried("publish to `$JS/API/STREAM/NAMES`", to("$JS/API/STREAM/NAMES"), NOWHERE),
    Tried("publish to `$MQTT/sub/x`", to("$MQTT/sub/x"), NOWHERE),
    Tried("publish to `$SYS/REQ/SERVER/PING`", to("$SYS/REQ/SERVER/PING"), NOWHERE),
    Tried("publish to `$CONTROL/dynamic-security/v1`", to("$CONTROL/dynamic-security/v1"), NOWHERE),
    Tried("**read its own commands**", attacks.its_own_commands, "granted, is delivered"),
    *(
        Tried(f"subscribe to `{topic}`", reads(topic), REFUSED)
        for topic in (
            "siaga/v1/12.09/lamp-2/command", "siaga/v1/12.09/+/command", "siaga/v1/+/lamp-1/command",
            "+/v1/12.09/lamp-1/command", "siaga/v1/12.09/lamp-1/#", "siaga/#", "#", "$SYS/#", "$SYS/broker/version",
            "$MQTT/#", "$MQTT/sub/#", "$JS/#", "$CONTROL/#",
        )
    ),
    Tried(
        "take another's client id, to read what waits for it", attacks.the_session_of_another,
        "let in, who had it is cut off, its command is not read, and comes when it is back", NOT_LET_IN,
    ),
    Tried(
        "take another's client id, to throw away what waits for it", attacks.the_session_of_another_to_end_it,
        "let in, who had it is cut off, its command is not read, and is lost", NOT_LET_IN,
    ),
    Tried(
        "take the client id of ingest, where it is known (`SIAGA_INGEST_CLIENT_ID`)", attacks.the_session_of_ingest,
        "let in, what was acknowledged is lost", "not let in, nothing is lost",
    ),
)  # fmt: skip
# With a certificate: NATS with verify_and_map, Mosquitto's listener for them.
BY_CERTIFICATE = (
    Tried("**show its certificate**", attacks.with_a_certificate, "let in"),
    Tried("show none", attacks.without_a_certificate, NOT_LET_IN),
    Tried("one of another authority", attacks.with_one_of_another_authority, NOT_LET_IN),
    Tried("one that has expired", attacks.with_one_that_has_expired, NOT_LET_IN),
    Tried("one signed by itself", attacks.with_one_signed_by_itself, NOT_LET_IN),
    Tried("that of a server", attacks.with_that_of_a_server, NOT_LET_IN),
    Tried(
        "one whose device has no credential, or a revoked one", attacks.with_one_whose_device_has_no_credential,
        NOT_LET_IN, "let in, taken, reaches nobody",
    ),
    Tried(
        "its own, with another's client id", attacks.with_the_client_id_of_another, "let in, who had it is cut off",
        "let in, who had it stays",
    ),
)  # fmt: skip


@pytest.mark.parametrize("which", ["secured_nats", "secured_mosquitto", "secured_mosquitto21"])
def test_attacks_with_passwords(which: str, request: Any, pki: Any, passwords: Any, tmp_path: Path) -> None:
    world = World(request.getfixturevalue(which), pki, passwords, tmp_path)
    assert {each.words: each.attack(world) for each in BY_PASSWORD} == {
        each.words: each.on(which) for each in BY_PASSWORD
    }


@pytest.mark.parametrize("which", ["mapped_nats", "secured_mosquitto", "secured_mosquitto21"])
def test_attacks_with_certificates(which: str, request: Any, pki: Any, passwords: Any, tmp_path: Path) -> None:
    world = World(request.getfixturevalue(which), pki, passwords, tmp_path)
    assert {each.words: each.attack(world) for each in BY_CERTIFICATE} == {
        each.words: each.on(which) for each in BY_CERTIFICATE
    }


def rendered() -> str:
    """The table as docs/security.md has it."""
    tried = (*BY_PASSWORD, *BY_CERTIFICATE)
    lines = (f"| {each.words} | {each.nats} | {each.mosquitto or each.nats} |\n" for each in tried)
    return "".join(("| tried | NATS | Mosquitto |\n", "|---|---|---|\n", *lines))


def test_the_page_has_this_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.split("<!-- attacks -->\n")[1].split("<!-- /attacks -->")[0] == rendered()
