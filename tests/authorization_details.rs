//! The raw JSON as AWS's own listing: exported from again it makes the same files, and a scanner finds
//! in it what it finds in the listing that AWS printed.

mod support;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_iam_gitops::aws::Account;
use aws_iam_gitops::json::Json;
use aws_iam_gitops::resource::KINDS;
use serde_json::{Value, json};
use support::python::{project, python};
use support::run::{self, Outcome, Tree};
use tempfile::TempDir;

const LISTS: [&str; 4] = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"];

fn real(name: &str) -> PathBuf {
    project().join("../shared/data/authorization-details").join(name)
}

/// Exports files to a folder, AWS's own policies included.
#[track_caller]
fn export(from: &Path, to: &Path) {
    let from = from.to_str().expect("UTF-8");
    run::export(&[], to, &["--quiet", "--aws-managed", "--from", from]).succeeded();
}

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-iam-gitops"));
    command.arg("authorization-details").args(arguments).current_dir(folder).env_clear();
    command
}

/// Runs the command in a folder.
fn details(folder: &Path, arguments: &[&str]) -> Outcome {
    let output = program(folder, arguments).output().expect("the program runs");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("stdout in UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr in UTF-8"),
    }
}

/// Fails the test unless the command failed, saying this, and printed nothing.
#[track_caller]
fn assert_refused(folder: &Path, arguments: &[&str], expected: &str) {
    let outcome = details(folder, arguments);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome}");
    assert_eq!(outcome.stderr, expected, "{arguments:?}");
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn list<'a>(listing: &'a Value, name: &str) -> &'a Vec<Value> {
    listing[name].as_array().unwrap_or_else(|| panic!("no list `{name}`"))
}

/// The names of the roles in a listing.
fn roles(listing: &str) -> Vec<String> {
    let listing = parse(listing);
    let names = list(&listing, "RoleDetailList").iter().map(|role| role["RoleName"].as_str());
    names.map(|name| name.expect("a name").to_owned()).collect()
}

/// What AWS printed, as far as an export knows it: without others' entities, without kinds that
/// the program does not have, without what is volatile, with default versions alone.
fn known(original: &str) -> Json {
    let account = Account::of_arn("arn:aws:iam::200611803367:root").expect("an account");
    let is_own = |entity: &Json| match entity.member("Arn") {
        Some(Json::String(arn)) => account.owns(arn),
        _ => false,
    };
    let Ok(Json::Object(mut lists)) = Json::parse(original) else { panic!("no listing") };
    for (name, list) in &mut lists {
        let is_known = KINDS.iter().any(|kind| kind.detail_list == Some(name));
        let Json::Array(list) = list else { panic!("no list") };
        list.retain(|entity| is_known && is_own(entity));
        for entity in list {
            let Json::Object(members) = entity else { panic!("no entity") };
            members.retain(|(key, _)| key != "RoleLastUsed");
            for (key, value) in members {
                if let ("PolicyVersionList", Json::Array(versions)) = (key.as_str(), value) {
                    versions.retain(|of| of.member("IsDefaultVersion") == Some(&Json::Bool(true)));
                }
            }
        }
    }
    Json::Object(lists)
}

/// Fails the test with the first place at which the two differ.
#[track_caller]
fn assert_equal(place: &str, found: &Value, expected: &Value) {
    if let (Value::Object(found), Value::Object(expected)) = (found, expected) {
        let keys = |of: &serde_json::Map<String, Value>| of.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(found), keys(expected), "{place}");
        for (key, expected) in expected {
            assert_equal(&format!("{place}.{key}"), &found[key], expected);
        }
    } else {
        assert_eq!(found, expected, "{place}");
    }
}

fn role(account: &str, name: &str) -> Value {
    json!({
        "Path": "/",
        "RoleName": name,
        "RoleId": format!("AROA{}", name.to_uppercase()),
        "Arn": format!("arn:aws:iam::{account}:role/{name}"),
        "AssumeRolePolicyDocument": {}
    })
}

/// A folder with raw JSON that people could have written.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("temporary folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder");
        fs::write(path, content).expect("write");
    }

    fn write_role(&self, folder: &str, account: &str, name: &str) {
        self.write(&format!("{folder}roles/{name}.json"), role(account, name).to_string());
    }

    fn git(&self, arguments: &[&str]) {
        let status = Command::new("git")
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
            .args(arguments)
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdout(Stdio::null())
            .status()
            .expect("these tests need the program `git` on the PATH");
        assert!(status.success(), "{arguments:?}");
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "change"]);
    }
}

