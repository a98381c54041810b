# What can be chosen. Only `repository` has no default.

variable "repository" {
  description = "The Git repository that the account is kept in: `owner/name` on GitHub, or an `https://` address without a token."
  type        = string
  nullable    = false

  validation {
    condition = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository)) || can(
      regex("^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~-]+){2,}$", var.repository)
    )
    error_message = "The repository is `owner/name` on GitHub or an `https://` address without user, token or query, such as `https://github.com/example-org/iam`."
  }
}

variable "branch" {
  description = "The branch that the account is kept equal to, and that the apply role may be taken from."
  type        = string
  default     = "main"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._/-]*$", var.branch)) && !can(regex("//|\\.\\.|/$|\\.lock$", var.branch))
    error_message = "The branch is a branch's name without `refs/heads/`: letters, digits, `.`, `_`, `-` and `/`."
  }
}

variable "name" {
  description = "What the names of all resources begin with. Another name makes another, independent set of them."
  type        = string
  default     = "aws-iam-gitops"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !startswith(var.name, "aws-service") && !strcontains(var.name, "--")
    error_message = "The name has 3 to 32 lower-case letters, digits and single hyphens, since buckets are named after it."
  }
}

variable "region" {
  description = "The region in which the partition delivers the events of IAM and Organizations: `us-east-1`, in GovCloud `us-gov-west-1`, in China `cn-north-1`."
  type        = string
  default     = "us-east-1"
  nullable    = false

  validation {
    condition     = contains(["us-east-1", "us-gov-west-1", "cn-north-1"], var.region)
    error_message = "Events of IAM and Organizations arrive in one region of a partition: us-east-1, us-gov-west-1 or cn-north-1. In any other the function would never hear of a change."
  }
}

variable "account_id" {
  description = "The account that this is meant for. With it, credentials of any other account are refused."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account's ID has twelve digits."
  }
}

variable "tags" {
  description = "Tags for every resource, besides `managed-by = aws-iam-gitops`, which is always there."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:")])
    error_message = "Tags that begin with `aws:` are AWS's own."
  }
}

# The image and the function

variable "architecture" {
  description = "The function's processor: `arm64`, which is cheaper, or `x86_64`."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "The architecture is `arm64` or `x86_64`."
  }
}

variable "image_digest" {
  description = "The digest of the function's image in the registry of this module. `make deploy` builds, pushes and writes it to `image.auto.tfvars.json`."
  type        = string
  default     = null

  validation {
    condition     = var.image_digest == null || can(regex("^sha256:[0-9a-f]{64}$", var.image_digest))
    error_message = "A digest is `sha256:` and 64 hexadecimal digits."
  }
}

variable "memory_size" {
  description = "The function's memory in megabytes; processor time grows with it."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_size >= 256 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "The memory is a whole number of megabytes, 256 to 10240."
  }
}

variable "timeout" {
  description = "Seconds that a run may take. A full export of thousands of roles takes minutes."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.timeout >= 30 && var.timeout <= 900 && floor(var.timeout) == var.timeout
    error_message = "The time limit is 30 to 900 seconds."
  }
}

variable "ephemeral_storage" {
  description = "Megabytes of `/tmp`, where the clone of the repository lies, one commit deep."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.ephemeral_storage >= 512 && var.ephemeral_storage <= 10240 && floor(var.ephemeral_storage) == var.ephemeral_storage
    error_message = "The storage is a whole number of megabytes, 512 to 10240."
  }
}

variable "maximum_concurrency" {
  description = "How many runs the queue starts at once. Two at once are safe; AWS takes no less than two."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000 && floor(var.maximum_concurrency) == var.maximum_concurrency
    error_message = "The concurrency is a whole number, 2 to 1000."
  }
}

variable "batch_size" {
  description = "How many messages a run takes from the queue at most; events of one account become one commit. Without it 100, with several accounts 10."
  type        = number
  default     = null

  validation {
    condition     = var.batch_size == null || try(var.batch_size >= 1 && var.batch_size <= 1000 && floor(var.batch_size) == var.batch_size, false)
    error_message = "The batch size is a whole number, 1 to 1000."
  }
}

variable "batch_window" {
  description = "Seconds that the queue waits for further events, so that changes made together are one commit."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.batch_window >= 0 && var.batch_window <= 300 && floor(var.batch_window) == var.batch_window && (var.batch_window >= 1 || try(coalesce(var.batch_size, var.accounts == null ? 100 : 10) <= 10, true))
    error_message = "The window is 0 to 300 whole seconds, and at least 1 for batches of more than ten."
  }
}

