"""aws_ssoadmin_account_assignment: a permission set for a principal in an account."""

from api import ApiError
from resources import ssoadmin
from resources.base import Refused
from validators import is_account_id, length_between, matches, one_of

#: The parts of the ID in their order, as arguments and as the API names them.
PARTS = {
    "principal_id": "PrincipalId",
    "principal_type": "PrincipalType",
    "target_id": "TargetId",
    "target_type": "TargetType",
    "permission_set_arn": "PermissionSetArn",
    "instance_arn": "InstanceArn",
}
HEXADECIMAL = "[0-9A-Fa-f]"
PRINCIPAL = (
    rf"([0-9a-f]{{10}}-|){HEXADECIMAL}{{8}}-{HEXADECIMAL}{{4}}-{HEXADECIMAL}{{4}}"
    rf"-{HEXADECIMAL}{{4}}-{HEXADECIMAL}{{12}}"
)


class SsoadminAccountAssignment(ssoadmin.SsoadminResource):
    type_name = "aws_ssoadmin_account_assignment"
    force_new = ssoadmin.SsoadminResource.force_new | frozenset(PARTS)
    validators = {
        **ssoadmin.SsoadminResource.validators,
        "principal_id": [
            length_between(1, 47),
            matches(rf"^{PRINCIPAL}\Z", f"must match {PRINCIPAL}"),
        ],
        "principal_type": [one_of("USER", "GROUP")],
        "target_id": [is_account_id],
        "target_type": [one_of("AWS_ACCOUNT")],
    }

    def read(self, provider, state):
        parts = parsed(state["id"])
        if not self._is_there(provider, state, parts):
            return None
        return {**parts, "region": state["region"]}

    def _is_there(self, provider, state, parts):
        assignments = ssoadmin.listed(
            provider,
            state,
            "ListAccountAssignments",
            "AccountAssignments",
            InstanceArn=parts["instance_arn"],
            AccountId=parts["target_id"],
            PermissionSetArn=parts["permission_set_arn"],
        )
        return any(
            assignment["PrincipalId"] == parts["principal_id"]
            and assignment["PrincipalType"] == parts["principal_type"]
            for assignment in assignments
        )

    def create(self, provider, planned):
        parts = {argument: planned[argument] for argument in PARTS}
        if self._is_there(provider, planned, parts):
            raise Refused(
                f"creating SSO Account Assignment for {parts['principal_type']} "
                f"({parts['principal_id']}): already exists"
            )
        self._write(provider, planned, parts, "Creation", "CreateAccountAssignment")
        return ",".join(parts.values())

    def delete(self, provider, state):
        parts = parsed(state["id"])
        try:
            self._write(provider, state, parts, "Deletion", "DeleteAccountAssignment")
        except ApiError as error:
            if error.code not in ssoadmin.NOT_FOUND:
                raise

    def _write(self, provider, state, parts, change, operation):
        members = {PARTS[argument]: value for argument, value in parts.items()}
        status = f"AccountAssignment{change}Status"
        answer = ssoadmin.call(provider, state, operation, **members)
        ssoadmin.wait(
            provider,
            state,
            f"Describe{status}",
            status,
            InstanceArn=parts["instance_arn"],
            **{f"AccountAssignment{change}RequestId": answer[status]["RequestId"]},
        )


def parsed(identifier):
    parts = ssoadmin.parsed(identifier, ",".join(argument.upper() for argument in PARTS))
    return dict(zip(PARTS, parts, strict=True))