mod round_trip {
    use super::*;

    /// The listing of an export makes the same files again: all but the organization's, which are in
    /// no such listing. The answer is the listing.
    #[track_caller]
    fn assert_same(from: &Path) -> String {
        let [first, second] = [Place::new(), Place::new()];
        let to = first.path().join("iam");
        export(from, &to);
        let printed = details(&to, &["--quiet"]).succeeded().stdout;
        first.write("listing.json", &printed);
        export(&first.path().join("listing.json"), second.path());
        let (written, again) = (Tree::of(&to), Tree::of(second.path()));
        let of_organization = |path: &str| {
            let folder = path.split('/').next();
            let kind = KINDS.iter().find(|kind| {
                folder.is_some_and(|folder| kind.folders.contains(&folder))
                    || path.starts_with(&format!("terraform/{}.", kind.terraform_prefix))
            });
            kind.is_some_and(|kind| kind.detail_list.is_none())
        };
        let mut written = written.contents();
        written.retain(|path, _| !of_organization(path));
        assert!(written.len() > 5, "{from:?}");
        for (path, content) in &written {
            assert_eq!(again.contents().get(path), Some(content), "{from:?}: {path}");
        }
        assert_eq!(again.contents().len(), written.len(), "{from:?}");
        let listing = parse(&printed);
        let count: usize = LISTS.iter().map(|name| list(&listing, name).len()).sum();
        let raw = written.keys().filter(|path| path.ends_with(".json")).count();
        assert_eq!(count, raw, "{from:?}");
        printed
    }

    #[test]
    fn listing_of_an_export_makes_the_same_files() {
        for from in ["examples/account", "tests/accounts/hostile"] {
            assert_same(&project().join(from));
        }
        assert_same(&real("cloudmapper-demo.json"));
    }

    #[test]
    fn listing_is_what_aws_printed() {
        let from = real("cloudsplaining-example.json");
        let printed = assert_same(&from);
        let original = fs::read_to_string(&from).expect("the file");
        let (mut original, mut printed) = (parse(&known(&original).to_string()), parse(&printed));
        for listing in [&mut original, &mut printed] {
            for name in LISTS {
                let list = listing[name].as_array_mut().expect("a list");
                list.sort_by_key(|entity| entity["Arn"].to_string());
                for entity in list {
                    settle(entity);
                }
            }
        }
        for name in LISTS {
            let (found, expected) = (list(&printed, name), list(&original, name));
            assert_eq!(found.len(), expected.len(), "{name}");
            for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_equal(&format!("{name}[{index}]"), found, expected);
            }
        }
    }

    const SETS: [&str; 6] = [
        "AttachedManagedPolicies",
        "GroupList",
        "GroupPolicyList",
        "RolePolicyList",
        "Tags",
        "UserPolicyList",
    ];

    /// One spelling of dates, and one order of what AWS returns in any. The counts of that file are
    /// not those of what is in it.
    fn settle(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.remove("AttachmentCount");
                members.remove("PermissionsBoundaryUsageCount");
                // AWS leaves some lists of nothing out, and prints others.
                members.retain(|key, value| !SETS.contains(&key.as_str()) || *value != json!([]));
                for (key, value) in members {
                    match value {
                        Value::String(date) if key.ends_with("Date") => {
                            *date = date.replacen(' ', "T", 1);
                        }
                        Value::Array(list) if SETS.contains(&key.as_str()) => {
                            list.sort_by_key(ToString::to_string);
                        }
                        _ => settle(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(settle),
            _ => {}
        }
    }

    #[test]
    fn lists_and_their_entities_keep_their_order() {
        let place = Place::new();
        export(&project().join("examples/account"), place.path());
        let first = details(place.path(), &["--quiet"]).succeeded().stdout;
        assert_eq!(details(place.path(), &["--quiet"]).succeeded().stdout, first);
        let at: Vec<_> = LISTS.map(|name| first.find(&format!("\n  \"{name}\": ["))).into();
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?}");
        let names = roles(&first);
        assert!(names.is_sorted() && names.len() > 5, "{names:?}");
    }

    #[test]
    fn invisible_characters_stay_escaped() {
        let place = Place::new();
        export(&project().join("tests/accounts/hostile"), place.path());
        let printed = details(place.path(), &["--quiet"]).succeeded().stdout;
        let is_plain = |c: char| c == '\n' || !aws_iam_gitops::invisible::is_invisible(c);
        assert!(printed.chars().all(is_plain));
        assert!(printed.contains("\\u202e"), "the hostile account has such a character");
    }
}

