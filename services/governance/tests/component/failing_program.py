"""governance with a handler that fails as real ones do; run as a program by test_killed.py.

The first time that this process is given a record, the call fails for one record in fifty: as a bug
for some of them, as a dependency that is down for the others. Records whose action is BAD_ACTION are
`Invalid`, as a release with a bug in its checks would say.
"""

import hashlib
import os
from collections.abc import Sequence

from errors import Invalid, Transient
from governance import main
from governance.entrypoints.consumers import AuditConsumer
from messaging import Delivery
from rossio.governance.v1.audit_pb2 import ActionAudited

BAD_ACTION = os.environ.get("BAD_ACTION", "")


class FailingConsumer(AuditConsumer):
    tried: set[str] = set()  # noqa: RUF012 - the process is the scope

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            assert isinstance(delivery.message, ActionAudited)
            if delivery.message.action == BAD_ACTION:
                raise Invalid("this release refuses what is right", reason="BAD_RELEASE")
            chance = hashlib.sha256(delivery.id.encode()).digest()[0]
            if chance < 256 // 50 and delivery.id not in self.tried:
                self.tried.add(delivery.id)
                raise (Transient("down") if chance % 2 else RuntimeError("a bug"))
        await super().handle(deliveries)


if __name__ == "__main__":
    setattr(main, "AuditConsumer", FailingConsumer)  # noqa: B010 - main does not export it
    main.main()
