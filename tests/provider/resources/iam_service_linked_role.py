"""aws_iam_service_linked_role."""

import time

from resources import iam
from resources.base import Refused, Resource, api_tags, changed, ignoring, tags_to_write
from validators import matches
from values import UNKNOWN


class IamServiceLinkedRole(Resource):
    type_name = "aws_iam_service_linked_role"
    has_tags = True
    force_new = frozenset({"aws_service_name", "custom_suffix"})
    validators = {
        "aws_service_name": [
            matches(r"\.", "must be a full service hostname e.g. elasticbeanstalk.amazonaws.com")
        ]
    }

    def import_state(self, provider, import_id):
        return iam.imported_by_arn(import_id)

    def plan(self, provider, prior, config):
        service = config.get("aws_service_name")
        if prior is not None and service is not UNKNOWN and not config.get("custom_suffix"):
            # These services choose the suffix themselves.
            if ".application-autoscaling." in (service or ""):
                config = {**config, "custom_suffix": prior["custom_suffix"]}
        return super().plan(provider, prior, config)

    def read(self, provider, state):
        service, name, suffix = parsed(state["id"])
        role = iam.found(provider.client, "GetRole", "Role", RoleName=name)
        if role is None:
            return None
        result = {
            "arn": role["Arn"],
            "aws_service_name": service,
            "create_date": iam.create_date(role["CreateDate"]),
            "custom_suffix": suffix,
            "description": role.get("Description"),
            "name": role["RoleName"],
            "path": role["Path"],
            "unique_id": role["RoleId"],
        }
        self.set_tags(provider, result, role.get("Tags"))
        return result

    def create(self, provider, planned):
        arn = provider.client.iam(
            "CreateServiceLinkedRole",
            AWSServiceName=planned["aws_service_name"],
            CustomSuffix=planned["custom_suffix"] or None,
            Description=planned["description"] or None,
        )["Role"]["Arn"]
        tags = tags_to_write(provider, planned)
        if tags:
            provider.client.iam("TagRole", RoleName=parsed(arn)[1], Tags=api_tags(tags))
        return arn

    def update(self, provider, prior, planned):
        _, name, _ = parsed(prior["id"])
        if changed(prior, planned, "description"):
            provider.client.iam(
                "UpdateRole", RoleName=name, Description=planned["description"] or ""
            )
        iam.write_tags(provider, "Role", prior, planned, RoleName=name)

    def delete(self, provider, state):
        client, (_, name, _) = provider.client, parsed(state["id"])
        answer = ignoring(iam.NOT_FOUND, client.iam, "DeleteServiceLinkedRole", RoleName=name)
        if not answer:
            return
        deadline = time.monotonic() + provider.retry_seconds
        while True:
            status = client.iam(
                "GetServiceLinkedRoleDeletionStatus", DeletionTaskId=answer["DeletionTaskId"]
            )["Status"]
            if status == "SUCCEEDED":
                return
            if status == "FAILED" or time.monotonic() > deadline:
                raise Refused(
                    f"waiting for IAM Service Linked Role ({state['id']}) delete: {status}"
                )
            time.sleep(0.2)


def parsed(arn):
    """Returns service, name and suffix of a role: the suffix only if one `_` is in the name."""
    parts = arn.split(":", 5)[-1].split("/")
    if len(parts) != 4:
        raise Refused(
            "expected IAM Service Role ARN (arn:PARTITION:iam::ACCOUNTID:role/"
            f"aws-service-role/SERVICENAME/ROLENAME), received: {arn}"
        )
    _, _, service, name = parts
    return service, name, name.split("_")[1] if name.count("_") == 1 else ""
