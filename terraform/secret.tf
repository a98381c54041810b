# Where the token or the App's key lies. Its value is put there by `make token`, so that neither a
# plan nor a state ever has it.

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV_AWS_149:Secrets Manager's own key does for one account; who may read it is decided by IAM either way
  #checkov:skip=CKV2_AWS_57:the Git host makes tokens, and AWS cannot ask it for one; the function sees a new one within minutes
  name                    = local.secret_name
  description             = "${var.github_app_id == null ? "Token" : "Private key of the GitHub App"} for ${var.repository}"
  recovery_window_in_days = 0
}
