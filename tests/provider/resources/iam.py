"""What the IAM resource types have in common: reading, error codes, documents."""

import urllib.parse

from resources.base import Refused, api_tags, ignoring, tag_changes

NOT_FOUND = ("NoSuchEntity",)


def found(client, operation, result, **parameters):
    """Returns a member of an answer, or None if the object does not exist."""
    answer = ignoring(NOT_FOUND, client.iam, operation, **parameters)
    return answer and answer[result]


def document(text):
    return urllib.parse.unquote(text)


def create_date(text):
    """Returns a time as the provider stores it: seconds, no fraction."""
    return text.split(".")[0].removesuffix("Z") + "Z"


def attached_policies(client, name, kind="Role"):
    """Returns the ARNs of what is attached to a role, a user or a group."""
    pages = client.iam_pages(
        f"ListAttached{kind}Policies", "AttachedPolicies", **{f"{kind}Name": name}
    )
    return [policy["PolicyArn"] for policy in pages]


def inline_policy_names(client, name, kind="Role"):
    return list(
        client.iam_pages(f"List{kind}Policies", "PolicyNames", **{f"{kind}Name": name})
    )


def imported_by_arn(import_id):
    """Returns the state of a type that is imported by its ARN, whatever the ARN names."""
    if not import_id.startswith("arn:"):
        raise Refused(f'could not parse import ID "{import_id}" as ARN: arn: invalid prefix')
    if import_id.count(":") < 5:
        raise Refused(f'could not parse import ID "{import_id}" as ARN: arn: not enough sections')
    return {"id": import_id, "arn": import_id}


def write_tags(provider, kind, prior, planned, **target):
    """Writes what differs between the tags of two states."""
    removed, written = tag_changes(provider, prior, planned)
    if removed:
        provider.client.iam(f"Untag{kind}", **target, TagKeys=removed)
    if written:
        provider.client.iam(f"Tag{kind}", **target, Tags=api_tags(written))
