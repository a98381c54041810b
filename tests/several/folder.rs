//! Several accounts in one folder.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::support::fake_aws::{
    ACCOUNT, EXTERNAL_ID, FakeAws, Fault, How, MEMBER_ROLE, Role, World,
};
use super::support::run::{Outcome, Tree, export};
use super::{BUILD, DATA, organization};

struct Case {
    aws: FakeAws,
    folder: tempfile::TempDir,
}

impl Case {
    fn new(aws: FakeAws, accounts: &str) -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let case = Case { aws, folder };
        case.settings(&format!("[accounts]\nexternal_id = \"{EXTERNAL_ID}\"\n{accounts}\n"));
        case
    }

    fn settings(&self, text: &str) {
        fs::write(self.path().join("aws-iam-gitops.toml"), text).expect("settings");
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn export(&self, arguments: &[&str]) -> Outcome {
        export(&self.aws.environment(), self.path(), arguments)
    }

    fn tree(&self) -> Tree {
        Tree::of(self.path())
    }

    /// What is exported of each account, by whether the account has a role's file.
    fn accounts(&self) -> Vec<String> {
        let ids = fs::read_dir(self.path().join("accounts")).into_iter().flatten().flatten();
        let ids = ids.filter(|entry| entry.path().join("roles/deploy.json").exists());
        let mut ids: Vec<String> =
            ids.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        ids.sort();
        ids
    }
}

fn three() -> Case {
    Case::new(organization(), &format!("ids = [\"{ACCOUNT}\", \"{BUILD}\", \"{DATA}\"]"))
}

#[test]
fn each_account_has_its_folder_and_a_second_export_writes_nothing() {
    let case = three();
    case.aws.members().get_mut(DATA).expect("an account").role("deploy").description =
        Some("of the data".to_owned());
    let said = case.export(&[]).succeeded();
    assert!(said.stdout.starts_with("exported 3 accounts to `"), "{said}");
    assert!(said.stdout.contains("\ntotal "), "{said}");
    let tree = case.tree();
    for id in [ACCOUNT, BUILD, DATA] {
        let role = tree.content(&format!("accounts/{id}/roles/deploy.json"));
        assert!(role.contains(&format!("arn:aws:iam::{id}:role/deploy")));
        assert_eq!(role.contains("of the data"), id == DATA);
        let provider = tree.content(&format!("accounts/{id}/terraform/provider.tf"));
        assert!(provider.contains(&format!("allowed_account_ids = [\"{id}\"]")), "{provider}");
        assert!(tree.has(&format!("accounts/{id}/terraform/versions.tf")));
        // The organization has one owner.
        assert_eq!(tree.has(&format!("accounts/{id}/scps/p-aaaaaaaa.json")), id == ACCOUNT);
    }
    assert!(!tree.paths().iter().any(|path| path.starts_with("roles/")));
    assert!(!said.stdout.contains("note:"), "{said}");
    case.aws.take_requests();
    case.export(&[]).succeeded().wrote_nothing();
    assert_eq!(case.tree(), tree);

    // Cheap: what one account costs, the role that is assumed among it.
    let requests = case.aws.take_requests();
    let of = |id: &str| requests.iter().filter(|one| one.member.as_deref() == Some(id)).count();
    let assumed = requests.iter().filter(|one| one.operation == "AssumeRole");
    assert_eq!(assumed.count(), 2, "the own account is read as it is");
    // Six listings, and one call for each of three policies.
    assert_eq!((of(BUILD), of(DATA)), (9, 9));
}

