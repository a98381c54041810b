# What each of several accounts needs: its changes of IAM are passed on to the function's bus, and the
# function may read it. Called where the provider is the account's, in the region in which IAM's events
# arrive. `stackset.yaml` makes the same with CloudFormation.

terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.region
  partition = split(":", var.bus_arn)[1]
  rule_arn  = "arn:${local.partition}:events:${local.region}:${local.account}:rule/aws-iam-gitops-forward"
  role_path = length(split("/", var.role)) == 1 ? "/" : "/${join("/", slice(split("/", var.role), 0, length(split("/", var.role)) - 1))}/"

  # So the exporter knows them for its own.
  tags = merge(var.tags, { managed-by = "aws-iam-gitops" })
}

resource "aws_cloudwatch_event_rule" "forward" {
  name        = "aws-iam-gitops-forward"
  description = "Changes of IAM, passed on to ${var.bus_arn}"
  tags        = local.tags

  event_pattern = jsonencode({
    source      = ["aws.account", "aws.iam", "aws.organizations", "aws.sso"]
    detail-type = ["AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"]
    # Whoever signs in through IAM Identity Center changes nothing.
    detail = { eventName = [{ anything-but = ["Authenticate", "Federate", "Logout"] }] }
  })

  lifecycle {
    precondition {
      condition     = local.region == split(":", var.bus_arn)[3]
      error_message = "Events of IAM arrive in the region of the bus, and the provider's is another."
    }
  }
}

resource "aws_cloudwatch_event_target" "forward" {
  rule      = aws_cloudwatch_event_rule.forward.name
  target_id = "bus"
  arn       = var.bus_arn
  role_arn  = aws_iam_role.forward.arn

  depends_on = [aws_iam_role_policy.forward]
}

resource "aws_iam_role" "forward" {
  name        = "aws-iam-gitops-forward"
  description = "Passes events of IAM on"
  tags        = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { ArnEquals = { "aws:SourceArn" = local.rule_arn } }
    }]
  })
}

resource "aws_iam_role_policy" "forward" {
  name = "forward"
  role = aws_iam_role.forward.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Forward"
      Effect   = "Allow"
      Action   = "events:PutEvents"
      Resource = var.bus_arn
    }]
  })
}

resource "aws_iam_role" "member" {
  name        = reverse(split("/", var.role))[0]
  path        = local.role_path
  description = "Read by ${var.function_role_arn}"
  tags        = local.tags

  # The role by a condition: as a principal it would have to be there first, and would be another one
  # when it is made anew.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = "arn:${local.partition}:iam::${split(":", var.function_role_arn)[4]}:root" }
      Action    = "sts:AssumeRole"
      Condition = {
        ArnEquals    = { "aws:PrincipalArn" = var.function_role_arn }
        StringEquals = { "sts:ExternalId" = var.external_id }
      }
    }]
  })
}

resource "aws_iam_role_policy" "member" {
  #checkov:skip=CKV_AWS_355:it reads whatever roles and policies there are
  name = "export"
  role = aws_iam_role.member.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "Export"
      Effect = "Allow"
      Action = [
        "iam:GetAccountAuthorizationDetails",
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
        "iam:ListEntitiesForPolicy",
        "iam:ListGroupPolicies",
        "iam:ListGroupsForUser",
        "iam:ListInstanceProfilesForRole",
        "iam:ListOpenIDConnectProviders",
        "iam:ListRolePolicies",
        "iam:ListRoles",
        "iam:ListSAMLProviders",
        "iam:ListUserPolicies",
        "organizations:DescribeAccount",
        "organizations:DescribeOrganizationalUnit",
        "organizations:DescribePolicy",
        "organizations:DescribeResourcePolicy",
        "organizations:ListAccounts",
        "organizations:ListAccountsForParent",
        "organizations:ListDelegatedAdministrators",
        "organizations:ListDelegatedServicesForAccount",
        "organizations:ListOrganizationalUnitsForParent",
        "organizations:ListParents",
        "organizations:ListPolicies",
        "organizations:ListPoliciesForTarget",
        "organizations:ListRoots",
        "organizations:ListTagsForResource",
        "organizations:ListTargetsForPolicy",
        "sso:DescribePermissionSet",
        "sso:GetInlinePolicyForPermissionSet",
        "sso:GetPermissionsBoundaryForPermissionSet",
        "sso:ListAccountAssignments",
        "sso:ListAccountsForProvisionedPermissionSet",
        "sso:ListCustomerManagedPolicyReferencesInPermissionSet",
        "sso:ListInstances",
        "sso:ListManagedPoliciesInPermissionSet",
        "sso:ListPermissionSets",
        "sso:ListTagsForResource",
      ]
      Resource = "*"
    }]
  })
}

output "role_arn" {
  description = "The role that the function assumes."
  value       = aws_iam_role.member.arn
}
