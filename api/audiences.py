"""Who hears what live: a follower for all, and one for each set of regions that somebody is limited to.

Each asks the database over connections that see only its regions, so counts and beats are theirs, too. One to whom
nobody listens asks nothing.
"""

from __future__ import annotations

import asyncio

from api.context import Pools, Regions
from api.live import Live
from runtime.settings import Settings


class Audiences:
    """The followers of one process. Their number is that of the sets of regions that users and keys have."""

    def __init__(self, pools: Pools, settings: Settings) -> None:
        self.pools, self.settings = pools, settings
        self._followers: dict[Regions, Live] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, regions: Regions) -> Live:
        """The follower for these regions; it begins when it is first asked for."""
        if regions not in self._followers:
            # Live events are few short queries, and must not come late because somebody draws a year.
            live = self._followers[regions] = Live(self.pools.writes_of(regions), self.settings)
            self._tasks.add(asyncio.create_task(live.follow(), name="live"))
        return self._followers[regions]

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        for live in self._followers.values():
            live.close()

    async def end(self) -> None:
        """End the followers, too."""
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