variable "receive_count" {
  description = "How often an event is tried before it goes to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.receive_count >= 2 && var.receive_count <= 1000 && floor(var.receive_count) == var.receive_count
    error_message = "An event is tried 2 to 1000 times."
  }
}

variable "schedule" {
  description = "When everything is exported, as EventBridge's `rate(…)` or `cron(…)`, at least once a day."
  type        = string
  default     = "rate(6 hours)"
  nullable    = false

  validation {
    condition     = can(regex("^(rate\\([1-9][0-9]* (minutes?|hours?|days?)\\)|cron\\([^()]+\\))$", var.schedule))
    error_message = "The schedule is EventBridge's `rate(6 hours)` or `cron(0 5 * * ? *)`."
  }
}

# What the program is told; docs/settings.md has all of it.

variable "prefix" {
  description = "The folder of the repository below which everything lies, such as `accounts/111122223333`."
  type        = string
  default     = null

  validation {
    condition     = var.prefix == null || can(regex("^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$", var.prefix))
    error_message = "The prefix is a relative path without a slash at either end."
  }
}

variable "kinds" {
  description = "The kinds that are written, as in `aws-iam-gitops.toml`: `default`, `organization_structure`, `identity_center`, `service_linked_roles`, or single ones such as `roles`. Otherwise what the repository's own settings say."
  type        = set(string)
  default     = null

  validation {
    condition = var.kinds == null || try(length(var.kinds) > 0 && length(setsubtract(var.kinds, [
      "default", "identity_center", "organization_structure",
      "account_aliases", "delegated_administrators", "groups", "openid_connect_providers",
      "organization_resource_policies", "organizational_units", "organizations_accounts",
      "organizations_policies", "password_policies", "permission_sets", "policies", "roles",
      "saml_providers", "service_linked_roles", "users",
    ])) == 0, false)
    error_message = "Kinds are `default`, `organization_structure`, `identity_center`, `service_linked_roles`, or the name of a single kind."
  }
}

variable "mode" {
  description = "`push` commits to the branch, `pull-request` proposes. Otherwise what the repository's own settings say."
  type        = string
  default     = null

  validation {
    condition     = var.mode == null || try(contains(["push", "pull-request"], var.mode), false)
    error_message = "The mode is `push` or `pull-request`."
  }
}

variable "aws_managed" {
  description = "Whether AWS's own policies in use are written too. Otherwise what the repository's own settings say."
  type        = bool
  default     = null
}

variable "organizations_attachments" {
  description = "Whether attachments of organizations policies are written as Terraform too. Otherwise what the repository's own settings say."
  type        = bool
  default     = null
}

variable "managed_elsewhere" {
  description = "Whether Terraform is written also for what CloudFormation or this module manages. Otherwise what the repository's own settings say."
  type        = bool
  default     = null
}

variable "exclusive" {
  description = "Whether `*_exclusive` resources are written, so that other policies that a role gets show in a plan. Otherwise what the repository's own settings say."
  type        = bool
  default     = null
}

variable "imports" {
  description = "Whether import blocks are written. Otherwise what the repository's own settings say."
  type        = bool
  default     = null
}

variable "accounts" {
  description = "Several accounts: their IDs, `[\"organization\"]` for all that are active, or IDs of organizational units."
  type        = set(string)
  default     = null

  validation {
    condition = var.accounts == null || try(length(var.accounts) > 0 && (
      alltrue([for account in var.accounts : can(regex("^[0-9]{12}$", account))]) ||
      alltrue([for unit in var.accounts : can(regex("^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$", unit))]) ||
      var.accounts == toset(["organization"])
    ), false)
    error_message = "Accounts are IDs of twelve digits, or `organization` alone, or IDs of organizational units such as `ou-ab12-cdefgh34`."
  }

  # Each is named in the function's policy and in that of the bus, which AWS limits to some 10,000
  # characters.
  validation {
    condition     = try(length(var.accounts) <= 100, true)
    error_message = "More than 100 accounts do not fit into the policies one by one: name `organization` or its units."
  }

  validation {
    condition     = var.accounts == null || var.prefix == null
    error_message = "The prefix is for one account; each of several lies below `accounts/`."
  }
}

variable "accounts_exclude" {
  description = "Accounts of the organization or its units that are left out."
  type        = set(string)
  default     = null

  validation {
    condition     = var.accounts_exclude == null || try(alltrue([for account in var.accounts_exclude : can(regex("^[0-9]{12}$", account))]), false)
    error_message = "Accounts are IDs of twelve digits."
  }
}

