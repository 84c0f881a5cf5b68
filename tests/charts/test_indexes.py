"""The job that makes the indexes before an upgrade: each of its containers, run here as it is rendered."""

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pymongo
from pymongo.database import Database

from tests.charts.conftest import Objects
from tests.charts.test_charts import SERVICES


def containers(objects: Objects) -> dict[str, dict[str, Any]]:
    (job,) = (found for found in objects if found["metadata"]["name"] == "rossio-indexes" and found["kind"] == "Job")
    return {container["name"]: container for container in job["spec"]["template"]["spec"]["containers"]}


def ran(container: dict[str, Any], uri: str, folder: Path) -> str:
    """What a service prints that is told what the container is; every key is 32 bytes, and the store is the test's."""
    secrets = {"MONGODB_URI": uri}
    key = base64.b64encode(bytes(32)).decode()
    told = {each["name"]: each.get("value") or secrets.get(each["name"], key) for each in container["env"]}
    paths = {variable: str(folder) for variable in ("DATA_PATH", "HOME", "TMPDIR")}
    module = f"{container['name'].replace('-', '_')}.main"
    done = subprocess.run([sys.executable, "-m", module], env={"PATH": os.environ["PATH"], **told, **paths},
                          capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def indexed(database: Database[dict[str, Any]]) -> dict[str, set[str]]:
    """The indexes of each collection, without the one that is always there."""
    return {name: {*database[name].index_information()} - {"_id_"} for name in database.list_collection_names()}


async def test_each_service_makes_all_of_its_indexes_with_what_the_job_tells_it(rendered, own_mongo, tmp_path):
    """Neither a broker nor the addresses, certificates and tokens of the cluster are there."""
    wanted = containers(rendered("external"))
    assert [*wanted] == SERVICES
    said = await asyncio.gather(
        *(asyncio.to_thread(ran, container, own_mongo.uri, tmp_path) for container in wanted.values())
    )
    assert said == [f"{service}: the indexes are there\n" for service in SERVICES]
    with pymongo.MongoClient[dict[str, Any]](own_mongo.uri) as client:
        made = {service: indexed(client[f"rossio_{service.replace('-', '_')}"]) for service in SERVICES}
    assert all(all(indexes.values()) for indexes in made.values())
    assert made["news"].keys() >= {"posts", "marks"}
    assert made["document"].keys() >= {"nodes", "uploads", "content.files"}, "of every role, and of content"
