//! Real policy documents, through an export and through Terraform's own evaluation: the same
//! documents come out.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::{Value, json};
use support::python::{project, python};

fn export(from: &Path, to: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
        .args(["export", "--quiet", "--from"])
        .arg(from)
        .arg("--to")
        .arg(to)
        .output()
        .expect("run the program");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    stdout
}

/// What the real Terraform makes of one argument of every generated file, by file name.
fn evaluated(folder: &Path, argument: &str) -> BTreeMap<String, Value> {
    let mut names = Vec::new();
    let mut expressions = Vec::new();
    for entry in fs::read_dir(folder.join("terraform")).expect("a module") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("UTF-8");
        let Some((_, rest)) = text.split_once(&format!("\n  {argument} = jsonencode(")) else {
            continue;
        };
        let (document, _) = rest.split_once("\n  })").expect("the end of the argument");
        names.push(path.file_name().expect("a name").to_string_lossy().into_owned());
        expressions.push(format!("jsonencode({document}\n  }})"));
    }
    let values = support::evaluate(&expressions);
    let parsed = values.iter().map(|text| {
        serde_json::from_str(text.as_str().expect("jsonencode gives text")).expect("JSON")
    });
    names.into_iter().zip(parsed).collect()
}

/// Every policy that AWS itself has written, taken for the account's own.
#[test]
fn policies_that_aws_wrote_come_out_the_same() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let program = "import json, sys; from moto.iam.aws_managed_policies import aws_managed_policies_data as data; \
                   sys.stdout.write(data if isinstance(data, str) else json.dumps(data))";
    let output =
        std::process::Command::new(python()).args(["-c", program]).output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let policies: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(policies.len() >= 1_582, "{}", policies.len());

    let details: Vec<Value> = policies
        .iter()
        .map(|(name, policy)| {
            json!({
                "PolicyName": name,
                "PolicyId": format!("ANPA{name}"),
                "Arn": format!("arn:aws:iam::111122223333:policy/{name}"),
                "Path": "/",
                "DefaultVersionId": "v1",
                "IsAttachable": true,
                "PolicyVersionList": [
                    {"VersionId": "v1", "IsDefaultVersion": true, "Document": policy["Document"]}
                ],
            })
        })
        .collect();
    let dump = folder.path().join("authorization-details.json");
    let text = json!({"RoleDetailList": [], "UserDetailList": [], "GroupDetailList": [], "Policies": details});
    fs::write(&dump, text.to_string()).expect("write the dump");
    let to = folder.path().join("iam");
    export(&dump, &to);

    let documents = evaluated(&to, "policy");
    assert_eq!(documents.len(), policies.len());
    for (name, policy) in &policies {
        assert_eq!(documents[&format!("iam_policy.{name}.tf")], policy["Document"], "{name}");
    }
    support::assert_formatted(&to);
}

/// Published service control and resource control policies, one of which is no JSON.
#[test]
fn published_organizations_policies_come_out_the_same() {
    let samples = project().join("../shared/data/organizations-policies");
    if !samples.is_dir() {
        eprintln!("skipped: there is no {}", samples.display());
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut contents: BTreeMap<String, String> = BTreeMap::new();
    for (kind, policy_type, count) in
        [("scp", "SERVICE_CONTROL_POLICY", 57), ("rcp", "RESOURCE_CONTROL_POLICY", 23)]
    {
        let mut files: Vec<PathBuf> = fs::read_dir(samples.join(kind))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        assert_eq!(files.len(), count);
        for (index, path) in files.iter().enumerate() {
            let content = fs::read_to_string(path).expect("UTF-8");
            let id = format!("p-{kind}{index:08}");
            let policy = json!({"Policy": {
                "PolicySummary": {
                    "Id": id,
                    "Arn": format!("arn:aws:organizations::111122223333:policy/o-x/{kind}/{id}"),
                    "Name": path.file_stem().expect("a name").to_string_lossy(),
                    "Type": policy_type,
                    "AwsManaged": false,
                },
                "Content": content,
            }});
            fs::write(folder.path().join(format!("{id}.json")), policy.to_string()).expect("write");
            contents.insert(id, content);
        }
    }
    let to = folder.path().join("iam");
    let summary = export(folder.path(), &to);

    let documents = evaluated(&to, "content");
    let mut invalid = Vec::new();
    for (id, content) in &contents {
        match serde_json::from_str::<Value>(content) {
            Ok(expected) => {
                assert_eq!(documents[&format!("organizations_policy.{id}.tf")], expected, "{id}");
            }
            Err(_) => invalid.push(id),
        }
    }
    assert_eq!((invalid.len(), documents.len()), (1, 79));
    assert!(summary.contains(&format!("`{}`", invalid[0])), "{summary}");
    assert!(summary.contains("its content is not what the provider takes: "), "{summary}");
    support::assert_formatted(&to);
}
