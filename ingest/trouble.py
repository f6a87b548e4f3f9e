"""What a database error means for a batch: wait and try again, or look for the packet that causes it."""

from __future__ import annotations

import psycopg

# 22 data exception, 23 integrity constraint: the server is well and refuses what it is given.
OF_THE_DATA = ("22", "23")


def is_of_the_data(error: psycopg.Error) -> bool:
    """Whether trying the same again is in vain.

    Everything else is waited for: a server that is away, full, or lacks a table that `siaga migrate` makes. Taken the
    wrong way round a good batch would be refused; this way the worst is that ingest waits, with the error in its log
    and on /readyz, and the broker keeps what comes.
    """
    return (error.sqlstate or "").startswith(OF_THE_DATA)