mod scanner {
    use super::*;

    /// Scans listings at the same time; the answer has the findings of each.
    const SCAN: &str = "
import json, multiprocessing, sys
from cloudsplaining.scan.authorization_details import AuthorizationDetails
from cloudsplaining.shared.validation import check_authorization_details_schema

def findings(value):
    if isinstance(value, dict):
        left_out = {'AttachmentCount', 'PermissionsBoundaryUsageCount', 'CreateDate', 'UpdateDate', 'create_date'}
        return {key: findings(of) for key, of in value.items() if key not in left_out}
    if isinstance(value, list):
        return sorted(map(findings, value), key=lambda of: json.dumps(of, sort_keys=True))
    return value

def scan(path):
    with open(path) as file:
        listing = json.load(file)
    check_authorization_details_schema(listing)
    details = AuthorizationDetails(listing, flag_trust_policies=True)
    return findings({
        'groups': details.group_detail_list.json,
        'users': details.user_detail_list.json,
        'roles': details.role_detail_list.json,
        'aws_managed': details.policies.json_large_aws_managed,
        'customer_managed': details.policies.json_large_customer_managed,
        'inline': details.inline_policies,
    })

with multiprocessing.Pool() as pool:
    print(json.dumps(pool.map(scan, sys.argv[1:])))
";

    fn scan(listings: &[&Path]) -> Vec<Value> {
        let output =
            Command::new(python()).args(["-c", SCAN]).args(listings).output().expect("Python runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        // It also says what it misses.
        let Some(answer) = stdout.lines().last() else { panic!("no answer: {said}") };
        serde_json::from_str(answer).expect("JSON")
    }

    #[test]
    fn scanner_finds_what_it_finds_in_what_aws_printed() {
        let place = Place::new();
        let from = real("cloudsplaining-example.json");
        export(&from, &place.path().join("iam"));
        let printed = details(&place.path().join("iam"), &[]).succeeded();
        assert_eq!(printed.stderr, "");
        let original = known(&fs::read_to_string(&from).expect("the file"));
        place.write("printed.json", &printed.stdout);
        place.write("original.json", original.to_string());
        let paths = ["printed.json", "original.json"].map(|name| place.path().join(name));
        let found = scan(&paths.each_ref().map(PathBuf::as_path));
        let [printed, original] = found.as_slice() else { panic!("two answers") };
        for (part, findings) in original.as_object().expect("an object") {
            assert_equal(part, &printed[part], findings);
        }
        let policies = original["customer_managed"].as_object().expect("an object").values();
        let risky = policies.filter(|policy| {
            let findings = policy["PrivilegeEscalation"]["findings"].as_array();
            findings.is_some_and(|findings| !findings.is_empty())
        });
        assert!(risky.count() > 20, "the scanner does not find what is there");
    }
}

mod shape {
    use super::*;

    fn policy(name: &str, id: &str) -> Value {
        json!({
            "PolicyName": name,
            "PolicyId": id,
            "Arn": format!("arn:aws:iam::111122223333:policy/{name}"),
            "Path": "/",
            "DefaultVersionId": "v1",
            "IsAttachable": true,
            "CreateDate": "2024-03-05T09:12:44Z",
            "PolicyVersionList": [{
                "Document": { "Id": "2024-03-05T09:12:44Z" },
                "VersionId": "v1",
                "IsDefaultVersion": true,
                "CreateDate": "2024-03-05T09:12:44Z"
            }]
        })
    }

    fn attached(arns: &[&str]) -> Value {
        let list = arns.iter().map(|arn| json!({ "PolicyName": "x", "PolicyArn": arn }));
        Value::Array(list.collect())
    }

    #[test]
    fn uses_of_policies_are_counted() {
        let place = Place::new();
        for name in ["data", "limit", "unused"] {
            place.write(&format!("policies/{name}.json"), policy(name, "ANPAX").to_string());
        }
        for name in ["a", "b"] {
            let mut role = role("111122223333", name);
            role["AttachedManagedPolicies"] = attached(&["arn:aws:iam::111122223333:policy/data"]);
            role["PermissionsBoundary"] = json!({
                "PermissionsBoundaryType": "Policy",
                "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/limit"
            });
            place.write(&format!("roles/{name}.json"), role.to_string());
        }
        let outcome = details(place.path(), &[]).succeeded();
        assert_eq!(outcome.stderr, "");
        let listing = parse(&outcome.stdout);
        let counts: Vec<_> = list(&listing, "Policies")
            .iter()
            .map(|policy| (&policy["AttachmentCount"], &policy["PermissionsBoundaryUsageCount"]))
            .collect();
        assert_eq!(
            counts,
            [(&json!(2), &json!(0)), (&json!(0), &json!(2)), (&json!(0), &json!(0))]
        );
    }

