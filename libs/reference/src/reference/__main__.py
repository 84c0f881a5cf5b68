"""`python -m reference`: writes docs/reference; run from the root of the repository."""

import json
from pathlib import Path

from messaging.asyncapi import asyncapi

from reference import metrics, protos, streams

TARGET = Path("docs/reference")


def files(root: Path) -> dict[Path, str]:
    """Every generated file by its path in the tree."""
    made = protos.pages(root / "protos")
    listed = "\n".join(f"- [{package}]({package}.md)" for package in made)
    index = f"""# Reference

Made by `make docs` from the contracts, and from the charts and their services' settings; change it there.

{listed}
- [Streams](streams.md), and [asyncapi.json](asyncapi.json)
- [Metrics](metrics.md)
- Values of the charts: [the suite](charts/rossio.md), and of a service in the file of its name beside it

Written by hand: [CSV files of the directory](csv.md).
"""
    pages = {
        "README.md": index,
        "metrics.md": metrics.page(),
        "streams.md": streams.page(),
        "asyncapi.json": json.dumps(asyncapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n",
        **{f"{package}.md": text for package, text in made.items()},
    }
    return {TARGET / name: text for name, text in pages.items()}


def main() -> None:
    for path, text in files(Path()).items():
        path.write_text(text)


if __name__ == "__main__":
    main()
