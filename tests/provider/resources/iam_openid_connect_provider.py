"""aws_iam_openid_connect_provider."""

from resources import iam
from resources.base import Resource, api_tags, changed, ignoring, tags_to_write
from validators import each, is_issuer_url, length_between


def same_issuer(old, new):
    """Tells whether two URLs are one: the API returns them without a scheme."""
    return with_scheme(old) == with_scheme(new)


def with_scheme(url):
    url = url.strip()
    return f"https://{url}" if url and "://" not in url else url


class IamOpenidConnectProvider(Resource):
    type_name = "aws_iam_openid_connect_provider"
    has_tags = True
    force_new = frozenset({"url"})
    suppressed = {"url": same_issuer}
    suppressed_in_plans_only = frozenset({"url"})
    validators = {
        "client_id_list": [each(length_between(1, 255))],
        "thumbprint_list": [each(length_between(40, 40))],
        "url": [is_issuer_url],
    }

    def import_state(self, provider, import_id):
        return iam.imported_by_arn(import_id)

    def read(self, provider, state):
        found = ignoring(
            iam.NOT_FOUND,
            provider.client.iam,
            "GetOpenIDConnectProvider",
            OpenIDConnectProviderArn=state["id"],
        )
        if found is None:
            return None
        result = {
            "arn": state["id"],
            "client_id_list": found.get("ClientIDList") or [],
            "thumbprint_list": found.get("ThumbprintList") or [],
            "url": found["Url"],
        }
        self.set_tags(provider, result, found.get("Tags"))
        return result

    def create(self, provider, planned):
        thumbprints = planned["thumbprint_list"]
        return provider.client.iam(
            "CreateOpenIDConnectProvider",
            Url=planned["url"],
            ClientIDList=planned["client_id_list"],
            ThumbprintList=thumbprints if isinstance(thumbprints, list) else None,
            Tags=api_tags(tags_to_write(provider, planned)),
        )["OpenIDConnectProviderArn"]

    def update(self, provider, prior, planned):
        client, target = provider.client, {"OpenIDConnectProviderArn": prior["id"]}
        # The API takes no empty list here, so the provider leaves the old one alone.
        if changed(prior, planned, "thumbprint_list") and planned["thumbprint_list"]:
            client.iam(
                "UpdateOpenIDConnectProviderThumbprint",
                **target,
                ThumbprintList=planned["thumbprint_list"],
            )
        old, new = set(prior["client_id_list"] or []), set(planned["client_id_list"] or [])
        for client_id in sorted(new - old):
            client.iam("AddClientIDToOpenIDConnectProvider", **target, ClientID=client_id)
        for client_id in sorted(old - new):
            client.iam("RemoveClientIDFromOpenIDConnectProvider", **target, ClientID=client_id)
        iam.write_tags(provider, "OpenIDConnectProvider", prior, planned, **target)

    def delete(self, provider, state):
        ignoring(
            iam.NOT_FOUND,
            provider.client.iam,
            "DeleteOpenIDConnectProvider",
            OpenIDConnectProviderArn=state["id"],
        )
