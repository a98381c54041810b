# What the repository's side, people and `make` need to know.

output "repository" {
  description = "The repository that the account is kept in."
  value       = local.repository_url
}

output "registry" {
  description = "Where images are pushed to."
  value       = aws_ecr_repository.this.repository_url
}

output "secret" {
  description = "The secret that holds the token or the App's private key."
  value       = aws_secretsmanager_secret.this.name
}

output "function" {
  description = "The function's name."
  value       = aws_lambda_function.this.function_name
}

output "log_group" {
  description = "Where the function logs."
  value       = aws_cloudwatch_log_group.function.name
}

output "queues" {
  description = "The queue of events, and the two that should stay empty."
  value = {
    events       = aws_sqs_queue.events.url
    dead_letters = aws_sqs_queue.dead_letters.url
    undelivered  = aws_sqs_queue.undelivered.url
  }
}

output "member" {
  description = "What modules/member is given in each of several accounts, besides the external ID."
  value = local.is_several ? {
    bus_arn           = aws_cloudwatch_event_bus.members[0].arn
    function_role_arn = aws_iam_role.function.arn
    role              = local.member_role
  } : null
}

output "alarms" {
  description = "The topic that alarms go to."
  value       = aws_sns_topic.alarms.arn
}

output "trail" {
  description = "The trail, if it is ours."
  value       = one(aws_cloudtrail.this[*].arn)
}

output "state_bucket" {
  description = "The bucket of Terraform's state of IAM: `aws-iam-gitops init --state-bucket`."
  value       = one(aws_s3_bucket.state[*].bucket)
}

output "plan_role" {
  description = "The role of pull requests: `aws-iam-gitops init --plan-role`."
  value       = one(aws_iam_role.plan[*].arn)
}

output "apply_role" {
  description = "The role that applies: `aws-iam-gitops init --apply-role`."
  value       = one(aws_iam_role.apply[*].arn)
}

output "export_role" {
  description = "The role that reads for the workflows `drift` and `export`: `aws-iam-gitops init --export-role`."
  value       = one(aws_iam_role.export[*].arn)
}

output "protected" {
  description = "What the plan guard should keep unchanged: `aws-iam-gitops.toml`."
  value       = local.protected
}
