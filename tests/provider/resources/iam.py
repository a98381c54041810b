"""What the IAM resource types have in common: reading, error codes, documents."""

import urllib.parse

from resources.base import ignoring

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


def attached_policies(client, role):
    pages = client.iam_pages("ListAttachedRolePolicies", "AttachedPolicies", RoleName=role)
    return [policy["PolicyArn"] for policy in pages]


def inline_policy_names(client, role):
    return list(client.iam_pages("ListRolePolicies", "PolicyNames", RoleName=role))
