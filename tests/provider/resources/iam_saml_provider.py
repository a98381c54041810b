"""aws_iam_saml_provider."""

from resources import iam
from resources.base import Resource, api_tags, changed, ignoring, tags_to_write
from validators import length_between


class IamSamlProvider(Resource):
    type_name = "aws_iam_saml_provider"
    has_tags = True
    force_new = frozenset({"name"})
    validators = {
        "name": [length_between(1, 128)],
        "saml_metadata_document": [length_between(1000, 10_000_000)],
    }

    def import_state(self, provider, import_id):
        return iam.imported_by_arn(import_id)

    def read(self, provider, state):
        found = ignoring(
            iam.NOT_FOUND, provider.client.iam, "GetSAMLProvider", SAMLProviderArn=state["id"]
        )
        if found is None:
            return None
        until = found.get("ValidUntil")
        result = {
            "arn": state["id"],
            "name": state["id"].split(":", 5)[5].removeprefix("saml-provider/"),
            "saml_metadata_document": found["SAMLMetadataDocument"],
            "saml_provider_uuid": found.get("SAMLProviderUUID"),
            "valid_until": iam.create_date(until) if until else None,
        }
        self.set_tags(provider, result, found.get("Tags"))
        return result

    def create(self, provider, planned):
        return provider.client.iam(
            "CreateSAMLProvider",
            Name=planned["name"],
            SAMLMetadataDocument=planned["saml_metadata_document"],
            Tags=api_tags(tags_to_write(provider, planned)),
        )["SAMLProviderArn"]

    def update(self, provider, prior, planned):
        target = {"SAMLProviderArn": prior["id"]}
        if changed(prior, planned, "saml_metadata_document"):
            provider.client.iam(
                "UpdateSAMLProvider",
                **target,
                SAMLMetadataDocument=planned["saml_metadata_document"],
            )
        iam.write_tags(provider, "SAMLProvider", prior, planned, **target)

    def delete(self, provider, state):
        ignoring(
            iam.NOT_FOUND, provider.client.iam, "DeleteSAMLProvider", SAMLProviderArn=state["id"]
        )
