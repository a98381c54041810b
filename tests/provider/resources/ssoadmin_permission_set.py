"""aws_ssoadmin_permission_set."""

from api import ApiError
from resources import organizations, ssoadmin
from resources.base import api_tags, changed, tag_changes, tags_to_write
from validators import length_between, matches

TEXTS = {
    "description": "Description",
    "relay_state": "RelayState",
    "session_duration": "SessionDuration",
}


class SsoadminPermissionSet(ssoadmin.SsoadminResource):
    type_name = "aws_ssoadmin_permission_set"
    has_tags = True
    defaults = {"session_duration": "PT1H"}
    force_new = frozenset({"instance_arn", "name", "region"})
    validators = {
        **ssoadmin.SsoadminResource.validators,
        "description": [length_between(1, 700)],
        "name": [length_between(1, 32), matches(r"[\w+=,.@-]+", r"must match [\w+=,.@-]")],
        "relay_state": [
            length_between(1, 240),
            matches(r"""[0-9A-Za-z&$@#\\/%?=~\-_'"|!:,.;*+\[\] (){}]+""", "must match the pattern"),
        ],
        "session_duration": [length_between(1, 100)],
    }

    def read(self, provider, state):
        arns = ssoadmin.permission_set(state["id"])
        found = ssoadmin.found(
            provider, state, "DescribePermissionSet", "PermissionSet", **arns
        )
        if found is None:
            return None
        result = {
            "arn": found["PermissionSetArn"],
            "created_date": organizations.date(found["CreatedDate"]),
            "description": found.get("Description"),
            "instance_arn": arns["InstanceArn"],
            "name": found["Name"],
            "region": state["region"],
            "relay_state": found.get("RelayState"),
            "session_duration": found.get("SessionDuration"),
        }
        tags = provider.client.ssoadmin_pages(
            "ListTagsForResource",
            "Tags",
            state["region"],
            InstanceArn=arns["InstanceArn"],
            ResourceArn=arns["PermissionSetArn"],
        )
        self.set_tags(provider, result, list(tags))
        return result

    def create(self, provider, planned):
        instance = planned["instance_arn"]
        answer = ssoadmin.call(
            provider,
            planned,
            "CreatePermissionSet",
            InstanceArn=instance,
            Name=planned["name"],
            Tags=api_tags(tags_to_write(provider, planned)),
            **texts(planned),
        )
        return f"{answer['PermissionSet']['PermissionSetArn']},{instance}"

    def update(self, provider, prior, planned):
        arns = ssoadmin.permission_set(prior["id"])
        if changed(prior, planned, *TEXTS):
            # AWS clears what is not sent, so all of them are.
            ssoadmin.call(provider, prior, "UpdatePermissionSet", **arns, **texts(planned))
            ssoadmin.provision(provider, prior, arns)
        resource = {
            "InstanceArn": arns["InstanceArn"],
            "ResourceArn": arns["PermissionSetArn"],
        }
        removed, tags = tag_changes(provider, prior, planned)
        if removed:
            ssoadmin.call(provider, prior, "UntagResource", TagKeys=removed, **resource)
        if tags:
            ssoadmin.call(provider, prior, "TagResource", Tags=api_tags(tags), **resource)

    def delete(self, provider, state):
        arns = ssoadmin.permission_set(state["id"])
        try:
            ssoadmin.call(provider, state, "DeletePermissionSet", **arns)
        except ApiError as error:
            if error.code not in ssoadmin.NOT_FOUND:
                raise


def texts(planned):
    return {member: planned[argument] or None for argument, member in TEXTS.items()}
