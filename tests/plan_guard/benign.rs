//! Plans of everyday work, which must pass.

use serde_json::{Value, json};

use super::harness::{Case, benign};

const ROLE: &str = "terraform/iam_role.legacy-report.tf";
const TRUST: &str = r#"assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })"#;

fn role(label: &str, arguments: &str) -> String {
    format!("resource \"aws_iam_role\" \"{label}\" {{\n  {arguments}\n  {TRUST}\n}}\n")
}

fn policy(label: &str, statement: &str) -> String {
    format!(
        "resource \"aws_iam_policy\" \"{label}\" {{\n  name = \"{label}\"\n  policy = jsonencode({{\n    \
         Version = \"2012-10-17\"\n    Statement = [{{ {statement} }}]\n  }})\n}}\n"
    )
}

/// The settings of a repository that keeps the organization and IAM Identity Center too.
pub const ALL_KINDS: &str = "kinds = [\"default\", \"organization_structure\", \"identity_center\", \"service_linked_roles\"]
[guard]
";
pub const SET: &str = "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef";
pub const INSTANCE: &str = "arn:aws:sso:::instance/ssoins-0123456789abcdef";

/// A permission set of the state, with an attached policy of AWS, and its Terraform; nothing changes.
pub fn permission_set(case: Case, policy: &str) -> (Case, String) {
    let arn = format!("arn:aws:iam::aws:policy/{policy}");
    let case = case
        .file("aws-iam-gitops.toml", ALL_KINDS)
        .state(
            "aws_ssoadmin_permission_set",
            "x",
            json!({ "id": format!("{SET},{INSTANCE}"), "arn": SET, "instance_arn": INSTANCE, "name": "x",
                    "session_duration": "PT1H", "region": "us-east-1" }),
        )
        .state(
            "aws_ssoadmin_managed_policy_attachment",
            "x",
            json!({ "id": format!("{arn},{SET},{INSTANCE}"), "permission_set_arn": SET, "region": "us-east-1",
                    "instance_arn": INSTANCE, "managed_policy_arn": arn, "managed_policy_name": policy }),
        );
    let hcl = format!(
        "resource \"aws_ssoadmin_permission_set\" \"x\" {{\n  name = \"x\"\n  instance_arn = \"{INSTANCE}\"\n  region = \"us-east-1\"\n}}\n\
         resource \"aws_ssoadmin_managed_policy_attachment\" \"x\" {{\n  instance_arn = \"{INSTANCE}\"\n  region = \"us-east-1\"\n  \
         managed_policy_arn = \"{arn}\"\n  permission_set_arn = aws_ssoadmin_permission_set.x.arn\n}}\n"
    );
    (case, hcl)
}

/// The assignment of a permission set to somebody.
pub fn assignment(permission_set: &str) -> String {
    format!(
        "resource \"aws_ssoadmin_account_assignment\" \"y\" {{\n  instance_arn = \"{INSTANCE}\"\n  permission_set_arn = {permission_set}\n  \
         principal_type = \"USER\"\n  principal_id = \"0123456789-01234567-89ab-cdef-0123-456789abcdef\"\n  \
         target_type = \"AWS_ACCOUNT\"\n  target_id = \"444455556666\"\n}}\n"
    )
}

/// A SAML provider; the document is as long as it has to be.
pub fn saml(name: &str, of: &str) -> String {
    format!(
        "resource \"aws_iam_saml_provider\" \"x\" {{\n  name = \"{name}\"\n  saml_metadata_document = join(\"\", [for at in range(400) : \"<{of}/>\"])\n}}\n"
    )
}

/// Text that would act in a terminal, a log, a comment or a commit message.
pub const HOSTILE: &str = "x\\n::error::owned\\u001b[31m ##[add-mask]x `code` ``` @octo/team <img src=x> \
                           <!-- --> [link](https://example.com) fixes #1 \\u202e\\u200b [skip ci]";

