"""aws_iam_role."""

import policy_documents
from api import ApiError
from resources import iam
from resources.base import (
    Resource,
    api_tags,
    changed,
    generated_name,
    ignoring,
    prefix_of,
    retrying,
    tag_changes,
    tags_to_write,
)
from validators import (
    does_not_match,
    integer_between,
    is_arn,
    is_iam_policy,
    length_between,
    resource_name,
)


class IamRole(Resource):
    type_name = "aws_iam_role"
    has_tags = True
    defaults = {"path": "/", "max_session_duration": 3600, "force_detach_policies": False}
    force_new = frozenset({"name", "name_prefix", "path"})
    conflicts = (("name", "name_prefix"), ("name_prefix", "name"))
    suppressed = {"assume_role_policy": policy_documents.suppresses_difference}
    state_form = {"assume_role_policy": policy_documents.normalized}
    validators = {
        "assume_role_policy": [is_iam_policy],
        "description": [
            length_between(0, 1000),
            does_not_match(
                "[“‘]", "cannot contain specially formatted single or double quotes: [“‘]"
            ),
        ],
        "max_session_duration": [integer_between(3600, 43200)],
        "name": resource_name(64),
        "name_prefix": resource_name(38),
        "path": [length_between(0, 512)],
        "permissions_boundary": [is_arn],
    }

    def plan_block(self, name, prior, config):
        configured = config.get(name)
        if prior and (not configured or _same_inline_policies(prior[name], configured)):
            return prior[name]
        return configured or []

    def import_state(self, provider, import_id):
        return {"id": import_id, "name": import_id, "force_detach_policies": False}

    def read(self, provider, state):
        client = provider.client
        role = iam.found(client, "GetRole", "Role", RoleName=state["id"])
        if role is None:
            return None
        boundary = role.get("PermissionsBoundary")
        result = {
            "arn": role["Arn"],
            "create_date": iam.create_date(role["CreateDate"]),
            "description": role.get("Description"),
            "max_session_duration": int(role.get("MaxSessionDuration") or 0),
            "name": role["RoleName"],
            "name_prefix": prefix_of(role["RoleName"]),
            "path": role["Path"],
            "permissions_boundary": boundary["PermissionsBoundaryArn"] if boundary else None,
            "unique_id": role["RoleId"],
            "assume_role_policy": policy_documents.normalized(
                iam.document(role["AssumeRolePolicyDocument"])
            ),
            "managed_policy_arns": iam.attached_policies(client, state["id"]),
        }
        inline_policies = _read_inline_policies(client, state["id"])
        if not _same_inline_policies(inline_policies, state.get("inline_policy") or []):
            result["inline_policy"] = inline_policies
        self.set_tags(provider, result, role.get("Tags"))
        return result

    def create(self, provider, planned):
        client, name = provider.client, generated_name(planned)
        client.iam(
            "CreateRole",
            RoleName=name,
            AssumeRolePolicyDocument=planned["assume_role_policy"],
            Path=planned["path"],
            Description=planned["description"] or None,
            MaxSessionDuration=planned["max_session_duration"] or None,
            PermissionsBoundary=planned["permissions_boundary"] or None,
            Tags=api_tags(tags_to_write(provider, planned)),
        )
        _write_inline_policies(client, name, [], planned["inline_policy"])
        _write_attachments(client, name, [], planned["managed_policy_arns"])
        return name

    def update(self, provider, prior, planned):
        client, name = provider.client, prior["id"]
        if changed(prior, planned, "assume_role_policy"):
            client.iam(
                "UpdateAssumeRolePolicy",
                RoleName=name,
                PolicyDocument=planned["assume_role_policy"],
            )
        if changed(prior, planned, "description"):
            client.iam(
                "UpdateRoleDescription", RoleName=name, Description=planned["description"] or ""
            )
        if changed(prior, planned, "max_session_duration"):
            client.iam(
                "UpdateRole", RoleName=name, MaxSessionDuration=planned["max_session_duration"]
            )
        if changed(prior, planned, "permissions_boundary"):
            boundary = planned["permissions_boundary"]
            if boundary:
                client.iam(
                    "PutRolePermissionsBoundary", RoleName=name, PermissionsBoundary=boundary
                )
            else:
                client.iam("DeleteRolePermissionsBoundary", RoleName=name)
        if not _same_inline_policies(prior["inline_policy"], planned["inline_policy"]):
            _write_inline_policies(client, name, prior["inline_policy"], planned["inline_policy"])
        if changed(prior, planned, "managed_policy_arns"):
            _write_attachments(
                client, name, prior["managed_policy_arns"], planned["managed_policy_arns"]
            )
        removed, written = tag_changes(provider, prior, planned)
        if removed:
            client.iam("UntagRole", RoleName=name, TagKeys=removed)
        if written:
            client.iam("TagRole", RoleName=name, Tags=api_tags(written))

    def delete(self, provider, state):
        client, name = provider.client, state["id"]
        profiles = ignoring(
            iam.NOT_FOUND, client.iam, "ListInstanceProfilesForRole", RoleName=name
        )
        for profile in (profiles or {}).get("InstanceProfiles") or []:
            ignoring(
                iam.NOT_FOUND,
                client.iam,
                "RemoveRoleFromInstanceProfile",
                InstanceProfileName=profile["InstanceProfileName"],
                RoleName=name,
            )
        if state["force_detach_policies"] or state["managed_policy_arns"]:
            _write_attachments(client, name, iam.attached_policies(client, name), [])
        if state["force_detach_policies"] or state["inline_policy"]:
            names = iam.inline_policy_names(client, name)
            _write_inline_policies(client, name, [{"name": found} for found in names], [])
        try:
            retrying(
                provider.retry_seconds, ("DeleteConflict",), client.iam, "DeleteRole", RoleName=name
            )
        except ApiError as error:
            if error.code not in iam.NOT_FOUND:
                raise


def _read_inline_policies(client, role):
    policies = []
    for name in iam.inline_policy_names(client, role):
        answer = client.iam("GetRolePolicy", RoleName=role, PolicyName=name)
        text = policy_documents.normalized_version_first(iam.document(answer["PolicyDocument"]))
        policies.append({"name": name, "policy": text})
    return policies


def _same_inline_policies(ours, theirs):
    if len(ours) != len(theirs):
        return False
    texts = {policy["name"]: policy["policy"] for policy in theirs}
    return all(
        policy["name"] in texts
        and policy_documents.suppresses_difference(policy["policy"] or "", texts[policy["name"]] or "")
        for policy in ours
    )


def _write_inline_policies(client, role, old, new):
    kept = {policy["name"] for policy in new}
    for policy in old:
        if policy["name"] not in kept:
            ignoring(
                iam.NOT_FOUND,
                client.iam,
                "DeleteRolePolicy",
                RoleName=role,
                PolicyName=policy["name"],
            )
    for policy in new:
        if policy["name"] and policy["policy"]:
            client.iam(
                "PutRolePolicy",
                RoleName=role,
                PolicyName=policy["name"],
                PolicyDocument=policy["policy"],
            )


def _write_attachments(client, role, old, new):
    old, new = set(old or []), set(new if isinstance(new, list) else [])
    for arn in sorted(old - new):
        ignoring(iam.NOT_FOUND, client.iam, "DetachRolePolicy", RoleName=role, PolicyArn=arn)
    for arn in sorted(new - old):
        client.iam("AttachRolePolicy", RoleName=role, PolicyArn=arn)