variable "accounts_role" {
  description = "The role that the function assumes in each account, perhaps with its path; without it `aws-iam-gitops-member`."
  type        = string
  default     = null

  validation {
    condition     = var.accounts_role == null || can(regex("^/?([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.accounts_role))
    error_message = "The role is a name, perhaps with its path, without the ID of an account."
  }
}

variable "accounts_external_id" {
  description = "The external ID that these roles ask for."
  type        = string
  default     = null

  validation {
    condition     = var.accounts_external_id == null || try(can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.accounts_external_id)) && length(var.accounts_external_id) <= 1224, false)
    error_message = "An external ID has 2 to 1224 letters, digits and characters of `_+=,.@:/-`."
  }
}

variable "accounts_session_name" {
  description = "What the function's sessions in these roles are called; without it `aws-iam-gitops`."
  type        = string
  default     = null

  validation {
    condition     = var.accounts_session_name == null || can(regex("^[A-Za-z0-9_+=,.@-]{2,64}$", var.accounts_session_name))
    error_message = "A session's name has 2 to 64 letters, digits and characters of `_+=,.@-`."
  }
}

variable "accounts_concurrency" {
  description = "Accounts that a run reads at once, 1 to 32; without it 4."
  type        = number
  default     = null

  validation {
    condition     = var.accounts_concurrency == null || try(var.accounts_concurrency >= 1 && var.accounts_concurrency <= 32 && floor(var.accounts_concurrency) == var.accounts_concurrency, false)
    error_message = "The concurrency is a whole number, 1 to 32."
  }
}

variable "organization_id" {
  description = "The organization's ID, `o-…`: only from its accounts events are taken, only they are entered. Needed with `organization` or its units."
  type        = string
  default     = null

  validation {
    condition     = var.organization_id == null || can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "An organization's ID is `o-` and 10 to 32 letters and digits."
  }

  validation {
    condition     = var.organization_id != null || try(alltrue([for account in coalesce(var.accounts, []) : can(regex("^[0-9]{12}$", account))]), true)
    error_message = "For accounts that the organization names, say which organization it is."
  }
}

variable "concurrency" {
  description = "Calls to AWS in flight at once, 1 to 64; without it 8."
  type        = number
  default     = null

  validation {
    condition     = var.concurrency == null || try(var.concurrency >= 1 && var.concurrency <= 64 && floor(var.concurrency) == var.concurrency, false)
    error_message = "The concurrency is a whole number, 1 to 64."
  }
}

variable "pause" {
  description = "Seconds before AWS is asked a second time for what it did not find, 0 to 60; without it 2."
  type        = number
  default     = null

  validation {
    condition     = var.pause == null || try(var.pause >= 0 && var.pause <= 60, false)
    error_message = "The pause is 0 to 60 seconds."
  }
}

variable "lease" {
  description = "Seconds for which what was read counts as read just now, 0 to 60; without it 4."
  type        = number
  default     = null

  validation {
    condition     = var.lease == null || try(var.lease >= 0 && var.lease <= 60, false)
    error_message = "The lease is 0 to 60 seconds."
  }
}

variable "github_app_id" {
  description = "App ID or client ID of the GitHub App that writes to the repository. The secret then holds its private key instead of a token."
  type        = string
  default     = null

  validation {
    condition     = var.github_app_id == null || can(regex("^[A-Za-z0-9.]+$", var.github_app_id))
    error_message = "The App ID is a number, a client ID letters and digits."
  }
}

variable "github_app_installation_id" {
  description = "The App's installation; without it GitHub is asked."
  type        = string
  default     = null

  validation {
    condition     = var.github_app_installation_id == null || (can(regex("^[0-9]+$", var.github_app_installation_id)) && var.github_app_id != null)
    error_message = "The installation is a number, and needs github_app_id."
  }
}

variable "github_api" {
  description = "Address of GitHub's REST API, where it is not the usual one of the repository's host."
  type        = string
  default     = null

  validation {
    condition     = var.github_api == null || can(regex("^https://[^@?# ]+$", var.github_api))
    error_message = "The API is an `https://` address without a user or query."
  }
}

# The trail

variable "create_trail" {
  description = "Whether a trail is made. EventBridge hears of changes only where a trail records them: without one of our own another must record management events of writes in all regions."
  type        = bool
  default     = true
  nullable    = false
}

variable "is_organization_trail" {
  description = "Whether the trail records all accounts of the organization; only in the management account."
  type        = bool
  default     = false
  nullable    = false
}

