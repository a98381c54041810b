//! An export of 10,000 roles and 5,000 policies from a dump, against the floor: parsing the same
//! dump with serde_json and writing the same bytes.
//!
//! Both run in turn, so that a machine whose speed drifts slows both. Fails above [`LIMIT`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_iam_gitops::aws::{Connection, Dump, PAUSE, Source};
use aws_iam_gitops::export::export;
use aws_iam_gitops::settings::{Coverage, ExportSettings};
use serde_json::{Value, json};

const ROLES: usize = 10_000;
const POLICIES: usize = 5_000;
const ROUNDS: usize = 7;

/// How many times the floor an export may take.
const LIMIT: f64 = 3.0;

fn main() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let dump = folder.path().join("authorization-details.json");
    fs::write(&dump, account().to_string()).expect("write the dump");

    let to = folder.path().join("first");
    run_export(&dump, &to);
    let tree = read_tree(&to);
    let bytes: usize = tree.values().map(Vec::len).sum();
    println!(
        "dump of {} MB, tree of {} files and {} MB",
        fs::metadata(&dump).expect("the dump").len() / 1_000_000,
        tree.len(),
        bytes / 1_000_000
    );

    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let to = folder.path().join(format!("export{round}"));
        let ours = timed(|| run_export(&dump, &to));
        let to = folder.path().join(format!("floor{round}"));
        let floor = timed(|| run_floor(&dump, &tree, &to));
        println!("export {ours:.2?}, floor {floor:.2?}");
        ratios.push(ours.as_secs_f64() / floor.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    let (least, most) = (ratios[0], ratios[ROUNDS - 1]);
    println!("export / floor: median {median:.2}, {least:.2} to {most:.2}");

    let again = timed(|| run_export(&dump, &folder.path().join("first")));
    println!("second export, nothing to write: {again:.2?}");
    println!("peak memory of all this: {} MB", peak_memory() / 1_000_000);
    assert!(median <= LIMIT, "an export takes {median:.2} times the floor, more than {LIMIT}");
}

fn run_export(dump: &Path, to: &Path) {
    let settings = ExportSettings {
        from: vec![dump.to_owned()],
        to: to.to_owned(),
        account: None,
        connection: Connection {
            profile: None,
            region: None,
            concurrency: 1,
            aws_managed: false,
            pause: PAUSE,
        },
        coverage: Coverage::default(),
        overwrite: false,
        is_adopting: false,
        dry_run: false,
    };
    let dump = Dump::read(&settings.from, None, false).expect("readable files");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let summary = runtime.block_on(export(&Source::Dump(dump), &settings)).expect("an export");
    assert!(summary.failures.is_empty());
}

fn run_floor(dump: &Path, tree: &BTreeMap<PathBuf, Vec<u8>>, to: &Path) {
    let text = fs::read_to_string(dump).expect("the dump");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    for folder in ["roles", "policies", "terraform"] {
        fs::create_dir_all(to.join(folder)).expect("a folder");
    }
    for (path, content) in tree {
        fs::write(to.join(path), content).expect("write");
    }
    assert_eq!(value["RoleDetailList"].as_array().map(Vec::len), Some(ROLES));
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn read_tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut tree = BTreeMap::new();
    for folder in ["roles", "policies", "terraform"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let content = fs::read(&path).expect("a file");
            tree.insert(path.strip_prefix(root).expect("below").to_owned(), content);
        }
    }
    tree
}

/// The high-water mark of resident memory, in bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

fn account() -> Value {
    json!({
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": (0..ROLES).map(role).collect::<Vec<_>>(),
        "Policies": (0..POLICIES).map(policy).collect::<Vec<_>>(),
    })
}

fn role(n: usize) -> Value {
    json!({
        "Path": "/service/",
        "RoleName": format!("service-{n:05}"),
        "RoleId": format!("AROAEXAMPLE{n:010}"),
        "Arn": format!("arn:aws:iam::111122223333:role/service/service-{n:05}"),
        "CreateDate": "2024-03-05T09:12:44+00:00",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": ["ecs-tasks.amazonaws.com", "lambda.amazonaws.com"]},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}},
        }]},
        "InstanceProfileList": [],
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": document(n)}],
        "AttachedManagedPolicies": [
            {"PolicyName": format!("shared-{:05}", n % POLICIES),
             "PolicyArn": format!("arn:aws:iam::111122223333:policy/shared-{:05}", n % POLICIES)},
            {"PolicyName": "ReadOnlyAccess", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        ],
        "Tags": [{"Key": "team", "Value": format!("team-{}", n % 50)}, {"Key": "stage", "Value": "production"}],
    })
}

fn policy(n: usize) -> Value {
    json!({
        "PolicyName": format!("shared-{n:05}"),
        "PolicyId": format!("ANPAEXAMPLE{n:010}"),
        "Arn": format!("arn:aws:iam::111122223333:policy/shared-{n:05}"),
        "Path": "/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 2,
        "IsAttachable": true,
        "CreateDate": "2024-03-05T09:12:44+00:00",
        "UpdateDate": "2024-03-05T09:12:44+00:00",
        "PolicyVersionList": [{
            "Document": document(n),
            "VersionId": "v1",
            "IsDefaultVersion": true,
            "CreateDate": "2024-03-05T09:12:44+00:00",
        }],
    })
}

fn document(n: usize) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
         "Resource": [format!("arn:aws:s3:::bucket-{n}"), format!("arn:aws:s3:::bucket-{n}/*")]},
        {"Sid": "Own", "Effect": "Allow", "Action": "dynamodb:*",
         "Resource": format!("arn:aws:dynamodb:*:111122223333:table/t-{n}-${{aws:PrincipalTag/team}}"),
         "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
    ]})
}
