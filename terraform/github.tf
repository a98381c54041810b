# GitHub Actions' ways into the account: who may take which role, what each may do, and the boundary
# that keeps the one that changes IAM from changing its own limits.

locals {
  address = regex("^(?:https://(?P<host>[^/]+)/)?(?P<path>.+?)(?:\\.git)?$", var.repository)
  host    = coalesce(local.address.host, "github.com")
  path    = local.address.path

  repository_url = "https://${local.host}/${local.path}"

  is_github = (
    local.host == "github.com" || endswith(local.host, ".ghe.com") ||
    var.github_oidc_issuer != "token.actions.githubusercontent.com"
  )
  way_back = var.create_github_roles && local.is_github

  oidc_provider_arn = "arn:${local.partition}:iam::${local.account}:oidc-provider/${var.github_oidc_issuer}"

  # GitHub writes a repository's name, for newer repositories with the numbers that only this one has.
  # A namesake made later has other numbers and cannot be without, so both forms are safe.
  owner      = split("/", local.path)[0]
  short_name = reverse(split("/", local.path))[0]
  named_as = concat(["repo:${local.path}"], var.github_repository_id == null ? [] : [
    "repo:${local.owner}@${var.github_owner_id}/${local.short_name}@${var.github_repository_id}",
  ])
  of_branch = "ref:refs/heads/${var.branch}"
  subjects = {
    plan   = "pull_request"
    apply  = var.environment == null ? local.of_branch : "environment:${var.environment}"
    export = local.of_branch
  }

  trust = {
    for role, subject in local.subjects : role => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Federated = local.oidc_provider_arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "${var.github_oidc_issuer}:aud" = "sts.amazonaws.com"
            "${var.github_oidc_issuer}:sub" = [for name in local.named_as : "${name}:${subject}"]
          }
        }
      }]
    })
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  count = local.way_back && var.create_oidc_provider ? 1 : 0

  url            = "https://${var.github_oidc_issuer}"
  client_id_list = ["sts.amazonaws.com"]

  lifecycle {
    precondition {
      condition     = length(split("/", local.path)) == 2
      error_message = "A repository on GitHub is `owner/name`: ${var.repository} is not. With create_github_roles = false there are no roles for it."
    }
  }
}

