"""Keeps a view up to date from the directory's streams."""

from collections.abc import Sequence
from typing import cast

import telemetry
from errors import Invalid
from messaging import Delivery, Follower, Kafka, catalogue

from directory_view.view import Change, View

log = telemetry.logger(__name__)
_people = telemetry.names.DIRECTORY_PEOPLE.bind()
_version = telemetry.names.DIRECTORY_VERSION.bind()


class DirectoryFeed:
    """One service's copy of the directory: read whole at start, then followed.

    Args:
        kafka: how to reach the broker.
        service: the service that holds the view; topics.yaml names it as a follower.
    """

    def __init__(self, kafka: Kafka, service: str) -> None:
        self.view = View()
        streams = [
            stream.name
            for stream in catalogue().streams.values()
            if stream.producer == "directory" and service in stream.followers
        ]
        if not streams:
            raise ValueError(f"topics.yaml does not name {service!r} as a follower of the directory")
        self._follower = Follower(kafka, streams, self._apply)
        self._caught_up = False

    async def start(self) -> None:
        """Returns when the view has all that the streams held; until then the process is not ready.

        Raises:
            Transient: no broker answers, or a stream is not there yet.
        """
        telemetry.health.check("directory_view", self._check)
        await self._follower.start()
        await self._follower.caught_up()
        self._caught_up = True
        log.info("directory view is complete", people=self.view.people_count, version=self.view.version)

    async def stop(self) -> None:
        await self._follower.stop()

    def _check(self) -> str | None:
        return None if self._caught_up else "the directory's streams are not read to their end yet"

    async def _apply(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            try:
                self.view.apply([cast("Change", delivery.message)])
            except Invalid as error:
                # One broken record must not freeze the directory of a whole service.
                log.warning(
                    "directory record skipped", stream=delivery.topic, offset=delivery.offset, reason=error.reason
                )
        _people.set(self.view.people_count)
        _version.set(self.view.version)
