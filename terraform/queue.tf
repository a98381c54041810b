# The queue between rule and function; where what nobody understood ends; and what never arrived.
# SQS's own keys, since EventBridge cannot use the key `aws/sqs`, and a key of one's own costs.

resource "aws_sqs_queue" "events" {
  name                    = "${var.name}-events"
  sqs_managed_sse_enabled = true
  # Lambda asks for six times the function's limit, so that a run that is throttled loses nothing.
  visibility_timeout_seconds = 6 * var.timeout
  message_retention_seconds  = 1209600
  receive_wait_time_seconds  = 20

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.receive_count
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.arn_of.queue]
  })
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "${var.name}-undelivered"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

locals {
  only_encrypted = {
    for queue in ["queue", "dead_letters", "undelivered"] : queue => {
      Sid       = "OnlyEncrypted"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = local.arn_of[queue]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }
  }

  rules = concat([local.arn_of.rule], local.is_several ? [local.arn_of.members_rule] : [])

  # Nobody but the rules, the account's administrators neither: what is on the queue becomes the author
  # of a commit. The function itself asks for the export of other accounts.
  only_from_the_rule = {
    for queue in ["queue", "undelivered"] : queue => [
      {
        Sid       = "RuleSends"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.arn_of[queue]
        Condition = { ArnEquals = { "aws:SourceArn" = local.rules } }
      },
      {
        Sid       = "NobodyElseSends"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:SendMessage"
        Resource  = local.arn_of[queue]
        Condition = {
          ArnNotEquals = merge(
            { "aws:SourceArn" = local.rules },
            queue == "queue" && local.is_several ? { "aws:PrincipalArn" = [local.role_arns.function] } : {},
          )
        }
      },
      local.only_encrypted[queue],
    ]
  }
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.url
  policy    = jsonencode({ Version = "2012-10-17", Statement = local.only_from_the_rule.queue })
}

resource "aws_sqs_queue_policy" "undelivered" {
  queue_url = aws_sqs_queue.undelivered.url
  policy    = jsonencode({ Version = "2012-10-17", Statement = local.only_from_the_rule.undelivered })
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  policy    = jsonencode({ Version = "2012-10-17", Statement = [local.only_encrypted.dead_letters] })
}
