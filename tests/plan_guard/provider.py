"""Serves the double of the provider to any number of Terraform runs, until stdin ends.

Besides what the double models there are the types of `schema.json` in this folder, which can be
planned and not applied: what a plan must not do is not done here either. Prints the address of its
socket. Several provider names may point to it, so it plays other providers too.
"""

import json
import pathlib
import sys
import tempfile
from concurrent import futures

import grpc

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "provider"))

import data_sources  # noqa: E402
import resources  # noqa: E402
import server  # noqa: E402
from resources.base import Resource  # noqa: E402
from values import Schema  # noqa: E402

EXTRA = json.loads((HERE / "schema.json").read_text(encoding="utf-8"))
KNOWN = Schema.__init__
FORCE_NEW = {"name", "user", "role", "group", "url"}


def with_extra(schema):
    KNOWN(schema)
    schema.resources = {**schema.resources, **EXTRA["resources"]}


def planned_only(name):
    """Returns a resource type that is what its state says."""
    read = {"read": lambda self, provider, state: {}}
    has_tags = "tags" in EXTRA["resources"][name]["attributes"]
    return type(name, (Resource,), {"type_name": name, "force_new": FORCE_NEW, "has_tags": has_tags, **read})


def read_data(known, provider, type_name, config):
    if type_name in EXTRA["data_sources"]:
        attributes = EXTRA["data_sources"][type_name]["attributes"]
        kinds = {name: attribute["type"] for name, attribute in attributes.items()}
        empty = {name: "" if kind == "string" else {} for name, kind in kinds.items()}
        return {name: config.get(name) or empty[name] for name in config}
    return known(provider, type_name, config)


def main():
    Schema.__init__ = with_extra
    resources.RESOURCES.update({name: planned_only(name) for name in EXTRA["resources"]})
    known = data_sources.read
    data_sources.SCHEMAS.update(EXTRA["data_sources"])
    data_sources.read = lambda *arguments: read_data(known, *arguments)
    with tempfile.TemporaryDirectory(prefix="provider-") as folder:
        plugin = server.Plugin()
        running = grpc.server(
            futures.ThreadPoolExecutor(server.THREADS),
            handlers=[server.Handler(plugin, lambda: b"")],
            options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
        )
        running.add_insecure_port(f"unix:{folder}/socket")
        running.start()
        print(f"{folder}/socket", flush=True)
        sys.stdin.read()
        running.stop(0)


if __name__ == "__main__":
    main()