locals {
  # Besides what is always exported there are kinds that an export writes only when asked for.
  exported = concat(["always"], sort(var.apply_kinds))

  # What Terraform reads of the resources that an export writes.
  refreshes = flatten([for kind in local.exported : local.refreshes_of[kind]])
  refreshes_of = {
    always = [
      "iam:GetAccountPasswordPolicy",
      "iam:GetGroup",
      "iam:GetGroupPolicy",
      "iam:GetInstanceProfile",
      "iam:GetOpenIDConnectProvider",
      "iam:GetPolicy",
      "iam:GetPolicyVersion",
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:GetSAMLProvider",
      "iam:GetUser",
      "iam:GetUserPolicy",
      "iam:ListAccountAliases",
      "iam:ListAttachedGroupPolicies",
      "iam:ListAttachedRolePolicies",
      "iam:ListAttachedUserPolicies",
      "iam:ListGroupsForUser",
      "iam:ListRolePolicies",
      "organizations:DescribePolicy",
      "organizations:ListTagsForResource",
      "organizations:ListTargetsForPolicy",
    ]
    identity_center = [
      "sso:DescribePermissionSet",
      "sso:GetInlinePolicyForPermissionSet",
      "sso:GetPermissionsBoundaryForPermissionSet",
      "sso:ListAccountAssignments",
      "sso:ListCustomerManagedPolicyReferencesInPermissionSet",
      "sso:ListManagedPoliciesInPermissionSet",
      "sso:ListTagsForResource",
    ]
    organization_structure = [
      "organizations:DescribeAccount",
      "organizations:DescribeOrganizationalUnit",
      "organizations:DescribeResourcePolicy",
      "organizations:ListAccountsForParent",
      "organizations:ListDelegatedAdministrators",
      "organizations:ListParents",
    ]
    service_linked_roles = []
  }

  # What it calls to create, change and delete them. Not among it: what takes credentials from a user
  # who is deleted with all that is theirs, and what closes an account or lets it leave.
  applies = flatten([for kind in local.exported : local.applies_of[kind]])
  applies_of = {
    always = [
      "iam:AddClientIDToOpenIDConnectProvider",
      "iam:AddRoleToInstanceProfile",
      "iam:AddUserToGroup",
      "iam:AttachGroupPolicy",
      "iam:AttachRolePolicy",
      "iam:AttachUserPolicy",
      "iam:CreateAccountAlias",
      "iam:CreateGroup",
      "iam:CreateInstanceProfile",
      "iam:CreateOpenIDConnectProvider",
      "iam:CreatePolicy",
      "iam:CreatePolicyVersion",
      "iam:CreateRole",
      "iam:CreateSAMLProvider",
      "iam:CreateUser",
      "iam:DeleteAccountAlias",
      "iam:DeleteAccountPasswordPolicy",
      "iam:DeleteGroup",
      "iam:DeleteGroupPolicy",
      "iam:DeleteInstanceProfile",
      "iam:DeleteOpenIDConnectProvider",
      "iam:DeletePolicy",
      "iam:DeletePolicyVersion",
      "iam:DeleteRole",
      "iam:DeleteRolePermissionsBoundary",
      "iam:DeleteRolePolicy",
      "iam:DeleteSAMLProvider",
      "iam:DeleteUser",
      "iam:DeleteUserPermissionsBoundary",
      "iam:DeleteUserPolicy",
      "iam:DetachGroupPolicy",
      "iam:DetachRolePolicy",
      "iam:DetachUserPolicy",
      "iam:ListInstanceProfilesForRole",
      "iam:ListPolicyVersions",
      "iam:PutGroupPolicy",
      "iam:PutRolePermissionsBoundary",
      "iam:PutRolePolicy",
      "iam:PutUserPermissionsBoundary",
      "iam:PutUserPolicy",
      "iam:RemoveClientIDFromOpenIDConnectProvider",
      "iam:RemoveRoleFromInstanceProfile",
      "iam:RemoveUserFromGroup",
      "iam:TagInstanceProfile",
      "iam:TagOpenIDConnectProvider",
      "iam:TagPolicy",
      "iam:TagRole",
      "iam:TagSAMLProvider",
      "iam:TagUser",
      "iam:UntagInstanceProfile",
      "iam:UntagOpenIDConnectProvider",
      "iam:UntagPolicy",
      "iam:UntagRole",
      "iam:UntagSAMLProvider",
      "iam:UntagUser",
      "iam:UpdateAccountPasswordPolicy",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateGroup",
      "iam:UpdateOpenIDConnectProviderThumbprint",
      "iam:UpdateRole",
      "iam:UpdateRoleDescription",
      "iam:UpdateSAMLProvider",
      "iam:UpdateUser",
      "organizations:AttachPolicy",
      "organizations:CreatePolicy",
      "organizations:DeletePolicy",
      "organizations:DetachPolicy",
      "organizations:TagResource",
      "organizations:UntagResource",
      "organizations:UpdatePolicy",
    ]
    identity_center = [
      "sso:AttachCustomerManagedPolicyReferenceToPermissionSet",
      "sso:AttachManagedPolicyToPermissionSet",
      "sso:CreateAccountAssignment",
      "sso:CreatePermissionSet",
      "sso:DeleteAccountAssignment",
      "sso:DeleteInlinePolicyFromPermissionSet",
      "sso:DeletePermissionSet",
      "sso:DeletePermissionsBoundaryFromPermissionSet",
      "sso:DescribeAccountAssignmentCreationStatus",
      "sso:DescribeAccountAssignmentDeletionStatus",
      "sso:DescribePermissionSetProvisioningStatus",
      "sso:DetachCustomerManagedPolicyReferenceFromPermissionSet",
      "sso:DetachManagedPolicyFromPermissionSet",
      "sso:ProvisionPermissionSet",
      "sso:PutInlinePolicyToPermissionSet",
      "sso:PutPermissionsBoundaryToPermissionSet",
      "sso:TagResource",
      "sso:UntagResource",
      "sso:UpdatePermissionSet",
    ]
    organization_structure = [
      "account:PutAccountName",
      "organizations:CreateAccount",
      "organizations:CreateOrganizationalUnit",
      "organizations:DeleteOrganizationalUnit",
      "organizations:DeleteResourcePolicy",
      "organizations:DeregisterDelegatedAdministrator",
      "organizations:DescribeCreateAccountStatus",
      "organizations:MoveAccount",
      "organizations:PutResourcePolicy",
      "organizations:RegisterDelegatedAdministrator",
      "organizations:UpdateOrganizationalUnit",
    ]
    service_linked_roles = [
      "iam:CreateServiceLinkedRole",
      "iam:DeleteServiceLinkedRole",
      "iam:GetServiceLinkedRoleDeletionStatus",
    ]
  }

  # All that is not denied by the boundary. What only reads goes by patterns: a boundary is short.
  within_boundary = concat(
    ["iam:Get*", "iam:List*", "organizations:Describe*", "organizations:List*", "sso:Describe*", "sso:Get*", "sso:List*"],
    [for action in local.applies : action if !can(regex(":(Describe|Get|List)", action))],
    ["iam:PassRole", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject", "sts:GetCallerIdentity"],
  )

  state_key = "${var.prefix == null ? "" : "${var.prefix}/"}terraform.tfstate"
  state = {
    object = "${local.arn_of.state_bucket}/${local.state_key}"
    lock   = "${local.arn_of.state_bucket}/${local.state_key}.tflock"
  }

  # What the apply role may not change, take or pass, whatever a pull request says.
  protected = {
    roles         = [for role in sort(keys(local.role_arns)) : "${var.name}-${role}"]
    more_roles    = sort(var.protected_roles)
    users         = sort(var.protected_users)
    groups        = sort(var.protected_groups)
    policies      = ["${var.name}-boundary"]
    oidc_provider = local.oidc_provider_arn
    buckets       = concat(var.create_trail ? [local.trail_bucket] : [], local.way_back ? [local.state_bucket] : [])
  }
  protected_arns = concat(
    values(local.role_arns),
    [local.boundary_arn, local.oidc_provider_arn],
    # The roles of IAM Identity Center, the provider that they trust, and who gets into this account.
    ["${local.iam}:role/aws-reserved/*", "${local.iam}:saml-provider/AWSSSO_*"],
    ["arn:${local.partition}:sso:::account/${local.account}"],
    flatten([
      for kind, names in { role = local.protected.more_roles, user = local.protected.users, group = local.protected.groups } : [
        for name in names : ["${local.iam}:${kind}/${name}", "${local.iam}:${kind}/*/${name}"]
      ]
    ]),
  )
  iam = "arn:${local.partition}:iam::${local.account}"

  boundary = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "AtMost"
        Effect   = "Allow"
        Action   = "*"
        Resource = "*"
      },
      # Denied and not just left out: else a policy of another resource could allow a session of the
      # role what no boundary does: to take a role that it made itself, for one.
      {
        Sid       = "NothingElse"
        Effect    = "Deny"
        NotAction = local.within_boundary
        Resource  = "*"
      },
      {
        Sid       = "ProtectedIsOnlyRead"
        Effect    = "Deny"
        NotAction = ["iam:Get*", "iam:List*", "sso:Describe*", "sso:Get*", "sso:List*"]
        Resource  = local.protected_arns
      },
      {
        Sid         = "NoOtherBucketOrState"
        Effect      = "Deny"
        Action      = "s3:*"
        NotResource = [local.arn_of.state_bucket, local.state.object, local.state.lock]
      },
      {
        Sid      = "StateStays"
        Effect   = "Deny"
        Action   = "s3:DeleteObject"
        Resource = local.state.object
      },
      # The administrator of CloudTrail could stop the organization's trail.
      {
        Sid       = "TrailStays"
        Effect    = "Deny"
        Action    = "organizations:*DelegatedAdministrator"
        Resource  = "*"
        Condition = { StringEquals = { "organizations:ServicePrincipal" = "cloudtrail.amazonaws.com" } }
      },
    ]
  })
}

