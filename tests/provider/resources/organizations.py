"""What the types of AWS Organizations have in common: tags, parents, validators, dates."""

import datetime

from api import ApiError
from resources.base import Refused, api_tags, tag_changes
from validators import matches

PARENT_PATTERN = r"^(r-[0-9a-z]{4,32})|(ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})\Z"


def is_parent(operation):
    return matches(PARENT_PATTERN, f"see the request of {operation}")


def tags_of(provider, identifier):
    client = provider.client
    return list(client.organizations_pages("ListTagsForResource", "Tags", ResourceId=identifier))


def write_tags(provider, prior, planned):
    call, identifier = provider.client.organizations, prior["id"]
    removed, tags = tag_changes(provider, prior, planned)
    if removed:
        call("UntagResource", ResourceId=identifier, TagKeys=removed)
    if tags:
        call("TagResource", ResourceId=identifier, Tags=api_tags(tags))


def parent_of(provider, identifier):
    parents = list(
        provider.client.organizations_pages("ListParents", "Parents", ChildId=identifier)
    )
    if len(parents) != 1:
        raise Refused(f"reading the parent of {identifier}: {len(parents)} results")
    return parents[0]["Id"]


def date(seconds):
    """Returns a time of the API as the provider stores it: seconds, no fraction."""
    moment = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def found(client, codes, operation, member, **parameters):
    """Returns a member of an answer, or None if the error is one of the codes."""
    try:
        return client.organizations(operation, **parameters).get(member)
    except ApiError as error:
        if error.code in codes:
            return None
        raise
