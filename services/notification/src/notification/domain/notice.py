"""What people are to be told, before it is decided who hears of it how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notification.domain.vocabulary import Lane, Topic


@dataclass(frozen=True, slots=True)
class Notice:
    """Something has happened that concerns people.

    `key` names it for ever, whoever tells it and however often: one person hears of one key once.
    `titles` is the title by locale, `subject_id` the mail, node or post that it is about. `part_of` is the key of
    what it belongs to: once that is withdrawn, this is not told any more.
    """

    key: str
    topic: Topic
    entity_id: str
    titles: Mapping[str, str]
    subject_id: str
    at: datetime
    part_of: str = ""


@dataclass(frozen=True, slots=True)
class Periods:
    """How long things are worth it."""

    # A message that no provider has taken by then is given up.
    send: timedelta = timedelta(days=3)
    # Notices leave the inbox, and the store.
    keep: timedelta = timedelta(days=90)
    # What services send leaves the store, unless `sent_by` says otherwise for a service.
    sent: timedelta = timedelta(days=7)
    # What goes by one channel after the other has so long on each, unless its sender says otherwise.
    turn: timedelta = timedelta(minutes=15)
    sent_by: Mapping[str, timedelta] = field(default_factory=dict)

    def kept(self, service: str) -> timedelta:
        """How long what a service sent is kept."""
        return self.sent_by.get(service, self.sent)


def lane_of(topic: Topic, *, broadcast: bool = False) -> Lane:
    """The lane of what is sent about a topic; what goes to many at once waits behind what does not, alerts excepted."""
    if topic is Topic.ALERT:
        return Lane.EMERGENCY
    return Lane.BULK if broadcast or topic is Topic.NEWS else Lane.TRANSACTIONAL