pub fn cases() -> Vec<Case> {
    vec![
        benign("nothing changes"),
        benign("everything is as AWS has it").refreshed(),
        benign("description and duration change").with(
            ROLE,
            "name ",
            "description = \"Reports\"\n  max_session_duration = 7200\n  name ",
        ),
        benign("tag changes").with(ROLE, "until 2026/06", "until 2027/06"),
        benign("statement is added to a policy").with(
            "terraform/iam_policy.parcel-data.tf",
            "Statement = [",
            "Statement = [\n      { Sid = \"More\", Effect = \"Allow\", Action = \"s3:GetObject\", Resource = \"arn:aws:s3:::x/*\" },",
        ),
        benign("trust widens to a second role").with(
            ROLE,
            "\"arn:aws:iam::111122223333:role/parcel-api\",",
            "\"arn:aws:iam::111122223333:role/parcel-api\", \"arn:aws:iam::111122223333:role/batch_worker\",",
        ),
        benign("trust of another repository of the organization").with(
            "terraform/iam_role.github-deploy.tf",
            "\"repo:example-org/site:environment:production\",",
            "\"repo:example-org/site:environment:production\", \"repo:example-org/shop:*\", \"repo:example-org@1/shop@2:*\",",
        ),
        benign("new role with a new policy").hcl(format!(
            "{}{}resource \"aws_iam_role_policy_attachment\" \"x\" {{\n  role = aws_iam_role.x.name\n  policy_arn = aws_iam_policy.x.arn\n}}\n\
             resource \"aws_iam_role_policy\" \"x\" {{\n  name = \"p\"\n  role = aws_iam_role.x.id\n  policy = jsonencode({{ Version = \"2012-10-17\", Statement = [{{ Effect = \"Allow\", Action = \"sqs:*\", Resource = \"*\" }}] }})\n}}\n",
            role("x", "name = \"x\"\n  permissions_boundary = aws_iam_policy.developer-boundary.arn"),
            policy("x", "Effect = \"Allow\", Action = [\"s3:*\", \"iam:GetRole\"], Resource = \"*\""),
        )),
        benign("five new policies, each attached").hcl(
            "resource \"aws_iam_policy\" \"x\" {\n  for_each = toset([\"a\", \"b\", \"c\", \"d\", \"e\"])\n  name = each.key\n  \
             policy = jsonencode({ Version = \"2012-10-17\", Statement = [{ Effect = \"Allow\", Action = \"s3:GetObject\", Resource = \"arn:aws:s3:::${each.key}/*\" }] })\n}\n\
             resource \"aws_iam_role_policy_attachment\" \"x\" {\n  for_each = aws_iam_policy.x\n  role = \"legacy-report\"\n  policy_arn = aws_iam_policy.x[each.key].arn\n}\n",
        ),
        benign("role in a child module").file(
            "terraform/m/main.tf",
            format!("{}resource \"aws_iam_role_policy\" \"x\" {{\n  name = \"p\"\n  role = aws_iam_role.x.id\n  policy = jsonencode({{ Version = \"2012-10-17\", Statement = [{{ Effect = \"Allow\", Action = \"s3:*\", Resource = \"*\" }}] }})\n}}\n", role("x", "name = \"x\"")),
        )
        .hcl("module \"m\" {\n  source = \"./m\"\n  for_each = toset([\"a]\"])\n}\n")
        .initialized(),
        benign("document of a data source").hcl(
            "data \"aws_caller_identity\" \"x\" {}\n\
             data \"aws_iam_policy_document\" \"x\" {\n  statement {\n    actions = [\"s3:GetObject\"]\n    resources = [\"arn:aws:s3:::${data.aws_caller_identity.x.account_id}/*\"]\n  }\n}\n\
             resource \"aws_iam_role_policy\" \"x\" {\n  name = \"x\"\n  role = \"legacy-report\"\n  policy = data.aws_iam_policy_document.x.json\n}\n",
        ),
        benign("role goes with all that hangs on it").without("terraform/iam_role.parcel-api.tf"),
        benign("five roles go of many")
            .file("aws-iam-gitops.toml", "[guard]\nmax_destroy_share = 0.5\n")
            .without(ROLE)
            .without("terraform/iam_role.batch_worker.tf")
            .without("terraform/iam_role.catalog-reader.tf")
            .without("terraform/iam_role.customer-app.tf")
            .without("terraform/iam_role.partner-audit.tf"),
        benign("role gets another path").with(
            "terraform/iam_role.github-deploy.tf",
            "\"/ci/\"",
            "\"/cd/\"",
        ),
        benign("role is renamed in Terraform only")
            .with(ROLE, "aws_iam_role.legacy-report", "aws_iam_role.report")
            .with(ROLE, "\"aws_iam_role\" \"legacy-report\"", "\"aws_iam_role\" \"report\"")
            .hcl("moved {\n  from = aws_iam_role.legacy-report\n  to   = aws_iam_role.report\n}\n"),
        benign("Terraform lets go of a role").without(ROLE).hcl(
            "removed {\n  from = aws_iam_role.legacy-report\n  lifecycle { destroy = false }\n}\n\
             removed {\n  from = aws_iam_role_policy_attachment.legacy-report__has-aws__ReadOnlyAccess\n  lifecycle { destroy = false }\n}\n",
        ),
        benign("role is imported").unknown_to_state("aws_iam_role.legacy-report"),
        benign("administrator that AWS has is imported")
            .unknown_to_state("aws_iam_role.break-glass")
            .unknown_to_state("aws_iam_role_policy_attachment.break-glass__has-aws__AdministratorAccess"),
        benign("protected role is imported as exported")
            .file("aws-iam-gitops.toml", "[guard]\nprotected = [\"break-glass\"]\n")
            .unknown_to_state("aws_iam_role.break-glass")
            .unknown_to_state("aws_iam_role_policy_attachment.break-glass__has-aws__AdministratorAccess"),
        benign("organizations policies are imported")
            .unknown_to_state("aws_organizations_policy.p-k3v8x1m5")
            .unknown_to_state("aws_organizations_policy_attachment.p-k3v8x1m5__on__r-ab12"),
        benign("import with a change")
            .unknown_to_state("aws_iam_role.legacy-report")
            .with(ROLE, "name ", "description = \"Reports\"\n  name "),
        benign("import under another address")
            .unknown_to_state("aws_iam_role.legacy-report")
            .unknown_to_state("aws_iam_role_policy_attachment.legacy-report__has-aws__ReadOnlyAccess")
            .with(ROLE, "aws_iam_role.legacy-report", "aws_iam_role.report")
            .with(ROLE, "\"aws_iam_role\" \"legacy-report\"", "\"aws_iam_role\" \"report\""),
        benign("everything is imported in one go").plan(&["-state=none.tfstate"]),
        benign("user, group and provider").hcl(
            "resource \"aws_iam_user\" \"x\" {\n  name = \"alice\"\n}\nresource \"aws_iam_group\" \"x\" {\n  name = \"readers\"\n}\n\
             resource \"aws_iam_user_policy_attachment\" \"x\" {\n  user = aws_iam_user.x.name\n  policy_arn = \"arn:aws:iam::aws:policy/ReadOnlyAccess\"\n}\n\
             resource \"aws_iam_openid_connect_provider\" \"x\" {\n  url = \"https://oidc.eks.eu-west-1.amazonaws.com/id/X\"\n  client_id_list = [\"sts.amazonaws.com\"]\n}\n",
        ),
        benign("protected boundary is given")
            .file("aws-iam-gitops.toml", "[guard]\nprotected = [\"developer-boundary\"]\n")
            .with(ROLE, "name ", "permissions_boundary = aws_iam_policy.developer-boundary.arn\n  name "),
        benign("region deny at the root").with(
            "terraform/organizations_policy.p-k3v8x1m5.tf",
            "Statement = [",
            "Statement = [\n      { Effect = \"Deny\", NotAction = [\"iam:*\"], Resource = \"*\", Condition = { StringNotEquals = { \"aws:RequestedRegion\" = \"eu-west-1\" } } },",
        ),
        benign("quarantine away from the root")
            .with("terraform/organizations_policy.p-s4h6w0jc.tf", "\"ec2:TerminateInstances\"", "\"*\"")
            .with("terraform/organizations_policy.p-s4h6w0jc.tf", "\"arn:aws:ec2:*:*:instance/*\"", "\"*\""),
        benign("new control is attached to the root").hcl(
            "resource \"aws_organizations_policy\" \"x\" {\n  name = \"x\"\n  content = jsonencode({ Version = \"2012-10-17\", Statement = [{ Effect = \"Deny\", Action = \"s3:DeleteBucket\", Resource = \"*\" }] })\n}\n\
             resource \"aws_organizations_policy_attachment\" \"x\" {\n  policy_id = aws_organizations_policy.x.id\n  target_id = \"r-ab12\"\n}\n",
        ),
        benign("control is detached from the root").with(
            "terraform/organizations_policy.p-k3v8x1m5.tf",
            "target_id = \"r-ab12\"",
            "target_id = \"ou-ab12-w0rk1oad\"",
        ),
        benign("everyone of the organization").hcl(
            "resource \"aws_iam_role\" \"x\" {\n  name = \"x\"\n  assume_role_policy = jsonencode({ Version = \"2012-10-17\", Statement = [{ Effect = \"Allow\", Action = \"sts:AssumeRole\", Principal = { AWS = \"*\" }, Condition = { StringEquals = { \"aws:PrincipalOrgID\" = \"o-a1b2c3d4e5\" } } }] })\n}\n",
        ),
        benign("hostile texts").hcl(format!(
            "{}resource \"aws_iam_role_policy\" \"x\" {{\n  name = \"x\"\n  role = \"legacy-report\"\n  policy = jsonencode({{ Version = \"2012-10-17\", Statement = [{{ Sid = \"{HOSTILE}\", Effect = \"Allow\", Action = \"s3:*\", Resource = \"{HOSTILE}\" }}] }})\n}}\n\
             resource \"aws_iam_group\" \"hostile\" {{\n  for_each = toset([\"{HOSTILE}\"])\n  name = \"hostile\"\n}}\n\
             output \"x\" {{\n  value = \"{HOSTILE}\"\n}}\n",
            role("x", &format!("name = \"x\"\n  tags = {{ \"{HOSTILE}\" = \"{HOSTILE}\" }}")),
        )),
        benign("sensitive values").hcl(role(
            "x",
            "name = \"x\"\n  description = sensitive(\"swordfish\")\n  tags = { password = sensitive(\"swordfish\") }",
        )),
        benign("drift that Git follows")
            .state(
                "aws_iam_role",
                "x",
                json!({ "id": "was-deleted", "name": "was-deleted", "path": "/", "max_session_duration": 3600,
                        "assume_role_policy": "{}", "force_detach_policies": false }),
            )
            .refreshed(),
        benign("rule that is turned off")
            .file("aws-iam-gitops.toml", "[guard]\ndisabled = [\"admin\"]\n")
            .hcl(policy("x", "Effect = \"Allow\", Action = \"*\", Resource = \"*\"")),
        benign("type and argument that are allowed")
            .file("aws-iam-gitops.toml", "[guard]\nallowed_types = [\"aws_sns_*\"]\nallowed_provider_arguments = [\"access_key\", \"secret_key\"]\n")
            .with("terraform/provider.tf", "region ", "access_key = \"AKIAEXAMPLE\"\n  secret_key = \"x\"\n  region ")
            .hcl("resource \"aws_sns_topic_policy\" \"x\" {\n  arn = \"arn:aws:sns:eu-west-1:111122223333:alarms\"\n  policy = \"{}\"\n}\n"),
        benign("deposed object").state(
            "aws_iam_role",
            "legacy-report",
            json!({ "deposed": "abcd1234", "id": "old", "name": "old", "path": "/" }),
        ),
        benign("user joins a group that reads").hcl(
            "resource \"aws_iam_user\" \"bob\" {\n  name = \"bob\"\n}\n\
             resource \"aws_iam_user_group_membership\" \"bob\" {\n  user = aws_iam_user.bob.name\n  groups = [aws_iam_group.developers.name]\n}\n",
        ),
        benign("provider takes fewer client IDs and gets a tag")
            .state("aws_iam_openid_connect_provider", "x", oidc(&["a", "b"], &[]))
            .hcl("resource \"aws_iam_openid_connect_provider\" \"x\" {\n  url = \"https://oidc.example.com\"\n  client_id_list = [\"a\"]\n  tags = { team = \"web\" }\n}\n"),
        benign("new SAML provider").hcl(saml("directory", "x")),
        benign("service-linked role is made").file("aws-iam-gitops.toml", ALL_KINDS).hcl(
            "resource \"aws_iam_service_linked_role\" \"x\" {\n  aws_service_name = \"autoscaling.amazonaws.com\"\n}\n",
        ),
        benign("account is renamed and moves to a new unit")
            .file("aws-iam-gitops.toml", ALL_KINDS)
            .state("aws_organizations_account", "x", account())
            .hcl(format!(
                "{}resource \"aws_organizations_organizational_unit\" \"x\" {{\n  name = \"Workloads\"\n  parent_id = \"r-ab12\"\n}}\n\
                 resource \"aws_organizations_policy_attachment\" \"x\" {{\n  policy_id = \"p-s4h6w0jc\"\n  target_id = aws_organizations_organizational_unit.x.id\n}}\n",
                account_hcl("Sales", "shop@example.com", "aws_organizations_organizational_unit.x.id")
            )),
        {
            let (case, hcl) = permission_set(benign("permission set that reads is assigned"), "ReadOnlyAccess");
            case.hcl(format!("{hcl}{}", assignment("aws_ssoadmin_permission_set.x.arn")))
        },
        benign("new permission set is assigned").file("aws-iam-gitops.toml", ALL_KINDS).hcl(format!(
            "resource \"aws_ssoadmin_permission_set\" \"x\" {{\n  name = \"x\"\n  instance_arn = \"{INSTANCE}\"\n}}\n\
             resource \"aws_ssoadmin_permission_set_inline_policy\" \"x\" {{\n  instance_arn = \"{INSTANCE}\"\n  permission_set_arn = aws_ssoadmin_permission_set.x.arn\n  \
             inline_policy = jsonencode({{ Version = \"2012-10-17\", Statement = [{{ Effect = \"Allow\", Action = \"s3:*\", Resource = \"*\" }}] }})\n}}\n{}",
            assignment("aws_ssoadmin_permission_set.x.arn")
        )),
    ]
}

/// What the state holds of a provider for `https://oidc.example.com`.
pub fn oidc(client_ids: &[&str], thumbprints: &[&str]) -> Value {
    let arn = "arn:aws:iam::111122223333:oidc-provider/oidc.example.com";
    json!({ "id": arn, "arn": arn, "url": "oidc.example.com", "client_id_list": client_ids,
            "thumbprint_list": thumbprints })
}

/// What the state holds of an account of the organization.
pub fn account() -> Value {
    json!({ "id": "444455556666", "name": "Shop", "email": "shop@example.com", "parent_id": "r-ab12",
            "arn": "arn:aws:organizations::111122223333:account/o-a1b2c3d4e5/444455556666",
            "close_on_deletion": false, "create_govcloud": false })
}

pub fn account_hcl(name: &str, email: &str, parent: &str) -> String {
    format!(
        "resource \"aws_organizations_account\" \"x\" {{\n  name = \"{name}\"\n  email = \"{email}\"\n  parent_id = {parent}\n}}\n"
    )
}
