"""Messages bring their keys; those of earlier releases are opened by the keys that were kept apart."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
import store
from cryptography.exceptions import InvalidTag
from notification.adapters.vault import KeyVault
from notification.application.ports import Letter
from notification.domain.texts import Message
from notification.domain.vocabulary import Channel

MASTER = bytes(range(32))
MESSAGE = Message(to="+351912345678", subject="", text="730194")


async def test_each_message_opens_by_its_own_key_under_the_master_and_in_its_own_place(mongo, database_name):
    database = store.connect(mongo, database_name)
    keys = database.collection("keys")
    vault = KeyVault(keys, MASTER)
    sealed, other = vault.seal([Letter(each, Channel.SMS, MESSAGE) for each in ("n1", "n2")])
    assert await vault.open(Channel.SMS, {"n1": sealed, "n2": other}) == {"n1": MESSAGE, "n2": MESSAGE}
    assert sealed[-40:] != other[-40:]
    assert b"730194" not in sealed
    assert [each async for each in keys.find({})] == [], "no key is written for it"
    for channel, place, master in (
        (Channel.SMS, "n2", MASTER),
        (Channel.EMAIL, "n1", MASTER),
        (Channel.SMS, "n1", bytes(32)),
    ):
        with pytest.raises(InvalidTag):
            await KeyVault(keys, master).open(channel, {place: sealed})

    until = datetime.now(UTC) + timedelta(days=1)
    (earlier,) = await vault.seal_bytes([("n3.sms", json.dumps(asdict(MESSAGE)).encode(), until)])
    assert await vault.open(Channel.SMS, {"n1": sealed, "n3": earlier}) == {"n1": MESSAGE, "n3": MESSAGE}
    await keys.delete("n3.sms")
    assert await vault.open(Channel.SMS, {"n1": sealed, "n3": earlier}) == {"n1": MESSAGE}
    await database.drop()
    await database.close()
