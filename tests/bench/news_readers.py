"""Readers who acknowledge a post, each with a token of their own: a program beside the bench, `news_over_grpc`.

Its first line of input says who they are; it answers "ready" once it has their tokens. Each further line names a
post, and the addresses of the service: all of them acknowledge it, again until they are answered, and it says how that
went.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from devstack.issuer import Issuer
from rossio.news.v1 import service_pb2 as pb

_PATH = "/rossio.news.v1.NewsService/Acknowledge"
_CHANNELS = 4
_PAUSE_SECONDS = 0.05
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
)


class Readers:
    """`people` are pairs of id and entity; `at_once` how many of their calls are under way."""

    def __init__(self, issuer: str, people: list[tuple[str, str]], at_once: int) -> None:
        self._at_once = at_once
        made = Issuer(Path(issuer))
        self._tokens = [(person, f"Bearer {made.token(person, entity=entity)}") for person, entity in people]
        self._answered = 0
        self._again = 0

    async def acknowledge(self, post_id: str, addresses: str) -> dict[str, Any]:
        self._answered = self._again = 0
        waiting = iter(self._tokens)
        spent, begun = time.process_time(), time.time()
        async with asyncio.TaskGroup() as group:
            for _ in range(_CHANNELS):
                channel = grpc.aio.insecure_channel(f"ipv4:{addresses}", options=_OPTIONS)
                for _ in range(self._at_once // _CHANNELS):
                    group.create_task(self._say(channel.unary_unary(_PATH), post_id, waiting))
        cpu = time.process_time() - spent
        return {"answered": self._answered, "again": self._again, "cpu": cpu, "begun": begun, "ended": time.time()}

    async def _say(self, call: Any, post_id: str, waiting: Iterator[tuple[str, str]]) -> None:
        for person, token in waiting:
            request = pb.AcknowledgeRequest(request_id=f"{post_id}.{person}", post_id=post_id, text_version=1)
            raw = request.SerializeToString()
            while True:
                try:
                    await call(raw, metadata=(("authorization", token),), timeout=10)
                except grpc.aio.AioRpcError:
                    self._again += 1
                    await asyncio.sleep(_PAUSE_SECONDS)
                else:
                    self._answered += 1
                    break


def main() -> None:
    told = json.loads(sys.stdin.readline())
    readers = Readers(told["issuer"], told["people"], told["at_once"])
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(asyncio.run(readers.acknowledge(*line.split()))), flush=True)


if __name__ == "__main__":
    main()
