"""What the provider refuses before it asks AWS, in the provider's own words.

A validator takes the argument's name and its known, non-null value, and returns
the error text or None. Lengths are bytes of UTF-8, as in Go.
"""

import re
import urllib.parse

import policy_documents
from policy_documents import DocumentError


def length_between(least, most):
    def validate(name, value):
        if not least <= len(value.encode("utf-8")) <= most:
            return f"expected length of {name} to be in the range ({least} - {most}), got {value}"

    return validate


def integer_between(least, most):
    def validate(name, value):
        if not least <= value <= most:
            return f"expected {name} to be in the range ({least} - {most}), got {value}"

    return validate


def one_of(*allowed):
    def validate(name, value):
        if value not in allowed:
            quoted = " ".join(f'"{text}"' for text in allowed)
            return f"expected {name} to be one of [{quoted}], got {value}"

    return validate


def matches(pattern, message):
    def validate(name, value):
        if not re.search(pattern, value, re.ASCII):
            return f"invalid value for {name} ({message})"

    return validate


def does_not_match(pattern, message):
    def validate(name, value):
        if re.search(pattern, value):
            return f"invalid value for {name} ({message})"

    return validate


def each(validator):
    """Returns a validator of the members of a list or set."""

    def validate(name, value):
        found = (validator(f"{name}.{index}", item) for index, item in enumerate(value))
        return next(filter(None, found), None)

    return validate


def no_null_members(name, value):
    if None in value:
        return f'Null Set Value: "{name}" contains a null value'


def resource_name(most):
    return [length_between(1, most), matches(r"^[\w+=,.@-]*\Z", r"must match [\w+=,.@-]")]


def is_json(name, value):
    try:
        policy_documents.parse(value)
    except DocumentError as error:
        return f'"{name}" contains an invalid JSON: {error}'


def is_iam_policy(name, value):
    if not value:
        return f'"{name}" is an empty string, which is not a valid JSON value'
    if value[0] != "{":
        reason = {
            '"': "contains a JSON-encoded string, not a JSON-encoded object",
            "[": "contains a JSON array, not a JSON object",
            **dict.fromkeys(" \t\r\n", "leading space characters are not allowed"),
        }.get(value[0], "not a JSON object")
        return f'"{name}" contains an invalid JSON policy: {reason}'
    try:
        policy_documents.parse(value)
    except DocumentError as error:
        return f'"{name}" contains an invalid JSON policy: {error}'
    duplicate = policy_documents.first_duplicate_key(value)
    if duplicate is not None:
        return f'"{name}" contains duplicate JSON keys: duplicate key "{duplicate}"'


def is_arn(name, value):
    if not value:
        return None
    parts = value.split(":", 5)
    if parts[0] != "arn":
        return f'"{name}" ({value}) is an invalid ARN: arn: invalid prefix'
    if len(parts) < 6:
        return f'"{name}" ({value}) is an invalid ARN: arn: not enough sections'
    _, partition, _, region, account, resource = parts
    problems = {
        "missing partition value": not partition,
        "invalid partition value": partition and not re.fullmatch(r"aws(-[a-z]+)*", partition),
        "invalid region value": region
        and not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d{1,2}", region),
        "invalid account ID value": account
        and not re.fullmatch(r"aws|aws-managed|third-party|aws-marketplace|\d{12}|cw.{10}", account),
        "missing resource value": not resource,
    }
    for problem, found in problems.items():
        if found:
            return f'"{name}" ({value}) is an invalid ARN: {problem}'


def is_account_id(name, value):
    if not re.fullmatch(r"\d{12}", value, re.ASCII):
        return f'"{name}" doesn\'t look like AWS Account ID (exactly 12 digits): "{value}"'


def is_no_arn(name, value):
    if value and is_arn(name, value) is None:
        return f'"{name}" must be the role\'s name not its ARN'


#: Names of users and groups: no length is checked, unlike for roles.
principal_name = [
    matches(
        r"^[0-9A-Za-z=,.@\-_+]+\Z",
        "must only contain alphanumeric characters, hyphens, underscores, commas, periods, "
        "@ symbols, plus and equals signs",
    )
]


def is_account_alias(name, value):
    if not 3 <= len(value.encode("utf-8")) <= 63:
        return f"expected length of {name} to be in the range (3 - 63), got {value}"
    if not re.fullmatch(r"[0-9a-z][0-9a-z-]+", value):
        return (
            f"invalid value for {name} (must start with an alphanumeric character and only "
            "contain lowercase alphanumeric characters and hyphens)"
        )
    if "--" in value:
        return f'"{name}" must not contain consecutive hyphens'
    if value.endswith("-"):
        return f'"{name}" must not end in a hyphen'


def is_issuer_url(name, value):
    if not value:
        return f'expected "{name}" url to not be empty, got {value}'
    try:
        url = urllib.parse.urlsplit(value)
    except ValueError as error:
        return f'expected "{name}" to be a valid url, got {value}: {error}'
    if not url.netloc:
        return f'expected "{name}" to have a host, got {value}'
    if url.scheme != "https":
        return f'expected "{name}" to have a url with schema of: "https", got {value}'
    if urllib.parse.parse_qs(url.query, keep_blank_values=True):
        return f'"{name}" cannot contain query parameters per the OIDC standard'


def is_path(name, value):
    if not 1 <= len(value) <= 512:
        return f"expected length of {name} to be in the range (1 - 512), got {value}"
    if not re.fullmatch(r"/|/[\x21-\x7e]+/", value) or "//" in value:
        return f"invalid value for {name} (must begin and end with /, without //)"
