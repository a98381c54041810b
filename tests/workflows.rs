//! The workflows that `init` writes, run step by step as GitHub's runner does: pull request, plan,
//! merge, apply, event, and then nothing.

mod support;

use serde_json::{Value, json};
use support::actions_api::Comment;
use support::git_server::git;
use support::raw_json;
use support::workflows::{Place, Report};

const ROLE: &str = "terraform/iam_role.deploy.tf";

fn role(name: &str, description: &str) -> Value {
    raw_json::role(name, "/", description)
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
    // Other people's comments, on more than a page, are left alone.
    let others = (0..120).map(|_| Comment {
        issue: 1,
        author: "mallory".to_owned(),
        body: "<!-- aws-iam-gitops plan -->".to_owned(),
    });
    place.api.world().comments.extend(others);
    place.branch("topic");
    place.edit(ROLE, "\"Deploys\"", "\"Deploys the site\"");
    place.commit("Say what it deploys");
    let planned = place.plan("o/n").succeeded();
    assert_eq!(
        planned.results(),
        [("check", "success"), ("comment", "success"), ("plan", "success")]
    );
    assert!(
        planned.log("Plan").contains("Plan: 0 to add, 1 to change, 0 to destroy."),
        "{planned}"
    );
    assert_only_planning_has_credentials(&planned);
    place.edit(ROLE, "\"Deploys the site\"", "\"Deploys the sites\"");
    let head = place.commit("Say it better");
    place.plan("o/n").succeeded();
    let comments = place.api.world().comments.clone();
    assert_eq!(comments.len(), 121, "{comments:?}");
    let ours = &comments[120];
    assert_eq!((ours.issue, ours.author.as_str()), (1, "github-actions[bot]"));
    assert!(ours.body.contains(&format!("The plan of {head}")), "{}", ours.body);
    assert!(comments[..120].iter().all(|comment| comment.body.ends_with("plan -->")));

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
    place.edit("aws-iam-gitops.toml", "# max_destroys = 5", "max_destroys = 0");
    std::fs::remove_file(place.checkout().join("terraform/iam_role.reader.tf")).expect("remove");
    place.commit("Nobody reads");
    let refused = place.plan("o/n");
    assert_eq!(
        refused.results(),
        [("check", "success"), ("comment", "success"), ("plan", "failure")]
    );
    let comment = place.api.world().comments[120].body.clone();
    assert!(comment.contains("would not be applied"), "{comment}");
    place.push("HEAD:main");
    let refused = place.run("apply", "push");
    assert_eq!(refused.results(), [("apply", "failure")]);
    assert!(!refused.has_run("Apply"));
    let mut allowed = place.run_of("apply", "workflow_dispatch");
    allowed.inputs = json!({"rules": "destroys", "reason": ""});
    assert_eq!(place.run_with(allowed).results(), [("apply", "failure")]);
    let mut allowed = place.run_of("apply", "workflow_dispatch");
    allowed.inputs = json!({"rules": " destroys  drift ", "reason": "left in May; $(id) \"x\""});
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
        let has =
            |text: &str| steps.iter().any(|step| step["environment"].to_string().contains(text));
        assert_eq!(has("AWS_SECRET_ACCESS_KEY"), name == "plan", "{name}");
        assert_eq!(has("token:"), name == "comment", "{name}");
    }
    assert_eq!(report.0["comment"]["permissions"], json!({"pull-requests": "write"}));
}

