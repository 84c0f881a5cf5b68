"""Feeds and acknowledgements of the whole ministry over gRPC, of one process and of two, with SIGKILL among them.

The store, Kafka and the readers' programs share the machine with it. Each reader has a token of their own, which is
verified. BENCH_READERS is how many there are.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
import messaging
import rpc
import store
from devstack.issuer import Issuer
from devstack.kafka import Kafka
from devstack.mongo import Mongo
from devstack.services import SERVICES, ServiceProgram, Surroundings
from directory_view import View
from news.adapters.store import _fields
from news.domain.content import Content
from news.domain.post import Live, Post, State
from news.domain.text import Variant
from rossio.news.v1 import news_pb2
from rossio.news.v1 import service_pb2 as pb
from rossio.news.v1.service_pb2_grpc import NewsServiceStub
from store import Insert
from testkit import ministry

Row = dict[str, Any]
READERS = int(os.environ.get("BENCH_READERS", str(ministry.FULL_SIZE)))
PROGRAMS = int(os.environ.get("BENCH_PROGRAMS", "2"))
POSTS = 5_000
AT_ONCE = 400
START = datetime(2026, 1, 1, tzinfo=UTC)
KILLS = 3
_TICKS = os.sysconf("SC_CLK_TCK")


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, _installation(Path(folder)) as (news, issuer, view):
        return asyncio.run(_rows(news, issuer, view))


@contextmanager
def _installation(folder: Path) -> Iterator[tuple[list[ServiceProgram], Issuer, View]]:
    """Two processes of news, the first of them started."""
    kafka, mongo, issuer = Kafka(folder / "kafka"), Mongo(folder / "mongo"), Issuer(folder / "issuer")
    (service,) = (each for each in SERVICES if each.name == "news")
    around = Surroundings(kafka.bootstrap, mongo.uri, issuer)
    news = [ServiceProgram(service, folder / f"news-{number}", around) for number in range(2)]
    whole = ministry.Ministry(READERS, 1)
    view = View()
    try:
        kafka.start()
        mongo.start()
        asyncio.run(_directory(kafka.bootstrap, whole, view))
        asyncio.run(_posts(mongo.uri, view))
        news[0].start(120)
        yield news, issuer, view
    finally:
        for program in (*news, mongo, kafka):
            program.kill()


async def _directory(bootstrap: str, whole: ministry.Ministry, view: View) -> None:
    await messaging.ensure_topics(bootstrap)
    producer = messaging.Producer(messaging.Kafka(bootstrap))
    await producer.start()
    changes = ministry.changes(whole)
    while some := list(islice(changes, 5_000)):
        view.apply(some)
        at = datetime.now(UTC)
        await producer.publish([messaging.fact(each, id=messaging.new_id(), at=at) for each in some])
    await producer.stop()


async def _posts(uri: str, view: View) -> None:
    """Posts that are live already when the process starts, each for one entity or for one of some audiences."""
    audiences = [f'entity = "{each.entity_id}"' for each in view.entities()]
    audiences += ['profession in ("nurse", "doctor")', 'group = "g-direcoes"', 'not locale = "en-GB"']
    variant = Variant.of("pt-PT", "Aviso", "Texto de um aviso. " * 20)
    documents = []
    for number in range(POSTS):
        expression = audiences[number % len(audiences)]
        content = Content(variants=(variant,), audience=expression)
        live = Live(content, view.audience(expression), START + timedelta(minutes=number), 1)
        post = Post(f"post-{number:05}", "e01", "editor", content, state=State.PUBLISHED, live=live)
        documents.append(Insert({"_id": post.post_id, **_fields(post), "history": [], "texts": []}))
    database = store.connect(uri, "rossio_news")
    for start in range(0, POSTS, 500):
        await database.collection("posts").bulk(documents[start : start + 500])
    await database.close()


async def _feeds(news: ServiceProgram, issuer: Issuer, people: list[tuple[str, str]]) -> Row:
    """One after the other, each by somebody who was never seen before."""
    spent, cpu = [], _cpu(news)
    async with grpc.aio.insecure_channel(news.grpc) as channel:
        stub = NewsServiceStub(channel)
        for person, entity in people[:: max(1, len(people) // 1000)]:
            token = f"Bearer {issuer.token(person, entity=entity)}"
            start = time.perf_counter()
            await stub.ListFeed(pb.ListFeedRequest(page_size=20), metadata=(("authorization", token),))
            spent.append(time.perf_counter() - start)
    spent.sort()
    note = f"first page of 20, wall time, {len(spent)} readers of {len(people)}, {POSTS} live posts; "
    cpu = (_cpu(news) - cpu) / len(spent)
    note += f"half take at most {spent[len(spent) // 2] * 1e3:.1f} ms; {cpu * 1e3:.1f} ms of CPU of the service"
    return _row("feed p99 over gRPC", spent[int(len(spent) * 0.99)] * 1e3, "ms", "at most 20", note)


async def _rows(news: list[ServiceProgram], issuer: Issuer, view: View) -> list[Row]:
    people = [(each.person_id, each.entity_id) for each in view.people(view.audience("all"))]
    one, other = news
    feeds = await _feeds(one, issuer, people)
    with _readers(issuer, people) as programs:
        posts = [await _published(one, issuer, people[0]) for _ in range(2)]
        spent = _cpu(one)
        alone = await _acknowledge(programs, posts[0], [one])
        spent = _cpu(one) - spent
        await asyncio.to_thread(other.start, 120)
        under = asyncio.create_task(_acknowledge(programs, posts[1], news))
        for number in range(1, KILLS + 1):
            victim, witness = news if number % 2 else reversed(news)
            await _until(witness, issuer, people[0], posts[1], len(people) * number // (KILLS + 1))
            await asyncio.to_thread(victim.kill)
            await asyncio.to_thread(victim.start, 120)
        hard = await under
    for program in news:  # what was answered was durable
        program.kill()
    await asyncio.to_thread(one.start, 120)
    lost = [await _missing(one, issuer, people[0], post) for post in posts]
    assert lost == [0, 0], lost
    assert [each["answered"] for each in (alone, hard)] == [len(people)] * 2
    load = f"{len(people)} unary calls, each reader's own token, {AT_ONCE} at once from {PROGRAMS} programs"
    killed = f"two processes, {KILLS} times one is killed and started; {hard['again']} calls were said again"
    return [
        feeds,
        _rate("acknowledge over gRPC", people, alone, f"one process; {load}"),
        _row("CPU a call", spent / len(people) * 1e6, "us", "", f"of the service; {load}"),
        _row("CPU a call, reader", alone["cpu"] / len(people) * 1e6, "us", "", "of the programs of the readers"),
        _rate("acknowledge under SIGKILL", people, hard, killed),
        _row("lost under SIGKILL", sum(lost), "of those answered", "0", "after SIGKILL of both and one more start"),
    ]


def _rate(metric: str, people: list[tuple[str, str]], said: dict[str, Any], note: str) -> Row:
    return _row(metric, len(people) / said["seconds"], "per second", "at least 2000", note)


@contextmanager
def _readers(issuer: Issuer, people: list[tuple[str, str]]) -> Iterator[list["subprocess.Popen[str]"]]:
    programs = []
    for number in range(PROGRAMS):
        program = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("news_readers.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        told = {"issuer": str(issuer.jwks.parent), "at_once": AT_ONCE // PROGRAMS}
        _tell(program, json.dumps({**told, "people": people[number::PROGRAMS]}))
        programs.append(program)
    try:
        for program in programs:
            assert _heard(program) == "ready"
        yield programs
    finally:
        for program in programs:
            program.send_signal(signal.SIGKILL)
            program.wait()
            for pipe in (program.stdin, program.stdout):
                if pipe is not None:
                    pipe.close()


async def _acknowledge(
    programs: list["subprocess.Popen[str]"], post_id: str, news: list[ServiceProgram]
) -> dict[str, Any]:
    for program in programs:
        _tell(program, f"{post_id} {','.join(each.grpc for each in news)}")
    said = [json.loads(await asyncio.to_thread(_heard, program)) for program in programs]
    seconds = max(each["ended"] for each in said) - min(each["begun"] for each in said)
    return {"seconds": seconds, **{name: sum(each[name] for each in said) for name in ("answered", "again", "cpu")}}


def _tell(program: "subprocess.Popen[str]", line: str) -> None:
    assert program.stdin is not None
    program.stdin.write(f"{line}\n")
    program.stdin.flush()


def _heard(program: "subprocess.Popen[str]") -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


# The editor


async def _published(news: ServiceProgram, issuer: Issuer, editor: tuple[str, str]) -> str:
    variant = news_pb2.Variant(locale="pt-PT", title="Higiene das mãos", body="Lave as mãos.")
    async with _editor(news, issuer, editor) as channel:
        stub = NewsServiceStub(channel)
        draft = pb.CreatePostRequest(request_id=messaging.new_id(), variants=[variant], audience="all", mandatory=True)
        post = (await stub.CreatePost(draft)).post
        request = pb.PublishPostRequest(
            request_id=messaging.new_id(), post_id=post.post_id, etag=post.etag, confirm_audience=True
        )
        assert (await stub.PublishPost(request)).post.audience_size == READERS
    return post.post_id


async def _missing(news: ServiceProgram, issuer: Issuer, editor: tuple[str, str], post_id: str) -> int:
    async with _editor(news, issuer, editor) as channel:
        found = await NewsServiceStub(channel).ListMissing(pb.ListMissingRequest(post_id=post_id, page_size=1))
    return found.missing


async def _until(news: ServiceProgram, issuer: Issuer, editor: tuple[str, str], post_id: str, taken: int) -> None:
    while READERS - await _missing(news, issuer, editor, post_id) < taken:
        await asyncio.sleep(0.5)


def _editor(news: ServiceProgram, issuer: Issuer, editor: tuple[str, str]) -> Any:
    person, entity = editor
    return rpc.channel(news.grpc, token=lambda: issuer.token(person, entity=entity, roles=["news.editor"]))


def _cpu(program: ServiceProgram) -> float:
    """Seconds of CPU of the process so far."""
    fields = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _row(metric: str, ours: float, unit: str, aim: str, note: str) -> Row:
    return {"metric": metric, "ours": ours, "peer": None, "ratio": None, "unit": unit, "aim": aim, "note": note}
