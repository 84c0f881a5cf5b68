"""Kafka and the store start, survive being killed, and give back the same address and data."""

import asyncio
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from devstack.kafka import Kafka
from devstack.mongo import Mongo
from devstack.tansu import Tansu
from pymongo import MongoClient


async def test_a_killed_kafka_starts_again_with_its_data_and_port(own_kafka: Kafka) -> None:
    bootstrap = own_kafka.bootstrap
    await _create_topic(bootstrap, "kept")
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for number in range(10):
            await producer.send_and_wait("kept", str(number).encode())
    own_kafka.kill()
    assert own_kafka.pid is None
    own_kafka.start()
    assert own_kafka.bootstrap == bootstrap
    assert await _read(bootstrap, "kept", 10) == [str(number).encode() for number in range(10)]


async def test_the_shared_kafka_serves(kafka: str) -> None:
    await _create_topic(kafka, "shared")
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True) as producer:
        await producer.send_and_wait("shared", b"x")
    assert await _read(kafka, "shared", 1) == [b"x"]


async def test_the_broker_of_the_wheel_serves(tmp_path: Path) -> None:
    broker = Tansu(tmp_path)
    broker.start()
    try:
        await _create_topic(broker.bootstrap, "light")
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
            await producer.send_and_wait("light", b"x")
        assert await _read(broker.bootstrap, "light", 1) == [b"x"]
    finally:
        broker.stop()
    assert broker.pid is None


def test_a_killed_store_keeps_what_it_acknowledged(own_mongo: Mongo) -> None:
    with _client(own_mongo.uri) as client:
        client["kept"]["things"].insert_many([{"_id": number} for number in range(20)])
    own_mongo.kill()
    own_mongo.start()
    with _client(own_mongo.uri) as client:
        assert client["kept"]["things"].count_documents({}) == 20


def test_the_shared_store_serves(mongo: str, database_name: str) -> None:
    with _client(mongo) as client:
        client[database_name]["things"].insert_one({"_id": 1})
        assert client[database_name]["things"].find_one({"_id": 1}) == {"_id": 1}


async def _create_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def _read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(30):
            return [(await consumer.getone()).value for _ in range(count)]


def _client(uri: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(uri, w="majority", journal=True)