#[test]
fn the_smallest_way_in_is_an_export_that_has_itself_imported() {
    let place = Place::new(&account(&[role("deploy", "Deploys")]));
    place.api.world().workflows.push(".github/workflows/apply.yml".to_owned());
    let token = "token:actions=write;contents=write;id-token=write;pull-requests=write";
    place.git.ask_for(Some(("x-access-token", token)));

    let nothing = place.run("export", "schedule").succeeded();
    assert!(!nothing.has_run("Have it imported"), "{nothing}");
    place.emulator.call("client.iam('UpdateRole', RoleName='deploy', Description='Changed')");
    let before = place.bare.head("main");
    let exported = place.run("export", "schedule").succeeded();
    assert_ne!(place.bare.head("main"), before, "{exported}");
    assert!(exported.summary().contains("committed and pushed"), "{exported}");
    assert_eq!(place.api.world().dispatches, [("apply.yml".to_owned(), "main".to_owned())]);
    let imported = place.run("apply", "workflow_dispatch").succeeded();
    assert!(
        imported.log("Apply").contains("Resources: 1 imported, 0 added, 0 changed"),
        "{imported}"
    );

    // Without an apply workflow none is asked for.
    place.api.world().workflows.clear();
    place.emulator.call("client.iam('UpdateRole', RoleName='deploy', Description='Again')");
    place.run("export", "schedule").succeeded();
    assert_eq!(place.api.world().dispatches.len(), 1);

    // What the server refuses fails the run.
    place.git.ask_for(Some(("x-access-token", "another")));
    place.emulator.call("client.iam('UpdateRole', RoleName='deploy', Description='Refused')");
    let refused = place.run("export", "schedule");
    assert_eq!(refused.results(), [("export", "failure")]);
    assert!(!refused.to_string().contains(token), "{refused}");
}

#[test]
fn what_is_out_of_step_is_one_issue_until_it_is_in_step_again() {
    let place = Place::new(&account(&[role("deploy", "Deploys")]));
    let hostile = "Drifts\n::error::x\n```\n@team #1 [x](y) ##[error]z";
    place.run("drift", "schedule").succeeded();
    assert!(place.api.world().issues.is_empty());
    place.emulator.call(&format!(
        "client.iam('UpdateRole', RoleName='deploy', Description={hostile:?})\n\
         client.iam('TagRole', RoleName='deploy', Tags=[{{'Key': '@team', 'Value': '::error::x'}}])"
    ));
    for _ in 0..2 {
        let drifted = place.run("drift", "schedule").succeeded();
        assert_eq!(drifted.commands(), [("", ""); 0]);
        let issues = place.api.world().issues.clone();
        assert_eq!(issues.len(), 1, "{issues:?}");
        assert_eq!(issues[0].title, "AWS account 111122223333 and terraform are out of step");
        assert!(issues[0].is_open && issues[0].body.contains("drifted in AWS       1"));
        assert_readable(&issues[0].body);
        support::github_markdown::assert_inert(&issues[0].body);
    }
    place.emulator.call(
        "client.iam('UpdateRole', RoleName='deploy', Description='Deploys')\n\
         client.iam('UntagRole', RoleName='deploy', TagKeys=['@team'])",
    );
    place.run("drift", "schedule").succeeded();
    let world = place.api.world();
    assert!(!world.issues[0].is_open);
    assert!(world.comments[0].body.starts_with("All is in step again: http"));
}

#[test]
fn a_fork_gets_checks_and_neither_credentials_nor_a_comment() {
    let place = Place::new(&account(&[role("deploy", "Deploys")]));
    place.branch("topic");
    place.edit(ROLE, "\"Deploys\"", "\"Deploys the site\"");
    place.commit("Say what it deploys");
    let report = place.plan("mallory/n");
    let results = report.results();
    assert_eq!(results, [("check", "success"), ("comment", "skipped"), ("plan", "skipped")]);
    assert!(report.summary().contains("a fork gets no credentials"), "{report}");
    let given = report.steps().map(|step| step["environment"].to_string()).collect::<String>();
    assert!(!given.contains("AWS_SECRET_ACCESS_KEY") && !given.contains("token:"), "{given}");
    assert_eq!(place.api.world().calls, [""; 0]);

    // What the checks are for: each fails the pull request, and the comment says that there is none.
    let good = place.read(ROLE);
    for (path, from, to, step) in [
        (ROLE, "description ", "description    ", "Check the format"),
        (ROLE, "description ", "descriptiom ", "Validate"),
        (
            "roles/deploy.json",
            "\"Deploys\"",
            "\"Deploys what?\"",
            "Compare the raw JSON with Terraform",
        ),
    ] {
        let before = place.read(path);
        place.edit(path, from, to);
        place.commit("Break it");
        let report = place.plan("o/n");
        let results = report.results();
        assert_eq!(results, [("check", "failure"), ("comment", "success"), ("plan", "skipped")]);
        assert_eq!(report.step(step)["outcome"], "failure", "{report}");
        assert!(place.api.world().comments[0].body.contains("**There is no plan of"), "{report}");
        place.write(path, &before);
    }
    assert_eq!(place.read(ROLE), good);
}

