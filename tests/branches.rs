//! Conflicts as branches and pull requests, exports as one pull request, and `status`: the real
//! program against real Git over HTTP, a fake of AWS and one of GitHub's REST API.

mod support;

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::fake_aws::{ACCOUNT, FakeAws, World};
use support::fake_github::FakeGitHub;
use support::git_server::{Bare, GitServer, git};
use support::run::Outcome;
use support::runtime_api::{Function, eventbridge, sqs_batch};

const TOKEN: &str = "s3cret";
const FILE: &str = "terraform/iam_role.deploy.tf";
const JSON: &str = "roles/deploy.json";
const CONFLICT: &str = "aws-iam-gitops/conflict/iam_role.deploy";
const EXPORTS: &str = "aws-iam-gitops/export";

struct Case {
    aws: FakeAws,
    server: GitServer,
    bare: Bare,
    github: FakeGitHub,
    home: tempfile::TempDir,
    is_on_github: bool,
}

impl Case {
    /// An account that is exported already.
    fn new() -> Case {
        Case::on_github(true)
    }

    fn on_github(is_on_github: bool) -> Case {
        let server = GitServer::start();
        let bare = server.repository("o/n");
        let github = FakeGitHub::start(TOKEN);
        let heads = bare.clone();
        github.with_heads(move |branch| heads.head(branch));
        let aws = FakeAws::start(World::small());
        let home = tempfile::tempdir().expect("a home");
        let case = Case { aws, server, bare, github, home, is_on_github };
        case.sync(&[]).succeeded();
        case
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.aws.environment();
        environment.extend([
            ("AWS_IAM_GITOPS_REPOSITORY", self.server.url_of("o/n")),
            ("AWS_IAM_GITOPS_TOKEN", TOKEN.to_owned()),
            ("AWS_IAM_GITOPS_PAUSE", "0".to_owned()),
            ("AWS_IAM_GITOPS_LEASE", "0".to_owned()),
            ("HOME", self.home.path().display().to_string()),
        ]);
        if self.is_on_github {
            environment.push(("AWS_IAM_GITOPS_GITHUB_API", self.github.url.clone()));
        }
        environment
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"))
            .args(arguments)
            .current_dir(self.home.path())
            .env_clear()
            .env("COLUMNS", "100")
            .envs(self.environment())
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    fn sync(&self, arguments: &[&str]) -> Outcome {
        self.run(&[&["sync", "--quiet"], arguments].concat())
    }

    fn status(&self) -> (Option<i32>, Value) {
        let outcome = self.run(&["status", "--quiet", "--output", "json"]);
        let value = serde_json::from_str(&outcome.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", outcome.stdout, outcome.stderr));
        (outcome.code, value)
    }

    fn standing(&self, name: &str) -> String {
        let (_, status) = self.status();
        let entities = status["entities"].as_array().expect("a list");
        let found = entities.iter().find(|entity| entity["name"] == name);
        found.map(|found| found["standing"].as_str().expect("text").to_owned()).unwrap_or_default()
    }

    /// Edits a file on the default branch as a person does.
    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.bare.content("main", path);
        assert!(text.contains(from), "{from}: {text}");
        self.bare.commit("main", &[(path, Some(&text.replace(from, to)))], "edit by hand");
    }

    fn describe(&self, role: &str, description: &str) {
        self.aws.world().role(role).description = Some(description.to_owned());
    }

    /// What merging a branch would make of a file, by Git itself.
    fn merged(&self, branch: &str, path: &str) -> String {
        let tree = git(&self.bare.path, &["merge-tree", "--write-tree", "main", branch]);
        self.bare.content(tree.trim(), path)
    }

    /// The files that merging a branch would change.
    fn merged_changes(&self, branch: &str) -> Vec<String> {
        let tree = git(&self.bare.path, &["merge-tree", "--write-tree", "main", branch]);
        let changed = git(&self.bare.path, &["diff", "--name-only", "main", tree.trim()]);
        changed.lines().map(str::to_owned).collect()
    }
}

fn update_role(role: &str, by: &str) -> Value {
    json!({
        "eventSource": "iam.amazonaws.com", "eventName": "UpdateRole", "eventID": format!("id-{role}-{by}"),
        "eventTime": "2026-11-22T10:15:00Z", "recipientAccountId": ACCOUNT,
        "userIdentity": {
            "type": "AssumedRole", "accountId": ACCOUNT,
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/Admin/{by}"),
        },
        "requestParameters": {"roleName": role},
        "sourceIPAddress": "203.0.113.7",
    })
}

const WHAT_DEPLOY_DOES: &str = "\"what deploy does\"";

#[test]
fn conflict_is_a_pull_request_with_both_sides_and_the_rest_is_committed() {
    let case = Case::new();
    case.edit(FILE, WHAT_DEPLOY_DOES, "\"by git\" # why");
    case.describe("deploy", "by aws");
    case.describe("audit", "changed");
    let before = case.bare.content("main", FILE);
    let function = Function::start(&case.environment());
    let messages: Vec<(String, Value)> = ["deploy", "audit"]
        .iter()
        .map(|role| ((*role).to_owned(), eventbridge(&update_role(role, "mallory@example.com"))))
        .collect();
    let answer = function.invoke(&sqs_batch(&messages)).succeeded();
    assert_eq!(answer["batchItemFailures"], json!([]), "{answer}");

    // The default branch has the other role, and nothing of this one.
    assert_eq!(case.bare.content("main", FILE), before);
    assert!(case.bare.content("main", "roles/audit.json").contains("\"changed\""));
    assert!(case.bare.content("main", JSON).contains("what deploy does"));

    assert_eq!(case.merged_changes(CONFLICT), [JSON, FILE]);
    assert_eq!(
        case.merged(CONFLICT, FILE),
        before.replace("\"by git\" # why", "\"by aws\" # why"),
        "only the argument, and the comment stays"
    );
    assert!(case.merged(CONFLICT, JSON).contains("by aws"));
    let pull = case.github.world().pulls[0].clone();
    assert_eq!((pull.head.as_str(), pull.base.as_str(), pull.is_open), (CONFLICT, "main", true));
    assert_eq!(pull.title, "role deploy changed in Git and in AWS");
    let body = pull.body.expect("a text");
    for said in [
        "\n-  description          = \"what deploy does\" # why\n+  description          = \"by git\" # why\n",
        "\n-  description          = \"what deploy does\"\n+  description          = \"by aws\"\n",
        "edit by hand",
        "`UpdateRole` by `arn:aws:sts::111122223333:assumed-role/Admin/mallory@example.com`",
        "event `id-deploy-mallory@example.com`",
    ] {
        assert!(body.contains(said), "{said}: {body}");
    }
    let author = git(&case.bare.path, &["log", "-1", "--format=%an", CONFLICT]);
    assert_eq!(author.trim(), "mallory@example.com");
    assert_eq!(case.standing("deploy"), "conflicting");
    assert_eq!(case.status().0, Some(3));

    // Nothing new: no commit, no call that writes.
    let (main, conflict) = (case.bare.head("main"), case.bare.head(CONFLICT));
    case.github.take_calls();
    case.sync(&[]).succeeded();
    assert_eq!((case.bare.head("main"), case.bare.head(CONFLICT)), (main, conflict));
    assert!(case.github.take_calls().iter().all(|call| call.starts_with("GET")));
    // A full export does not know who it was; what is known stays said.
    assert!(
        case.github.world().pulls[0].body.clone().expect("a text").contains("id-deploy-mallory")
    );

    // AWS changes again: the same pull request.
    case.describe("deploy", "by aws, twice");
    let said = case.sync(&[]).succeeded().stdout;
    assert!(said.contains(&format!("AWS's version of `{FILE}` is in pull request http")), "{said}");
    assert!(case.merged(CONFLICT, FILE).contains("\"by aws, twice\" # why"));
    assert_eq!(case.github.world().pulls.len(), 1);
    assert!(case.github.world().pulls[0].body.clone().expect("a text").contains("by aws, twice"));

    // Somebody closes it while both differ: it is opened again, and who it was stays said.
    case.github.world().pulls[0].is_open = false;
    case.sync(&[]).succeeded();
    let world = case.github.world().pulls.clone();
    assert_eq!((world.len(), world[1].is_open), (2, true));
    assert!(world[1].body.clone().expect("a text").contains("id-deploy-mallory"));

    // AWS follows Git: the pull request closes with a word, its branch goes, JSON alone is written.
    case.describe("deploy", "by git");
    case.sync(&[]).succeeded();
    let pull = case.github.world().pulls[1].clone();
    assert!(!pull.is_open);
    assert_eq!(pull.comments.len(), 1);
    assert_eq!(case.bare.head(CONFLICT), None);
    assert_eq!(case.bare.content("main", FILE), before);
    assert!(case.bare.content("main", JSON).contains("by git"));
    assert_eq!((case.status().0, case.standing("deploy").as_str()), (Some(0), "in_step"));
    case.bare.check();
}

/// A person's pull request is open when AWS changes: the default branch follows AWS, the person's
/// branch stays, and Git itself shows both versions to whoever merges.
#[test]
fn open_pull_request_of_a_person_meets_awss_version() {
    let case = Case::new();
    let main = case.bare.head("main").expect("a head");
    git(&case.bare.path, &["branch", "longer", &main]);
    let text = case.bare.content("main", FILE).replace(WHAT_DEPLOY_DOES, "\"by git\"");
    case.bare.commit("longer", &[(FILE, Some(&text))], "edit by hand");
    case.describe("deploy", "by aws");
    case.sync(&[]).succeeded();
    assert!(case.bare.content("main", FILE).contains("\"by aws\""));
    assert_eq!(case.bare.content("longer", FILE), text);
    let merge = Command::new("git")
        .args(["merge-tree", "--write-tree", "main", "longer"])
        .current_dir(&case.bare.path)
        .output()
        .expect("git");
    let said = String::from_utf8_lossy(&merge.stdout).into_owned();
    assert!(
        !merge.status.success() && said.contains(&format!("Merge conflict in {FILE}")),
        "{said}"
    );
    let tree = said.lines().next().expect("a tree");
    let both = case.bare.content(tree, FILE);
    assert!(both.contains("\"by aws\"") && both.contains("\"by git\""), "{both}");

    // Merged over AWS's version all the same: it is an edit that AWS does not have.
    case.bare.commit("main", &[(FILE, Some(&text))], "merge of longer");
    let main = case.bare.head("main");
    case.sync(&[]).succeeded();
    assert_eq!((case.bare.head("main"), case.standing("deploy").as_str()), (main, "pending"));
    case.describe("deploy", "by aws, again");
    case.sync(&[]).succeeded();
    assert_eq!(case.bare.content("main", FILE), text);
    assert!(case.merged(CONFLICT, FILE).contains("\"by aws, again\""));
}

#[test]
fn conflict_in_a_file_of_many_changes_that_entity_alone() {
    let case = Case::new();
    let audit = case.bare.content("main", "terraform/iam_role.audit.tf");
    let deploy = case.bare.content("main", FILE).replace(WHAT_DEPLOY_DOES, "\"by git\"");
    let text = format!("# ours\n\n{audit}\n# theirs\n\n{deploy}");
    case.bare.commit(
        "main",
        &[("terraform/main.tf", Some(&text)), (FILE, None), ("terraform/iam_role.audit.tf", None)],
        "one file",
    );
    case.describe("deploy", "by aws");
    case.describe("audit", "changed");
    case.sync(&[]).succeeded();
    let now = text.replace("\"what audit does\"", "\"changed\"");
    assert_eq!(case.bare.content("main", "terraform/main.tf"), now);
    assert_eq!(case.merged_changes(CONFLICT), [JSON, "terraform/main.tf"]);
    let merged = case.merged(CONFLICT, "terraform/main.tf");
    assert_eq!(merged, now.replace("\"by git\"", "\"by aws\""));

    // The other one changes: the branch still differs in this entity alone.
    case.describe("audit", "changed again");
    case.sync(&[]).succeeded();
    let merged = case.merged(CONFLICT, "terraform/main.tf");
    assert!(merged.contains("\"changed again\"") && merged.contains("\"by aws\""), "{merged}");
    let main = case.bare.head("main");
    let conflict = case.bare.head(CONFLICT);
    case.sync(&[]).succeeded();
    assert_eq!((case.bare.head("main"), case.bare.head(CONFLICT)), (main, conflict));
}

#[test]
fn merged_conflict_is_resolved() {
    let case = Case::new();
    case.edit(FILE, WHAT_DEPLOY_DOES, "\"by git\"");
    case.describe("deploy", "by aws");
    case.sync(&[]).succeeded();
    let (text, raw) = (case.merged(CONFLICT, FILE), case.merged(CONFLICT, JSON));
    case.bare.commit("main", &[(FILE, Some(&text)), (JSON, Some(&raw))], "merge");
    let main = case.bare.head("main");
    case.sync(&[]).succeeded();
    assert_eq!(case.bare.head("main"), main);
    assert_eq!(case.bare.head(CONFLICT), None);
    assert_eq!(case.status().0, Some(0));
}

#[test]
fn elsewhere_than_on_github_the_branch_is_named() {
    let case = Case::on_github(false);
    case.edit(FILE, WHAT_DEPLOY_DOES, "\"by git\"");
    case.describe("deploy", "by aws");
    let said = case.sync(&[]).succeeded().stdout;
    let line = format!("AWS's version of `{FILE}` is in branch `{CONFLICT}`");
    assert!(said.contains(&line), "{said}");
    assert!(case.merged(CONFLICT, FILE).contains("by aws"));
    let head = case.bare.head(CONFLICT);
    case.sync(&[]).succeeded();
    assert_eq!(case.bare.head(CONFLICT), head);
    case.describe("deploy", "what deploy does");
    case.sync(&[]).succeeded();
    assert_eq!(case.bare.head(CONFLICT), None);
    assert!(case.github.world().calls.is_empty());
}

#[test]
fn branch_of_what_neither_side_has_any_more_goes() {
    let case = Case::new();
    case.edit(FILE, WHAT_DEPLOY_DOES, "\"by git\"");
    case.aws.world().roles.retain(|role| role.name != "deploy");
    case.sync(&[]).succeeded();
    assert!(case.bare.head(CONFLICT).is_some());
    case.bare.commit("main", &[(FILE, None), (JSON, None)], "merge");
    case.sync(&[]).succeeded();
    assert_eq!(case.bare.head(CONFLICT), None);
    assert!(!case.github.world().pulls[0].is_open);
    assert_eq!(case.status().0, Some(0));
}

/// An output still says its ARN.
#[test]
fn what_is_held_back_is_out_of_step() {
    let case = Case::new();
    let output = "output \"a\" {\n  value = aws_iam_role.deploy.arn\n}\n";
    case.bare.commit("main", &[("terraform/outputs.tf", Some(output))], "an output");
    case.aws.world().roles.retain(|role| role.name != "deploy");
    case.sync(&[]).succeeded();
    assert!(case.bare.files("main").contains(&FILE.to_owned()));
    assert_eq!((case.status().0, case.standing("deploy").as_str()), (Some(3), "conflicting"));
    case.bare.commit("main", &[("terraform/outputs.tf", None)], "no output");
    case.sync(&[]).succeeded();
    assert!(!case.bare.files("main").contains(&FILE.to_owned()));
    assert_eq!(case.status().0, Some(0));
}

#[test]
fn accounts_in_folders_have_branches_of_their_own() {
    let case = Case::new();
    let folder = "accounts/111122223333";
    case.sync(&["--prefix", folder]).succeeded();
    let (file, raw) = (format!("{folder}/{FILE}"), format!("{folder}/{JSON}"));
    case.edit(&file, WHAT_DEPLOY_DOES, "\"by git\"");
    case.describe("deploy", "by aws");
    let said = case.sync(&["--prefix", folder]).succeeded().stdout;
    assert!(said.contains("pull request http"), "{said}");
    let branch = "aws-iam-gitops/conflict-in/accounts%2F111122223333/iam_role.deploy";
    assert_eq!(case.merged_changes(branch), [raw, file.clone()]);
    assert!(case.merged(branch, &file).contains("by aws"));
    let body = case.github.world().pulls[0].body.clone().expect("a text");
    assert!(body.contains(&format!("`{file}`")) && body.contains("edit by hand"), "{body}");

    // The tree at the root is another account's affair, and none of its branches are touched.
    case.sync(&[]).succeeded();
    assert!(case.bare.head(branch).is_some());
    case.sync(&["--prefix", folder, "--mode", "pull-request"]).succeeded();
    assert_eq!(case.bare.head("aws-iam-gitops/export"), None);
    case.describe("audit", "changed");
    case.sync(&["--prefix", folder, "--mode", "pull-request"]).succeeded();
    let exports = "aws-iam-gitops/export-in/accounts%2F111122223333";
    assert!(case.merged_changes(exports).iter().all(|path| path.starts_with(folder)));
    case.bare.check();
}

#[test]
fn pull_request_of_exports_survives_what_people_do_to_its_branch() {
    let case = Case::new();
    let mode = ["--mode", "pull-request"];
    case.describe("deploy", "one");
    case.sync(&mode).succeeded();
    // Somebody pushes to the branch: an edit of a file of ours, and one of their own.
    let text = case.bare.content(EXPORTS, FILE).replace("\"one\"", "\"mine\"");
    case.bare.commit(EXPORTS, &[(FILE, Some(&text)), ("notes.md", Some("x\n"))], "mine");
    let theirs = case.bare.head(EXPORTS).expect("a head");
    case.sync(&mode).succeeded();
    assert_eq!(case.merged_changes(EXPORTS), [JSON, FILE]);
    assert!(case.merged(EXPORTS, FILE).contains("\"one\""));
    let log = git(&case.bare.path, &["rev-list", EXPORTS]);
    assert!(log.contains(&theirs), "nothing is forced away");

    // Closed without merging: AWS and Git still differ, so it is opened again; one at a time.
    case.github.world().pulls[0].is_open = false;
    case.sync(&mode).succeeded();
    let open = case.github.world().pulls.iter().filter(|pull| pull.is_open).count();
    assert_eq!((open, case.github.world().pulls.len()), (1, 2));

    // The branch is removed while its pull request is open.
    git(&case.bare.path, &["update-ref", "-d", &format!("refs/heads/{EXPORTS}")]);
    case.sync(&mode).succeeded();
    assert_eq!(case.merged_changes(EXPORTS), [JSON, FILE]);

    // Back to pushing: what was proposed is pushed, and the proposal is of no use any more.
    case.sync(&[]).succeeded();
    assert!(case.bare.content("main", FILE).contains("\"one\""));
    case.sync(&mode).succeeded();
    assert_eq!(case.bare.head(EXPORTS), None);
    case.bare.check();
}

#[test]
fn deleted_on_one_side_and_changed_on_the_other_is_a_conflict() {
    let case = Case::new();
    case.bare.commit("main", &[(FILE, None)], "no deploy");
    assert_eq!(case.standing("deploy"), "pending");
    case.sync(&[]).succeeded();
    assert_eq!(case.bare.head(CONFLICT), None);
    case.describe("deploy", "by aws");
    case.sync(&[]).succeeded();
    assert_eq!(case.merged_changes(CONFLICT), [JSON, FILE]);
    assert!(!case.bare.files("main").contains(&FILE.to_owned()));
    assert!(case.merged(CONFLICT, FILE).contains("\"by aws\""));
    let body = case.github.world().pulls[0].body.clone().expect("a text");
    assert!(body.contains("Git does not have it any more."), "{body}");

    // Gone from AWS while Git edits it.
    let audit = "terraform/iam_role.audit.tf";
    case.edit(audit, "what audit does", "edited");
    case.aws.world().roles.retain(|role| role.name != "audit");
    case.sync(&[]).succeeded();
    let branch = "aws-iam-gitops/conflict/iam_role.audit";
    assert_eq!(case.merged_changes(branch), ["roles/audit.json", audit]);
    let body = case.github.world().pulls[1].body.clone().expect("a text");
    assert!(body.contains("AWS does not have it any more."), "{body}");
    assert!(case.bare.content("main", audit).contains("edited"));
}

#[test]
fn github_that_refuses_is_a_failure_and_the_branch_has_everything_else() {
    let case = Case::new();
    case.edit(FILE, WHAT_DEPLOY_DOES, "\"by git\"");
    case.describe("deploy", "by aws");
    case.describe("audit", "changed");
    case.github.world().tokens.clear();
    let outcome = case.sync(&[]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("cannot show the conflict of role `deploy`"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains(TOKEN));
    assert!(case.bare.content("main", "roles/audit.json").contains("\"changed\""));
    case.github.world().tokens.push(TOKEN.to_owned());
    case.sync(&[]).succeeded();
    assert_eq!(case.github.world().pulls.len(), 1);
}

#[test]
fn protected_branch_gets_one_pull_request_for_all_exports() {
    let case = Case::new();
    let main = case.bare.head("main");
    let mode = ["--mode", "pull-request"];
    case.sync(&mode).succeeded();
    assert_eq!(case.bare.head(EXPORTS), None);

    case.describe("deploy", "one");
    let function = {
        let mut environment = case.environment();
        environment.push(("AWS_IAM_GITOPS_MODE", "pull-request".to_owned()));
        Function::start(&environment)
    };
    function.invoke(&eventbridge(&update_role("deploy", "alice"))).succeeded();
    assert_eq!(case.bare.head("main"), main);
    assert_eq!(case.merged_changes(EXPORTS), [JSON, FILE]);
    let author = git(&case.bare.path, &["log", "-1", "--format=%an", EXPORTS]);
    assert_eq!(author.trim(), "alice");
    let pull = case.github.world().pulls[0].clone();
    assert_eq!((pull.title.as_str(), pull.head.as_str()), ("AWS changed: 1 role", EXPORTS));

    // The same event again: nothing.
    let head = case.bare.head(EXPORTS);
    function.invoke(&eventbridge(&update_role("deploy", "alice"))).succeeded();
    assert_eq!(case.bare.head(EXPORTS), head);

    // Another change joins it, and main moving on does not lose the first.
    case.bare.commit("main", &[("README.md", Some("hello\n"))], "readme");
    case.describe("audit", "two");
    function.invoke(&eventbridge(&update_role("audit", "bob"))).succeeded();
    let audit = ["roles/audit.json", JSON, "terraform/iam_role.audit.tf", FILE];
    assert_eq!(case.merged_changes(EXPORTS), audit);
    assert!(case.bare.files(EXPORTS).contains(&"README.md".to_owned()));
    let world = case.github.world().pulls.clone();
    assert_eq!((world.len(), world[0].title.as_str()), (1, "AWS changed: 2 roles"));

    // One of both goes back.
    case.describe("deploy", "what deploy does");
    function.invoke(&eventbridge(&update_role("deploy", "alice"))).succeeded();
    assert_eq!(case.merged_changes(EXPORTS), [audit[0], audit[2]]);

    // It is merged, by squashing; then something new is a new pull request.
    let text = case.bare.content(EXPORTS, audit[2]);
    let raw = case.bare.content(EXPORTS, audit[0]);
    case.bare.commit("main", &[(audit[2], Some(&text)), (audit[0], Some(&raw))], "squashed");
    case.github.world().pulls[0].is_open = false;
    case.sync(&mode).succeeded();
    assert_eq!(case.bare.head(EXPORTS), None);
    case.describe("build", "three");
    case.sync(&mode).succeeded();
    assert_eq!(case.github.world().pulls.len(), 2);
    assert_eq!(case.merged_changes(EXPORTS), ["roles/build.json", "terraform/iam_role.build.tf"]);

    // AWS goes back before anybody merges.
    case.describe("build", "what build does");
    case.sync(&mode).succeeded();
    let pull = case.github.world().pulls[1].clone();
    assert!(!pull.is_open && pull.comments.len() == 1);
    assert_eq!(case.bare.head(EXPORTS), None);
    case.bare.check();
}

/// Files named like ours, in which names are put together: an event decides as a full export does.
#[test]
fn event_sees_names_that_are_put_together() {
    let case = Case::new();
    let extra = "terraform/iam_role.extra.tf";
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Action": ["sts:AssumeRole", "sts:TagSession"], "Effect": "Allow",
        "Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com", "ssm.amazonaws.com"]},
    }]});
    let role = |label: &str, name: &str, more: &str| {
        format!(
            "resource \"aws_iam_role\" \"{label}\" {{\n{more}  name = {name}\n  description = \
             \"what ${{local.eps}}ilon does\"\n  max_session_duration = 7200\n  \
             assume_role_policy = jsonencode({trust})\n}}\n",
            trust = trust.to_string().replace("\":", "\" = "),
        )
    };
    let text =
        format!("locals {{\n  eps = \"eps\"\n}}\n\n{}", role("x", "\"${local.eps}ilon\"", ""));
    case.bare.commit("main", &[(extra, Some(&text))], "a role");
    let function = Function::start(&case.environment());
    let event = |name: &str, role: &str| {
        let mut event = update_role(role, "alice");
        event["eventName"] = json!(name);
        event["eventID"] = json!(format!("{name} {role}"));
        eventbridge(&event)
    };
    // The apply has made it: raw JSON alone.
    case.aws.world().roles.push(support::fake_aws::Role::new("epsilon"));
    function.invoke(&event("CreateRole", "epsilon")).succeeded();
    assert!(!case.bare.files("main").contains(&"terraform/iam_role.epsilon.tf".to_owned()));
    assert_eq!(case.standing("epsilon"), "in_step");

    // An attachment to another role, by name.
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/read");
    let attachment = format!(
        "resource \"aws_iam_role_policy_attachment\" \"x\" {{\n  role = \"audit\"\n  policy_arn = \"{arn}\"\n}}\n"
    );
    let more = "terraform/iam_role.attachments.tf";
    case.bare.commit("main", &[(more, Some(&attachment))], "an attachment");
    case.aws.world().role("audit").attached.push(arn.clone());
    let before = case.bare.content("main", "terraform/iam_role.audit.tf");
    function.invoke(&event("AttachRolePolicy", "audit")).succeeded();
    assert_eq!(case.bare.content("main", "terraform/iam_role.audit.tf"), before);
    assert_eq!(case.standing("audit"), "in_step");
    case.aws.world().role("audit").attached.clear();
    function.invoke(&event("DetachRolePolicy", "audit")).succeeded();
    assert!(!case.bare.files("main").contains(&more.to_owned()));
    assert_eq!(case.standing("audit"), "in_step");

    // A change, then the end of it.
    case.aws.world().role("epsilon").description = Some("changed".to_owned());
    function.invoke(&event("UpdateRole", "epsilon")).succeeded();
    assert_eq!(
        case.bare.content("main", extra),
        text.replace("\"what ${local.eps}ilon does\"", "\"changed\"")
    );
    case.aws.world().roles.retain(|role| role.name != "epsilon");
    function.invoke(&event("DeleteRole", "epsilon")).succeeded();
    assert!(!case.bare.content("main", extra).contains("aws_iam_role"));
    let main = case.bare.head("main");
    case.sync(&[]).succeeded();
    assert_eq!((case.bare.head("main"), case.status().0), (main, Some(0)));
}