variable "trail_retention" {
  description = "Days for which the trail's files are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = var.trail_retention >= 90 && floor(var.trail_retention) == var.trail_retention
    error_message = "The trail is kept for at least 90 days."
  }
}

variable "trail_force_destroy" {
  description = "Whether destroying deletes the trail's files with their bucket."
  type        = bool
  default     = true
  nullable    = false
}

# Logs and alarms

variable "log_retention" {
  description = "Days for which the function's logs are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention)
    error_message = "CloudWatch Logs keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "alarm_emails" {
  description = "Addresses that alarms go to; each has to confirm an e-mail of AWS once."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "An e-mail address is `name@example.com`."
  }
}

# The way back

variable "create_github_roles" {
  description = "Whether GitHub Actions gets its roles, and Terraform's state its bucket. A repository on another host gets none."
  type        = bool
  default     = true
  nullable    = false
}

variable "create_oidc_provider" {
  description = "Whether GitHub's OpenID Connect provider is made. An account has one at most: false, if it is there already."
  type        = bool
  default     = true
  nullable    = false
}

variable "github_oidc_issuer" {
  description = "Who signs the tokens of GitHub Actions, without `https://`. GitHub Enterprise has its own."
  type        = string
  default     = "token.actions.githubusercontent.com"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9.-]+(/[A-Za-z0-9._-]+)*$", var.github_oidc_issuer))
    error_message = "The issuer is a host, perhaps with a path, without `https://`."
  }
}

variable "github_owner_id" {
  description = "The number of the repository's owner, for repositories whose tokens carry it: `gh api repos/OWNER/NAME --jq .owner.id`."
  type        = string
  default     = null

  validation {
    condition     = var.github_owner_id == null || can(regex("^[0-9]+$", var.github_owner_id))
    error_message = "The owner's ID is a number."
  }
}

variable "github_repository_id" {
  description = "The number of the repository, for repositories whose tokens carry it: `gh api repos/OWNER/NAME --jq .id`."
  type        = string
  default     = null

  validation {
    condition     = (var.github_repository_id == null || can(regex("^[0-9]+$", var.github_repository_id))) && (var.github_repository_id == null) == (var.github_owner_id == null)
    error_message = "The repository's ID is a number, and goes together with github_owner_id."
  }
}

variable "environment" {
  description = "GitHub's environment that may apply. Without it, the branch may."
  type        = string
  default     = null

  validation {
    condition     = var.environment == null || can(regex("^[A-Za-z0-9._-]+$", var.environment))
    error_message = "The environment's name has letters, digits, `.`, `_` and `-`: others are spelled differently in GitHub's tokens."
  }
}

variable "apply_kinds" {
  description = "Kinds that are written only when asked for, and that the plan role may read and the apply role change too: `identity_center`, `organization_structure`, `service_linked_roles`."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.apply_kinds, ["identity_center", "organization_structure", "service_linked_roles"])) == 0
    error_message = "Kinds to ask for are `identity_center`, `organization_structure` and `service_linked_roles`; all others are always there."
  }
}

variable "protected_roles" {
  description = "Names of further roles that the apply role may not change, take or pass, with `*` as a wildcard: for break-glass access, say."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for role in var.protected_roles : can(regex("^[A-Za-z0-9+=,.@_/*-]+$", role))]) && length(var.protected_roles) <= 20
    error_message = "Names of roles, with their path where they have one: `break-glass-*`, `admins/root-helper`. Twenty at most."
  }
}

variable "protected_users" {
  description = "Names of users that the apply role may not change, with `*` as a wildcard."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for user in var.protected_users : can(regex("^[A-Za-z0-9+=,.@_/*-]+$", user))]) && length(var.protected_users) <= 20
    error_message = "Names of users, with their path where they have one: `break-glass-*`, `admins/root-helper`. Twenty at most."
  }
}

variable "protected_groups" {
  description = "Names of groups that the apply role may not change, so that nobody joins or leaves them by it, with `*` as a wildcard."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for group in var.protected_groups : can(regex("^[A-Za-z0-9+=,.@_/*-]+$", group))]) && length(var.protected_groups) <= 20
    error_message = "Names of groups, with their path where they have one: `admins`, `teams/owners-*`. Twenty at most."
  }
}

variable "state_force_destroy" {
  description = "Whether destroying deletes Terraform's state of IAM with its bucket. `make destroy STATE=delete` sets it."
  type        = bool
  default     = false
  nullable    = false
}
