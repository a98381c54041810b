//! The workflows that `init` writes, run step by step as GitHub's runner does: pull request, plan,
//! merge, apply, event, and then nothing.

mod support;

use serde_json::{Value, json};
use support::git_server::git;
use support::workflows::{Place, Report};

const ROLE: &str = "terraform/iam_role.deploy.tf";

fn role(name: &str, description: &str) -> Value {
    json!({
        "Path": "/", "RoleName": name, "RoleId": format!("AROA{name}00000000000"),
        "Arn": format!("arn:aws:iam::111122223333:role/{name}"),
        "CreateDate": "2024-05-06T07:08:09Z",
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "ec2.amazonaws.com" },
                "Action": "sts:AssumeRole"
            }]
        },
        "InstanceProfileList": [], "RolePolicyList": [], "AttachedManagedPolicies": [],
        "Description": description, "MaxSessionDuration": 3600, "Tags": []
    })
}

fn account(roles: &[Value]) -> Value {
    json!({ "account": "111122223333", "roles": roles })
}

/// Nothing that a workflow writes a log, a summary or a comment with is a terminal escape.
#[track_caller]
fn assert_readable(text: &str) {
    let is_hidden = |c: char| c != '\n' && c != '\t' && aws_iam_gitops::invisible::is_invisible(c);
    assert!(!text.contains(is_hidden), "{text:?}");
}

#[test]
fn a_pull_request_goes_around_the_circle() {
    let place = Place::new(&account(&[role("deploy", "Deploys"), role("reader", "Reads")]));
    place.api.world().workflows.push(".github/workflows/apply.yml".to_owned());

    // The first run imports what the export found.
    let first = place.run("apply", "push").succeeded();
    assert!(first.log("Plan").contains("Plan: 2 to import, 0 to add, 0 to change, 0 to destroy."));
    assert!(first.log("Apply").contains("Apply complete! Resources: 2 imported"), "{first}");
    assert_eq!(first.0["apply"]["environment"], "production");

    // A pull request: what it changes is told in a comment, which the next commit changes.
    place.branch("topic");
    place.edit(ROLE, "\"Deploys\"", "\"Deploys the site\"");
    place.commit("Say what it deploys");
    let planned = place.plan("o/n").succeeded();
    assert_eq!(planned.results(), [("check", "success"), ("comment", "success"), ("plan", "success")]);
    assert!(planned.log("Plan").contains("Plan: 0 to add, 1 to change, 0 to destroy."), "{planned}");
    assert_only_planning_has_credentials(&planned);
    place.edit(ROLE, "\"Deploys the site\"", "\"Deploys the sites\"");
    let head = place.commit("Say it better");
    place.plan("o/n").succeeded();
    let comments = place.api.world().comments.clone();
    assert_eq!(comments.len(), 1, "{comments:?}");
    assert_eq!((comments[0].issue, comments[0].author.as_str()), (1, "github-actions[bot]"));
    assert!(comments[0].body.contains(&format!("The plan of {head}")), "{}", comments[0].body);

    // Merged, it is applied, and the event brings the raw JSON up to date, nothing else.
    place.push("HEAD:main");
    let merged = place.run("apply", "push").succeeded();
    assert!(merged.log("Apply").contains("0 added, 1 changed, 0 destroyed"), "{merged}");
    let described = place.emulator.call("print(client.iam('GetRole', RoleName='deploy'))");
    assert!(described.contains("Deploys the sites"), "{described}");
    let event = json!({
        "eventSource": "iam.amazonaws.com", "eventName": "UpdateRole",
        "requestParameters": {"roleName": "deploy"}, "recipientAccountId": "111122223333",
        "eventID": "6f0e2b1a-7c44-4f0e-b6a5-1d9c3e8f7a20", "eventTime": "2026-11-22T10:15:00Z",
        "awsRegion": "us-east-1", "readOnly": false,
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/aws-iam-gitops-apply/aws-iam-gitops-apply"}
    });
    assert_eq!(handle(&place, &event), ["roles/deploy.json"]);
    let still = place.run("apply", "push").succeeded();
    assert!(still.summary().contains("There is nothing to apply."), "{still}");
    assert!(!still.has_run("Apply") && !still.has_run("Judge the plan"));
    assert_eq!(handle(&place, &event), [""; 0]);

    // An old run that is started again leaves AWS alone.
    let mut old = place.run_of("apply", "push");
    old.commit = head;
    let old = place.run_with(old).succeeded();
    assert!(old.summary().contains("the branch has moved on"), "{old}");
    assert!(!old.has_run("Plan"));
    // So does one that is started for another branch.
    let mut other = place.run_of("apply", "workflow_dispatch");
    other.reference = "refs/heads/topic";
    assert_eq!(place.run_with(other).results(), [("apply", "skipped")]);

    // What is destroyed is refused, but for a run that says why.
    place.branch("topic");
    std::fs::remove_file(place.checkout().join("terraform/iam_role.reader.tf")).expect("remove");
    place.commit("Nobody reads");
    let refused = place.plan("o/n");
    assert_eq!(refused.results(), [("check", "success"), ("comment", "success"), ("plan", "failure")]);
    let comment = place.api.world().comments[0].body.clone();
    assert!(comment.contains("would not be applied"), "{comment}");
    place.push("HEAD:main");
    let refused = place.run("apply", "push");
    assert_eq!(refused.results(), [("apply", "failure")]);
    assert!(!refused.has_run("Apply"));
    let mut allowed = place.run_of("apply", "workflow_dispatch");
    allowed.inputs = json!({"rules": "destroys", "reason": ""});
    assert_eq!(place.run_with(allowed).results(), [("apply", "failure")]);
    let mut allowed = place.run_of("apply", "workflow_dispatch");
    allowed.inputs = json!({"rules": " destroys  share ", "reason": "left in May; $(id) \"x\""});
    let allowed = place.run_with(allowed).succeeded();
    assert!(allowed.log("Apply").contains("1 destroyed"), "{allowed}");
    assert!(allowed.summary().contains("left in May; $(id)"), "{allowed}");
}

/// Commits what an event brings, as the function does; the answer is which files changed.
#[track_caller]
fn handle(place: &Place, event: &Value) -> Vec<String> {
    let before = place.bare.head("main").expect("a commit");
    place.write("../event.json", &event.to_string());
    let repository = place.bare.path.display().to_string();
    place.program(&["--quiet", "event", "../event.json", "--repository", &repository]).succeeded();
    let after = place.bare.head("main").expect("a commit");
    let changed = git(&place.bare.path, &["diff", "--name-only", &before, &after]);
    changed.lines().map(str::to_owned).collect()
}

/// The job that runs the pull request's Terraform without credentials, and the one with a token that
/// writes, have no credentials of AWS.
#[track_caller]
fn assert_only_planning_has_credentials(report: &Report) {
    for (name, job) in report.0.as_object().expect("jobs") {
        let steps = job["steps"].as_array().expect("steps");
        let has = |text: &str| steps.iter().any(|step| step["environment"].to_string().contains(text));
        assert_eq!(has("AWS_SECRET_ACCESS_KEY"), name == "plan", "{name}");
        assert_eq!(has("token:"), name == "comment", "{name}");
    }
    assert_eq!(report.0["comment"]["permissions"], json!({"pull-requests": "write"}));
}
