"""`make test-skaffold`: skaffold itself reads skaffold.yaml, and renders the release with each profile."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from devstack.program import Missing

from charts.images.build import images
from tests.cluster import binaries

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def skaffold(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Calls skaffold with what it has built and a profile; gives what it says."""
    try:
        program, helm = binaries.skaffold()
    except Missing as lack:  # as with the cluster: others' sources that cannot be had fail nobody
        pytest.skip(str(lack))
    home = tmp_path_factory.mktemp("home")
    (home / "helm").symlink_to(helm)
    environment = {"HOME": str(home), "PATH": f"{home}:{os.environ['PATH']}", "SKAFFOLD_UPDATE_CHECK": "false"}

    def run(*arguments: str | Path, profile: str = "") -> str:
        chosen = ["-p", profile] if profile else []
        done = subprocess.run(
            [program, *arguments, *chosen], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def release(
    skaffold: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], list[dict[str, Any]]]:
    """The objects of the release with a profile; each image was built, with its own name as the tag."""
    scratch = tmp_path_factory.mktemp("release")
    builds, made = scratch / "builds.json", scratch / "made.yaml"
    built = [{"imageName": f"rossio/{name}", "tag": f"rossio/{name}:{name}"} for name in images()]
    builds.write_text(json.dumps({"builds": built}))

    def render(profile: str) -> list[dict[str, Any]]:
        skaffold("render", "--offline", "--digest-source=none", "-a", builds, "-o", made, profile=profile)
        return [found for found in yaml.safe_load_all(made.read_text()) if found]

    return render


def test_every_image_is_built_of_sources_that_are_watched(skaffold):
    watched = dict(re.findall(r"Custom artifact: rossio/(\S+)\n - Dependencies: (\d+) files", skaffold("diagnose")))
    assert watched.keys() == images().keys()
    assert all(int(files) > 0 for files in watched.values()), watched
    for artifact in yaml.safe_load((ROOT / "skaffold.yaml").read_text())["build"]["artifacts"]:
        assert all((ROOT / path).exists() for path in artifact["custom"]["dependencies"]["paths"])
        assert artifact["custom"]["buildCommand"].endswith(artifact["image"].removeprefix("rossio/"))


@pytest.mark.parametrize("profile", ["", "dev", "e2e", "next"])
def test_a_release_takes_every_image_that_was_built(release, profile):
    pods = [found["spec"] if found["kind"] == "Pod" else found["spec"]["template"]["spec"]
            for found in release(profile) if found["kind"] in {"Deployment", "Job", "Pod"}]  # fmt: skip
    used = {c["image"] for pod in pods for c in (*pod["containers"], *pod.get("initContainers", ()))}
    assert used == {f"rossio/{name}:{name}" for name in images()}


def test_each_profile_says_what_it_is_for(skaffold, release):
    (plain,), (debug,), (two,) = (
        [found for found in release(profile) if found["kind"] == "Deployment"
         and found["metadata"]["name"] == "rossio-news-api"] for profile in ("", "dev", "next")
    )  # fmt: skip
    assert (plain["spec"]["replicas"], two["spec"]["replicas"]) == (1, 2)
    assert {"name": "LOG_LEVEL", "value": "debug"} in debug["spec"]["template"]["spec"]["containers"][0]["env"]
    told = yaml.safe_load(skaffold("diagnose", "--yaml-only", profile="e2e"))
    assert told["deploy"]["helm"]["hooks"]["after"] == [{"host": {"command": ["helm", "test", "rossio", "--logs"]}}]


@pytest.mark.parametrize("push", ["false", "true"])
def test_what_skaffold_calls_lays_out_builds_and_pushes_an_image(tmp_path, push):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for program in (tmp_path / ".venv" / "bin" / "python", tmp_path / "docker"):
        program.write_text(f'#!/bin/sh\necho {program.name} "$@"\n')
        program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "IMAGE": "rossio/news:t1", "PUSH_IMAGE": push}
    called = subprocess.run(
        [ROOT / "charts" / "images" / "docker", "news"], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=True,
    ).stdout.splitlines()  # fmt: skip
    assert called == [
        "python charts/images/build.py --context-only news",
        "docker build -t rossio/news:t1 .images/context/news",
        *(["docker push rossio/news:t1"] if push == "true" else []),
    ]
