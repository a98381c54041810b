# The full export now and then, which makes up for events that never arrived.

resource "aws_cloudwatch_event_rule" "full_export" {
  name                = "${var.name}-full-export"
  description         = "Exports all of IAM and Organizations to Git"
  schedule_expression = var.schedule
}

resource "aws_cloudwatch_event_target" "full_export" {
  rule      = aws_cloudwatch_event_rule.full_export.name
  target_id = "function"
  arn       = aws_lambda_function.this.arn

  depends_on = [aws_lambda_permission.full_export]
}

resource "aws_lambda_permission" "full_export" {
  statement_id  = "full-export"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.full_export.arn
}

# One that failed is tried again soon; one that waited for hours is of no more use than the next.
resource "aws_lambda_function_event_invoke_config" "full_export" {
  function_name                = aws_lambda_function.this.function_name
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2
}