    #[test]
    fn instance_profiles_repeat_their_role_and_dates_are_spelled_as_by_the_aws_cli() {
        let place = Place::new();
        let mut role = role("111122223333", "a");
        role["CreateDate"] = json!("2024-03-05T09:12:44Z");
        role["InstanceProfileList"] = json!([{
            "Path": "/",
            "InstanceProfileName": "a",
            "InstanceProfileId": "AIPAX",
            "Arn": "arn:aws:iam::111122223333:instance-profile/a",
            "CreateDate": "2024-03-05T09:12:44Z"
        }]);
        place.write("roles/a.json", role.to_string());
        place.write("policies/data.json", policy("data", "ANPAX").to_string());
        let listing = parse(&details(place.path(), &[]).succeeded().stdout);
        let date = json!("2024-03-05T09:12:44+00:00");
        let profile = &listing["RoleDetailList"][0]["InstanceProfileList"][0];
        assert_eq!(profile["CreateDate"], date);
        assert_eq!(
            profile["Roles"],
            json!([{
                "Path": "/",
                "RoleName": "a",
                "RoleId": "AROAA",
                "Arn": "arn:aws:iam::111122223333:role/a",
                "CreateDate": date,
                "AssumeRolePolicyDocument": {}
            }])
        );
        let version = &listing["Policies"][0]["PolicyVersionList"][0];
        assert_eq!(version["CreateDate"], date);
        assert_eq!(version["Document"]["Id"], "2024-03-05T09:12:44Z");
    }

    #[test]
    fn what_the_repository_does_not_have_is_noted() {
        let place = Place::new();
        let mut role = role("111122223333", "a");
        role["AttachedManagedPolicies"] = attached(&[
            "arn:aws:iam::aws:policy/ReadOnlyAccess",
            "arn:aws:iam::111122223333:policy/##[error]\u{1b}",
        ]);
        role["RoleId"] = json!("");
        role["AssumeRolePolicyDocument"] = json!("{\"a\":1,\"a\":2}");
        place.write("roles/a.json", role.to_string());
        let outcome = details(place.path(), &[]);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert_eq!(
            outcome.stderr,
            "note: 2 managed policies are in use, but not in the repository, so no tool sees what they \
             grant: `arn:aws:iam::111122223333:policy/#\\u{23}[error]\\u{1b}`, \
             `arn:aws:iam::aws:policy/ReadOnlyAccess`; exports write AWS's own with `--aws-managed`, \
             or `aws_managed = true`\n\
             note: AWS has not made these yet, so they have no ID, and tools may refuse them: \
             `roles/a.json`\n\
             note: these hold a document that is no JSON object or has a key twice; it stands there \
             as text, and tools may refuse it: `roles/a.json`\n"
        );
        let role = &parse(&outcome.stdout)["RoleDetailList"][0];
        assert_eq!(
            (role.get("RoleId"), role["AssumeRolePolicyDocument"].is_string()),
            (None, true)
        );
        assert_eq!(details(place.path(), &["--quiet"]).succeeded().stderr, "");
        let mut policy = policy("empty", "ANPAEMPTY");
        policy["PolicyVersionList"] = json!([]);
        place.write("policies/empty.json", policy.to_string());
        place.write("aws-iam-gitops.toml", "kinds = [\"roles\"]\n");
        let outcome = details(place.path(), &[]);
        assert!(outcome.stderr.contains("note: the settings leave out policies"), "{outcome}");
        let note = "note: these hold no version of their policy, so no tool sees what they grant: \
                    `policies/empty.json`\n";
        assert!(outcome.stderr.contains(note), "{outcome}");
    }

