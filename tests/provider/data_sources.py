"""The data sources served: what people read documents and the account from.

`aws_iam_policy_document` without merging, `aws_caller_identity` and
`aws_partition`. Schemas are those of the provider, cut to what is served.
"""

import json

from resources.base import Refused
from resources.recorded import partition_of


def attribute(kind, computed=False, required=False):
    flag = "computed" if computed else "required" if required else "optional"
    return {"type": kind, flag: True}


TEXTS, SET = ["list", "string"], ["set", "string"]
PRINCIPALS = {
    "attributes": {
        "type": attribute("string", required=True),
        "identifiers": attribute(SET, required=True),
    },
    "block_types": {},
}
CONDITION = {
    "attributes": {
        "test": attribute("string", required=True),
        "values": attribute(TEXTS, required=True),
        "variable": attribute("string", required=True),
    },
    "block_types": {},
}
STATEMENT = {
    "attributes": {
        **{
            name: attribute(SET)
            for name in ("actions", "not_actions", "resources", "not_resources")
        },
        "effect": attribute("string"),
        "sid": attribute("string"),
    },
    "block_types": {
        "condition": {"block": CONDITION, "nesting_mode": "set"},
        "principals": {"block": PRINCIPALS, "nesting_mode": "set"},
        "not_principals": {"block": PRINCIPALS, "nesting_mode": "set"},
    },
}


def computed(*names):
    return {
        "attributes": {name: attribute("string", computed=True) for name in names},
        "block_types": {},
    }


SCHEMAS = {
    "aws_caller_identity": computed("account_id", "arn", "id", "user_id"),
    "aws_partition": computed("dns_suffix", "id", "partition", "reverse_dns_prefix"),
    "aws_region": computed("description", "endpoint", "id", "name", "region"),
    "aws_iam_policy_document": {
        "attributes": {
            "id": attribute("string", computed=True),
            "json": attribute("string", computed=True),
            "minified_json": attribute("string", computed=True),
            "override_policy_documents": attribute(TEXTS),
            "policy_id": attribute("string"),
            "source_policy_documents": attribute(TEXTS),
            "version": attribute("string"),
        },
        "block_types": {"statement": {"block": STATEMENT, "nesting_mode": "list"}},
    },
}


def read(provider, type_name, config):
    return {
        "aws_caller_identity": caller_identity,
        "aws_partition": partition,
        "aws_region": region,
        "aws_iam_policy_document": policy_document,
    }[type_name](provider, config)


def caller_identity(provider, config):
    identity = provider.client.sts("GetCallerIdentity")
    return {
        "account_id": identity["Account"],
        "arn": identity["Arn"],
        "id": identity["Account"],
        "user_id": identity["UserId"],
    }


def region(provider, config):
    name = provider.client.region
    return {
        "description": name,
        "endpoint": f"ec2.{name}.amazonaws.com",
        "id": name,
        "name": name,
        "region": name,
    }


def partition(provider, config):
    name = partition_of(provider.client.region)
    suffix = {"aws-cn": "amazonaws.com.cn"}.get(name, "amazonaws.com")
    return {
        "dns_suffix": suffix,
        "id": name,
        "partition": name,
        "reverse_dns_prefix": ".".join(reversed(suffix.split("."))),
    }


def policy_document(provider, config):
    if config.get("source_policy_documents") or config.get("override_policy_documents"):
        raise Refused("the test provider merges no documents")
    document = {"Version": config.get("version") or "2012-10-17"}
    if config.get("policy_id"):
        document["Id"] = config["policy_id"]
    document["Statement"] = [statement(found) for found in config.get("statement") or ()]
    text = json.dumps(document, indent=2, ensure_ascii=False)
    minified = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return {**config, "id": str(hash(text)), "json": text, "minified_json": minified}


def statement(block):
    found = {"Sid": block.get("sid") or None, "Effect": block.get("effect") or "Allow"}
    for element, name in (
        ("Action", "actions"),
        ("NotAction", "not_actions"),
        ("Resource", "resources"),
        ("NotResource", "not_resources"),
    ):
        found[element] = values(block.get(name))
    for element, name in (("Principal", "principals"), ("NotPrincipal", "not_principals")):
        found[element] = principals(block.get(name) or ())
    conditions = {}
    for condition in block.get("condition") or ():
        by_key = conditions.setdefault(condition["test"], {})
        by_key[condition["variable"]] = values(condition["values"], in_order=True)
    found["Condition"] = conditions
    return {element: value for element, value in found.items() if value}


def principals(blocks):
    found = {}
    for block in blocks:
        identifiers = block["identifiers"]
        if block["type"] == "*" and identifiers == ["*"]:
            return "*"
        found.setdefault(block["type"], []).extend(identifiers)
    return {kind: values(identifiers) for kind, identifiers in found.items()}


def values(texts, in_order=False):
    texts = [text.replace("&{", "${") for text in texts or ()]
    if not in_order:
        texts.sort(reverse=True)
    return texts[0] if len(texts) == 1 else texts
