"""Inline policies, which are the same for roles, users and groups but for two things.

A role's import ID is taken apart at import, that of the others by the refresh
that follows; and only a role's names are validated.
"""

import policy_documents
from resources import iam
from resources.base import Refused, Resource, generated_name, ignoring, prefix_of
from validators import is_iam_policy


class InlinePolicy(Resource):
    #: What holds the policy, as the operations of the API name it.
    kind = ""
    conflicts = (("name", "name_prefix"), ("name_prefix", "name"))
    suppressed = {"policy": policy_documents.suppresses_difference}
    state_form = {"policy": policy_documents.normalized_version_first}
    validators = {"policy": [is_iam_policy]}
    may_be_empty = True

    def __init_subclass__(cls):
        cls.holder = cls.kind.lower()
        cls.type_name = f"aws_iam_{cls.holder}_policy"
        cls.force_new = frozenset({"name", "name_prefix", cls.holder})

    def parsed(self, identifier):
        holder, colon, name = identifier.partition(":")
        if not colon or not self.may_be_empty and not (holder and name):
            raise Refused(
                f"{self.holder}_policy id must be of the form "
                f"<{self.holder} name>:<policy name>"
            )
        return holder, name

    def read(self, provider, state):
        holder, name = self.parsed(state["id"])
        text = iam.found(
            provider.client, f"Get{self.kind}Policy", "PolicyDocument", **self._names(holder, name)
        )
        if text is None:
            return None
        return {
            "name": name,
            "name_prefix": prefix_of(name),
            self.holder: holder,
            "policy": policy_documents.normalized_version_first(iam.document(text)),
        }

    def create(self, provider, planned):
        holder, name = planned[self.holder], generated_name(planned)
        self._put(provider, holder, name, planned)
        return f"{holder}:{name}"

    def update(self, provider, prior, planned):
        self._put(provider, planned[self.holder], planned["name"], planned)

    def delete(self, provider, state):
        holder, name = self.parsed(state["id"])
        ignoring(
            iam.NOT_FOUND,
            provider.client.iam,
            f"Delete{self.kind}Policy",
            **self._names(holder, name),
        )

    def _put(self, provider, holder, name, planned):
        provider.client.iam(
            f"Put{self.kind}Policy", **self._names(holder, name), PolicyDocument=planned["policy"]
        )

    def _names(self, holder, name):
        return {f"{self.kind}Name": holder, "PolicyName": name}
