# What runs this module, and what all of it has in common: account, region, names, tags.

terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  default_tags {
    tags = local.tags
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  # The exporter writes what carries this tag as raw JSON only, so that nothing has two owners.
  tags = merge(var.tags, { managed-by = "aws-iam-gitops" })

  # Names are known before anything is made, so that a plan shows every policy in full and no two
  # resources wait for each other.
  arn_of = {
    bus          = "arn:${local.partition}:events:${var.region}:${local.account}:event-bus/${var.name}-members"
    members_rule = "arn:${local.partition}:events:${var.region}:${local.account}:rule/${var.name}-members/${var.name}-members"
    alarms       = "arn:${local.partition}:sns:${var.region}:${local.account}:${var.name}-alarms"
    dead_letters = "arn:${local.partition}:sqs:${var.region}:${local.account}:${var.name}-dead-letters"
    function     = "arn:${local.partition}:lambda:${var.region}:${local.account}:function:${var.name}"
    log_group    = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/lambda/${var.name}"
    queue        = "arn:${local.partition}:sqs:${var.region}:${local.account}:${var.name}-events"
    rule         = "arn:${local.partition}:events:${var.region}:${local.account}:rule/${var.name}-events"
    schedule     = "arn:${local.partition}:events:${var.region}:${local.account}:rule/${var.name}-full-export"
    trail        = "arn:${local.partition}:cloudtrail:${var.region}:${local.account}:trail/${var.name}"
    undelivered  = "arn:${local.partition}:sqs:${var.region}:${local.account}:${var.name}-undelivered"
    # Secrets Manager adds a hyphen and six characters to the name.
    secret       = "arn:${local.partition}:secretsmanager:${var.region}:${local.account}:secret:${local.secret_name}-??????"
    state_bucket = "arn:${local.partition}:s3:::${local.state_bucket}"
    trail_bucket = "arn:${local.partition}:s3:::${local.trail_bucket}"
  }

  role_arns = {
    for role in ["apply", "export", "function", "plan"] :
    role => "arn:${local.partition}:iam::${local.account}:role/${var.name}-${role}"
  }
  boundary_arn = "arn:${local.partition}:iam::${local.account}:policy/${var.name}-boundary"

  secret_name  = "${var.name}/${var.github_app_id == null ? "token" : "github-app-key"}"
  state_bucket = "${var.name}-state-${local.account}"
  trail_bucket = "${var.name}-trail-${local.account}"
}