#[test]
fn what_the_settings_say_holds_for_each_account_and_for_one_from_files() {
    let case = three();
    let ids = format!("[accounts]\norganization = true\nexternal_id = \"{EXTERNAL_ID}\"\n");
    case.settings(&format!("kinds = ['roles']\n[[ignore]]\nname = 'audit'\n{ids}"));
    case.export(&[]).succeeded();
    let tree = case.tree();
    for id in [ACCOUNT, BUILD, DATA] {
        assert!(tree.has(&format!("accounts/{id}/roles/deploy.json")));
        assert!(!tree.has(&format!("accounts/{id}/roles/audit.json")));
        assert!(!tree.has(&format!("accounts/{id}/policies/read.json")));
    }
    let case = three();
    let example = super::support::python::project().join("examples/account");
    case.export(&["--from", example.to_str().expect("UTF-8")]).succeeded();
    assert!(case.tree().has("accounts/111122223333/roles/github-deploy.json"));
    assert_eq!(case.tree().only(&["accounts/"]).paths().len() + 1, case.tree().paths().len());
}

#[test]
fn the_summary_for_programs_has_each_account_and_the_total() {
    let case = three();
    let said = case.export(&["--output", "json"]).succeeded().summary();
    assert_eq!(said["accounts"].as_array().map(Vec::len), Some(3));
    assert_eq!(said["accounts"][1]["account"], BUILD);
    // Three roles and three policies each, and three policies of the organization.
    assert_eq!((&said["total"]["written"], &said["total"]["failures"]), (&21.into(), &0.into()));
    assert_eq!(said["failed"], serde_json::json!([]));
}

#[test]
fn an_account_that_fails_keeps_its_files_and_stops_no_other() {
    let assume =
        Fault::new("AssumeRole", How::Denied).about(&format!("{BUILD}:role/{MEMBER_ROLE}"));
    let listing = Fault::new("ListRoles", How::Denied);
    let details = Fault::new("GetAccountAuthorizationDetails", How::Code("ValidationError"));
    for (fault, is_at_the_door, call) in [
        (assume, true, "sts:AssumeRole"),
        (listing, false, "iam:ListRoles"),
        (details, false, "iam:GetAccountAuthorizationDetails"),
    ] {
        let case = three();
        case.export(&[]).succeeded();
        let before = case.tree();
        match is_at_the_door {
            true => case.aws.world().faults.push(fault),
            false => {
                let mut members = case.aws.members();
                let build = members.get_mut(BUILD).expect("an account");
                build.faults.push(fault);
                build.roles.clear();
            }
        }
        case.aws.members().get_mut(DATA).expect("an account").roles.push(Role::new("fresh"));
        let said = case.export(&[]);
        let named = format!("error: account `{BUILD}`: ");
        let said = said.failed_saying(&[&named, call]);
        assert!(said.stdout.contains(&format!("1 of 3 failed: account `{BUILD}`")), "{said}");
        assert_eq!(said.stderr.contains("terraform/modules/member"), is_at_the_door, "{said}");
        let after = case.tree();
        assert_eq!(after.only(&[BUILD]), before.only(&[BUILD]), "{call}");
        assert!(after.has(&format!("accounts/{DATA}/roles/fresh.json")), "{call}");
        assert_eq!(after.only(&[ACCOUNT]), before.only(&[ACCOUNT]));
    }
}

#[test]
fn role_and_external_id_are_what_the_account_asks_for() {
    let case = three();
    let own = format!("[accounts]\nids = [\"{ACCOUNT}\", \"{BUILD}\"]\n");
    case.settings(&own);
    case.export(&[]).failed_saying(&[BUILD, "sts:AssumeRole", "the same external ID"]);
    case.export(&["--accounts-external-id", EXTERNAL_ID]).succeeded();
    let role = ["--accounts-external-id", EXTERNAL_ID, "--accounts-role", "security/reader"];
    case.export(&role).failed_saying(&[&format!("arn:aws:iam::{BUILD}:role/security/reader")]);
    assert_eq!(case.accounts(), [ACCOUNT, BUILD]);
}

