//! The promise: a plan right after an export shows imports and nothing else.

mod support;

use std::path::Path;

use serde_json::Value;
use support::module::Module;
use support::python::{Emulator, project};
use support::repository::{Repository, Summary};

/// Import blocks in the files of a module.
fn import_blocks(repository: &Repository) -> usize {
    let tree = repository.tree();
    let files = tree.iter().filter(|(path, _)| path.ends_with(".tf"));
    files.map(|(_, content)| content.matches("import {\n").count()).sum()
}

/// How many resources the raw JSON calls for: an entity each, and one for each thing that hangs on
/// it. A resource that is lost altogether has no import block either, so this counts on its own.
fn parts(repository: &Repository, summary: &Summary) -> usize {
    let is_skipped = |kind: &str, name: &Value| {
        let kinds = summary.0["kinds"].as_array().expect("kinds");
        let kind = kinds.iter().find(|found| found["kind"] == kind).expect("the kind");
        kind["skipped"].as_array().expect("a list").iter().any(|skipped| skipped["name"] == *name)
    };
    let number = |value: &Value| value.as_array().map_or(0, Vec::len);
    let tree = repository.tree();
    let files = tree.iter().filter(|(path, _)| path.ends_with(".json"));
    files
        .map(|(path, content)| {
            let entity: Value = serde_json::from_str(content).expect("raw JSON");
            let count = |members: &[&str]| members.iter().map(|it| number(&entity[it])).sum();
            let (kind, name, hanging) = match path.split('/').next().expect("a folder") {
                "policies" => ("policies", &entity["PolicyName"], 0),
                "roles" => {
                    let profiles = entity["InstanceProfileList"].as_array().expect("a list");
                    let profiles = profiles.iter().filter(|profile| !is_managed_elsewhere(profile));
                    let hanging: usize = count(&["RolePolicyList", "AttachedManagedPolicies"]);
                    ("roles", &entity["RoleName"], hanging + profiles.count())
                }
                "users" => {
                    let hanging = ["UserPolicyList", "AttachedManagedPolicies", "GroupList"];
                    ("users", &entity["UserName"], count(&hanging))
                }
                "groups" => {
                    let hanging = ["GroupPolicyList", "AttachedManagedPolicies"];
                    ("groups", &entity["GroupName"], count(&hanging))
                }
                _ => {
                    let id = &entity["PolicySummary"]["Id"];
                    ("organizations policies", id, count(&["Targets"]))
                }
            };
            if is_skipped(kind, name) { 0 } else { 1 + hanging }
        })
        .sum()
}

fn is_managed_elsewhere(profile: &Value) -> bool {
    let tags = profile["Tags"].as_array().map_or(&[][..], Vec::as_slice);
    tags.iter().any(|tag| {
        tag["Key"] == "aws:cloudformation:stack-name"
            || (tag["Key"] == "managed-by" && tag["Value"] == "aws-iam-gitops")
    })
}

/// Export, plan: imports only; apply, plan: nothing.
fn assert_zero_diff(account: &Path, arguments: &[&str]) {
    let repository = Repository::new();
    let summary = repository.export_from(account, arguments);
    let emulator = Emulator::start(Some(account));
    let module = Module::new(&repository.root(), &emulator);
    module.run(&["validate"]);

    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    assert_eq!(plan.imports().len(), plan.resources());
    assert_eq!(plan.resources(), import_blocks(&repository));
    assert_eq!(plan.resources(), parts(&repository, &summary));
    assert!(plan.resources() > 0);
    module.apply();

    let plan = module.plan();
    assert_eq!(plan.actions(), [""; 0]);
    assert!(plan.imports().is_empty());
}

#[test]
fn example_account_plans_as_imports_only() {
    assert_zero_diff(&project().join("examples/account"), &["--organizations-attachments"]);
}

#[test]
fn hostile_account_plans_as_imports_only() {
    assert_zero_diff(&project().join("tests/accounts/hostile"), &["--organizations-attachments"]);
}

#[test]
fn real_dumps_plan_as_imports_only() {
    let folder = project().join("../shared/data/authorization-details");
    if !folder.is_dir() {
        eprintln!("skipped: there is no {}", folder.display());
        return;
    }
    for name in ["cloudmapper-demo.json", "cloudsplaining-example.json"] {
        assert_zero_diff(&folder.join(name), &[]);
    }
}
