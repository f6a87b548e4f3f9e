"""Every kind of problem the API answers, by the name in its `type`: what happened, and what to do about it.

The table that answers, OpenAPI, the pages under /problems and docs/problems.md are made from, or held to.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

PREFIX = "/problems/"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """when and what_to_do are said to people; members stand beside the standard ones, headers come with the answer."""

    name: str
    status: HTTPStatus
    title: str
    when: str
    what_to_do: str
    members: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    @property
    def uri(self) -> str:
        """Relative on purpose: it leads to the page of the installation that answered."""
        return PREFIX + self.name


RETRY = ("Retry-After",)
SIGN_IN = ("WWW-Authenticate",)

NOT_AUTHENTICATED = ProblemType(
    "not-authenticated", HTTPStatus.UNAUTHORIZED, "No valid key or session",
    "Neither a valid API key nor the cookie of an open session came with the request; a key may have expired.",
    "Send `Authorization: Bearer KEY`, or sign in again.", headers=SIGN_IN,
)  # fmt: skip
SIGN_IN_REFUSED = ProblemType(
    "sign-in-refused", HTTPStatus.UNAUTHORIZED, "Sign-in refused",
    "Name or password is wrong, the user is disabled, or the key is not valid. Which of them is not told.",
    "Check what was typed; an admin sets a new password or makes a new key.", headers=SIGN_IN,
)  # fmt: skip
NOT_ALLOWED = ProblemType(
    "not-allowed", HTTPStatus.FORBIDDEN, "Not allowed for this caller",
    "What is asked needs a higher role than the caller has, or a user where a key asks.",
    "Ask as somebody whom `detail` names. Nobody gives away more rights than they have.",
)  # fmt: skip
REGION_LIMITED = ProblemType(
    "region-limited", HTTPStatus.FORBIDDEN, "Beyond the caller's regions",
    "The caller is limited to some regions, and this is about others, or about the whole installation.",
    "Ask for what lies in these regions, or with a key that is not limited.",
)  # fmt: skip
HEADER_MISSING = ProblemType(
    "header-missing", HTTPStatus.FORBIDDEN, "A signed-in browser must send X-Siaga",
    "A session's cookie alone came with a request that changes something. Another site could have sent it.",
    "Send the header `X-Siaga: 1`, or use a key.",
)  # fmt: skip
NOT_FOUND = ProblemType(
    "not-found", HTTPStatus.NOT_FOUND, "Not known",
    "What the address or a parameter names does not exist, or lies in a region that the caller does not see.",
    "Take names and ids from the lists: `/devices`, `/alerts`, `/kinds`.",
)  # fmt: skip
NO_SUCH_ADDRESS = ProblemType(
    "no-such-address", HTTPStatus.NOT_FOUND, "Nothing at this address",
    "No route has this address; a slash at the end makes another one.",
    "See `/docs` or `/openapi.json` for the addresses of this version.",
)  # fmt: skip
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed",
    "The address is there, but not with this method.",
    "Use one of the methods in `Allow`.", headers=("Allow",),
)  # fmt: skip
STATE_CONFLICT = ProblemType(
    "state-conflict", HTTPStatus.CONFLICT, "Not possible in the present state",
    "What is to be changed is in a state that does not allow it: an alert that is over, a window that has ended.",
    "Look at `current`, the state of now, and decide anew.", ("current",),
)  # fmt: skip
NAME_TAKEN = ProblemType(
    "name-taken", HTTPStatus.CONFLICT, "The name is taken",
    "There is a user or a key of this name already; names of revoked keys stay taken, as the audit log has them.",
    "Choose another name.",
)  # fmt: skip
OWN_ACCOUNT = ProblemType(
    "own-account", HTTPStatus.CONFLICT, "Not possible for this account",
    "Nobody changes their own role, and who is signed in by a key or a provider has no password here to change.",
    "Another admin changes the role; a password is changed where it is kept.",
)  # fmt: skip
VERSION_MISMATCH = ProblemType(
    "version-mismatch", HTTPStatus.PRECONDITION_FAILED, "Changed meanwhile",
    "`If-Match` names a version that is no longer the newest: somebody else has changed it since it was read.",
    "Look at `current`, decide anew, and send its version.", ("current",),
)  # fmt: skip
BODY_TOO_LARGE = ProblemType(
    "body-too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large",
    "The body has more bytes than `SIAGA_BODY_MAX_BYTES`.",
    "Send it in parts.",
)  # fmt: skip
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported-media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Unsupported Content-Type",
    "`Content-Type` is none that the address reads.",
    "Send one of those that `detail` names.",
)  # fmt: skip
INVALID_REQUEST = ProblemType(
    "invalid-request", HTTPStatus.UNPROCESSABLE_ENTITY, "The request is not valid",
    "A parameter, a header or a field of the body is missing, wrong, or beyond a limit. Nothing was changed.",
    "Correct what `errors` lists: each names the field and what is wrong with it, limits with their setting.",
    ("errors",),
)  # fmt: skip
VERSION_REQUIRED = ProblemType(
    "version-required", HTTPStatus.PRECONDITION_REQUIRED, "If-Match is missing",
    "The change needs the version that was seen, so that nobody overwrites what they have not read.",
    "Send `If-Match` with the ETag that was read, or `*` for whatever it is now.",
)  # fmt: skip
TOO_MANY_REQUESTS = ProblemType(
    "too-many-requests", HTTPStatus.TOO_MANY_REQUESTS, "Too many requests",
    "The key, the session or, without a valid one, the address has asked more often than it may in a minute.",
    "Wait as long as `Retry-After` says; `RateLimit` tells in every answer how much is left.",
    headers=("Retry-After", "RateLimit", "RateLimit-Policy"),
)  # fmt: skip
TOO_MANY_TRIES = ProblemType(
    "too-many-tries", HTTPStatus.TOO_MANY_REQUESTS, "Too many tries to sign in",
    "Passwords or keys were wrong too often, for this name or from this address; even the right one must wait.",
    "Wait as long as `Retry-After` says.", headers=RETRY,
)  # fmt: skip
INTERNAL_ERROR = ProblemType(
    "internal-error", HTTPStatus.INTERNAL_SERVER_ERROR, "An error of the server",
    "Something unforeseen. The details are in the server's log, not in the answer.",
    "Tell whoever runs the installation the `X-Request-Id` of the answer.",
)  # fmt: skip
DATABASE_AWAY = ProblemType(
    "database-away", HTTPStatus.SERVICE_UNAVAILABLE, "The database is away",
    "No answer from the database, no tables in it yet, or no connection free in time.",
    "Try again after `Retry-After`. Nothing that was acknowledged is lost.", headers=RETRY,
)  # fmt: skip
TOO_SLOW = ProblemType(
    "too-slow", HTTPStatus.SERVICE_UNAVAILABLE, "It took too long",
    "The query or the whole request took longer than it may, or the body came too slowly.",
    "Ask for less at once: a shorter time, fewer devices, larger buckets. `detail` names the setting.",
    headers=RETRY,
)  # fmt: skip
INGEST_AWAY = ProblemType(
    "ingest-away", HTTPStatus.SERVICE_UNAVAILABLE, "No ingest takes readings now",
    "Readings were posted, and no ingest process has taken them: none runs, or too many requests wait.",
    "Send the same request again after `Retry-After`, best with the same `Idempotency-Key`. Nothing was stored.",
    headers=RETRY,
)  # fmt: skip
BUSY = ProblemType(
    "busy", HTTPStatus.SERVICE_UNAVAILABLE, "Busy with work of the same kind",
    "Work that must not run twice at once is under way, or sums are being made anew.",
    "Try again after `Retry-After`.", headers=RETRY,
)  # fmt: skip
PLAN_UNREADABLE = ProblemType(
    "plan-unreadable", HTTPStatus.SERVICE_UNAVAILABLE, "The notice plan cannot be read",
    "The file of `SIAGA_NOTICE_PLAN` is missing or wrong; `detail` says where.",
    "Whoever runs the installation corrects the file: `siaga notices check`.",
)  # fmt: skip
NOT_SET_UP = ProblemType(
    "not-set-up", HTTPStatus.SERVICE_UNAVAILABLE, "The installation is not set up for it",
    "What is asked needs a setting that this installation has not; `detail` names it.",
    "Whoever runs the installation sets it and restarts the API.",
)  # fmt: skip

TYPES = (
    NOT_AUTHENTICATED, SIGN_IN_REFUSED, NOT_ALLOWED, REGION_LIMITED, HEADER_MISSING, NOT_FOUND, NO_SUCH_ADDRESS,
    METHOD_NOT_ALLOWED, STATE_CONFLICT, NAME_TAKEN, OWN_ACCOUNT, VERSION_MISMATCH, BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST, VERSION_REQUIRED, TOO_MANY_REQUESTS, TOO_MANY_TRIES, INTERNAL_ERROR,
    DATABASE_AWAY, TOO_SLOW, INGEST_AWAY, BUSY, PLAN_UNREADABLE, NOT_SET_UP,
)  # fmt: skip
BY_NAME = {each.name: each for each in TYPES}


def of_status(status: int) -> tuple[ProblemType, ...]:
    """All with this status."""
    return tuple(each for each in TYPES if each.status == status)