resource "aws_iam_role" "plan" {
  count = local.way_back ? 1 : 0

  name               = "${var.name}-plan"
  description        = "Plans pull requests of ${local.path}"
  assume_role_policy = local.trust.plan

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "plan" {
  count = local.way_back ? 1 : 0

  name = "plan"
  role = aws_iam_role.plan[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Refresh"
        Effect   = "Allow"
        Action   = local.refreshes
        Resource = "*"
      },
      {
        Sid      = "FindState"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = local.arn_of.state_bucket
      },
      {
        Sid      = "ReadState"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = local.state.object
      },
    ]
  })
}

resource "aws_iam_role" "export" {
  count = local.way_back ? 1 : 0

  name               = "${var.name}-export"
  description        = "Reads IAM and Organizations for workflows of ${local.path}"
  assume_role_policy = local.trust.export

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "export" {
  #checkov:skip=CKV_AWS_355:it reads whatever roles and policies there are
  count = local.way_back ? 1 : 0

  name   = "export"
  role   = aws_iam_role.export[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = [local.reads_everything] })
}

resource "aws_iam_role" "apply" {
  count = local.way_back ? 1 : 0

  name                 = "${var.name}-apply"
  description          = "Applies ${var.environment == null ? "the branch ${var.branch}" : "the environment ${var.environment}"} of ${local.path}"
  assume_role_policy   = local.trust.apply
  permissions_boundary = aws_iam_policy.boundary[0].arn

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "apply" {
  count = local.way_back ? 1 : 0

  name = "apply"
  role = aws_iam_role.apply[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Apply"
        Effect   = "Allow"
        Action   = concat(local.refreshes, local.applies)
        Resource = "*"
      },
      # What puts a role into an instance profile passes it to EC2.
      {
        Sid       = "FillInstanceProfiles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = "arn:${local.partition}:iam::${local.account}:role/*"
        Condition = { StringEqualsIfExists = { "iam:PassedToService" = ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"] } }
      },
      {
        Sid      = "FindState"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = local.arn_of.state_bucket
      },
      {
        Sid      = "State"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = [local.state.object, local.state.lock]
      },
      {
        Sid      = "Unlock"
        Effect   = "Allow"
        Action   = "s3:DeleteObject"
        Resource = local.state.lock
      },
    ]
  })
}

resource "aws_iam_policy" "boundary" {
  count = local.way_back ? 1 : 0

  name        = "${var.name}-boundary"
  description = "The most that ${var.name}-apply may do"
  policy      = local.boundary

  lifecycle {
    precondition {
      condition     = length(local.boundary) <= 6144
      error_message = "The boundary has ${length(local.boundary)} of the 6144 characters that IAM allows: shorten protected_roles, protected_users and protected_groups, or apply_kinds."
    }
  }
}
