"""What the types of the provider's newer framework share: no rules of the old SDK.

What is configured is what is planned, to the letter, and Terraform holds the
provider to it.
"""

from resources.base import Resource
from values import UNKNOWN


class FrameworkResource(Resource):
    of_the_old_sdk = False

    def plan(self, provider, prior, config):
        planned = {
            name: UNKNOWN
            if config[name] is None and prior is None and attribute.get("computed")
            else config[name]
            if config[name] is not None or not attribute.get("computed")
            else prior[name]
            for name, attribute in self.attributes.items()
        }
        if prior is None:
            return planned, []
        return planned, [name for name in self.force_new if planned[name] != prior[name]]
