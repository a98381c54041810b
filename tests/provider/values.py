"""Terraform values as plain Python, and the schema that types them.

Objects and maps are dicts, lists and sets are lists, null is None, and a value
that is not known yet is `UNKNOWN`. Owns the msgpack form that Terraform
sends and the reading of `schema.json`; decides nothing about resources.
"""

import json
import pathlib

import msgpack

SCHEMA_FILE = pathlib.Path(__file__).with_name("schema.json")


class Unknown:
    """The one value that is decided only by apply."""

    def __repr__(self):
        return "UNKNOWN"


UNKNOWN = Unknown()


def from_msgpack(data):
    return msgpack.unpackb(
        data, raw=False, strict_map_key=False, ext_hook=lambda code, payload: UNKNOWN
    )


def to_msgpack(value):
    return msgpack.packb(value, use_bin_type=True, default=_pack_unknown)


def _pack_unknown(value):
    if value is UNKNOWN:
        return msgpack.ExtType(0, b"\0")
    raise TypeError(f"a {type(value).__name__} is no Terraform value")


def is_wholly_known(value):
    if value is UNKNOWN:
        return False
    if isinstance(value, dict):
        return all(map(is_wholly_known, value.values()))
    if isinstance(value, list):
        return all(map(is_wholly_known, value))
    return True


def is_zero(value):
    """Tells whether the legacy SDK cannot tell the value from an absent one."""
    return value is None or value is not UNKNOWN and value in ("", 0, False, [], {})


def are_equivalent(one, other):
    """Compares as the legacy SDK does before it reports a change at all."""
    if one is UNKNOWN or other is UNKNOWN:
        return one is other
    if is_zero(one) or is_zero(other):
        return is_zero(one) and is_zero(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            are_equivalent(value, other[key]) for key, value in one.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        # Terraform sends the members of a set in one order, whatever their origin.
        return len(one) == len(other) and all(map(are_equivalent, one, other))
    return one == other


class Schema:
    """`schema.json`, with the object types it implies."""

    def __init__(self):
        stored = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
        self.provider_version = stored["provider_version"]
        self.provider = stored["provider"]
        self.resources = stored["resource_schemas"]

    def empty(self, type_name):
        """Returns the object of a type with everything null and no blocks."""
        block = self.resources[type_name]
        state = dict.fromkeys(block["attributes"])
        state.update(
            {
                name: None if nested["nesting_mode"] == "single" else []
                for name, nested in block["block_types"].items()
            }
        )
        return state

    def from_state_file(self, type_name, text):
        """Returns a state as stored, with what today's schema has and no more."""
        stored = json.loads(text)
        state = self.empty(type_name)
        state.update({name: stored[name] for name in state if stored.get(name) is not None})
        return state
