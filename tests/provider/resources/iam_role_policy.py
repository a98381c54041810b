"""aws_iam_role_policy: an inline policy of a role."""

import policy_documents
from resources import iam
from resources.base import Refused, Resource, generated_name, ignoring, prefix_of
from validators import is_iam_policy, is_no_arn, length_between, matches, resource_name


class IamRolePolicy(Resource):
    type_name = "aws_iam_role_policy"
    force_new = frozenset({"name", "name_prefix", "role"})
    conflicts = (("name", "name_prefix"), ("name_prefix", "name"))
    suppressed = {"policy": policy_documents.suppresses_difference}
    state_form = {"policy": policy_documents.normalized_version_first}
    validators = {
        "name": resource_name(128),
        "name_prefix": resource_name(102),
        "policy": [is_iam_policy],
        "role": [length_between(1, 128), matches(r"[\w+=,.@-]+", ""), is_no_arn],
    }

    def import_state(self, provider, import_id):
        role, name = parsed(import_id)
        return {"id": import_id, "role": role, "name": name}

    def read(self, provider, state):
        role, name = parsed(state["id"])
        text = iam.found(
            provider.client, "GetRolePolicy", "PolicyDocument", RoleName=role, PolicyName=name
        )
        if text is None:
            return None
        return {
            "name": name,
            "name_prefix": prefix_of(name),
            "role": role,
            "policy": policy_documents.normalized_version_first(iam.document(text)),
        }

    def create(self, provider, planned):
        role, name = planned["role"], generated_name(planned)
        self._put(provider, role, name, planned)
        return f"{role}:{name}"

    def update(self, provider, prior, planned):
        self._put(provider, planned["role"], planned["name"], planned)

    def _put(self, provider, role, name, planned):
        provider.client.iam(
            "PutRolePolicy", RoleName=role, PolicyName=name, PolicyDocument=planned["policy"]
        )

    def delete(self, provider, state):
        role, name = parsed(state["id"])
        ignoring(
            iam.NOT_FOUND,
            provider.client.iam,
            "DeleteRolePolicy",
            RoleName=role,
            PolicyName=name,
        )


def parsed(identifier):
    role, colon, name = identifier.partition(":")
    if not colon:
        raise Refused("role_policy id must be of the form <role name>:<policy name>")
    return role, name
