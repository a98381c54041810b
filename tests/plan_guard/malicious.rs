//! Plans that must not pass, each with the rule that has to notice.

use serde_json::json;

use super::benign::{
    ALL_KINDS, HOSTILE, INSTANCE, SET, account, account_hcl, assignment, oidc, permission_set, saml,
};
use super::harness::{Case, malicious};

const ROLE: &str = "terraform/iam_role.legacy-report.tf";
const POLICY: &str = "terraform/iam_policy.parcel-data.tf";
const SCP: &str = "terraform/organizations_policy.p-k3v8x1m5.tf";
/// As the summary shows it.
const HOSTILE_ADDRESS: &str = r#"aws_iam_access_key.x["x\n::error::owned\u001b[31m #\u{23}[add-mask]x `code` ``` @octo/team <img src=x> <!-- --> [link](https://example.com) fixes #1 \u202e\u200b [skip ci]"]"#;
const BREAK_GLASS: &str =
    "aws_iam_role_policy_attachment.break-glass__has-aws__AdministratorAccess";
const ATTACHED: &str = r#"
import {
  to = aws_iam_role_policy_attachment.break-glass__has-aws__AdministratorAccess
  id = "break-glass/arn:aws:iam::aws:policy/AdministratorAccess"
}

resource "aws_iam_role_policy_attachment" "break-glass__has-aws__AdministratorAccess" {
  role       = aws_iam_role.break-glass.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}
"#;
const TRUST: &str = r#"assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })"#;

/// A role that trusts EC2.
fn role(label: &str, arguments: &str) -> String {
    format!("resource \"aws_iam_role\" \"{label}\" {{\n  {arguments}\n  {TRUST}\n}}\n")
}

fn trusting(statement: &str) -> String {
    format!(
        "resource \"aws_iam_role\" \"x\" {{\n  name = \"x\"\n  assume_role_policy = jsonencode({{\n    \
         Version = \"2012-10-17\"\n    Statement = [{{ Effect = \"Allow\", Action = \"sts:AssumeRole\", {statement} }}]\n  }})\n}}\n"
    )
}

fn policy(statement: &str) -> String {
    format!(
        "resource \"aws_iam_policy\" \"x\" {{\n  name = \"x\"\n  policy = jsonencode({{\n    \
         Version = \"2012-10-17\"\n    Statement = [{{ {statement} }}]\n  }})\n}}\n"
    )
}

pub fn cases() -> Vec<Case> {
    [
        protected(),
        destroys(),
        imports(),
        allowed(),
        drift(),
        admin(),
        trust(),
        root_deny(),
        complete(),
        of_further_kinds(),
    ]
    .concat()
}

