"""A broker that speaks TLS and wants to see certificates, as in production."""

import subprocess
from datetime import UTC, datetime

import pytest
from devstack import kafka as real_kafka
from devstack.kafka import Kafka as KafkaServer
from devstack.program import free_port
from errors import Transient
from messaging import Consumer, Kafka, Producer, Tls, ensure_topics, fact, new_id
from rossio.news.v1.events_pb2 import PostRetracted


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", 2, "-subj", "/CN=authority", "-keyout", "ca.key",
            "-out", "ca.crt")  # fmt: skip
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("broker", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
                f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", 2, "-extfile",
                "names", "-out", f"{name}.crt")  # fmt: skip
    (folder / "broker.pem").write_text((folder / "broker.key").read_text() + (folder / "broker.crt").read_text())
    return folder


@pytest.mark.kafka
@pytest.mark.slow
async def test_an_event_goes_all_the_way_over_tls_and_nobody_gets_in_without_a_certificate(
    certificates, tmp_path, until
):
    if lack := real_kafka.missing():
        pytest.skip(lack)
    port, controller = free_port(), free_port()
    server = KafkaServer(
        tmp_path / "kafka",
        port=port,
        settings={
            "listeners": f"SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"SSL://127.0.0.1:{port}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listener.security.protocol.map": "SSL:SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "SSL",
            "ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(certificates / "broker.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(certificates / "ca.crt"),
        },
    )
    server.start()
    try:
        tls = Tls(certificates / "ca.crt", certificates / "client.crt", certificates / "client.key")
        kafka = Kafka(server.bootstrap, tls=tls)
        with pytest.raises(Transient):
            await Producer(Kafka(server.bootstrap)).start()
        await ensure_topics(kafka)
        seen: list[str] = []

        async def handle(deliveries):
            seen.extend(delivery.subject for delivery in deliveries)

        producer = Producer(kafka)
        await producer.start()
        consumer = Consumer(kafka, "news.post.v1", "notification", {PostRetracted: handle})
        await consumer.start()
        facts = [fact(PostRetracted(post_id=f"p{n}"), id=new_id(), at=datetime.now(UTC)) for n in range(3)]
        await producer.publish(facts[:1])
        await producer.publish(facts[1:])
        await until(lambda: sorted(seen) == ["p0", "p1", "p2"])
        await consumer.stop()
        await producer.stop()
    finally:
        server.kill()
