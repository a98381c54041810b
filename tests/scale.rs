//! Scale: 2,000 roles, each with an inline policy and an attachment, and 500 policies.
//!
//! Terraform's time grows faster than the number of import blocks: it holds each block against all
//! others whenever it reads the module. So the module is read as seldom as the promise allows. It
//! is initialized with the files that `terraform init` is about, before the others are there, and
//! the plan is judged by what Terraform says of each resource while it plans, not by a saved plan,
//! which would be read back.

mod support;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use support::module::Module;
use support::python::Emulator;
use support::repository::Repository;

const ROLES: usize = 2_000;
const POLICIES: usize = 500;
const RESOURCES: usize = 3 * ROLES + POLICIES;
const ACCOUNT: &str = "111122223333";

/// What `aws iam get-account-authorization-details` prints, with descriptions and tags.
fn account() -> Value {
    let date = "2024-05-06T07:08:09+00:00";
    let document = |action: &str, resource: String| {
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "Own",
                "Effect": "Allow",
                "Action": [action, "s3:ListBucket"],
                "Resource": resource
            }]
        })
    };
    let policy_arn = |number: usize| format!("arn:aws:iam::{ACCOUNT}:policy/scale/policy-{number}");
    let role = |number: usize| {
        let name = format!("role-{number}");
        json!({
            "Path": "/scale/",
            "RoleName": name,
            "RoleId": format!("AROA{number:017}"),
            "Arn": format!("arn:aws:iam::{ACCOUNT}:role/scale/{name}"),
            "CreateDate": date,
            "Description": format!("Role number {number}"),
            "MaxSessionDuration": 7200,
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"] },
                    "Action": "sts:AssumeRole"
                }]
            },
            "InstanceProfileList": [],
            "RolePolicyList": [{
                "PolicyName": "inline",
                "PolicyDocument": document("s3:GetObject", format!("arn:aws:s3:::{name}/*"))
            }],
            "AttachedManagedPolicies": [{
                "PolicyName": format!("policy-{}", number % POLICIES),
                "PolicyArn": policy_arn(number % POLICIES)
            }],
            "Tags": [{ "Key": "number", "Value": number.to_string() }]
        })
    };
    let policy = |number: usize| {
        json!({
            "PolicyName": format!("policy-{number}"),
            "PolicyId": format!("ANPA{number:017}"),
            "Arn": policy_arn(number),
            "Path": "/scale/",
            "DefaultVersionId": "v1",
            "AttachmentCount": ROLES / POLICIES,
            "IsAttachable": true,
            "CreateDate": date,
            "UpdateDate": date,
            "Description": format!("Policy number {number}"),
            "Tags": [],
            "PolicyVersionList": [{
                "VersionId": "v1",
                "IsDefaultVersion": true,
                "CreateDate": date,
                "Document": document("s3:PutObject", format!("arn:aws:s3:::policy-{number}/*"))
            }]
        })
    };
    json!({
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": (0..ROLES).map(role).collect::<Vec<_>>(),
        "Policies": (0..POLICIES).map(policy).collect::<Vec<_>>(),
    })
}

fn is_shared(path: &Path) -> bool {
    ["versions.tf", "provider.tf"].iter().any(|name| path.ends_with(name))
}

fn timed<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    println!("{what}: {:.1} s", start.elapsed().as_secs_f64());
    result
}

#[test]
fn thousands_of_roles_validate_and_plan_as_imports_only() {
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    fs::write(file.path(), account().to_string()).expect("write the account");
    let emulator = timed("start of the emulator", || Emulator::start(Some(file.path())));
    let repository = Repository::new();
    timed("export", || repository.export(&emulator, &[]));

    let aside = tempfile::tempdir_in(repository.folder()).expect("temporary folder");
    let files = || fs::read_dir(repository.root()).expect("a folder").map(|e| e.expect("a file"));
    let entities: Vec<_> = files().map(|file| file.path()).filter(|p| !is_shared(p)).collect();
    assert_eq!(entities.len(), ROLES + POLICIES);
    let name = |path: &Path| path.file_name().expect("a name").to_owned();
    for path in &entities {
        fs::rename(path, aside.path().join(name(path))).expect("put a file aside");
    }
    let module = timed("init, two files", || Module::new(&repository.root(), &emulator));
    for path in &entities {
        fs::rename(aside.path().join(name(path)), path).expect("put a file back");
    }

    timed("validate", || module.run(&["validate"]));
    let messages = timed("plan", || {
        module.run(&["plan", "-json", "-input=false", "-lock=false", "-parallelism=20"])
    });
    let messages: Vec<Value> =
        messages.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| -> Vec<&Value> {
        messages.iter().filter(|message| message["type"] == kind).collect()
    };
    let summary = of("change_summary").pop().expect("a summary");
    assert_eq!(
        summary["changes"],
        json!({
            "add": 0, "change": 0, "import": RESOURCES, "remove": 0, "operation": "plan"
        })
    );
    let mut actions: HashMap<&str, usize> = HashMap::new();
    for change in of("planned_change") {
        let action = change["change"]["action"].as_str().expect("an action");
        *actions.entry(action).or_default() += 1;
    }
    assert_eq!(actions, HashMap::from([("import", RESOURCES)]));
}
