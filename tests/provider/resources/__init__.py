"""The registry: which resource types the double serves. One line per type."""

from resources.iam_account_alias import IamAccountAlias
from resources.iam_account_password_policy import IamAccountPasswordPolicy
from resources.iam_group import IamGroup
from resources.iam_group_policy import IamGroupPolicy
from resources.iam_group_policy_attachment import IamGroupPolicyAttachment
from resources.iam_instance_profile import IamInstanceProfile
from resources.iam_openid_connect_provider import IamOpenidConnectProvider
from resources.iam_policy import IamPolicy
from resources.iam_role import IamRole
from resources.iam_role_policies_exclusive import IamRolePoliciesExclusive
from resources.iam_role_policy import IamRolePolicy
from resources.iam_role_policy_attachment import IamRolePolicyAttachment
from resources.iam_role_policy_attachments_exclusive import IamRolePolicyAttachmentsExclusive
from resources.iam_saml_provider import IamSamlProvider
from resources.iam_service_linked_role import IamServiceLinkedRole
from resources.iam_user import IamUser
from resources.iam_user_group_membership import IamUserGroupMembership
from resources.iam_user_policy import IamUserPolicy
from resources.iam_user_policy_attachment import IamUserPolicyAttachment
from resources.organizations_account import OrganizationsAccount
from resources.organizations_delegated_administrator import OrganizationsDelegatedAdministrator
from resources.organizations_organizational_unit import OrganizationsOrganizationalUnit
from resources.organizations_policy import OrganizationsPolicy
from resources.organizations_policy_attachment import OrganizationsPolicyAttachment
from resources.organizations_resource_policy import OrganizationsResourcePolicy
from resources.ssoadmin_account_assignment import SsoadminAccountAssignment
from resources.ssoadmin_customer_managed_policy_attachment import SsoadminCustomerManagedPolicyAttachment
from resources.ssoadmin_managed_policy_attachment import SsoadminManagedPolicyAttachment
from resources.ssoadmin_permission_set import SsoadminPermissionSet
from resources.ssoadmin_permission_set_inline_policy import SsoadminPermissionSetInlinePolicy
from resources.ssoadmin_permissions_boundary_attachment import SsoadminPermissionsBoundaryAttachment

RESOURCES = {
    resource.type_name: resource
    for resource in (
        IamAccountAlias,
        IamAccountPasswordPolicy,
        IamGroup,
        IamGroupPolicy,
        IamGroupPolicyAttachment,
        IamInstanceProfile,
        IamOpenidConnectProvider,
        IamPolicy,
        IamRole,
        IamRolePoliciesExclusive,
        IamRolePolicy,
        IamRolePolicyAttachment,
        IamRolePolicyAttachmentsExclusive,
        IamSamlProvider,
        IamServiceLinkedRole,
        IamUser,
        IamUserGroupMembership,
        IamUserPolicy,
        IamUserPolicyAttachment,
        OrganizationsAccount,
        OrganizationsDelegatedAdministrator,
        OrganizationsOrganizationalUnit,
        OrganizationsPolicy,
        OrganizationsPolicyAttachment,
        OrganizationsResourcePolicy,
        SsoadminAccountAssignment,
        SsoadminCustomerManagedPolicyAttachment,
        SsoadminManagedPolicyAttachment,
        SsoadminPermissionSet,
        SsoadminPermissionSetInlinePolicy,
        SsoadminPermissionsBoundaryAttachment,
    )
}
