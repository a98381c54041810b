"""What the two types that own all policies of a role share.

Both are imported by the role's name, remove what is not named, and leave
everything as it is when they are destroyed.
"""

from api import ApiError
from resources import iam
from resources.framework import FrameworkResource
from validators import no_null_members


class RoleExclusive(FrameworkResource):
    #: The argument that names the policies.
    policies = ""
    force_new = frozenset({"role_name"})

    def __init_subclass__(cls):
        cls.validators = {cls.policies: [no_null_members]}

    def import_state(self, provider, import_id):
        return {"role_name": import_id}

    def read(self, provider, state):
        try:
            return {self.policies: self.present(provider.client, state["role_name"])}
        except ApiError as error:
            if error.code in iam.NOT_FOUND:
                return None
            raise

    def create(self, provider, planned):
        client, role = provider.client, planned["role_name"]
        present, wanted = set(self.present(client, role)), set(planned[self.policies])
        for policy in sorted(wanted - present):
            self.add(client, role, policy)
        for policy in sorted(present - wanted):
            self.remove(client, role, policy)

    def update(self, provider, prior, planned):
        self.create(provider, planned)

    def delete(self, provider, state):
        """Leaves the role as it is."""

    def present(self, client, role):
        raise NotImplementedError

    def add(self, client, role, policy):
        raise NotImplementedError

    def remove(self, client, role, policy):
        raise NotImplementedError