/// An event looks only at a few files; it has to find these.
#[test]
fn event_follows_what_people_moved_and_renamed() {
    let case = Case::new();
    let (audit, policy) = ("terraform/iam_role.audit.tf", "terraform/iam_policy.read.tf");
    let deploy = case.bare.content("main", FILE).replace("aws_iam_role.deploy", "aws_iam_role.ci");
    let deploy = deploy.replace("\"aws_iam_role\" \"deploy\"", "\"aws_iam_role\" \"ci\"");
    let together = format!("{}\n# by hand\n{deploy}", case.bare.content("main", audit));
    let reader =
        case.bare.content("main", policy).replace("aws_iam_policy.read", "aws_iam_policy.reader");
    let reader = reader.replace("\"aws_iam_policy\" \"read\"", "\"aws_iam_policy\" \"reader\"");
    case.bare.commit(
        "main",
        &[(FILE, None), (audit, Some(&together)), (policy, Some(&reader))],
        "move",
    );
    let main = case.bare.head("main");
    case.sync(&[]).succeeded();
    assert_eq!(case.bare.head("main"), main, "it means the same");

    let function = Function::start(&case.environment());
    case.describe("deploy", "changed");
    function.invoke(&eventbridge(&update_role("deploy", "alice"))).succeeded();
    let now = case.bare.content("main", audit);
    assert_eq!(now, together.replace(WHAT_DEPLOY_DOES, "\"changed\""));
    assert!(!case.bare.files("main").contains(&FILE.to_owned()));

    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/read");
    case.aws.world().role("deploy").attached.push(arn.clone());
    let mut event = update_role("deploy", "bob");
    event["eventName"] = json!("AttachRolePolicy");
    event["requestParameters"]["policyArn"] = json!(arn);
    function.invoke(&eventbridge(&event)).succeeded();
    let attached = case.bare.content("main", audit);
    let block = "resource \"aws_iam_role_policy_attachment\" \"deploy__has__read\" {\n  \
                 role       = aws_iam_role.ci.name\n  policy_arn = aws_iam_policy.reader.arn\n}\n";
    assert!(attached.contains(block), "{attached}");
    assert!(attached.starts_with(&now[..now.len() - 2]), "{attached}");

    // A plain file of another role refers to the policy by the label that it has.
    case.aws.world().role("build").attached.push(arn.clone());
    let mut event = update_role("build", "bob");
    event["eventName"] = json!("AttachRolePolicy");
    event["requestParameters"]["policyArn"] = json!(arn);
    function.invoke(&eventbridge(&event)).succeeded();
    let build = case.bare.content("main", "terraform/iam_role.build.tf");
    assert!(build.contains("policy_arn = aws_iam_policy.reader.arn"), "{build}");
    let main = case.bare.head("main");
    case.sync(&[]).succeeded();
    assert_eq!(case.bare.head("main"), main, "a full export has nothing to add");

    case.aws.world().roles.retain(|role| role.name != "deploy");
    let mut event = update_role("deploy", "carol");
    event["eventName"] = json!("DeleteRole");
    function.invoke(&eventbridge(&event)).succeeded();
    let left = case.bare.content("main", audit);
    assert!(!left.contains("aws_iam_role.ci") && !left.contains("\"ci\""), "{left}");
    assert!(left.contains("resource \"aws_iam_role\" \"audit\""));
    assert!(!case.bare.files("main").contains(&JSON.to_owned()));
    let main = case.bare.head("main");
    case.sync(&[]).succeeded();
    assert_eq!(case.bare.head("main"), main);
}

