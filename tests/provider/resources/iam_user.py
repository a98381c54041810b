"""aws_iam_user."""

from resources import iam
from resources.base import Resource, api_tags, changed, ignoring, tags_to_write
from validators import length_between, principal_name


class IamUser(Resource):
    type_name = "aws_iam_user"
    has_tags = True
    # The importer leaves force_destroy out, so an imported user shows a change of it.
    defaults = {"path": "/", "force_destroy": False}
    validators = {"name": principal_name, "permissions_boundary": [length_between(0, 2048)]}

    def read(self, provider, state):
        user = iam.found(provider.client, "GetUser", "User", UserName=state["id"])
        if user is None:
            return None
        boundary = user.get("PermissionsBoundary")
        result = {
            "arn": user["Arn"],
            "name": user["UserName"],
            "path": user["Path"],
            "permissions_boundary": boundary["PermissionsBoundaryArn"] if boundary else None,
            "unique_id": user["UserId"],
        }
        self.set_tags(provider, result, user.get("Tags"))
        return result

    def create(self, provider, planned):
        provider.client.iam(
            "CreateUser",
            UserName=planned["name"],
            Path=planned["path"],
            PermissionsBoundary=planned["permissions_boundary"] or None,
            Tags=api_tags(tags_to_write(provider, planned)),
        )
        return planned["name"]

    def update(self, provider, prior, planned):
        client, name = provider.client, planned["name"]
        if changed(prior, planned, "name", "path"):
            client.iam(
                "UpdateUser", UserName=prior["name"], NewUserName=name, NewPath=planned["path"]
            )
        if changed(prior, planned, "permissions_boundary"):
            boundary = planned["permissions_boundary"]
            if boundary:
                client.iam(
                    "PutUserPermissionsBoundary", UserName=name, PermissionsBoundary=boundary
                )
            else:
                client.iam("DeleteUserPermissionsBoundary", UserName=name)
        iam.write_tags(provider, "User", prior, planned, UserName=name)
        return name

    def delete(self, provider, state):
        client, name = provider.client, state["id"]
        groups = ignoring(iam.NOT_FOUND, client.iam, "ListGroupsForUser", UserName=name)
        for group in (groups or {}).get("Groups") or []:
            self._ignore(
                client, "RemoveUserFromGroup", UserName=name, GroupName=group["GroupName"]
            )
        if state["force_destroy"] and groups is not None:
            self._remove_everything(client, name)
        self._ignore(client, "DeleteUser", UserName=name)

    def _remove_everything(self, client, name):
        """Removes what the real provider does, but for what the emulator has no operations for."""
        for policy in iam.inline_policy_names(client, name, "User"):
            self._ignore(client, "DeleteUserPolicy", UserName=name, PolicyName=policy)
        for arn in iam.attached_policies(client, name, "User"):
            self._ignore(client, "DetachUserPolicy", UserName=name, PolicyArn=arn)
        for operation, member, key, removal in (
            ("ListAccessKeys", "AccessKeyMetadata", "AccessKeyId", "DeleteAccessKey"),
            ("ListSSHPublicKeys", "SSHPublicKeys", "SSHPublicKeyId", "DeleteSSHPublicKey"),
            ("ListMFADevices", "MFADevices", "SerialNumber", "DeactivateMFADevice"),
            ("ListSigningCertificates", "Certificates", "CertificateId", "DeleteSigningCertificate"),
        ):
            for found in list(client.iam_pages(operation, member, UserName=name)):
                self._ignore(client, removal, UserName=name, **{key: found[key]})
        self._ignore(client, "DeleteLoginProfile", UserName=name)

    def _ignore(self, client, operation, **parameters):
        ignoring(iam.NOT_FOUND, client.iam, operation, **parameters)
