# The function, what it may do, and what starts it for an event.

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:nothing traces; durations and counts are in its logs and metrics
  #checkov:skip=CKV_AWS_115:a reserved concurrency makes the queue's poller give up good messages; the mapping limits it
  #checkov:skip=CKV_AWS_116:events have the queue's dead letters; a schedule that failed is made up for by the next, and has an alarm
  #checkov:skip=CKV_AWS_117:it talks to AWS and the Git host alone and listens to nobody; a network of one's own costs a gateway
  #checkov:skip=CKV_AWS_173:no variable holds a secret; Lambda encrypts them with a key of its own
  #checkov:skip=CKV_AWS_272:signing is for zip archives; the image is named by its digest
  function_name = var.name
  description   = "Writes changes of IAM and Organizations to ${var.repository}"
  role          = aws_iam_role.function.arn
  package_type  = "Image"
  image_uri     = "${aws_ecr_repository.this.repository_url}@${coalesce(var.image_digest, "none")}"
  architectures = [var.architecture]
  memory_size   = var.memory_size
  timeout       = var.timeout

  ephemeral_storage {
    size = var.ephemeral_storage
  }

  environment {
    variables = merge(
      { for name, value in local.settings : "AWS_IAM_GITOPS_${name}" => value if value != null },
      { "AWS_IAM_GITOPS_${var.github_app_id == null ? "TOKEN_SECRET" : "GITHUB_APP_KEY_SECRET"}" = aws_secretsmanager_secret.this.arn },
      { for name in ["QUEUE"] : "AWS_IAM_GITOPS_${name}" => aws_sqs_queue.events.url if local.is_several },
    )
  }

  # It must not run before it may log and read: Lambda would make a log group of its own.
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function, aws_ecr_repository_policy.this]

  lifecycle {
    precondition {
      condition     = var.image_digest != null
      error_message = "There is no image yet. `make deploy` builds and pushes it, and writes its digest to image.auto.tfvars.json."
    }
  }
}

locals {
  settings = {
    REPOSITORY                 = local.repository_url
    BRANCH                     = var.branch
    PREFIX                     = var.prefix
    KINDS                      = var.kinds == null ? null : join(",", sort(var.kinds))
    AWS_MANAGED                = var.aws_managed == null ? null : tostring(var.aws_managed)
    ORGANIZATIONS_ATTACHMENTS  = var.organizations_attachments == null ? null : tostring(var.organizations_attachments)
    MANAGED_ELSEWHERE          = var.managed_elsewhere == null ? null : tostring(var.managed_elsewhere)
    IMPORTS                    = var.imports == null ? null : tostring(var.imports)
    MODE                       = var.mode
    CONCURRENCY                = var.concurrency == null ? null : tostring(var.concurrency)
    PAUSE                      = var.pause == null ? null : tostring(var.pause)
    LEASE                      = var.lease == null ? null : tostring(var.lease)
    ACCOUNTS                   = var.accounts == null ? null : join(",", sort(var.accounts))
    ACCOUNTS_EXCLUDE           = var.accounts_exclude == null ? null : join(",", sort(var.accounts_exclude))
    ACCOUNTS_ROLE              = local.is_several ? local.member_role : null
    ACCOUNTS_EXTERNAL_ID       = var.accounts_external_id
    ACCOUNTS_SESSION_NAME      = var.accounts_session_name
    ACCOUNTS_CONCURRENCY       = var.accounts_concurrency == null ? null : tostring(var.accounts_concurrency)
    GITHUB_APP_ID              = var.github_app_id
    GITHUB_APP_INSTALLATION_ID = var.github_app_installation_id
    GITHUB_API                 = var.github_api
  }
}

resource "aws_lambda_event_source_mapping" "events" {
  event_source_arn = aws_sqs_queue.events.arn
  function_name    = aws_lambda_function.this.function_name
  # A message may be the export of a whole account.
  batch_size                         = coalesce(var.batch_size, local.is_several ? 10 : 100)
  maximum_batching_window_in_seconds = var.batch_window
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:CloudWatch Logs encrypts with a key of its own; the logs hold no policy and no token
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention
}

resource "aws_iam_role" "function" {
  name        = "${var.name}-function"
  description = "Reads IAM and Organizations for the function ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  #checkov:skip=CKV_AWS_355:it reads whatever roles and policies there are
  name = "function"
  role = aws_iam_role.function.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      local.reads_everything,
      {
        Sid      = "Token"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = local.arn_of.secret
        # Not for just any function that somebody gives this role.
        Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.arn_of.function } }
      },
      {
        Sid      = "Events"
        Effect   = "Allow"
        Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = local.arn_of.queue
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${local.arn_of.log_group}:*"
      },
    ], local.reads_members)
  })
}

locals {
  # The README's list: what an export and the function call, on whatever they find.
  reads_everything = {
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
  }
}