#[test]
fn status_tells_every_standing_and_its_exit_code() {
    let case = Case::new();
    assert_eq!(case.status().0, Some(0));
    case.edit(FILE, WHAT_DEPLOY_DOES, "\"by git\"");
    let hand =
        "resource \"aws_iam_role\" \"x\" {\n  name = \"new\"\n  assume_role_policy = \"{}\"\n}\n";
    case.bare.commit("main", &[("terraform/main.tf", Some(hand))], "a new role");
    case.describe("audit", "changed");
    let mut world = case.aws.world();
    world.roles.push(support::fake_aws::Role::new("late"));
    world.policies.retain(|policy| policy.name != "run");
    drop(world);
    for (name, standing) in [
        ("deploy", "pending"),
        ("new", "pending"),
        ("audit", "drifted"),
        ("late", "unmanaged"),
        ("run", "gone"),
        ("build", "in_step"),
    ] {
        assert_eq!(case.standing(name), standing, "{name}");
    }
    let main = case.bare.head("main");
    let outcome = case.run(&["status", "--quiet"]);
    assert_eq!(outcome.code, Some(3));
    assert!(
        outcome.stdout.contains("drifted in AWS       1\n  role `audit`"),
        "{}",
        outcome.stdout
    );
    assert_eq!(case.bare.head("main"), main);
    case.aws
        .world()
        .faults
        .push(support::fake_aws::Fault::new("ListRoles", support::fake_aws::How::Denied));
    assert_eq!(case.run(&["status", "--quiet"]).code, Some(1));
}
