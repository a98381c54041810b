"""aws_iam_group."""

from resources import iam
from resources.base import Resource, changed, ignoring
from validators import principal_name
from values import UNKNOWN


class IamGroup(Resource):
    type_name = "aws_iam_group"
    defaults = {"path": "/"}
    validators = {"name": principal_name}

    def plan(self, provider, prior, config):
        planned, replaced_by = super().plan(provider, prior, config)
        if prior is not None and changed(prior, planned, "name", "path"):
            planned = {**planned, "arn": UNKNOWN}
        return planned, replaced_by

    def read(self, provider, state):
        group = iam.found(provider.client, "GetGroup", "Group", GroupName=state["id"])
        return group and {
            "arn": group["Arn"],
            "name": group["GroupName"],
            "path": group["Path"],
            "unique_id": group["GroupId"],
        }

    def create(self, provider, planned):
        provider.client.iam("CreateGroup", GroupName=planned["name"], Path=planned["path"])
        return planned["name"]

    def update(self, provider, prior, planned):
        provider.client.iam(
            "UpdateGroup",
            GroupName=prior["name"],
            NewGroupName=planned["name"],
            NewPath=planned["path"],
        )
        return planned["name"]

    def delete(self, provider, state):
        ignoring(iam.NOT_FOUND, provider.client.iam, "DeleteGroup", GroupName=state["id"])
