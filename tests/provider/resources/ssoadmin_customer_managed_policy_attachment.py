"""aws_ssoadmin_customer_managed_policy_attachment: a policy of each account, by name and path."""

from resources import ssoadmin
from values import UNKNOWN

REFERENCE = "customer_managed_policy_reference"
#: Argument -> most bytes of its value.
LENGTHS = {"name": 128, "path": 512}


class SsoadminCustomerManagedPolicyAttachment(ssoadmin.SsoadminResource):
    type_name = "aws_ssoadmin_customer_managed_policy_attachment"
    force_new = ssoadmin.SsoadminResource.force_new | {REFERENCE}

    def validate(self, config):
        yield from super().validate(config)
        for problem in problems(config.get(REFERENCE)):
            yield REFERENCE, problem, ""

    def plan_block(self, name, prior, config):
        return with_default_path(config.get(name))

    def read(self, provider, state):
        name, path, arns = parsed(state["id"])
        references = ssoadmin.listed(
            provider,
            state,
            "ListCustomerManagedPolicyReferencesInPermissionSet",
            "CustomerManagedPolicyReferences",
            **arns,
        )
        reference = {"Name": name, "Path": path}
        if reference not in references:
            return None
        return {
            REFERENCE: [flattened(reference)],
            "instance_arn": arns["InstanceArn"],
            "permission_set_arn": arns["PermissionSetArn"],
            "region": state["region"],
        }

    def create(self, provider, planned):
        arns = ssoadmin.planned_permission_set(planned)
        (reference,) = planned[REFERENCE]
        ssoadmin.call(
            provider,
            planned,
            "AttachCustomerManagedPolicyReferenceToPermissionSet",
            CustomerManagedPolicyReference=expanded(reference),
            **arns,
        )
        ssoadmin.provision(provider, planned, arns)
        parts = (reference["name"], reference["path"], *arns.values())
        return ",".join(parts)

    def delete(self, provider, state):
        name, path, arns = parsed(state["id"])
        ssoadmin.remove(
            provider,
            state,
            "DetachCustomerManagedPolicyReferenceFromPermissionSet",
            arns,
            CustomerManagedPolicyReference={"Name": name, "Path": path},
        )


def parsed(identifier):
    name, path, arn, instance = ssoadmin.parsed(
        identifier,
        "CUSTOMER_MANAGED_POLICY_NAME,CUSTOMER_MANAGED_POLICY_PATH,PERMISSION_SET_ARN,INSTANCE_ARN",
    )
    return name, path, {"PermissionSetArn": arn, "InstanceArn": instance}


def problems(references):
    """Yields what is wrong with the known arguments of a reference."""
    for reference in references if isinstance(references, list) else ():
        for name, most in LENGTHS.items():
            value = reference[name]
            if isinstance(value, str) and len(value.encode("utf-8")) > most:
                yield f"expected length of {name} to be in the range (0 - {most}), got {value}"


def with_default_path(references):
    if references is UNKNOWN:
        return references
    return [
        {**reference, "path": "/" if reference["path"] is None else reference["path"]}
        for reference in references or []
    ]


def expanded(reference):
    return {
        member: value
        for member, value in (("Name", reference["name"]), ("Path", reference["path"]))
        if value
    }


def flattened(reference):
    return {"name": reference.get("Name"), "path": reference.get("Path")}