#[test]
fn a_program_that_is_not_the_one_is_not_run() {
    let place = Place::new(&account(&[role("deploy", "Deploys")]));
    let workflow = place.read(".github/workflows/drift.yml");
    let digest =
        workflow.split("PROGRAM_SHA256: \"").nth(1).and_then(|rest| rest.split('"').next());
    let digest = digest.expect("a digest");
    let url = workflow.split("PROGRAM_URL: \"").nth(1).and_then(|rest| rest.split('"').next());
    let url = url.expect("an address");
    for (from, to, log) in [
        (digest, "0".repeat(64), "FAILED"),
        (digest, String::new(), ""),
        (url, String::new(), ""),
        (url, url.replace("https", "http"), "curl: (1)"),
        (url, url.replace("https://localhost", "file:///etc/passwd?"), "curl: ("),
    ] {
        place.branch("main");
        place.write(".github/workflows/drift.yml", &workflow.replacen(from, &to, 1));
        place.commit("Another program");
        place.push("+HEAD:main");
        let report = place.run("drift", "schedule");
        assert_eq!(report.results(), [("drift", "failure")], "{report}");
        assert!(report.log("Get aws-iam-gitops").contains(log), "{report}");
        assert_eq!(report.steps().count(), 1, "{report}");
        if log.is_empty() {
            assert!(report.commands()[0].1.contains("at the top of this workflow"), "{report}");
        }
    }
}

/// What an attacker may write into a role's description: a line that the runner would take for a
/// command in either form, and all that Markdown knows.
const HOSTILE: &str = "Deploys\n::error file=a::pwned\n  ::set-output name=verdict::pwned\n\
                       x ##[error]pwned\n```\n<img src=x> @team #1 `x` [x](http://x)\n~~~\n# x";

