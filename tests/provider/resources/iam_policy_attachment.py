"""Attachments of managed policies, which are the same for roles, users and groups."""

from api import ApiError
from resources import iam
from resources.base import Refused, Resource, ignoring
from validators import is_arn


class PolicyAttachment(Resource):
    #: What the policy is attached to, as the operations of the API name it.
    kind = ""
    validators = {"policy_arn": [is_arn]}

    def __init_subclass__(cls):
        cls.holder = cls.kind.lower()
        cls.type_name = f"aws_iam_{cls.holder}_policy_attachment"
        cls.force_new = frozenset({cls.holder, "policy_arn"})

    def import_state(self, provider, import_id):
        holder, _, arn = import_id.partition("/")
        if not holder or not arn:
            raise Refused(
                f'unexpected format for Import ID ("{import_id}"), '
                f"expected <{self.holder}-name>/<policy_arn>"
            )
        return {"id": import_id, self.holder: holder, "policy_arn": arn}

    def read(self, provider, state):
        try:
            attached = iam.attached_policies(provider.client, state[self.holder], self.kind)
        except ApiError as error:
            if error.code in iam.NOT_FOUND:
                return None
            raise
        return {} if state["policy_arn"] in attached else None

    def create(self, provider, planned):
        provider.client.iam(f"Attach{self.kind}Policy", **self._names(planned))
        return f"{planned[self.holder]}/{planned['policy_arn']}"

    def delete(self, provider, state):
        ignoring(
            iam.NOT_FOUND, provider.client.iam, f"Detach{self.kind}Policy", **self._names(state)
        )

    def _names(self, state):
        return {f"{self.kind}Name": state[self.holder], "PolicyArn": state["policy_arn"]}
