"""The settling consumer: every record is done, waiting in place, or dead-lettered with a reason.

`watermark` knows what may be committed, `lanes` keep the order per key, `verdict` says what an exception
means, `limit` stops the line, `consumer` is the loop that holds them together.
"""

from messaging.settle.consumer import Consumer, Handler

__all__ = ["Consumer", "Handler"]