fn protected() -> Vec<Case> {
    let rule = "protected";
    vec![
        malicious("role of the deployment is made", rule, "aws_iam_role.x")
            .hcl(role("x", "name = \"AWS-IAM-GitOps-Apply\"")),
        malicious("name is put together", rule, "aws_iam_role.x").hcl(role(
            "x",
            "name = join(\"-\", [\"aws\", lower(\"IAM\"), strrev(\"spotig\"), \"plan\"])",
        )),
        malicious("tag of the deployment is put on a role", rule, "aws_iam_role.legacy-report")
            .with(ROLE, "team = \"\"", "Managed-By = \"aws-iam-gitops\""),
        malicious("attachment to the exporter", rule, "aws_iam_role_policy_attachment.x").hcl(
            "resource \"aws_iam_role_policy_attachment\" \"x\" {\n  role = \"AWS-iam-gitops\"\n  \
             policy_arn = \"arn:aws:iam::aws:policy/ReadOnlyAccess\"\n}\n",
        ),
        malicious("inline policy of a reserved role", rule, "aws_iam_role_policy.x").hcl(
            "resource \"aws_iam_role_policy\" \"x\" {\n  name = \"x\"\n  role = \"AWSReservedSSO_Developer_3f9a1c7be05d2846\"\n  \
             policy = jsonencode({ Version = \"2012-10-17\", Statement = [] })\n}\n",
        ),
        malicious("protection by tag in the raw JSON alone", rule, "aws_iam_role_policy.x")
            .file(
                "roles/deployer.json",
                include_str!("deployer.json"),
            )
            .hcl(
                "resource \"aws_iam_role_policy\" \"x\" {\n  name = \"x\"\n  role = \"Deployer\"\n  \
                 policy = jsonencode({ Version = \"2012-10-17\", Statement = [] })\n}\n",
            ),
        malicious("path of AWS", rule, "aws_iam_role.x")
            .hcl(role("x", "name = \"x\"\n  path = \"/aws-reserved/x/\"")),
        malicious("provider of GitHub is made anew", rule, "aws_iam_openid_connect_provider.x").hcl(
            "resource \"aws_iam_openid_connect_provider\" \"x\" {\n  url = \"https://token.actions.githubusercontent.com\"\n  \
             client_id_list = [\"sts.amazonaws.com\"]\n}\n",
        ),
        malicious("provider of GitHub is destroyed", rule, "aws_iam_openid_connect_provider.x").state(
            "aws_iam_openid_connect_provider",
            "x",
            json!({ "id": "x", "url": "token.actions.githubusercontent.com", "client_id_list": ["x"],
                    "arn": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" }),
        ),
        malicious("break-glass role is changed", rule, "aws_iam_role.break-glass")
            .file("aws-iam-gitops.toml", "[guard]\nprotected = [\"BREAK-glass*\"]\n")
            .with("terraform/iam_role.break-glass.tf", "43200", "3600"),
        malicious("break-glass role loses its policy", rule, BREAK_GLASS)
            .file("aws-iam-gitops.toml", "[guard]\nprotected = [\"arn:aws:iam::*:role/break-glass\"]\n")
            .with("terraform/iam_role.break-glass.tf", ATTACHED, ""),
        malicious("break-glass role is renamed out of the set", rule, "aws_iam_role.break-glass")
            .file("aws-iam-gitops.toml", "[guard]\nprotected = [\"break-glass\"]\nmax_destroy_share = 1\n")
            .with("terraform/iam_role.break-glass.tf", "= \"break-glass\"\n  description", "= \"harmless\"\n  description")
            .and("protected", BREAK_GLASS)
            .and("admin", BREAK_GLASS),
        malicious("break-glass role moves to another address", rule, "aws_iam_role.harmless")
            .file("aws-iam-gitops.toml", "[guard]\nprotected = [\"break-glass\"]\n")
            .with("terraform/iam_role.break-glass.tf", "aws_iam_role.break-glass\n", "aws_iam_role.harmless\n")
            .with("terraform/iam_role.break-glass.tf", "aws_iam_role.break-glass.", "aws_iam_role.harmless.")
            .with("terraform/iam_role.break-glass.tf", "\"aws_iam_role\" \"break-glass\"", "\"aws_iam_role\" \"harmless\"")
            .hcl("moved {\n  from = aws_iam_role.break-glass\n  to   = aws_iam_role.harmless\n}\n"),
        malicious("break-glass role is forgotten", rule, "aws_iam_role.break-glass")
            .file("aws-iam-gitops.toml", "[guard]\nprotected = [\"break-glass\"]\n")
            .without("terraform/iam_role.break-glass.tf")
            .hcl(
                "removed {\n  from = aws_iam_role.break-glass\n  lifecycle { destroy = false }\n}\n\
                 removed {\n  from = aws_iam_role_policy_attachment.break-glass__has-aws__AdministratorAccess\n  lifecycle { destroy = false }\n}\n",
            )
            .and(rule, BREAK_GLASS),
        malicious("exporter is imported under another name", rule, "aws_iam_role.harmless")
            .hcl(format!(
                "import {{\n  to = aws_iam_role.harmless\n  id = \"aws-iam-gitops\"\n}}\n{}",
                role("harmless", "name = \"aws-iam-gitops\"")
            ))
            .and("imports", "aws_iam_role.harmless"),
        malicious("name that only the apply tells", rule, "aws_iam_role_policy.x").hcl(format!(
            "{}resource \"aws_iam_role_policy\" \"x\" {{\n  name = \"x\"\n  role = substr(\"${{aws_iam_role.x.unique_id}}aws-iam-gitops\", -14, -1)\n  \
             policy = jsonencode({{ Version = \"2012-10-17\", Statement = [] }})\n}}\n",
            role("x", "name = \"x\"")
        )),
        malicious("name that the provider makes", rule, "aws_iam_role.x")
            .hcl(role("x", "name_prefix = \"aws-iam-gitops-\"")),
        malicious("boundary of the deployment is taken away", rule, "aws_iam_role.github-deploy")
            .file("aws-iam-gitops.toml", "[guard]\nprotected = [\"developer-boundary\"]\n")
            .with("terraform/iam_role.github-deploy.tf", "permissions_boundary = aws_iam_policy.developer-boundary.arn\n", ""),
        malicious("deposed object of the deployment", rule, "aws_iam_role.legacy-report").state(
            "aws_iam_role",
            "legacy-report",
            json!({ "deposed": "abcd1234", "id": "aws-iam-gitops", "name": "aws-iam-gitops", "path": "/" }),
        ),
        malicious("child module touches the exporter", rule, "module.m.aws_iam_role_policy.x[\"a\"]")
            .file(
                "terraform/m/main.tf",
                "resource \"aws_iam_role_policy\" \"x\" {\n  for_each = toset([\"a\"])\n  name = each.key\n  role = \"aws-iam-gitops\"\n  \
                 policy = jsonencode({ Version = \"2012-10-17\", Statement = [] })\n}\n",
            )
            .hcl("module \"m\" {\n  source = \"./m\"\n}\n")
            .initialized(),
    ]
}

fn destroys() -> Vec<Case> {
    let rule = "destroys";
    vec![
        malicious("six roles go", rule, "")
            .without("terraform/iam_role.legacy-report.tf")
            .without("terraform/iam_role.batch_worker.tf")
            .without("terraform/iam_role.catalog-reader.tf")
            .without("terraform/iam_role.customer-app.tf")
            .without("terraform/iam_role.parcel-api.tf")
            .without("terraform/iam_role.partner-audit.tf"),
        malicious("everything goes", rule, "").plan(&["-destroy"]),
        malicious("three of few", rule, "")
            .file("aws-iam-gitops.toml", "[guard]\nmax_destroy_share = 0.1\n")
            .without("terraform/iam_role.legacy-report.tf")
            .without("terraform/iam_role.batch_worker.tf")
            .without("terraform/iam_role.partner-audit.tf"),
        malicious("replacements count", rule, "")
            .file("aws-iam-gitops.toml", "[guard]\nmax_destroys = 0\n")
            .with("terraform/iam_role.github-deploy.tf", "\"/ci/\"", "\"/cd/\""),
        malicious("Terraform lets go of more than it may", rule, "")
            .file("aws-iam-gitops.toml", "[guard]\nmax_forgets = 0\n")
            .without(ROLE)
            .hcl(
                "removed {\n  from = aws_iam_role.legacy-report\n  lifecycle { destroy = false }\n}\n\
                 removed {\n  from = aws_iam_role_policy_attachment.legacy-report__has-aws__ReadOnlyAccess\n  lifecycle { destroy = false }\n}\n",
            ),
    ]
}

fn imports() -> Vec<Case> {
    let rule = "imports";
    vec![
        malicious("import of another role", rule, "aws_iam_role.x").hcl(format!(
            "import {{\n  to = aws_iam_role.x\n  id = \"network-FlowLogsRole-1B7WFLZ0TN3QX\"\n}}\n{}",
            role("x", "name = \"network-FlowLogsRole-1B7WFLZ0TN3QX\"")
        )),
        malicious("import in another case", rule, "aws_iam_role.legacy-report")
            .unknown_to_state("aws_iam_role.legacy-report")
            .with(ROLE, "id = \"legacy-report\"", "id = \"partner-audit\"")
            .without("roles/partner-audit.json"),
        malicious("import of an attachment that was not exported", rule, "aws_iam_role_policy_attachment.legacy-report__has-aws__ReadOnlyAccess")
            .unknown_to_state("aws_iam_role_policy_attachment.legacy-report__has-aws__ReadOnlyAccess")
            .with("roles/legacy-report.json", "ReadOnlyAccess", "ViewOnlyAccess"),
        malicious("import for each of a set", rule, "aws_iam_user.x[\"emi.tanaka\"]").without("users/emi.tanaka.json").hcl(
            "import {\n  for_each = toset([\"emi.tanaka\"])\n  to = aws_iam_user.x[each.key]\n  id = each.key\n}\n\
             resource \"aws_iam_user\" \"x\" {\n  for_each = toset([\"emi.tanaka\"])\n  name = each.key\n}\n",
        ),
        malicious("one role under two addresses", rule, "aws_iam_role.x")
            .unknown_to_state("aws_iam_role.legacy-report")
            .hcl(format!(
                "import {{\n  to = aws_iam_role.x\n  id = \"legacy-report\"\n}}\n{}",
                role("x", "name = \"legacy-report\"")
            )),
        malicious("import into a child module", rule, "module.m.aws_iam_group.x").without("groups/developers.json")
            .file("terraform/m/main.tf", "resource \"aws_iam_group\" \"x\" {\n  name = \"developers\"\n}\n")
            .hcl("module \"m\" {\n  source = \"./m\"\n}\nimport {\n  to = module.m.aws_iam_group.x\n  id = \"developers\"\n}\n")
            .initialized(),
    ]
}

fn allowed() -> Vec<Case> {
    let rule = "allowed";
    let provider = "terraform/provider.tf";
    vec![
        malicious("access key", rule, "aws_iam_access_key.x")
            .hcl("resource \"aws_iam_access_key\" \"x\" {\n  user = \"alice\"\n}\n"),
        malicious("hostile name is refused", rule, HOSTILE_ADDRESS).hcl(format!(
            "resource \"aws_iam_access_key\" \"x\" {{\n  for_each = toset([\"{HOSTILE}\"])\n  user = each.key\n}}\n"
        )),
        malicious("topic policy", rule, "aws_sns_topic_policy.x").hcl(
            "resource \"aws_sns_topic_policy\" \"x\" {\n  arn = \"arn:aws:sns:eu-west-1:111122223333:alarms\"\n  policy = \"{}\"\n}\n",
        ),
        malicious("local program", rule, "aws_iam_role.x")
            .hcl(role("x", "name = \"x\"\n  provisioner \"local-exec\" {\n    command = \"true\"\n  }")),
        malicious("program when a role goes", rule, "")
            .without(ROLE)
            .hcl(
                "removed {\n  from = aws_iam_role.legacy-report\n  lifecycle { destroy = true }\n  provisioner \"local-exec\" {\n    when = destroy\n    command = \"true\"\n  }\n}\n",
            ),
        malicious("terraform_data with a program", rule, "terraform_data.x").hcl(
            "resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = \"true\"\n  }\n}\n",
        )
        .and(rule, "provider.terraform"),
        malicious("null_resource", rule, "null_resource.x")
            .hcl("resource \"null_resource\" \"x\" {}\n")
            .and(rule, "provider.null"),
        malicious("external program as a data source", rule, "data.external.x")
            .hcl("data \"external\" \"x\" {\n  program = [\"true\"]\n}\n")
            .and(rule, "provider.external"),
        malicious("data source that asks the web", rule, "data.http.x")
            .hcl("data \"http\" \"x\" {\n  url = \"https://example.com/?${aws_iam_role.legacy-report.arn}\"\n}\n")
            .and(rule, "provider.http"),
        malicious("data source in a check", rule, "data.aws_lambda_invocation.x").hcl(
            "check \"x\" {\n  data \"aws_lambda_invocation\" \"x\" {\n    function_name = \"x\"\n    input = \"{}\"\n  }\n  \
             assert {\n    condition = data.aws_lambda_invocation.x.result == \"\"\n    error_message = \"x\"\n  }\n}\n",
        ),
        malicious("attachment that takes a policy from everybody else", rule, "aws_iam_policy_attachment.x").hcl(
            "resource \"aws_iam_policy_attachment\" \"x\" {\n  name = \"x\"\n  roles = [\"legacy-report\"]\n  \
             policy_arn = \"arn:aws:iam::111122223333:policy/parcel-data\"\n}\n",
        ),
        malicious("data source that runs a function", rule, "data.aws_lambda_invocation.x").hcl(
            "data \"aws_lambda_invocation\" \"x\" {\n  function_name = \"x\"\n  input = \"{}\"\n}\n",
        ),
        malicious("data source in a child module", rule, "module.m.data.aws_lambda_invocation.x")
            .file("terraform/m/main.tf", "data \"aws_lambda_invocation\" \"x\" {\n  function_name = \"x\"\n  input = \"{}\"\n}\n")
            .hcl("module \"m\" {\n  source = \"./m\"\n}\n")
            .initialized(),
        malicious("another provider of the same types", rule, "aws_iam_role.x")
            .with("terraform/versions.tf", "required_providers {", "required_providers {\n    evil = {\n      source = \"evil/aws\"\n    }\n")
            .hcl(role("x", "name = \"x\"\n  provider = evil"))
            .and(rule, "provider.evil"),
        malicious("provider with credentials", rule, "provider.aws")
            .with(provider, "region ", "access_key = \"AKIAEXAMPLE\"\n  secret_key = \"x\"\n  region "),
        malicious("provider by way of a proxy", rule, "provider.aws.other")
            .hcl(format!(
                "provider \"aws\" {{\n  alias = \"other\"\n  region = \"us-east-1\"\n  http_proxy = \"http://proxy.example.com\"\n}}\n{}",
                role("x", "name = \"x\"\n  provider = aws.other")
            )),
        malicious("state of somebody else", rule, "data.terraform_remote_state.x").hcl(
            "data \"terraform_remote_state\" \"x\" {\n  backend = \"local\"\n  config = { path = \"terraform.tfstate\" }\n}\n",
        )
        .and(rule, "provider.terraform"),
    ]
}

fn drift() -> Vec<Case> {
    let rule = "drift";
    let gone = |name: &str| {
        json!({ "id": name, "name": name, "path": "/", "max_session_duration": 3600,
                "arn": format!("arn:aws:iam::111122223333:role/{name}"), "force_detach_policies": false,
                "assume_role_policy": "{\"Version\":\"2012-10-17\",\"Statement\":[]}" })
    };
    vec![
        malicious("deleted role comes back", rule, "aws_iam_role.x")
            .state("aws_iam_role", "x", gone("was-deleted"))
            .hcl(role("x", "name = \"was-deleted\""))
            .refreshed(),
        malicious("deleted role comes back under a new address", rule, "aws_iam_role.y")
            .state("aws_iam_role", "x", gone("was-deleted"))
            .hcl(format!("{}moved {{\n  from = aws_iam_role.x\n  to   = aws_iam_role.y\n}}\n", role("y", "name = \"was-deleted\"")))
            .refreshed(),
        malicious("detached policy comes back", rule, "aws_iam_role_policy_attachment.x")
            .state(
                "aws_iam_role_policy_attachment",
                "x",
                json!({ "id": "x", "role": "legacy-report", "policy_arn": "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess" }),
            )
            .hcl("resource \"aws_iam_role_policy_attachment\" \"x\" {\n  role = \"legacy-report\"\n  policy_arn = \"arn:aws:iam::aws:policy/job-function/ViewOnlyAccess\"\n}\n")
            .refreshed(),
    ]
}

fn admin() -> Vec<Case> {
    let rule = "admin";
    let attach = |arn: &str| {
        format!(
            "resource \"aws_iam_role_policy_attachment\" \"x\" {{\n  role = aws_iam_role.legacy-report.name\n  policy_arn = {arn}\n}}\n"
        )
    };
    vec![
        malicious("policy for everything", rule, "aws_iam_policy.x")
            .hcl(policy("Effect = \"Allow\", Action = \"*\", Resource = \"*\"")),
        malicious("policy comes to allow everything", rule, "aws_iam_policy.parcel-data").with(
            POLICY,
            "Statement = [",
            "Statement = [\n      { Effect = \"Allow\", Action = [\"s3:GetObject\", \"*:*\"], Resource = [\"arn:aws:s3:::x\", \"*\"] },",
        ),
        malicious("everything in other letters", rule, "aws_iam_policy.x").hcl(
            "resource \"aws_iam_policy\" \"x\" {\n  name = \"x\"\n  policy = \"{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":{\\\"effect\\\":\\\"allow\\\",\\\"ACTION\\\":\\\"\\\\u002a\\\",\\\"resource\\\":\\\"**\\\"}}\"\n}\n",
        ),
        malicious("everything but something", rule, "aws_iam_policy.x")
            .hcl(policy("Effect = \"Allow\", NotAction = \"account:CloseAccount\", Resource = \"*\"")),
        malicious("everything but a resource", rule, "aws_iam_policy.x")
            .hcl(policy("Effect = \"Allow\", Action = \"?*\", NotResource = \"arn:aws:s3:::x\"")),
        malicious("all of IAM", rule, "aws_iam_policy.x")
            .hcl(policy("Effect = \"Allow\", Action = [\"iam:Att*\", \"iam:Put*\", \"IAM:create*\"], Resource = \"arn:aws:iam::*:*\"")),
        malicious("everything with a condition", rule, "aws_iam_policy.x").hcl(policy(
            "Effect = \"Allow\", Action = \"*\", Resource = \"arn:aws:*\", Condition = { StringLike = { \"aws:PrincipalArn\" = \"*\" } }",
        )),
        malicious("inline policy of a group", rule, "aws_iam_group_policy.x").hcl(
            "resource \"aws_iam_group_policy\" \"x\" {\n  name = \"x\"\n  group = \"people\"\n  policy = jsonencode({ Statement = [{ Effect = \"Allow\", Action = \"*\", Resource = \"*\" }] })\n}\n",
        ),
        malicious("inline policy in the role", rule, "aws_iam_role.x").hcl(role(
            "x",
            "name = \"x\"\n  inline_policy {\n    name = \"p\"\n    policy = jsonencode({ Statement = [{ Effect = \"Allow\", Action = \"*\", Resource = \"*\" }] })\n  }",
        )),
        malicious("inline policy in the role, by an unknown list", rule, "aws_iam_role.x").hcl(format!(
            "{}{}",
            role("y", "name = \"y\""),
            role(
                "x",
                "name = \"x\"\n  dynamic \"inline_policy\" {\n    for_each = [aws_iam_role.y.unique_id]\n    content {\n      name = \"p\"\n      policy = jsonencode({ Statement = [{ Sid = inline_policy.value, Effect = \"Allow\", Action = \"*\", Resource = \"*\" }] })\n    }\n  }"
            )
        )),
        malicious("administrator by attachment", rule, "aws_iam_role_policy_attachment.x")
            .hcl(attach("\"arn:aws:iam::aws:policy/AdministratorAccess\"")),
        malicious("administrator in another partition", rule, "aws_iam_user_policy_attachment.x").hcl(
            "resource \"aws_iam_user_policy_attachment\" \"x\" {\n  user = \"alice\"\n  policy_arn = \"arn:aws-cn:iam::aws:policy/administratoraccess\"\n}\n",
        ),
        malicious("administrator hidden in an unknown value", rule, "aws_iam_role_policy_attachment.x").hcl(format!(
            "{}{}",
            role("y", "name = \"y\""),
            attach("\"arn:aws:iam::aws:policy/AdministratorAccess${substr(aws_iam_role.y.unique_id, 0, 0)}\"")
        ))
        .and("protected", "aws_iam_role_policy_attachment.x"),
        malicious("new policy for everything is attached", rule, "aws_iam_role_policy_attachment.x")
            .hcl(format!("{}{}", policy("Effect = \"Allow\", Action = \"*\", Resource = \"*\""), attach("aws_iam_policy.x.arn")))
            .and(rule, "aws_iam_policy.x"),
        malicious("document that only the apply tells", rule, "aws_iam_role_policy.x").hcl(format!(
            "{}resource \"aws_iam_role_policy\" \"x\" {{\n  name = \"x\"\n  role = \"legacy-report\"\n  policy = jsonencode({{ Statement = [{{ Sid = aws_iam_role.y.unique_id, Effect = \"Allow\", Action = \"*\", Resource = \"*\" }}] }})\n}}\n",
            role("y", "name = \"y\"")
        )),
        malicious("policy nobody knows is attached", rule, "aws_iam_role_policy_attachment.x")
            .hcl(attach("\"arn:aws:iam::111122223333:policy/unknown\"")),
        malicious("administrators in an exclusive list", rule, "aws_iam_role_policy_attachments_exclusive.x").hcl(
            "resource \"aws_iam_role_policy_attachments_exclusive\" \"x\" {\n  role_name = \"legacy-report\"\n  policy_arns = [\"arn:aws:iam::aws:policy/IAMFullAccess\"]\n}\n",
        ),
        malicious("administrator's attachment goes to another role", rule, BREAK_GLASS)
            .with("terraform/iam_role.break-glass.tf", "role       = aws_iam_role.break-glass.name", "role = \"legacy-report\""),
        malicious("child module grants everything", rule, "module.m[0].aws_iam_policy.x")
            .file("terraform/m/main.tf", policy("Effect = \"Allow\", Action = \"*\", Resource = \"*\""))
            .hcl("module \"m\" {\n  source = \"./m\"\n  count = 1\n}\n")
            .initialized(),
    ]
}

fn trust() -> Vec<Case> {
    let rule = "trust";
    let github = "Principal = { Federated = \"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com\" }";
    vec![
        malicious("everyone may assume", rule, "aws_iam_role.x").hcl(trusting("Principal = \"*\"")),
        malicious("everyone among others", rule, "aws_iam_role.x")
            .hcl(trusting("Principal = { AWS = [\"111122223333\", \"*\"] }")),
        malicious("everyone but somebody", rule, "aws_iam_role.x")
            .hcl(trusting("NotPrincipal = { AWS = \"111122223333\" }")),
        malicious("any account", rule, "aws_iam_role.x")
            .hcl(trusting("Principal = { AWS = \"arn:aws:iam::*:root\" }")),
        malicious("everyone with a secret", rule, "aws_iam_role.x").hcl(trusting(
            "Principal = { AWS = \"*\" }, Condition = { StringEquals = { \"sts:ExternalId\" = \"secret\" } }",
        )),
        malicious("everyone of an organization, if there is one", rule, "aws_iam_role.x").hcl(trusting(
            "Principal = { AWS = \"*\" }, Condition = { StringEqualsIfExists = { \"aws:PrincipalOrgID\" = \"o-a1b2c3d4e5\" } }",
        )),
        malicious("any repository", rule, "aws_iam_role.x").hcl(trusting(&format!(
            "{github}, Condition = {{ StringLike = {{ \"token.actions.githubusercontent.com:sub\" = \"repo:*\" }} }}"
        ))),
        malicious("repositories of strangers", rule, "aws_iam_role.github-deploy").with(
            "terraform/iam_role.github-deploy.tf",
            "\"repo:example-org/site:environment:production\",",
            "\"repo:example-org*\",",
        ),
        malicious("trust that only the apply tells", rule, "aws_iam_role.x").hcl(format!(
            "{}resource \"aws_iam_role\" \"x\" {{\n  name = \"x\"\n  assume_role_policy = jsonencode({{ Statement = [{{ Effect = \"Allow\", Sid = aws_iam_role.y.unique_id, Principal = \"*\" }}] }})\n}}\n",
            role("y", "name = \"y\"")
        )),
    ]
}

fn root_deny() -> Vec<Case> {
    let rule = "root-deny";
    let deny = |label: &str| {
        format!(
            "resource \"aws_organizations_policy\" \"{label}\" {{\n  name = \"x\"\n  type = \"SERVICE_CONTROL_POLICY\"\n  content = jsonencode({{ Version = \"2012-10-17\", Statement = [{{ Effect = \"Deny\", Action = \"*\", Resource = \"*\" }}] }})\n}}\n"
        )
    };
    let attach = |policy: &str, target: &str| {
        format!(
            "resource \"aws_organizations_policy_attachment\" \"x\" {{\n  policy_id = {policy}\n  target_id = {target}\n}}\n"
        )
    };
    vec![
        malicious("policy at the root comes to deny everything", rule, "aws_organizations_policy.p-k3v8x1m5")
            .with(SCP, "\"organizations:LeaveOrganization\"", "\"*\""),
        malicious("policy at the root comes to deny everything but some", rule, "aws_organizations_policy.p-k3v8x1m5")
            .with(SCP, "Action   = \"organizations:LeaveOrganization\"", "NotAction = [\"iam:*\"]"),
        malicious("policy of unknown targets comes to deny everything", rule, "aws_organizations_policy.p-s4h6w0jc")
            .without("scps/p-s4h6w0jc.json")
            .with("terraform/organizations_policy.p-s4h6w0jc.tf", "\"ec2:TerminateInstances\"", "\"*\"")
            .with("terraform/organizations_policy.p-s4h6w0jc.tf", "\"arn:aws:ec2:*:*:instance/*\"", "\"*\""),
        malicious("new policy is attached to the root", rule, "aws_organizations_policy_attachment.x")
            .hcl(format!("{}{}", deny("x"), attach("aws_organizations_policy.x.id", "\"r-ab12\""))),
        malicious("policy only the apply tells is attached to the root", rule, "aws_organizations_policy_attachment.x")
            .hcl(format!("{}{}", deny("x"), attach("trimspace(aws_organizations_policy.x.id)", "\"r-ab12\"")))
            .and("protected", "aws_organizations_policy_attachment.x"),
        malicious("policy nobody knows is attached to the root", rule, "aws_organizations_policy_attachment.x")
            .hcl(attach("\"p-unknown1\"", "\"r-ab12\"")),
        malicious("resource control policy at the root", rule, "aws_organizations_policy.p-n5b1y8ga").with(
            "terraform/organizations_policy.p-n5b1y8ga.tf",
            "Statement = [",
            "Statement = [\n      { Effect = \"Deny\", Principal = \"*\", Action = \"*\", Resource = \"*\" },",
        ),
        malicious("last allowance goes from the root", rule, "").state(
            "aws_organizations_policy_attachment",
            "full",
            json!({ "id": "r-ab12:p-FullAWSAccess", "policy_id": "p-FullAWSAccess", "target_id": "r-ab12" }),
        ),
    ]
}

fn complete() -> Vec<Case> {
    vec![
        malicious("part of a plan", "complete", "")
            .with(ROLE, "name ", "description = \"x\"\n  name ")
            .plan(&["-target=aws_iam_role.legacy-report"]),
    ]
}

/// Users, groups, identity providers, the organization and IAM Identity Center.
fn of_further_kinds() -> Vec<Case> {
    let all_kinds = |case: Case| case.file("aws-iam-gitops.toml", ALL_KINDS);
    let protecting = |case: Case, what: &str| {
        case.file("aws-iam-gitops.toml", format!("{ALL_KINDS}protected = [\"{what}\"]\n"))
    };
    let joins = |group: &str| {
        format!(
            "resource \"aws_iam_user_group_membership\" \"bob\" {{\n  user = \"bob\"\n  groups = [{group}]\n}}\n"
        )
    };
    let saml_arn = |name: &str| format!("arn:aws:iam::111122223333:saml-provider/{name}");
    let saml_state = |name: &str| json!({ "id": saml_arn(name), "arn": saml_arn(name), "name": name, "saml_metadata_document": "<old/>" });
    let provider = |arguments: &str| {
        format!(
            "resource \"aws_iam_openid_connect_provider\" \"x\" {{\n  url = \"https://oidc.example.com\"\n  {arguments}\n}}\n"
        )
    };
    let oidc_address = "aws_iam_openid_connect_provider.x";
    let (administrators, set) = permission_set(
        malicious(
            "administrators' permission set is assigned",
            "admin",
            "aws_ssoadmin_account_assignment.y",
        ),
        "AdministratorAccess",
    );
    let (guarded, readers) = permission_set(
        malicious(
            "assignment in a protected account",
            "protected",
            "aws_ssoadmin_account_assignment.y",
        ),
        "ReadOnlyAccess",
    );
    let resource_policy = |statement: &str| {
        format!(
            "resource \"aws_organizations_resource_policy\" \"x\" {{\n  content = jsonencode({{ Version = \"2012-10-17\", Statement = [{{ {statement} }}] }})\n}}\n"
        )
    };
    vec![
        protecting(malicious("user joins a protected group", "protected", "aws_iam_user_group_membership.bob"), "developers")
            .hcl(joins("aws_iam_group.developers.name")),
        malicious("provider of Identity Center takes other metadata", "protected", "aws_iam_saml_provider.x")
            .state("aws_iam_saml_provider", "x", saml_state("AWSSSO_0123_DO_NOT_DELETE"))
            .hcl(saml("AWSSSO_0123_DO_NOT_DELETE", "evil"))
            .and("trust", "aws_iam_saml_provider.x"),
        protecting(guarded, "444455556666").hcl(format!("{readers}{}", assignment("aws_ssoadmin_permission_set.x.arn"))),
        all_kinds(malicious("account is destroyed", "destroys", "aws_organizations_account.x"))
            .state("aws_organizations_account", "x", account()),
        all_kinds(malicious("account gets another address", "destroys", "aws_organizations_account.x"))
            .state("aws_organizations_account", "x", account())
            .hcl(account_hcl("Shop", "evil@example.com", "\"r-ab12\"")),
        malicious("user joins administrators", "admin", "aws_iam_user_group_membership.bob")
            .state("aws_iam_group", "admins", json!({ "id": "admins", "name": "admins", "path": "/" }))
            .state(
                "aws_iam_group_policy_attachment",
                "admins",
                json!({ "id": "admins/arn:aws:iam::aws:policy/AdministratorAccess", "group": "admins",
                        "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess" }),
            )
            .hcl(format!(
                "resource \"aws_iam_group\" \"admins\" {{\n  name = \"admins\"\n}}\n\
                 resource \"aws_iam_group_policy_attachment\" \"admins\" {{\n  group = aws_iam_group.admins.name\n  policy_arn = \"arn:aws:iam::aws:policy/AdministratorAccess\"\n}}\n{}",
                joins("aws_iam_group.admins.name")
            )),
        malicious("group comes to allow everything", "admin", "aws_iam_group_policy.x").hcl(
            "resource \"aws_iam_group_policy\" \"x\" {\n  name = \"x\"\n  group = aws_iam_group.developers.name\n  \
             policy = jsonencode({ Version = \"2012-10-17\", Statement = [{ Effect = \"Allow\", Action = \"*\", Resource = \"*\" }] })\n}\n",
        ),
        administrators.hcl(format!("{set}{}", assignment("aws_ssoadmin_permission_set.x.arn"))),
        all_kinds(malicious("permission set that nobody knows is assigned", "admin", "aws_ssoadmin_account_assignment.y"))
            .hcl(assignment(&format!("\"{SET}\""))),
        all_kinds(malicious("permission set is given what each account may make of it", "admin", "aws_ssoadmin_customer_managed_policy_attachment.x")).hcl(format!(
            "resource \"aws_ssoadmin_customer_managed_policy_attachment\" \"x\" {{\n  instance_arn = \"{INSTANCE}\"\n  permission_set_arn = \"{SET}\"\n  \
             customer_managed_policy_reference {{\n    name = \"whatever\"\n  }}\n}}\n"
        )),
        all_kinds(malicious("account administers a service", "admin", "aws_organizations_delegated_administrator.x")).hcl(
            "resource \"aws_organizations_delegated_administrator\" \"x\" {\n  account_id = \"444455556666\"\n  service_principal = \"sso.amazonaws.com\"\n}\n",
        ),
        malicious("SAML provider takes other metadata", "trust", "aws_iam_saml_provider.x")
            .state("aws_iam_saml_provider", "x", saml_state("directory"))
            .hcl(saml("directory", "evil")),
        malicious("provider takes another client ID", "trust", oidc_address)
            .state("aws_iam_openid_connect_provider", "x", oidc(&["a"], &[]))
            .hcl(provider("client_id_list = [\"a\", \"evil\"]")),
        all_kinds(malicious("organization is open to everyone", "trust", "aws_organizations_resource_policy.x")).hcl(resource_policy(
            "Effect = \"Allow\", Principal = \"*\", Action = \"organizations:AttachPolicy\", Resource = \"*\"",
        )),
        all_kinds(malicious("organization's policy denies everything", "root-deny", "aws_organizations_resource_policy.x")).hcl(resource_policy(
            "Effect = \"Deny\", Principal = \"*\", Action = \"*\", Resource = \"*\"",
        )),
    ]
}
