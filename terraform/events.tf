# The rule that passes on what happens to IAM, Organizations, IAM Identity Center and accounts.
# Denied calls come too; the function passes over them.

resource "aws_cloudwatch_event_rule" "events" {
  name        = "${var.name}-events"
  description = "Changes of IAM and Organizations, to be written to Git"

  event_pattern = jsonencode({
    source      = ["aws.account", "aws.iam", "aws.organizations", "aws.sso"]
    detail-type = ["AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"]
    # Whoever signs in through IAM Identity Center changes nothing.
    detail = { eventName = [{ anything-but = ["Authenticate", "Federate", "Logout"] }] }
  })
}

resource "aws_cloudwatch_event_target" "events" {
  rule      = aws_cloudwatch_event_rule.events.name
  target_id = "queue"
  arn       = aws_sqs_queue.events.arn

  # EventBridge drops what it cannot deliver within a day, unless it has somewhere to put it.
  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  depends_on = [aws_sqs_queue_policy.events, aws_sqs_queue_policy.undelivered]
}
