"""aws_ssoadmin_permissions_boundary_attachment."""

from resources import ssoadmin
from resources import ssoadmin_customer_managed_policy_attachment as customer_managed
from resources.ssoadmin_customer_managed_policy_attachment import REFERENCE
from values import UNKNOWN

BOUNDARY = "permissions_boundary"


class SsoadminPermissionsBoundaryAttachment(ssoadmin.SsoadminResource):
    type_name = "aws_ssoadmin_permissions_boundary_attachment"
    force_new = ssoadmin.SsoadminResource.force_new | {BOUNDARY}

    def validate(self, config):
        yield from super().validate(config)
        boundaries = config.get(BOUNDARY)
        for boundary in boundaries if isinstance(boundaries, list) else ():
            for problem in customer_managed.problems(boundary[REFERENCE]):
                yield BOUNDARY, problem, ""
            arn = boundary["managed_policy_arn"]
            if isinstance(arn, str) and len(arn.encode("utf-8")) > 2048:
                yield BOUNDARY, (
                    f"expected length of managed_policy_arn to be in the range (0 - 2048), got {arn}"
                ), ""

    def plan_block(self, name, prior, config):
        boundaries = config.get(name)
        if boundaries is UNKNOWN:
            return boundaries
        return [
            {
                "managed_policy_arn": boundary["managed_policy_arn"]
                if boundary["managed_policy_arn"] is not None
                else "",
                REFERENCE: customer_managed.with_default_path(boundary[REFERENCE]),
            }
            for boundary in boundaries or []
        ]

    def read(self, provider, state):
        arns = ssoadmin.permission_set(state["id"])
        boundary = ssoadmin.found(
            provider,
            state,
            "GetPermissionsBoundaryForPermissionSet",
            "PermissionsBoundary",
            **arns,
        )
        if not boundary:
            return None
        arn = boundary.get("ManagedPolicyArn")
        reference = None if arn else boundary.get("CustomerManagedPolicyReference")
        return {
            "instance_arn": arns["InstanceArn"],
            "permission_set_arn": arns["PermissionSetArn"],
            BOUNDARY: [
                {
                    "managed_policy_arn": arn or "",
                    REFERENCE: [customer_managed.flattened(reference)] if reference else [],
                }
            ],
            "region": state["region"],
        }

    def create(self, provider, planned):
        arns = ssoadmin.planned_permission_set(planned)
        (boundary,) = planned[BOUNDARY]
        written = {}
        for reference in boundary[REFERENCE]:
            written["CustomerManagedPolicyReference"] = customer_managed.expanded(reference)
        if boundary["managed_policy_arn"]:
            written["ManagedPolicyArn"] = boundary["managed_policy_arn"]
        ssoadmin.call(
            provider,
            planned,
            "PutPermissionsBoundaryToPermissionSet",
            PermissionsBoundary=written,
            **arns,
        )
        ssoadmin.provision(provider, planned, arns)
        return f"{arns['PermissionSetArn']},{arns['InstanceArn']}"

    def delete(self, provider, state):
        arns = ssoadmin.permission_set(state["id"])
        ssoadmin.remove(provider, state, "DeletePermissionsBoundaryFromPermissionSet", arns)
