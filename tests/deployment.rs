//! The infrastructure plans with the true schema, for every way to set it up; its roles may do what
//! their programs call and no more; what is set wrongly is refused before anything is made.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use aws_iam_gitops::aws::SEVERAL_PERMISSIONS;
use aws_iam_gitops::resource::{KINDS, sync_permissions};
use aws_iam_gitops::settings::environment;
use serde_json::{Value, json};
use support::assert_snapshot;
use support::infrastructure::{DIGEST, Infrastructure, Planned};
use support::python::{project, python};

fn default_plan() -> &'static Planned {
    static PLAN: OnceLock<Planned> = OnceLock::new();
    PLAN.get_or_init(|| Infrastructure::to_plan().plan(&[]))
}

/// What Terraform calls for a resource type: to read it, and to create, change and delete it.
/// Tags in a call that creates something take the right to tag.
const CALLS: [(&str, &[&str], &[&str]); 7] = [
    (
        "aws_iam_policy",
        &["iam:GetPolicy", "iam:GetPolicyVersion"],
        &[
            "iam:CreatePolicy",
            "iam:CreatePolicyVersion",
            "iam:DeletePolicy",
            "iam:DeletePolicyVersion",
            "iam:ListPolicyVersions",
            "iam:TagPolicy",
            "iam:UntagPolicy",
        ],
    ),
    (
        // Inline policies and attachments are read for arguments that nobody sets any more.
        "aws_iam_role",
        &[
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
        ],
        &[
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePermissionsBoundary",
            "iam:ListInstanceProfilesForRole",
            "iam:PutRolePermissionsBoundary",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
            "iam:UpdateRoleDescription",
        ],
    ),
    ("aws_iam_role_policy", &["iam:GetRolePolicy"], &["iam:DeleteRolePolicy", "iam:PutRolePolicy"]),
    (
        "aws_iam_role_policy_attachment",
        &["iam:ListAttachedRolePolicies"],
        &["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
    ),
    (
        // The role is read to see whether it is still there.
        "aws_iam_instance_profile",
        &["iam:GetInstanceProfile", "iam:GetRole"],
        &[
            "iam:AddRoleToInstanceProfile",
            "iam:CreateInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:TagInstanceProfile",
            "iam:UntagInstanceProfile",
        ],
    ),
    (
        "aws_organizations_policy",
        &["organizations:DescribePolicy", "organizations:ListTagsForResource"],
        &[
            "organizations:CreatePolicy",
            "organizations:DeletePolicy",
            "organizations:TagResource",
            "organizations:UntagResource",
            "organizations:UpdatePolicy",
        ],
    ),
    (
        "aws_organizations_policy_attachment",
        &["organizations:ListTargetsForPolicy"],
        &["organizations:AttachPolicy", "organizations:DetachPolicy"],
    ),
];

/// Variables for every account of an organization.
fn several() -> Vec<(&'static str, &'static str)> {
    vec![
        ("accounts", r#"["organization"]"#),
        ("accounts_exclude", r#"["444455556666"]"#),
        ("accounts_role", "/security/reader"),
        ("accounts_external_id", "the-external-id"),
        ("accounts_session_name", "export"),
        ("accounts_concurrency", "8"),
        ("organization_id", "o-a1b2c3d4e5"),
    ]
}

fn owned<'a>(actions: impl IntoIterator<Item = &'a &'a str>) -> BTreeSet<String> {
    actions.into_iter().map(|action| (*action).to_owned()).collect()
}

fn set(actions: Vec<String>) -> BTreeSet<String> {
    actions.into_iter().collect()
}

#[test]
fn what_is_planned_and_every_policy_is_what_was_looked_at() {
    let plan = default_plan();
    let mut text = String::new();
    for address in plan.addresses() {
        let _ = writeln!(text, "{address}");
    }
    for (address, after) in plan.all() {
        for argument in ["assume_role_policy", "policy", "event_pattern", "redrive_allow_policy"] {
            if after[argument].is_string() {
                let document = plan.document(address, argument);
                let document = serde_json::to_string_pretty(&document).expect("JSON");
                let _ = writeln!(text, "\n{address}.{argument} = {document}");
            }
        }
    }
    assert_snapshot("infrastructure", &text);
}

#[test]
fn the_function_and_the_export_role_may_do_what_the_program_calls() {
    let plan = default_plan();
    let calls = owned(&sync_permissions());
    assert_eq!(set(plan.actions("aws_iam_role_policy.function", "Export")), calls);
    assert_eq!(set(plan.actions("aws_iam_role_policy.export[0]", "Export")), calls);
    // `src/aws/secrets.rs` reads the token; the rest Lambda does with the function's role.
    assert_eq!(
        plan.actions("aws_iam_role_policy.function", "Token"),
        ["secretsmanager:GetSecretValue"]
    );
    let secrets = fs::read_to_string(project().join("src/aws/secrets.rs")).expect("a source");
    assert!(secrets.contains(".get_secret_value()"));
    assert_eq!(
        plan.actions("aws_iam_role_policy.function", "Events"),
        ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    );
    assert_eq!(
        plan.actions("aws_iam_role_policy.function", "Logs"),
        ["logs:CreateLogStream", "logs:PutLogEvents"]
    );
    for (role, statements) in [("function", 4), ("export[0]", 1), ("plan[0]", 3), ("apply[0]", 5)] {
        let policy = plan.document(&format!("aws_iam_role_policy.{role}"), "policy");
        assert_eq!(policy["Statement"].as_array().map(Vec::len), Some(statements), "{role}");
    }
}

#[test]
fn plan_and_apply_roles_may_do_what_terraform_calls_for_the_types_that_are_exported() {
    let types: BTreeSet<_> =
        KINDS.iter().flat_map(|kind| kind.resource_types).map(|found| found.name).collect();
    assert_eq!(CALLS.iter().map(|(name, ..)| *name).collect::<BTreeSet<_>>(), types);
    let reads = owned(CALLS.iter().flat_map(|(_, reads, _)| *reads));
    let writes = owned(CALLS.iter().flat_map(|(_, _, writes)| *writes));
    let plan = default_plan();
    assert_eq!(set(plan.actions("aws_iam_role_policy.plan[0]", "Refresh")), reads);
    let all: BTreeSet<String> = reads.union(&writes).cloned().collect();
    assert_eq!(set(plan.actions("aws_iam_role_policy.apply[0]", "Apply")), all);
    assert_eq!(
        plan.actions("aws_iam_role_policy.apply[0]", "FillInstanceProfiles"),
        ["iam:PassRole"]
    );
    let boundary = set(plan.actions("aws_iam_policy.boundary[0]", "AtMost"));
    let more = [
        "iam:PassRole",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sts:GetCallerIdentity",
    ];
    assert_eq!(boundary.difference(&all).cloned().collect::<BTreeSet<_>>(), owned(&more));
    assert!(all.is_subset(&boundary));
}

/// The double of the provider was read from the provider on its own.
#[test]
fn the_table_of_calls_is_what_the_double_of_the_provider_calls() {
    let verbs = [
        "Add", "Attach", "Create", "Delete", "Describe", "Detach", "Get", "List", "Put", "Remove",
        "Tag", "Untag", "Update",
    ];
    for (name, reads, writes) in CALLS {
        let file = name.strip_prefix("aws_").expect("a type of AWS");
        let path = project().join(format!("tests/provider/resources/{file}.py"));
        let source = fs::read_to_string(path).expect("the double's source");
        let quoted = source.split('"').skip(1).step_by(2);
        let called: BTreeSet<&str> = quoted
            .filter(|text| text.chars().all(char::is_alphabetic))
            .filter(|text| {
                verbs.iter().any(|verb| {
                    let rest = text.strip_prefix(verb).unwrap_or_default();
                    rest.starts_with(char::is_uppercase)
                })
            })
            .filter(|text| !matches!(*text, "CreateDate" | "DeleteConflict"))
            .collect();
        let table: BTreeSet<&str> =
            reads.iter().chain(writes).filter_map(|action| action.split(':').nth(1)).collect();
        // The double serves the old `inline_policy` blocks of a role in the role's own type.
        let elsewhere: BTreeSet<&str> = CALLS
            .iter()
            .flat_map(|(_, reads, writes)| reads.iter().chain(*writes))
            .filter_map(|action| action.split(':').nth(1))
            .collect();
        assert!(called.is_subset(&elsewhere), "{name}: {called:?}");
        // It lists through a base of its own.
        let lists = ["ListAttachedRolePolicies", "ListRolePolicies"];
        let missing: Vec<_> =
            table.difference(&called).filter(|action| !lists.contains(action)).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

#[test]
fn the_function_is_told_nothing_but_settings_that_there_are() {
    let plan = Infrastructure::to_plan().plan(&[
        ("prefix", "accounts/111122223333"),
        ("kinds", r#"["roles"]"#),
        ("mode", "pull-request"),
        ("aws_managed", "true"),
        ("organizations_attachments", "true"),
        ("imports", "false"),
        ("managed_elsewhere", "true"),
        ("concurrency", "4"),
        ("pause", "1"),
        ("lease", "5"),
        ("github_app_id", "12345"),
        ("github_app_installation_id", "678"),
        ("github_api", "https://api.github.com"),
        ("repository", "https://github.com/example-org/iam.git"),
    ]);
    let of = |plan: &Planned| -> BTreeMap<String, String> {
        let function = plan.after("aws_lambda_function.this");
        let variables = &function["environment"][0]["variables"];
        serde_json::from_value(variables.clone()).expect("texts")
    };
    let mut told = of(&plan);
    let several = Infrastructure::to_plan().plan(&several());
    told.extend(of(&several));
    told.insert("AWS_IAM_GITOPS_QUEUE".to_owned(), String::new());
    assert_eq!(told["AWS_IAM_GITOPS_ACCOUNTS"], "organization");
    assert_eq!(told["AWS_IAM_GITOPS_ACCOUNTS_ROLE"], "security/reader");
    // What lies in the secret is named by an ARN that the plan does not know.
    told.insert("AWS_IAM_GITOPS_GITHUB_APP_KEY_SECRET".to_owned(), String::new());
    told.insert("AWS_IAM_GITOPS_TOKEN_SECRET".to_owned(), String::new());
    let all: BTreeSet<String> = environment::variables().map(|(name, _)| name).collect();
    let never = [
        "AWS_IAM_GITOPS_TOKEN",
        "AWS_IAM_GITOPS_TOKEN_PARAMETER",
        "AWS_IAM_GITOPS_CLONE",
        "AWS_IAM_GITOPS_GITHUB_APP_KEY_PARAMETER",
    ];
    let expected: BTreeSet<_> =
        all.into_iter().filter(|name| !never.contains(&name.as_str())).collect();
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(told["AWS_IAM_GITOPS_REPOSITORY"], "https://github.com/example-org/iam");
    assert_eq!(told["AWS_IAM_GITOPS_KINDS"], "roles");
    assert_eq!(
        plan.after("aws_secretsmanager_secret.this")["name"],
        "aws-iam-gitops/github-app-key"
    );
    assert_eq!(plan.actions("aws_iam_role_policy.apply[0]", "Unlock"), ["s3:DeleteObject"]);
    let state = plan.document("aws_iam_role_policy.plan[0]", "policy");
    assert_eq!(
        state["Statement"][2]["Resource"],
        "arn:aws:s3:::aws-iam-gitops-state-111122223333/accounts/111122223333/terraform.tfstate"
    );
}

#[test]
fn several_accounts_are_entered_and_heard_and_one_needs_nothing_of_it() {
    let one = default_plan();
    assert!(!one.addresses().iter().any(|address| address.contains("members")));
    let plan = Infrastructure::to_plan().plan(&several());
    let statement = |plan: &Planned, sid: &str| -> Value {
        let policy = plan.document("aws_iam_role_policy.function", "policy");
        let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
        statements.into_iter().find(|statement| statement["Sid"] == sid).expect("such a statement")
    };
    let enter = statement(&plan, "EnterAccounts");
    assert_eq!(enter["Action"], "sts:AssumeRole");
    assert_eq!(enter["Resource"], json!(["arn:aws:iam::*:role/security/reader"]));
    assert_eq!(enter["Condition"], json!({"StringEquals": {"aws:ResourceOrgID": "o-a1b2c3d4e5"}}));
    let calls: BTreeSet<String> = ["EnterAccounts", "FindAccounts"]
        .iter()
        .flat_map(|sid| plan.actions("aws_iam_role_policy.function", sid))
        .collect();
    assert_eq!(calls, owned(SEVERAL_PERMISSIONS.iter()));
    assert_eq!(plan.actions("aws_iam_role_policy.function", "AskForExports"), ["sqs:SendMessage"]);
    assert_eq!(plan.after("aws_lambda_event_source_mapping.events")["batch_size"], 10);
    assert_eq!(one.after("aws_lambda_event_source_mapping.events")["batch_size"], 100);
    let bus = plan.document("aws_cloudwatch_event_bus_policy.members[0]", "policy");
    let condition = &bus["Statement"][0]["Condition"];
    assert_eq!(condition["StringEquals"], json!({"aws:PrincipalOrgID": "o-a1b2c3d4e5"}));

    let list = ("accounts", r#"["111122223333", "444455556666"]"#);
    let plan = Infrastructure::to_plan().plan(&[list]);
    let roles = ["111122223333", "444455556666"]
        .map(|id| format!("arn:aws:iam::{id}:role/aws-iam-gitops-member"));
    assert_eq!(statement(&plan, "EnterAccounts")["Resource"], json!(roles));
    assert_eq!(
        plan.after("aws_cloudwatch_event_rule.members[0]")["event_pattern"],
        plan.after("aws_cloudwatch_event_rule.events")["event_pattern"]
    );
}

/// As Terraform and as a stack: the same role, for the same permissions.
#[test]
fn a_member_account_gets_what_the_program_calls_and_passes_its_events_on() {
    let member = Infrastructure::of("terraform/modules/member");
    let variables = [
        ("bus_arn", "arn:aws:events:us-east-1:444455556666:event-bus/aws-iam-gitops-members"),
        ("function_role_arn", "arn:aws:iam::444455556666:role/aws-iam-gitops-function"),
        ("external_id", "the-external-id"),
        ("role", "security/reader"),
    ];
    let plan = member.plan(&variables);
    let calls = owned(&sync_permissions());
    assert_eq!(set(plan.actions("aws_iam_role_policy.member", "Export")), calls);
    let role = plan.after("aws_iam_role.member");
    assert_eq!((&role["name"], &role["path"]), (&json!("reader"), &json!("/security/")));
    assert_eq!(plan.actions("aws_iam_role_policy.forward", "Forward"), ["events:PutEvents"]);
    let pattern = plan.document("aws_cloudwatch_event_rule.forward", "event_pattern");
    assert_eq!(
        pattern,
        default_plan().document("aws_cloudwatch_event_rule.events", "event_pattern")
    );
    for (address, after) in plan.all().filter(|(_, after)| after.get("tags_all").is_some()) {
        assert_eq!(after["tags_all"]["managed-by"], "aws-iam-gitops", "{address}");
    }
    for (name, value, says) in [
        ("bus_arn", "arn:aws:events:eu-west-1:444455556666:event-bus/x", "provider's is another"),
        ("role", "arn:aws:iam::444455556666:role/x", "The role is a name"),
        ("external_id", "a b", "An external ID has"),
    ] {
        let mut wrong = variables.to_vec();
        wrong.push((name, value));
        let output = member.output(&["plan", "-input=false", "-lock=false"], &wrong);
        let said = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(says), "{said}");
    }

    let read = "import json, sys, yaml\nprint(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let path = project().join("terraform/modules/member/stackset.yaml");
    let output = Command::new(python()).args(["-c", read]).arg(path).output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stack: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |name: &str| stack["Resources"][name]["Properties"].clone();
    let actions =
        of("MemberRole")["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"].clone();
    assert_eq!(set(serde_json::from_value(actions).expect("actions")), calls);
    assert_eq!(of("ForwardRule")["EventPattern"], pattern);
    let trust = &of("MemberRole")["AssumeRolePolicyDocument"]["Statement"][0]["Condition"];
    let expected = json!({
        "ArnEquals": {"aws:PrincipalArn": {"Ref": "FunctionRoleArn"}},
        "StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}},
    });
    assert_eq!(*trust, expected);
}

#[test]
fn every_resource_that_can_be_tagged_says_who_manages_it() {
    for (address, after) in default_plan().all() {
        if after.get("tags_all").is_some() {
            assert_eq!(after["tags_all"]["managed-by"], "aws-iam-gitops", "{address}");
        }
    }
}

#[test]
fn the_queue_leaves_a_run_six_times_its_time() {
    let plan = Infrastructure::to_plan().plan(&[("timeout", "900"), ("memory_size", "1024")]);
    assert_eq!(plan.after("aws_sqs_queue.events")["visibility_timeout_seconds"], 5400);
    let function = plan.after("aws_lambda_function.this");
    assert_eq!((&function["timeout"], &function["memory_size"]), (&json!(900), &json!(1024)));
    let mapping = plan.after("aws_lambda_event_source_mapping.events");
    assert_eq!(mapping["function_response_types"], json!(["ReportBatchItemFailures"]));
    assert_eq!(mapping["scaling_config"][0]["maximum_concurrency"], 2);
    assert!(function["reserved_concurrent_executions"].is_null());
}

#[test]
fn what_is_there_already_is_not_made_again() {
    let plan = Infrastructure::to_plan().plan(&[
        ("create_trail", "false"),
        ("create_oidc_provider", "false"),
        ("architecture", "x86_64"),
        ("environment", "production"),
        ("github_owner_id", "12"),
        ("github_repository_id", "34"),
    ]);
    let addresses = plan.addresses();
    let is_of_trail = |address: &&&str| address.contains("trail");
    assert_eq!(addresses.iter().find(is_of_trail), None);
    assert!(!plan.has("aws_iam_openid_connect_provider.github[0]"));
    assert_eq!(plan.after("aws_lambda_function.this")["architectures"], json!(["x86_64"]));
    let subjects = |role: &str| -> Value {
        let trust = plan.document(&format!("aws_iam_role.{role}[0]"), "assume_role_policy");
        let conditions = &trust["Statement"][0]["Condition"]["StringEquals"];
        conditions["token.actions.githubusercontent.com:sub"].clone()
    };
    for (role, subject) in [
        ("plan", "pull_request"),
        ("apply", "environment:production"),
        ("export", "ref:refs/heads/main"),
    ] {
        let both = [
            format!("repo:example-org/iam:{subject}"),
            format!("repo:example-org@12/iam@34:{subject}"),
        ];
        assert_eq!(subjects(role), json!(both));
    }
}

#[test]
fn a_repository_on_another_host_gets_no_roles_of_github() {
    for variables in [
        &[("repository", "https://gitlab.example.com/group/subgroup/iam")][..],
        &[("create_github_roles", "false")],
    ] {
        let plan = Infrastructure::to_plan().plan(variables);
        let addresses = plan.addresses();
        let of_the_way_back = addresses.iter().filter(|address| {
            ["state", "plan", "apply", "export", "boundary", "github"]
                .iter()
                .any(|part| address.contains(&format!(".{part}[")))
        });
        assert_eq!(of_the_way_back.count(), 0, "{addresses:?}");
        assert!(plan.has("aws_lambda_function.this"));
    }
}

/// Each row is refused as a whole, by exactly these variables.
#[test]
fn values_that_cannot_be_are_refused_with_the_right_one() {
    let rows: [&[(&str, &str)]; 6] = [
        &[
            ("repository", "https://token@github.com/o/n"),
            ("branch", "refs/../x"),
            ("name", "Aws"),
            ("region", "eu-central-1"),
            ("account_id", "1234"),
            ("architecture", "arm"),
            ("image_digest", "latest"),
            ("memory_size", "128"),
            ("timeout", "901"),
            ("ephemeral_storage", "100"),
            ("maximum_concurrency", "1"),
            ("batch_size", "0"),
            ("receive_count", "1"),
            ("schedule", "6 hours"),
            ("prefix", "/x"),
            ("kinds", r#"["users"]"#),
            ("mode", "force"),
            ("concurrency", "65"),
            ("pause", "61"),
            ("lease", "-1"),
            ("accounts_exclude", r#"["x"]"#),
            ("accounts_role", "a:b"),
            ("accounts_external_id", "a b"),
            ("accounts_session_name", "a/b"),
            ("accounts_concurrency", "33"),
            ("github_app_id", "a b"),
            ("github_api", "http://x"),
            ("trail_retention", "30"),
            ("log_retention", "2"),
            ("alarm_emails", r#"["nobody"]"#),
            ("github_oidc_issuer", "https://x"),
            ("github_owner_id", "o"),
            ("environment", "a:b"),
            ("protected_roles", r#"["a b"]"#),
            ("tags", r#"{"aws:x" = "y"}"#),
        ],
        &[
            ("repository", "ssh://git@github.com/o/n"),
            ("branch", "a//b"),
            ("name", "a--b"),
            ("region", "us-east-2"),
            ("memory_size", "300.5"),
            ("kinds", "[]"),
            ("github_repository_id", "34"),
            ("prefix", "a/../b"),
            ("pause", "x"),
        ],
        &[
            ("repository", "o/n?x"),
            ("github_app_installation_id", "12"),
            ("name", "a"),
            ("region", ""),
            ("schedule", "cron()"),
            ("environment", "*"),
            ("batch_window", "0"),
        ],
        &[
            ("repository", "https://github.com/o"),
            ("branch", "main*"),
            ("batch_window", "301"),
            ("github_app_installation_id", "x"),
            ("organization_id", "o-X"),
        ],
        // Terraform looks at no variable that refers to one that is refused.
        &[("accounts", r#"["organization", "111122223333"]"#), ("repository", "o")],
        &[("organization_id", ""), ("repository", "o")],
    ];
    for row in rows {
        let output = Infrastructure::to_plan()
            .output(&["plan", "-input=false", "-lock=false", "-json"], row);
        assert!(!output.status.success());
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        let messages: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let errors = messages.iter().filter(|message| message["diagnostic"]["severity"] == "error");
        let refused: BTreeSet<String> = errors
            .map(|error| {
                let code = error["diagnostic"]["snippet"]["code"].as_str().unwrap_or_default();
                code.split('"').nth(1).unwrap_or(code).to_owned()
            })
            .collect();
        let expected: BTreeSet<String> = row.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(refused, expected, "{lines}");
    }
    for (variables, says) in [
        ([("accounts", r#"["organization"]"#), ("branch", "main")], "say which organization it is"),
        ([("accounts", r#"["111122223333"]"#), ("prefix", "x")], "The prefix is for one account"),
    ] {
        let all = [&[("repository", "o/n")][..], &variables].concat();
        let output =
            Infrastructure::to_plan().output(&["plan", "-input=false", "-lock=false"], &all);
        let said = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(says), "{said}");
    }
    let output = Infrastructure::to_plan()
        .output(&["plan", "-input=false", "-lock=false"], &[("repository", "o/n")]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("There is no image yet"));
}

#[test]
fn the_partition_s_own_region_is_planned_for() {
    let plan = Infrastructure::to_plan().plan(&[("region", "us-gov-west-1")]);
    let boundary = plan.document("aws_iam_policy.boundary[0]", "policy").to_string();
    assert!(boundary.contains("arn:aws-us-gov:iam::") && !boundary.contains("arn:aws:"));
}

/// Applied, nothing is left to do; destroyed, nothing is left, and what was there before still is.
#[test]
fn it_applies_once_and_leaves_nothing_when_destroyed() {
    let infrastructure = Infrastructure::new();
    let own = "client.iam('CreateRole', RoleName='theirs', AssumeRolePolicyDocument='{}')";
    infrastructure.emulator().call(own);
    let variables = [("repository", "example-org/iam"), ("image_digest", DIGEST)];
    infrastructure.run(&["apply", "-input=false", "-auto-approve"], &variables);
    let list = "print(sorted(r['RoleName'] for r in client.iam_pages('ListRoles', 'Roles')))";
    let roles = "['aws-iam-gitops-apply', 'aws-iam-gitops-export', 'aws-iam-gitops-function', \
                 'aws-iam-gitops-plan', 'theirs']";
    assert_eq!(infrastructure.emulator().call(list).trim(), roles);
    infrastructure.run(&["plan", "-input=false", "-detailed-exitcode"], &variables);
    infrastructure.run(&["destroy", "-input=false", "-auto-approve"], &variables);
    assert_eq!(infrastructure.emulator().call(list).trim(), "['theirs']");
    assert_eq!(infrastructure.run(&["state", "list"], &[]), "");

    // The schema is looked at: an argument that it does not have is refused.
    infrastructure.run(&["validate"], &[]);
    let bad = "resource \"aws_sqs_queue\" \"bad\" {\n  visibility_timeout = 1\n}\n";
    fs::write(infrastructure.module().join("bad.tf"), bad).expect("a file");
    let output = infrastructure.output(&["validate"], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("Unsupported argument"), "{said}");
}

/// Every `variable "…"` or `output "…"` of a file, with its description.
fn declared(file: &str, keyword: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(project().join("terraform").join(file)).expect("a file");
    let start = format!("\n{keyword} \"");
    let blocks = text.split(&start).skip(1).map(|block| {
        let name = block.split('"').next().expect("a name");
        let description = block
            .lines()
            .find_map(|line| line.trim().strip_prefix("description = \"")?.strip_suffix('"'));
        (name.to_owned(), description.unwrap_or_else(|| panic!("{name} says nothing")).to_owned())
    });
    blocks.collect()
}

#[test]
fn the_manual_lists_every_variable_and_output_and_each_is_used() {
    let folder = project().join("terraform");
    let manual = fs::read_to_string(folder.join("README.md")).expect("the manual");
    let files = fs::read_dir(&folder).expect("the module").filter_map(|entry| {
        let path = entry.expect("an entry").path();
        let declares = path.ends_with("variables.tf");
        let is_terraform = path.extension().is_some_and(|extension| extension == "tf");
        (is_terraform && !declares).then_some(path)
    });
    let module: String = files.map(|file| fs::read_to_string(file).expect("a file")).collect();
    let variables = declared("variables.tf", "variable");
    assert!(variables.len() > 30);
    let mut rows = BTreeSet::new();
    for (name, description) in &variables {
        let row = manual.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("the manual lacks {name}"));
        assert!(row.ends_with(&format!("| {description} |")), "{row}\nis not: {description}");
        rows.insert(name.clone());
        let is_used = module
            .split(&format!("var.{name}"))
            .skip(1)
            .any(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'));
        assert!(is_used, "{name} is not used");
    }
    for (name, description) in declared("outputs.tf", "output") {
        assert!(manual.contains(&format!("| `{name}` | {description} |")), "{name}");
        rows.insert(name);
    }
    let section =
        manual.split("## Variables").nth(1).and_then(|rest| rest.split("## The way").next());
    let listed = section.expect("variables and outputs").lines();
    let listed: BTreeSet<String> = listed
        .filter_map(|line| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned()))
        .collect();
    assert_eq!(listed, rows);
}
