"""Who acts in a call, gRPC or HTTP: the subject of a verified token, and the time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import rpc

from document.adapters.directory import DirectoryOfView
from document.domain.node import Act
from document.domain.permissions import Grantee, GranteeKind, Subject


@dataclass(frozen=True, slots=True)
class Acting:
    """`now` gives the time in whole milliseconds, as the store keeps it."""

    directory: DirectoryOfView
    now: Callable[[], datetime]

    def subject(self, caller: rpc.Caller) -> Subject:
        return self.directory.subject(Grantee(GranteeKind(caller.kind), caller.subject), caller.entity_id)

    def act(self, caller: rpc.Caller, act_id: str, etag: str = "") -> Act:
        return Act(act_id, self.subject(caller), self.now(), etag)
