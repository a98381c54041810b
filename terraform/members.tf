# Several accounts: the bus that takes the other accounts' events, and what the function may do to read
# them. What they need themselves is in modules/member.

locals {
  is_several = var.accounts != null
  # Of an organization everybody in it may send and be entered, of a list those on it.
  is_of_organization = local.is_several && !alltrue([
    for account in coalesce(var.accounts, []) : can(regex("^[0-9]{12}$", account))
  ])

  member_role  = trimprefix(coalesce(var.accounts_role, "aws-iam-gitops-member"), "/")
  forward_role = "aws-iam-gitops-forward"

  member_role_arns = local.is_of_organization ? ["arn:${local.partition}:iam::*:role/${local.member_role}"] : [
    for account in sort(coalesce(var.accounts, [])) : "arn:${local.partition}:iam::${account}:role/${local.member_role}"
  ]
  forward_role_arns = local.is_of_organization ? ["arn:${local.partition}:iam::*:role/${local.forward_role}"] : [
    for account in sort(coalesce(var.accounts, [])) : "arn:${local.partition}:iam::${account}:role/${local.forward_role}"
  ]

  reads_members = [
    for statement in [
      {
        Sid      = "EnterAccounts"
        Effect   = "Allow"
        Action   = "sts:AssumeRole"
        Resource = local.member_role_arns
        # A role of that name in just any account is not meant.
        Condition = local.is_of_organization ? { StringEquals = { "aws:ResourceOrgID" = var.organization_id } } : {}
      },
      {
        Sid    = "FindAccounts"
        Effect = "Allow"
        Action = [
          "organizations:DescribeOrganization",
          "organizations:ListAccounts",
          "organizations:ListAccountsForParent",
          "organizations:ListOrganizationalUnitsForParent",
        ]
        Resource = "*"
      },
      {
        Sid      = "AskForExports"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = local.arn_of.queue
      },
    ] : statement if local.is_several
  ]
}

resource "aws_cloudwatch_event_bus" "members" {
  count = local.is_several ? 1 : 0

  name        = "${var.name}-members"
  description = "Changes of IAM in other accounts"
}

resource "aws_cloudwatch_event_bus_policy" "members" {
  count = local.is_several ? 1 : 0

  event_bus_name = aws_cloudwatch_event_bus.members[0].name

  # Nobody but EventBridge can send events whose source begins with `aws.`, and the rule below takes no
  # others: what is passed on happened in the account that it says.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "MembersForward"
      Effect    = "Allow"
      Principal = { AWS = "*" }
      Action    = "events:PutEvents"
      Resource  = local.arn_of.bus
      Condition = merge(
        { ArnLike = { "aws:PrincipalArn" = local.forward_role_arns } },
        local.is_of_organization ? { StringEquals = { "aws:PrincipalOrgID" = var.organization_id } } : {},
      )
    }]
  })
}

resource "aws_cloudwatch_event_rule" "members" {
  count = local.is_several ? 1 : 0

  name           = "${var.name}-members"
  description    = "Changes of IAM in other accounts, to be written to Git"
  event_bus_name = aws_cloudwatch_event_bus.members[0].name
  event_pattern  = aws_cloudwatch_event_rule.events.event_pattern
}

resource "aws_cloudwatch_event_target" "members" {
  count = local.is_several ? 1 : 0

  rule           = aws_cloudwatch_event_rule.members[0].name
  event_bus_name = aws_cloudwatch_event_bus.members[0].name
  target_id      = "queue"
  arn            = aws_sqs_queue.events.arn

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  depends_on = [aws_sqs_queue_policy.events, aws_sqs_queue_policy.undelivered]
}
