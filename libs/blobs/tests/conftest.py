from collections.abc import AsyncIterator

import pytest
import store
from store import Database


@pytest.fixture
async def database(mongo: str, database_name: str) -> AsyncIterator[Database]:
    database = store.connect(mongo, database_name)
    yield database
    await database.drop()
    await database.close()