#[test]
fn the_organization_is_listed_over_all_pages_without_accounts_that_are_closed() {
    let case = Case::new(organization(), "organization = true");
    {
        let mut world = case.aws.world();
        world.page_sizes = vec![1, 0, 2];
        world.accounts.push(("444455556666".to_owned(), "r-ab12", "SUSPENDED"));
        world.accounts.push(("555566667777".to_owned(), "r-ab12", "PENDING_ACTIVATION"));
    }
    case.export(&[]).succeeded();
    assert_eq!(case.accounts(), [ACCOUNT, BUILD, DATA]);

    // One that left the list keeps its folder.
    let before = case.tree();
    let said = case.export(&["--accounts-exclude", DATA]).succeeded();
    let note = format!("note: account `{DATA}` has a folder and is not among the accounts");
    assert!(said.stdout.contains(&note), "{said}");
    assert_eq!(case.tree(), before);

    // Nobody knows which accounts there are: none of them is gone.
    case.aws.world().faults.push(Fault::new("ListAccounts", How::Denied).page(1));
    let said = case.export(&[]).failed_saying(&["cannot find the accounts", "ListAccounts"]);
    assert!(said.stdout.is_empty(), "{said}");
    assert_eq!(case.tree(), before);
}

#[test]
fn units_are_listed_with_those_below_them() {
    let case = Case::new(organization(), "organizational_units = [\"ou-ab12-cdefgh34\"]");
    case.aws.world().page_sizes = vec![0, 1];
    let said = case.export(&[]).succeeded();
    assert_eq!(case.accounts(), [BUILD, DATA]);
    let tree = case.tree();
    assert!(!tree.paths().iter().any(|path| path.contains("scps/")), "{said}");
    assert!(!said.stdout.contains("note:"), "{said}");
    case.settings("[accounts]\norganizational_units = ['ou-ab12-cdefgh56']\nexternal_id = 'x1'\n");
    let said = case.export(&["--accounts-external-id", EXTERNAL_ID, "--output", "json"]);
    assert_eq!(said.succeeded().summary()["gone"], serde_json::json!([BUILD]));
}

#[test]
fn the_organization_is_read_where_it_can_be_and_refused_once() {
    // The credentials are of a delegated administrator, then of an account that is none.
    let case =
        Case::new(organization(), &format!("ids = [\"{ACCOUNT}\", \"{BUILD}\", \"{DATA}\"]"));
    case.aws.world().management = "999900001111".to_owned();
    case.export(&[]).succeeded();
    assert!(case.tree().has(&format!("accounts/{ACCOUNT}/scps/p-aaaaaaaa.json")));

    let case = three();
    {
        let mut world = case.aws.world();
        world.management = "999900001111".to_owned();
        world.faults.push(Fault::new("ListPolicies", How::Denied));
    }
    let said = case.export(&[]).succeeded();
    assert_eq!(said.stdout.matches("note:").count(), 1, "{said}");

    // The management account is another one of them.
    let case = three();
    case.aws.world().management = BUILD.to_owned();
    case.aws.members().get_mut(BUILD).expect("an account").faults.clear();
    case.export(&[]).succeeded();
    let tree = case.tree();
    assert!(tree.has(&format!("accounts/{BUILD}/scps/p-aaaaaaaa.json")));
    assert!(!tree.has(&format!("accounts/{ACCOUNT}/scps/p-aaaaaaaa.json")));

    // For once nobody says which account that is: no other takes its place.
    let before = case.tree();
    let fault = Fault::new("DescribeOrganization", How::Code("ServiceException"));
    case.aws.world().faults.push(fault);
    case.export(&[]).failed_saying(&["cannot find the accounts", "DescribeOrganization"]);
    assert_eq!(case.tree(), before);
}

