"""What the types of IAM Identity Center have in common: the region, the instance, IDs of
several parts, and provisioning, which follows every change of a permission set."""

import re
import time

from api import ApiError
from resources.base import Refused, Resource
from validators import is_arn, matches

NOT_FOUND = ("ResourceNotFoundException",)
IMPORT_REGION = re.compile(r"(.+)@([a-z]{2}(?:-[a-z]+)+-\d{1,2})\Z", re.DOTALL)
ARNS = {"instance_arn": [is_arn], "permission_set_arn": [is_arn]}


class SsoadminResource(Resource):
    """A regional type: `region` is that of the provider unless configured or imported."""

    force_new = frozenset({"instance_arn", "permission_set_arn", "region"})
    validators = {
        **ARNS,
        "region": [matches(r"^[a-z]{2}(-[a-z]+)+-\d{1,2}\Z", "must be an AWS Region code")],
    }

    def import_state(self, provider, import_id):
        found = IMPORT_REGION.match(import_id)
        if found:
            return {"id": found.group(1), "region": found.group(2)}
        return {"id": import_id, "region": provider.client.region}

    def plan(self, provider, prior, config):
        if config.get("region") is None and not (prior or {}).get("region"):
            config = {**config, "region": provider.client.region}
        return super().plan(provider, prior, config)


def call(provider, state, operation, **parameters):
    return provider.client.ssoadmin(operation, state["region"], **parameters)


def found(provider, state, operation, member, **parameters):
    """Returns a member of an answer, or None if there is no such object."""
    try:
        return call(provider, state, operation, **parameters).get(member)
    except ApiError as error:
        if error.code in NOT_FOUND:
            return None
        raise


def listed(provider, state, operation, member, **parameters):
    """Returns the members of all pages, none if there is no such object."""
    try:
        return list(
            provider.client.ssoadmin_pages(operation, member, state["region"], **parameters)
        )
    except ApiError as error:
        if error.code in NOT_FOUND:
            return []
        raise


def parsed(identifier, expected, label=None):
    """Returns the parts of an ID, of which there are as many as in the expectation."""
    parts = identifier.split(",")
    if len(parts) != expected.count(",") + 1 or not all(parts):
        raise Refused(
            label or f"unexpected format for ID ({identifier}), expected {expected}"
        )
    return parts


def permission_set(identifier):
    """Returns the two ARNs of an ID as the API names them."""
    arn, instance = parsed(identifier, "PERMISSION_SET_ARN,INSTANCE_ARN")
    return {"PermissionSetArn": arn, "InstanceArn": instance}


def planned_permission_set(planned):
    return {
        "PermissionSetArn": planned["permission_set_arn"],
        "InstanceArn": planned["instance_arn"],
    }


def provision(provider, state, arns):
    """Provisions a permission set to all accounts that have it, and waits."""
    status = call(
        provider, state, "ProvisionPermissionSet", TargetType="ALL_PROVISIONED_ACCOUNTS", **arns
    )["PermissionSetProvisioningStatus"]
    wait(
        provider,
        state,
        "DescribePermissionSetProvisioningStatus",
        "PermissionSetProvisioningStatus",
        InstanceArn=arns["InstanceArn"],
        ProvisionPermissionSetRequestId=status["RequestId"],
    )


def wait(provider, state, operation, member, **parameters):
    deadline = time.monotonic() + provider.retry_seconds
    while True:
        status = call(provider, state, operation, **parameters)[member]
        if status["Status"] == "SUCCEEDED":
            return
        if status["Status"] == "FAILED" or time.monotonic() > deadline:
            raise Refused(f"waiting for {member}: {status.get('FailureReason')}")
        time.sleep(0.2)


def remove(provider, state, operation, arns, **parameters):
    """Takes something from a permission set; provisions it unless it was gone already."""
    try:
        call(provider, state, operation, **arns, **parameters)
    except ApiError as error:
        if error.code not in NOT_FOUND:
            raise
        return
    provision(provider, state, arns)