#[test]
fn hostile_text_goes_through_plan_log_comment_and_summary_without_effect() {
    let place = Place::new(&account(&[role("deploy", HOSTILE)]));
    place.branch("topic");
    place.edit(ROLE, "name=verdict", "name=x");
    // What AWS refuses in a description may stand in Git all the same.
    let hidden = r"\u001b[31m\u202e\u200b\r::error::pwned\u0085::error::pwned";
    place.write(
        "terraform/more.tf",
        &format!(
            "output \"hidden\" {{\n  value = \"{hidden}\\n::error::pwned\"\n}}\n\n\
             check \"hidden\" {{\n  assert {{\n    condition     = length(aws_iam_role.deploy.name) > 99\n    \
             error_message = \"{hidden}\\n::error::pwned.\"\n  }}\n}}\n"
        ),
    );
    place.commit("Attack");
    let report = place.plan("o/n").succeeded();
    assert!(report.log("Plan").contains("\n            \\u{3a}:error file=a::pwned"), "{report}");
    assert!(report.log("Plan").contains("\\u{1b}[31m\\u{202e}"), "{report}");
    assert_eq!(report.commands(), [("", ""); 0]);
    assert_inert(&report);
    let comment = place.api.world().comments[0].body.clone();
    assert!(comment.contains("\u{40}team") || comment.contains("\\u{40}team"), "{comment}");
    support::github_markdown::assert_inert(&comment);

    // The filter is what does it: without, the runner obeys.
    let workflow = place.read(".github/workflows/plan.yml");
    place.write(
        ".github/workflows/plan.yml",
        &workflow.replace("| aws-iam-gitops sanitize", "| cat"),
    );
    place.commit("Attack without a filter");
    let obeyed = place.plan("o/n").commands().len();
    assert!(obeyed > 3, "{obeyed}");
    place.write(".github/workflows/plan.yml", &workflow);
    place.commit("The filter again");

    // As it is applied, too.
    place.push("HEAD:main");
    let applied = place.run("apply", "push").succeeded();
    assert!(applied.log("Apply").contains("1 imported, 0 added, 1 changed"), "{applied}");
    assert_eq!(applied.commands(), [("", ""); 0]);
    assert_inert(&applied);

    // What AWS refuses in the middle of an apply is told, and fails the run.
    place.branch("topic");
    place.write(
        "terraform/again.tf",
        "resource \"aws_iam_role\" \"again\" {\n  name = \"deploy\"\n  assume_role_policy = jsonencode({\n    \
         Version = \"2012-10-17\"\n    Statement = []\n  })\n}\n",
    );
    place.commit("Make it again");
    place.push("HEAD:main");
    let failed = place.run("apply", "push");
    assert_eq!(failed.results(), [("apply", "failure")]);
    assert!(failed.log("Apply").contains("EntityAlreadyExists"), "{failed}");
    assert!(!failed.summary().contains("Applied."), "{failed}");
    assert_eq!(failed.commands(), [("", ""); 0]);
    assert_inert(&failed);

    // What fails quotes it: the provider a value, the formatter a file's name.
    place.branch("topic");
    std::fs::remove_file(place.checkout().join("terraform/again.tf")).expect("remove");
    place.edit("terraform/more.tf", "value = ", "value = aws_iam_role.x.name #");
    place.write(
        "terraform/role.tf",
        &format!(
            "resource \"aws_iam_role\" \"x\" {{\n  name               = \"x\\n::error::pwned\"\n  \
             description        = \"{hidden}\"\n  assume_role_policy = \"{hidden}\"\n}}\n"
        ),
    );
    place.commit("Attack again");
    let failed = place.plan("o/n");
    assert_eq!(failed.results().iter().filter(|(_, result)| *result == "failure").count(), 1);
    assert_eq!(failed.commands(), [("", ""); 0]);
    assert_inert(&failed);
    let log: String = failed.steps().filter_map(|step| step["log"].as_str()).collect();
    assert!(log.contains("Error:") && log.contains("aws_iam_role"), "{failed}");

    place.branch("topic");
    place.write("terraform/x\n::error::pwned\u{1b}[31m.tf", "locals {\n a=1\n}\n");
    place.commit("Attack with a name");
    let failed = place.plan("o/n");
    assert_eq!(failed.step("Check the format")["outcome"], "failure");
    assert!(failed.log("Check the format").contains("\\u{3a}:error::pwned"), "{failed}");
    assert_eq!(failed.commands(), [("", ""); 0]);
    assert_inert(&failed);
}

/// Logs without escapes, and summaries in which nothing acts.
#[track_caller]
fn assert_inert(report: &Report) {
    for step in report.steps() {
        assert_readable(step["log"].as_str().expect("text"));
        let summary = step["summary"].as_str().expect("text");
        assert_readable(summary);
        support::github_markdown::assert_inert(summary);
    }
}

#[test]
fn the_runner_passes_its_own_tests() {
    let output = std::process::Command::new(support::python::python())
        .args(["-B", "-m", "unittest", "discover", "--failfast"])
        .current_dir(support::python::project().join("tests/workflows"))
        .output()
        .expect("run Python");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("Ran 0 tests"), "no test was found:\n{text}");
}

