# Terraform's state of IAM: for the plan role to read, the apply role to write, and nobody outside.

resource "aws_s3_bucket" "state" {
  #checkov:skip=CKV_AWS_18:the trail records who changes it; reads of the two roles are no news
  #checkov:skip=CKV_AWS_144:what it holds can be imported anew from the repository
  #checkov:skip=CKV_AWS_145:S3 encrypts with a key of its own; the bucket's policy decides who may read
  #checkov:skip=CKV2_AWS_62:nobody waits for a new state
  count = local.way_back ? 1 : 0

  bucket        = local.state_bucket
  force_destroy = var.state_force_destroy
}

resource "aws_s3_bucket_ownership_controls" "state" {
  count = local.way_back ? 1 : 0

  bucket = aws_s3_bucket.state[0].bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  count = local.way_back ? 1 : 0

  bucket                  = aws_s3_bucket.state[0].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  count = local.way_back ? 1 : 0

  bucket = aws_s3_bucket.state[0].bucket

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "state" {
  count = local.way_back ? 1 : 0

  bucket = aws_s3_bucket.state[0].bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  count = local.way_back ? 1 : 0

  bucket = aws_s3_bucket.state[0].bucket

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days           = 90
      newer_noncurrent_versions = 10
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # The rule for old versions needs versions.
  depends_on = [aws_s3_bucket_versioning.state]
}

# Whoever else of this account may use S3 could read and write here too. So all but the two roles are
# denied objects, which people with the right to change this policy can lift, and the trail then tells.
resource "aws_s3_bucket_policy" "state" {
  count = local.way_back ? 1 : 0

  bucket = aws_s3_bucket.state[0].bucket
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTheTwoRoles"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
        Resource  = "${local.arn_of.state_bucket}/*"
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = [local.role_arns.apply, local.role_arns.plan] } }
      },
      {
        Sid       = "OnlyEncrypted"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.arn_of.state_bucket, "${local.arn_of.state_bucket}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.state, aws_s3_bucket_ownership_controls.state]
}