#[test]
fn what_has_two_owners_is_told() {
    let case = Case::new(organization(), &format!("ids = [\"{ACCOUNT}\", \"{DATA}\"]"));
    case.aws.world().management = BUILD.to_owned();
    case.aws.members().get_mut(BUILD).expect("an account").faults.clear();
    assert!(!case.export(&[]).succeeded().stdout.contains("note:"));
    // Another account has the organization from now on.
    let said = case.export(&["--accounts", "organization"]).succeeded();
    let note = format!("note: account `{ACCOUNT}`: `scps/p-aaaaaaaa.json` is here, and ");
    assert!(said.stdout.contains(&note) && said.stdout.matches("note:").count() == 1, "{said}");

    // One account in the root becomes several, and its files move.
    let case = Case::new(organization(), "");
    case.settings("");
    case.export(&[]).succeeded();
    let several = format!("[accounts]\nids = ['{ACCOUNT}', '{DATA}']\n");
    case.settings(&format!("{several}external_id = '{EXTERNAL_ID}'\n"));
    let said = case.export(&["--dry-run"]).succeeded();
    let note =
        format!("note: account `{ACCOUNT}`: an export of this account lies in the root, too");
    assert!(said.stdout.contains(&note) && said.stdout.matches("note:").count() == 1, "{said}");
    let folder = case.path().join("accounts").join(ACCOUNT);
    fs::create_dir_all(&folder).expect("a folder");
    for name in ["roles", "policies", "scps", "terraform"] {
        fs::rename(case.path().join(name), folder.join(name)).expect("it moves");
    }
    let before = case.tree();
    let said = case.export(&[]).succeeded();
    assert!(!said.stdout.contains("note:"), "{said}");
    assert_eq!(case.tree().only(&[ACCOUNT]), before.only(&[ACCOUNT]));
}

#[test]
fn files_that_do_not_tell_their_account_are_of_none_of_several() {
    let case = three();
    let file = case.path().join("policy.json");
    fs::write(&file, json!({"PasswordPolicy": {"MinimumPasswordLength": 8}}).to_string())
        .expect("a file");
    let from = ["--from", file.to_str().expect("UTF-8")];
    case.export(&from).failed_saying(&["of which they are", "name it with `--account`"]);
    case.export(&[&from[..], &["--account", BUILD]].concat()).succeeded();
    assert!(case.tree().has(&format!("accounts/{BUILD}/password_policy/account.json")));
}

#[test]
fn a_listing_without_accounts_is_no_success() {
    let case = Case::new(organization(), "organization = true");
    let all = [ACCOUNT, BUILD, DATA].join(",");
    for arguments in
        [&["--accounts", "ou-ab12-zzzzzzzz"][..], &["--accounts-exclude", &all], &["--quiet"]]
    {
        if arguments == ["--quiet"] {
            case.aws.world().accounts.clear();
        }
        let said = case.export(arguments);
        said.failed_saying(&["cannot find the accounts", "lists no active account"]);
    }
}

#[test]
fn no_more_accounts_are_read_at_once_than_the_settings_say() {
    let ids: Vec<String> = (0..12).map(|number| format!("{:012}", 100 + number)).collect();
    let members =
        ids.iter().map(|id| World { delay: Duration::from_millis(15), ..World::member(id) });
    let aws = FakeAws::start(World::small()).with_members(members);
    let case = Case::new(aws, &format!("ids = {ids:?}\nconcurrency = 3"));
    case.export(&[]).succeeded();
    assert_eq!(case.accounts(), ids);
    assert_eq!(case.aws.most_accounts_in_flight(), 3);
}

#[test]
fn what_contradicts_itself_is_refused_before_anything_is_read() {
    let case = three();
    for (settings, says) in [
        ("[accounts]\nrole = '../x'\norganization = true\n", "not the name of a role"),
        ("[accounts]\nids = ['1']\n", "not the ID of an account"),
        ("[accounts]\nids = ['111122223333']\nexclude = ['111122223333']\n", "left out"),
        ("[accounts]\nexclude = ['111122223333']\n", "none are named"),
        ("prefix = 'x'\n[accounts]\norganization = true\n", "`prefix` is for one account"),
    ] {
        case.settings(settings);
        case.export(&[]).failed_saying(&[says, "hint: "]);
    }
    for arguments in [
        &["--accounts", "../x"][..],
        &["--accounts", "111122223333", "--accounts-role", "a b"],
        &["--accounts", "111122223333", "--from", "x"],
    ] {
        let said = case.export(arguments);
        assert_eq!(said.code, Some(2), "{said}");
    }
    assert!(case.aws.take_requests().is_empty());
    assert_eq!(case.tree().paths(), ["aws-iam-gitops.toml"]);
}
