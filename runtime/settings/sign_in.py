"""How people and programs sign in to the API."""

from __future__ import annotations

import re

from pydantic import SecretStr, ValidationInfo, field_validator

from runtime.settings.part import Part, not_less, pieces, setting


class SignInSettings(Part):
    """Sessions, wrong passwords, the OpenID Connect provider, API keys."""

    # api (signing in)
    session_hours: int = setting(12, "h", "how long a browser stays signed in", ge=1, le=720)
    session_idle_min: int = setting(
        120, "min", "a browser that has asked for nothing for so long is signed out", ge=5, le=43_200
    )
    sign_in_tries_max: int = setting(
        10, "tries", "wrong passwords until a name is locked; from the fourth on there are pauses", ge=4, le=1_000
    )
    sign_in_address_tries_max: int = setting(
        100, "tries", "wrong passwords and keys until an address is locked; from a third on pauses", ge=4, le=100_000
    )
    sign_in_lock_min: int = setting(15, "min", "how long a name or an address is locked", ge=1, le=1_440)
    oidc_issuer: str | None = setting(
        None, "url", "OpenID Connect provider to sign in by (docs/security.md), as it calls itself; none = none"
    )
    oidc_client_id: str | None = setting(None, "id", "as what this installation is registered with the provider")
    oidc_client_secret: SecretStr | None = setting(None, "secret", "that belongs to the client id")
    oidc_scope: str = setting("openid profile", "scopes", "what the provider is asked to tell")
    oidc_name_claim: str = setting("preferred_username", "claim", "where an ID token has the name of a user")
    oidc_role_claim: str = setting("groups", "claim", "where it has what SIAGA_OIDC_ROLES turns into a role")
    oidc_roles: str = setting(
        "", "value=role, …", "siaga-admins=admin, siaga-ops=operator; the highest counts, without one nobody gets in"
    )
    oidc_region_claim: str | None = setting(
        None, "claim", "where it has the regions of a user, who has to have one then; none = everybody sees all"
    )
    key_days: int = setting(90, "days", "an API key expires after this where nobody says otherwise", ge=1, le=3_650)
    key_days_max: int = setting(
        365, "days", "the longest time an API key may be asked for", ge=1, le=3_650, validate_default=True
    )

    @field_validator("key_days_max")
    @classmethod
    def _usual_key(cls, most: int, info: ValidationInfo) -> int:
        return not_less(most, info, "key_days")

    @field_validator("oidc_issuer")
    @classmethod
    def _safe_issuer(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/]", url):
            raise ValueError(f"{url!r} does not begin with https://: anybody between could say who somebody is")
        return url

    @field_validator("oidc_roles")
    @classmethod
    def _known_roles(cls, text: str) -> str:
        for piece in pieces(text):
            if not re.fullmatch(r".+=(viewer|operator|engineer|admin)", piece):
                raise ValueError(f"{piece!r} is no value=role, with one of viewer, operator, engineer, admin")
        return text

    @property
    def oidc_role_of(self) -> dict[str, str]:
        """Roles by what the provider says."""
        pairs = (piece.rpartition("=") for piece in pieces(self.oidc_roles))
        return {value.strip(): role for value, _, role in pairs}
