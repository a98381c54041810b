"""aws_iam_user_group_membership: some of the groups of a user."""

from resources import iam
from resources.base import Refused, Resource, generated_name, ignoring


class IamUserGroupMembership(Resource):
    type_name = "aws_iam_user_group_membership"
    force_new = frozenset({"user"})

    def import_state(self, provider, import_id):
        user, *groups = import_id.split("/")
        if not groups:
            raise Refused(
                f'unexpected format of ID ("{import_id}"), expected <user-name>/<group-name1>/...'
            )
        return {"id": generated_name({}), "user": user, "groups": list(dict.fromkeys(groups))}

    def read(self, provider, state):
        """Returns those of the groups in the state that the user is in, and no others."""
        groups = iam.found(
            provider.client, "ListGroupsForUser", "Groups", UserName=state["user"]
        )
        if groups is None:
            return None
        names = {group["GroupName"] for group in groups or []}
        return {"groups": [name for name in state["groups"] or [] if name in names]}

    def create(self, provider, planned):
        self._write(provider, planned["user"], [], planned["groups"])
        return generated_name({})

    def update(self, provider, prior, planned):
        self._write(provider, planned["user"], prior["groups"], planned["groups"])

    def delete(self, provider, state):
        self._write(provider, state["user"], state["groups"], [])

    def _write(self, provider, user, old, new):
        client, old, new = provider.client, set(old or []), set(new or [])
        for group in sorted(old - new):
            ignoring(
                iam.NOT_FOUND, client.iam, "RemoveUserFromGroup", UserName=user, GroupName=group
            )
        for group in sorted(new - old):
            client.iam("AddUserToGroup", UserName=user, GroupName=group)
