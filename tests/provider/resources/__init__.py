"""The registry: which resource types the double serves. One line per type."""

from resources.iam_instance_profile import IamInstanceProfile
from resources.iam_policy import IamPolicy
from resources.iam_role import IamRole
from resources.iam_role_policy import IamRolePolicy
from resources.iam_role_policy_attachment import IamRolePolicyAttachment
from resources.organizations_policy import OrganizationsPolicy
from resources.organizations_policy_attachment import OrganizationsPolicyAttachment

RESOURCES = {
    resource.type_name: resource
    for resource in (
        IamInstanceProfile,
        IamPolicy,
        IamRole,
        IamRolePolicy,
        IamRolePolicyAttachment,
        OrganizationsPolicy,
        OrganizationsPolicyAttachment,
    )
}
