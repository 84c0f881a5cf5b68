"""The settling consumer: every record is done, waiting in place, or dead-lettered with a reason.

`consumer` is the loop that holds these together: `source` reads, `lanes` keep the order per key, `workers` run
the handlers, `verdict` says what an exception means, `letters` takes what can never work, `limit` stops the
line, and `watermark` knows what may be committed.
"""

from messaging.settle.consumer import Consumer
from messaging.settle.item import Handler
from messaging.settle.limit import Limit
from messaging.settle.verdict import Patience

__all__ = ["Consumer", "Handler", "Limit", "Patience"]
