"""Credentials of devices at the broker: whose ends soon, and who could still connect though nobody expects them."""

from __future__ import annotations

from collections.abc import Iterator

from siaga.doctor.verdict import Verdict, ok, warning
from siaga.storage_status import minute
from storage.checkup import Credentials

# As long before as for certificates (siaga/doctor/certificates.py): somebody has to go to the device.
SOON_DAYS = 21


def judge(found: Credentials) -> Iterator[Verdict]:
    """Nothing where the broker's users are not kept by us."""
    if not found.active:
        return
    if found.ending:
        assert found.first_end is not None
        yield warning(
            "credentials",
            f"{found.ending} of {found.active} end within {SOON_DAYS} days, the first {minute(found.first_end)} UTC",
            "Give those devices new ones: `siaga devices credentials` lists them, `siaga devices rotate ID…`.",
        )
    if found.retired:
        yield warning(
            "credentials",
            f"{found.retired} of retired devices: whoever has such a device can still publish as it",
            "siaga devices revoke --retired",
        )
    if not (found.ending or found.retired):
        yield ok("credentials", f"{found.active}, none that ends within {SOON_DAYS} days, none of a retired device")
