# What the function's own account says: `terraform output member` there.

variable "bus_arn" {
  description = "The bus that takes the events."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._-]+$", var.bus_arn))
    error_message = "The bus is an ARN such as `arn:aws:events:us-east-1:111122223333:event-bus/aws-iam-gitops-members`."
  }
}

variable "function_role_arn" {
  description = "The function's role, the only one that may assume the member role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$", var.function_role_arn))
    error_message = "The function's role is an ARN such as `arn:aws:iam::111122223333:role/aws-iam-gitops-function`."
  }
}

variable "external_id" {
  description = "What the function has to know besides, its `accounts_external_id`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.external_id)) && length(var.external_id) <= 1224
    error_message = "An external ID has 2 to 1224 letters, digits and characters of `_+=,.@:/-`."
  }
}

variable "role" {
  description = "The member role's name, perhaps with its path: the function's `accounts_role`."
  type        = string
  default     = "aws-iam-gitops-member"
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.role))
    error_message = "The role is a name, perhaps with its path."
  }
}

variable "tags" {
  description = "Tags for every resource, besides `managed-by = aws-iam-gitops`."
  type        = map(string)
  default     = {}
  nullable    = false
}
