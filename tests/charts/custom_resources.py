"""`python -m tests.charts.custom_resources CRD.yaml ...`: what operators take, as far as the charts speak to them.

Writes custom_resources.json: of each definition (the CRD of an operator's release) the shape of what our objects use,
closed, so that a field which the operator does not know fails a test. Whole definitions are megabytes.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import yaml

SHAPES: Final = Path(__file__).with_suffix(".json")
KEPT: Final = ("type", "enum", "required", "pattern", "minimum", "maximum", "x-kubernetes-int-or-string")


def shape(schema: dict[str, Any], used: list[Any]) -> dict[str, Any]:
    """The schema without prose, and without what lies below fields that no object uses."""
    kept: dict[str, Any] = {key: schema[key] for key in KEPT if key in schema}
    if kept.pop("x-kubernetes-int-or-string", False):
        kept["type"] = ["integer", "string"]
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return kept
    if "properties" in schema:
        objects = [each for each in used if isinstance(each, dict)]
        kept["additionalProperties"] = False
        kept["properties"] = {
            name: shape(below, [each[name] for each in objects if name in each])
            if any(name in each for each in objects)
            else {}
            for name, below in schema["properties"].items()
        }
    elif isinstance(schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = shape(schema["additionalProperties"], [])
    if "items" in schema:
        items = [item for each in used if isinstance(each, list) for item in each]
        kept["items"] = shape(schema["items"], items)
    return kept


def main(files: list[str], objects: list[dict[str, Any]]) -> None:
    found: dict[str, Any] = {}
    for file in files:
        for told in yaml.safe_load_all(Path(file).read_text()):
            for version in told["spec"]["versions"]:
                name = f"{told['spec']['group']}/{version['name']}/{told['spec']['names']['kind']}"
                used = [each for each in objects if f"{each['apiVersion']}/{each['kind']}" == name]
                if used:
                    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
                    found[name] = shape(spec, [each["spec"] for each in used])
    SHAPES.write_text(json.dumps(found, indent=None, sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:], [each for each in yaml.safe_load_all(sys.stdin) if each])