    #[test]
    fn reader_that_has_seen_enough_is_no_error() {
        let place = Place::new();
        export(&real("cloudsplaining-example.json"), place.path());
        let mut child = program(place.path(), &["--quiet"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut start = [0; 16];
        let mut stdout = child.stdout.take().expect("piped");
        stdout.read_exact(&mut start).expect("a start");
        drop(stdout);
        let mut stderr = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("UTF-8");
        assert_eq!((stderr.as_str(), child.wait().expect("wait").code()), ("", Some(0)));
    }
}

mod refused {
    use super::*;

    const HALF: &str =
        "\nhint: nothing is printed, for half a listing would pass for a whole one\n";

    #[test]
    fn raw_json_that_cannot_be_read_is_named_and_nothing_printed() {
        for (content, problem) in [
            (&b""[..], " line 1: the file is empty: delete it, or write the entity's JSON"),
            (b"[]", " line 1: the file does not hold a JSON object, `{…}`"),
            (
                b"{\n  \"Path\": 1}",
                " line 2 column 11: invalid type: integer `1`, expected a string",
            ),
            (b"{\n\xff}", " line 2: the text is not UTF-8"),
            (
                role("111122223333", "a\u{1b}").to_string().as_bytes(),
                ": it holds the role `a\\u{1b}`, whose file is `roles/a%1B.json`",
            ),
        ] {
            let place = Place::new();
            place.write_role("", "111122223333", "a");
            place.write("roles/b.json", content);
            assert_refused(place.path(), &[], &format!("error: `roles/b.json`{problem}\n{HALF}"));
        }
        let place = Place::new();
        place.write_role("", "111122223333", "a");
        std::os::unix::fs::symlink("nowhere", place.path().join("roles/b.json")).expect("a link");
        assert_refused(place.path(), &[], "error: cannot find what `roles/b.json` links to\n");
    }

    #[test]
    fn document_that_nests_too_deeply_is_named() {
        let place = Place::new();
        let mut role = role("111122223333", "a").to_string();
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(128), "]".repeat(128));
        role = role.replace(
            "\"AssumeRolePolicyDocument\":{}",
            &format!("\"AssumeRolePolicyDocument\":{deep}"),
        );
        place.write("roles/a.json", role);
        let outcome = details(place.path(), &[]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome}");
        assert!(outcome.stderr.starts_with("error: `roles/a.json`"), "{outcome}");
    }

    #[test]
    fn folder_without_raw_json_is_no_empty_account() {
        let place = Place::new();
        let hint = "name the folder of an export, or the checkout of a repository that one goes to";
        let listed: Vec<_> = KINDS
            .iter()
            .filter(|kind| kind.detail_list.is_some())
            .flat_map(|kind| kind.folders)
            .map(|folder| format!("`{folder}`"))
            .collect();
        let expected = |of: &str| {
            format!("error: `{of}` has no raw JSON in {}\n\nhint: {hint}\n", listed.join(", "))
        };
        assert_refused(place.path(), &[], &expected("."));
        place.write("scps/x.txt", "");
        place.write_role("", "111122223333", "a");
        assert_refused(place.path(), &["--prefix", "iam"], &expected("iam"));
        assert_refused(
            place.path(),
            &["nowhere"],
            "error: cannot read `nowhere`\n  caused by: No such file or directory (os error 2)\n",
        );
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        for arguments in [&["--account", "12"][..], &["--prefix", "/"], &["a", "b"]] {
            let outcome = details(Place::new().path(), arguments);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome}");
        }
    }
}

mod accounts {
    use super::*;

    const FIRST: &str = "111122223333";
    const SECOND: &str = "444455556666";

    #[test]
    fn one_of_several_accounts_is_chosen() {
        let place = Place::new();
        place.write_role("accounts/111122223333/", FIRST, "first");
        // The only one there is needs no choice.
        assert_eq!(roles(&details(place.path(), &[]).succeeded().stdout), ["first"]);
        place.write_role("accounts/444455556666/", SECOND, "second");
        place.write_role("accounts/notes/", SECOND, "third");
        let of = |id: &str| roles(&details(place.path(), &["--account", id]).succeeded().stdout);
        assert_eq!((of(FIRST), of(SECOND)), (vec!["first".to_owned()], vec!["second".to_owned()]));
        let hint = "\nhint: say which with `--account`\n";
        assert_refused(
            place.path(),
            &[],
            &format!("error: `.` holds several accounts: `{FIRST}`, `{SECOND}`\n{hint}"),
        );
        let several =
            "\nhint: several accounts lie in `accounts/`, each in a folder named after its ID\n";
        assert_refused(
            place.path(),
            &["--account", "777788889999"],
            &format!(
                "error: `.` holds nothing of account `777788889999`, only of `{FIRST}`, `{SECOND}`\n{several}"
            ),
        );
        // One more, in the root.
        place.write_role("", "777788889999", "root");
        assert_eq!(of("777788889999"), ["root"]);
        assert_refused(
            place.path(),
            &[],
            &format!(
                "error: `.` holds several accounts: `{FIRST}`, `{SECOND}`, `777788889999`\n{hint}"
            ),
        );
    }

