# The trail: without one that records writes, EventBridge hears of nothing.

resource "aws_cloudtrail" "this" {
  #checkov:skip=CKV_AWS_35:S3 encrypts with a key of its own; who may read the bucket is decided by IAM either way
  #checkov:skip=CKV_AWS_252:EventBridge tells of changes; nobody waits for the trail's files
  #checkov:skip=CKV2_AWS_10:EventBridge and the bucket have the records; a third copy in CloudWatch Logs costs by volume
  count = var.create_trail ? 1 : 0

  name                          = var.name
  s3_bucket_name                = aws_s3_bucket.trail[0].bucket
  enable_log_file_validation    = true
  enable_logging                = true
  include_global_service_events = true
  is_multi_region_trail         = true
  is_organization_trail         = var.is_organization_trail

  # CloudTrail looks whether it may write.
  depends_on = [aws_s3_bucket_policy.trail]
}

resource "aws_s3_bucket" "trail" {
  #checkov:skip=CKV_AWS_18:it is itself the log, and its own readers are in the trail
  #checkov:skip=CKV_AWS_144:a second region doubles the costs; the repository holds what the records are about
  #checkov:skip=CKV_AWS_145:S3 encrypts with a key of its own; who may read the bucket is decided by IAM either way
  #checkov:skip=CKV2_AWS_62:nobody waits for the trail's files
  count = var.create_trail ? 1 : 0

  bucket        = local.trail_bucket
  force_destroy = var.trail_force_destroy
}

resource "aws_s3_bucket_ownership_controls" "trail" {
  count = var.create_trail ? 1 : 0

  bucket = aws_s3_bucket.trail[0].bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "trail" {
  count = var.create_trail ? 1 : 0

  bucket                  = aws_s3_bucket.trail[0].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "trail" {
  count = var.create_trail ? 1 : 0

  bucket = aws_s3_bucket.trail[0].bucket

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "trail" {
  count = var.create_trail ? 1 : 0

  bucket = aws_s3_bucket.trail[0].bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "trail" {
  count = var.create_trail ? 1 : 0

  bucket = aws_s3_bucket.trail[0].bucket

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.trail_retention
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # The rule for old versions needs versions.
  depends_on = [aws_s3_bucket_versioning.trail]
}

resource "aws_s3_bucket_policy" "trail" {
  count = var.create_trail ? 1 : 0

  bucket = aws_s3_bucket.trail[0].bucket
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TrailLooks"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = local.arn_of.trail_bucket
        Condition = { StringEquals = { "aws:SourceArn" = local.arn_of.trail } }
      },
      {
        Sid       = "TrailWrites"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:PutObject"
        # An organization's accounts have folders below its ID, which the management account's trail
        # alone may write.
        Resource = "${local.arn_of.trail_bucket}/AWSLogs/${var.is_organization_trail ? "*" : "${local.account}/*"}"
        Condition = {
          StringEquals = {
            "aws:SourceArn" = local.arn_of.trail
            "s3:x-amz-acl"  = "bucket-owner-full-control"
          }
        }
      },
      {
        Sid       = "OnlyEncrypted"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.arn_of.trail_bucket, "${local.arn_of.trail_bucket}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.trail, aws_s3_bucket_ownership_controls.trail]
}
