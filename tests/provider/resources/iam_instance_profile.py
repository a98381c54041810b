"""aws_iam_instance_profile."""

from resources import iam
from resources.base import (
    Refused,
    Resource,
    api_tags,
    changed,
    generated_name,
    ignoring,
    prefix_of,
    retrying,
    tag_changes,
    tags_to_write,
)
from validators import resource_name


class IamInstanceProfile(Resource):
    type_name = "aws_iam_instance_profile"
    has_tags = True
    defaults = {"path": "/"}
    force_new = frozenset({"name", "name_prefix", "path"})
    conflicts = (("name", "name_prefix"), ("name_prefix", "name"))
    validators = {"name": resource_name(128), "name_prefix": resource_name(102)}

    def read(self, provider, state):
        client, name = provider.client, state["id"]
        profile = iam.found(
            client, "GetInstanceProfile", "InstanceProfile", InstanceProfileName=name
        )
        if profile is None:
            return None
        role = (profile.get("Roles") or [{}])[0].get("RoleName")
        if role and iam.found(client, "GetRole", "Role", RoleName=role) is None:
            self._remove_role(provider, name, role)
            raise Refused(
                f"reading IAM Role ({role}) attached to IAM Instance Profile ({name}): "
                "couldn't find resource"
            )
        result = {
            "arn": profile["Arn"],
            "create_date": iam.create_date(profile["CreateDate"]),
            "name": profile["InstanceProfileName"],
            "name_prefix": prefix_of(profile["InstanceProfileName"]),
            "path": profile["Path"],
            "role": role,
            "unique_id": profile["InstanceProfileId"],
        }
        self.set_tags(provider, result, profile.get("Tags"))
        return result

    def create(self, provider, planned):
        name = generated_name(planned)
        provider.client.iam(
            "CreateInstanceProfile",
            InstanceProfileName=name,
            Path=planned["path"],
            Tags=api_tags(tags_to_write(provider, planned)),
        )
        if planned["role"]:
            self._add_role(provider, name, planned["role"])
        return name

    def update(self, provider, prior, planned):
        client, name = provider.client, prior["id"]
        if changed(prior, planned, "role"):
            if prior["role"]:
                self._remove_role(provider, name, prior["role"])
            if planned["role"]:
                self._add_role(provider, name, planned["role"])
        removed, written = tag_changes(provider, prior, planned)
        if removed:
            client.iam("UntagInstanceProfile", InstanceProfileName=name, TagKeys=removed)
        if written:
            client.iam("TagInstanceProfile", InstanceProfileName=name, Tags=api_tags(written))

    def delete(self, provider, state):
        if state["role"]:
            self._remove_role(provider, state["id"], state["role"])
        ignoring(
            iam.NOT_FOUND,
            provider.client.iam,
            "DeleteInstanceProfile",
            InstanceProfileName=state["id"],
        )

    def _add_role(self, provider, name, role):
        # The real provider waits here for a role that is not visible yet.
        retrying(
            provider.retry_seconds,
            iam.NOT_FOUND,
            provider.client.iam,
            "AddRoleToInstanceProfile",
            InstanceProfileName=name,
            RoleName=role,
        )

    def _remove_role(self, provider, name, role):
        ignoring(
            iam.NOT_FOUND,
            provider.client.iam,
            "RemoveRoleFromInstanceProfile",
            InstanceProfileName=name,
            RoleName=role,
        )