    #[test]
    fn prefix_of_the_settings_is_the_account_that_is_meant() {
        let place = Place::new();
        place.write_role("accounts/111122223333/", FIRST, "first");
        place.write_role("accounts/444455556666/", SECOND, "second");
        place.write_role("iam/", "777788889999", "third");
        place.write("aws-iam-gitops.toml", "prefix = \"iam\"\n");
        let of = |arguments: &[&str]| roles(&details(place.path(), arguments).succeeded().stdout);
        assert_eq!(of(&[]), ["third"]);
        assert_eq!(of(&["--account", "777788889999"]), ["third"]);
        assert_eq!(of(&["--account", SECOND]), ["second"]);
        assert_eq!(of(&["--prefix", "accounts/111122223333"]), ["first"]);
        place.write("aws-iam-gitops.toml", "prefix = 1\n");
        let outcome = details(place.path(), &[]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome}");
    }

    #[test]
    fn folder_that_holds_another_account_is_refused() {
        let place = Place::new();
        place.write_role("accounts/111122223333/", SECOND, "a");
        assert_refused(
            place.path(),
            &["--account", FIRST],
            &format!(
                "error: `accounts/{FIRST}` holds account `{SECOND}`\n\n\
                 hint: each account has a folder of its own, named after its ID\n"
            ),
        );
        place.write_role("accounts/111122223333/", FIRST, "b");
        let outcome = details(place.path(), &[]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome}");
        assert!(outcome.stderr.contains("b.json` of account `111122223333`"), "{outcome}");
    }
}

mod history {
    use super::*;

    #[test]
    fn any_commit_can_be_read_as_it_was() {
        let place = Place::new();
        place.git(&["init", "--quiet"]);
        place.write_role("old/", "111122223333", "first");
        place.write("aws-iam-gitops.toml", "prefix = \"old\"\n");
        place.write("old/roles/notes.txt", "no raw JSON");
        place.commit();
        fs::rename(place.path().join("old"), place.path().join("new")).expect("a rename");
        place.write_role("new/", "111122223333", "second");
        place.write("aws-iam-gitops.toml", "prefix = \"new\"\n");
        place.commit();
        place.write_role("new/", "111122223333", "third");
        let of = |arguments: &[&str]| roles(&details(place.path(), arguments).succeeded().stdout);
        assert_eq!(of(&[]), ["first", "second", "third"]);
        assert_eq!(of(&["--revision", "HEAD"]), ["first", "second"]);
        assert_eq!(of(&["--revision", "HEAD^"]), ["first"]);
        let files = details(place.path(), &["--prefix", "new"]).succeeded().stdout;
        place.commit();
        assert_eq!(details(place.path(), &["--revision", "HEAD"]).succeeded().stdout, files);
        // A folder of the checkout is what it is in the commit, too.
        assert_eq!(of(&["new", "--revision", "HEAD^"]), ["first", "second"]);
    }

    #[test]
    fn accounts_of_a_commit_are_known_and_its_faults_named() {
        let place = Place::new();
        place.git(&["init", "--quiet"]);
        place.write_role("accounts/111122223333/", "111122223333", "first");
        place.write_role("accounts/444455556666/", "444455556666", "second");
        place.commit();
        let at_head = ["--revision", "HEAD"];
        let of = [&at_head[..], &["--account", "444455556666"]].concat();
        assert_eq!(roles(&details(place.path(), &of).succeeded().stdout), ["second"]);
        details(place.path(), &at_head)
            .failed_saying(&["holds several accounts: `111122223333`, `444455556666`"]);
        place.write("accounts/444455556666/roles/second.json", "{");
        assert_eq!(roles(&details(place.path(), &of).succeeded().stdout), ["second"]);
        place.commit();
        let outcome = details(place.path(), &of);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome}");
        assert!(
            outcome.stderr.contains("`accounts/444455556666/roles/second.json at "),
            "{outcome}"
        );
        details(place.path(), &["--revision", "nope"]).failed_saying(&["no commit `nope`"]);
        details(Place::new().path(), &at_head).failed_saying(&["`.` is in no Git repository"]);
    }
}