#[test]
fn a_plan_that_is_too_long_for_a_comment_is_told_as_far_as_it_goes() {
    let long = |start: &str| start.to_owned() + &"é ".repeat(310);
    let name = |number: usize| format!("role-{number}");
    let roles: Vec<Value> = (0..60).map(|number| role(&name(number), &long("Before"))).collect();
    let place = Place::new(&account(&roles));
    place.branch("topic");
    for number in 0..60 {
        place.edit(&format!("terraform/iam_role.{}.tf", name(number)), "Before", "After");
    }
    place.commit("Change them all");
    let planned = place.plan("o/n").succeeded();
    let comment = place.api.world().comments[0].body.clone();
    assert!(comment.chars().count() > 40_000, "{comment}");
    assert!(comment.contains("do not fit in here"), "{comment}");
    assert_readable(&comment);
    support::github_markdown::assert_inert(&comment);
    assert!(planned.log("Plan").contains("Plan: 60 to import, 0 to add, 60 to change"));
}

#[test]
fn one_account_of_several_goes_around_below_its_folder() {
    let account = account(&[role("deploy", "Deploys")]);
    let place =
        Place::with(&account, &["--prefix", "accounts/111111111111"], "accounts/111111111111/");
    let token = "token:contents=read;id-token=write;issues=write";
    place.git.ask_for(Some(("x-access-token", token)));
    // The file is one for all accounts.
    place.edit(
        "aws-iam-gitops.toml",
        "prefix = \"accounts/111111111111\"",
        "prefix = \"accounts/222222222222\"",
    );
    place.commit("Another account is the usual one");
    place.push("HEAD:main");
    let imported = place.run("apply", "push").succeeded();
    assert!(imported.log("Apply").contains("1 imported, 0 added, 0 changed"), "{imported}");
    place.run("drift", "schedule").succeeded();
    assert!(place.api.world().issues.is_empty());

    // What lies below another account's folder is nothing to this one.
    place.branch("topic");
    std::fs::create_dir_all(place.checkout().join("accounts/101010101010/terraform"))
        .expect("a folder");
    place.write("accounts/101010101010/terraform/main.tf", "");
    place.commit("Change another account");
    let others = place.plan("o/n");
    let skipped = ["check", "comment", "plan"].map(|job| (job, "skipped"));
    let mut results = others.results();
    results.sort_unstable();
    assert_eq!(results, [&skipped[..2], &[("concerned", "success")], &skipped[2..]].concat());
    // What lies in no account's folder is, and any that the module looks into.
    place.branch("topic");
    place.write("accounts/README.md", "What holds for all accounts.\n");
    place.commit("Change what is no account's");
    place.plan("o/n").succeeded();
    let link = place.checkout().join("accounts/111111111111/other");
    std::os::unix::fs::symlink("../101010101010", link).expect("a symbolic link");
    place.commit("Link another account's folder");
    place.push("HEAD:main");
    place.branch("topic");
    let other = place.checkout().join("accounts/101010101010/terraform");
    std::fs::create_dir_all(&other).expect("a folder");
    std::fs::write(other.join("main.tf"), "# Another's\n").expect("write");
    place.commit("Change another account that is linked");
    place.plan("o/n").succeeded();

    place.branch("topic");
    place.edit("accounts/111111111111/roles/deploy.json", "Deploys", "Deploys it");
    place.commit("Change the mirror alone");
    let mirrored = place.plan("o/n");
    assert!(
        mirrored
            .log("Compare the raw JSON with Terraform")
            .contains("--prefix accounts/111111111111")
    );
    place.branch("topic");
    place.edit(&format!("accounts/111111111111/{ROLE}"), "Deploys", "Deploys it");
    place.commit("Say it");
    place.plan("o/n").succeeded();
    let comments = place.api.world().comments.clone();
    assert_eq!(comments.len(), 1);
    assert!(
        comments[0]
            .body
            .starts_with("<!-- aws-iam-gitops plan-accounts-111111111111 -->\nThe plan of ")
    );
}
