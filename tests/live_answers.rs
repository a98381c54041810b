//! The live path against answers that the emulator cannot give: the real program and the real SDK,
//! over real HTTP, against a small fake of AWS.
//!
//! What goes wrong must never look like "gone": files of what was not read stay as they are.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::fake_aws::{self, FakeAws, Fault, How, OrganizationsPolicy, Policy, Role, World};
use support::fake_organization::Structure;
use support::run::{Outcome, Tree, export, of_kind};

/// A fake AWS and a folder to export it to.
struct Case {
    aws: FakeAws,
    folder: tempfile::TempDir,
}

impl Case {
    fn new(world: World) -> Case {
        Case { aws: FakeAws::start(world), folder: tempfile::tempdir().expect("a folder") }
    }

    fn export(&self, arguments: &[&str]) -> Outcome {
        export(&self.aws.environment(), self.folder.path(), arguments)
    }

    fn tree(&self) -> Tree {
        Tree::of(self.folder.path())
    }

    fn fault(&self, fault: Fault) {
        self.aws.world().faults.push(fault);
    }
}

/// More of everything, with all that hangs on it.
fn rich() -> World {
    let mut world = World::small();
    let names = |count: usize| (0..count).map(|index| format!("n{index:02}"));
    world.roles.extend(names(7).map(|name| Role::new(&name)));
    world.policies.extend(names(6).map(|name| Policy::new(&name)));
    world
        .organizations_policies
        .extend(names(9).map(|name| OrganizationsPolicy::new(&format!("p-00000{name}"))));
    let tags: Vec<_> = names(9).map(|name| (format!("key-{name}"), "value".to_owned())).collect();
    let own = |name: &str| format!("arn:aws:iam::{}:policy/{name}", fake_aws::ACCOUNT);
    let document = world.policy("read").document.clone();
    let role = world.role("deploy");
    role.tags = tags.clone();
    role.attached =
        vec![own("write"), own("read"), "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned()];
    role.boundary = Some(own("run"));
    role.profiles = vec!["second".to_owned(), "first".to_owned(), "third".to_owned()];
    role.inline = ["b", "c", "a"].map(|name| (name.to_owned(), document.clone())).to_vec();
    world.policy("read").tags = tags.clone();
    world.organizations_policies[0].tags = tags;
    world.organizations_policies[0].targets = (0..25).map(|n| format!("{n:012}")).collect();
    world
}

fn secret_free(text: &str) {
    for secret in [fake_aws::SECRET_ACCESS_KEY, fake_aws::SESSION_TOKEN] {
        assert!(!text.contains(secret), "a secret in: {text}");
        assert!(!text.contains(&secret.replace('/', "%2F").replace('+', "%2B")), "in: {text}");
    }
}

// --- paging ------------------------------------------------------------------

#[test]
fn all_pages_are_read_whatever_their_size() {
    let whole = Case::new(rich());
    whole.export(&[]).succeeded();
    for sizes in [vec![1], vec![3], vec![2, 0, 0, 5, 1, 0]] {
        let case = Case::new(World { page_sizes: sizes.clone(), ..rich() });
        case.export(&[]).succeeded();
        assert_eq!(case.tree().contents(), whole.tree().contents(), "pages of {sizes:?}");
    }
}

#[test]
fn entity_on_two_pages_is_one_entity() {
    let mut world = World::small();
    world.roles.push(Role::new("deploy"));
    world.policies.push(Policy::new("read"));
    world.organizations_policies.push(OrganizationsPolicy::new("p-aaaaaaaa"));
    let case = Case::new(world);
    let summary = case.export(&["--output", "json"]).succeeded().summary();
    for kind in ["roles", "policies", "organizations policies"] {
        let kind = of_kind(&summary, kind);
        assert_eq!(kind["written"].as_array().expect("names").len(), 3, "{kind}");
    }
    let before = case.tree();
    case.export(&[]).succeeded().wrote_nothing();
    assert_eq!(case.tree(), before);
}

#[test]
fn documents_are_decoded_as_aws_encodes_them() {
    let mut world = World::small();
    let resource = "arn:aws:s3:::a+b%2Bc d/${aws:username}/é?&=;";
    world.policy("read").document["Statement"][0]["Resource"] = json!(resource);
    let case = Case::new(world);
    case.export(&[]).succeeded();
    let tree = case.tree();
    assert!(tree.content("policies/read.json").contains(&format!("\"{resource}\"")));
    let escaped = resource.replace("${", "$${");
    assert!(tree.content("terraform/iam_policy.read.tf").contains(&format!("\"{escaped}\"")));
}

// --- failing closed ------------------------------------------------------------

/// Exports; then one of each kind disappears, one changes and one is new, and a call goes wrong.
/// Answers the case, the tree of the good export, and the outcome of the other.
fn export_before_and_after(fault: Fault) -> (Case, Tree, Outcome) {
    let case = Case::new(World { page_sizes: vec![2], ..World::small() });
    case.export(&[]).succeeded();
    let before = case.tree();
    {
        let mut world = case.aws.world();
        world.roles.remove(0);
        world.role("build").description = Some("changed".to_owned());
        world.role("build").tags = vec![("changed".to_owned(), "yes".to_owned())];
        world.roles.push(Role::new("new-role"));
        world.policies.remove(0);
        world.policy("run").document["Statement"][0]["Resource"] = json!("changed");
        world.policies.push(Policy::new("new-policy"));
        world.organizations_policies.remove(0);
        world.organizations_policies[0].name = "changed".to_owned();
        world.organizations_policies.push(OrganizationsPolicy::new("p-dddddddd"));
        world.faults.push(fault);
    }
    let outcome = case.export(&[]);
    (case, before, outcome)
}

const ROLES: [&str; 2] = ["roles/", "iam_role."];
const POLICIES: [&str; 2] = ["policies/", "iam_policy."];
const ORGANIZATIONS_POLICIES: [&str; 2] = ["scps/", "organizations_policy."];

const ROLES_FOLLOWED: [&str; 6] = [
    "- roles/audit.json",
    "~ roles/build.json",
    "+ roles/new-role.json",
    "- terraform/iam_role.audit.tf",
    "~ terraform/iam_role.build.tf",
    "+ terraform/iam_role.new-role.tf",
];
const POLICIES_FOLLOWED: [&str; 6] = [
    "+ policies/new-policy.json",
    "- policies/read.json",
    "~ policies/run.json",
    "+ terraform/iam_policy.new-policy.tf",
    "- terraform/iam_policy.read.tf",
    "~ terraform/iam_policy.run.tf",
];
const ORGANIZATIONS_POLICIES_FOLLOWED: [&str; 6] = [
    "- scps/p-aaaaaaaa.json",
    "~ scps/p-bbbbbbbb.json",
    "+ scps/p-dddddddd.json",
    "- terraform/organizations_policy.p-aaaaaaaa.tf",
    "~ terraform/organizations_policy.p-bbbbbbbb.tf",
    "+ terraform/organizations_policy.p-dddddddd.tf",
];

/// The ways in which a listing goes wrong at its second page, to the end of all retries.
const WAYS: [How; 6] = [
    How::Denied,
    How::MissingMarker,
    How::RepeatedMarker,
    How::TextCut,
    How::Unavailable,
    How::Code("InvalidInputException"),
];

/// Tries every way at once, as retries mostly wait, and checks what becomes of each kind.
fn each_way_of_failing(
    operation: &'static str,
    call: &str,
    unread: &[[&str; 2]],
    followed: &[(&[&str; 2], &[&str; 6])],
) {
    let check = |how: How| {
        let (case, before, outcome) = export_before_and_after(Fault::new(operation, how).page(1));
        let after = case.tree();
        for kind in unread {
            let changes = before.only(kind).changes(&after.only(kind));
            assert!(changes.is_empty(), "{operation} {how:?}: {changes:?}\n{outcome}");
        }
        for (kind, expected) in followed {
            let changes = before.only(*kind).changes(&after.only(*kind));
            assert_eq!(&changes, *expected, "{operation} {how:?}\n{outcome}");
        }
        assert!(
            outcome.stdout.contains("have files here and were not read, left alone"),
            "{outcome}"
        );
        let outcome = outcome.failed_saying(&[call]);
        if how == How::Denied {
            let hint = format!("hint: allow `{call}` to that principal");
            outcome.failed_saying(&["was denied", "is not authorized to perform", &hint]);
        }
    };
    thread::scope(|scope| {
        for how in WAYS {
            scope.spawn(move || check(how));
        }
    });
}

#[test]
fn partial_authorization_details_delete_nothing() {
    each_way_of_failing(
        "GetAccountAuthorizationDetails",
        "iam:GetAccountAuthorizationDetails",
        &[ROLES, POLICIES],
        &[(&ORGANIZATIONS_POLICIES, &ORGANIZATIONS_POLICIES_FOLLOWED)],
    );
}

#[test]
fn partial_list_of_roles_deletes_no_role() {
    each_way_of_failing(
        "ListRoles",
        "iam:ListRoles",
        &[ROLES],
        &[
            (&POLICIES, &POLICIES_FOLLOWED),
            (&ORGANIZATIONS_POLICIES, &ORGANIZATIONS_POLICIES_FOLLOWED),
        ],
    );
}

#[test]
fn partial_list_of_organizations_policies_deletes_none() {
    each_way_of_failing(
        "ListPolicies",
        "organizations:ListPolicies",
        &[ORGANIZATIONS_POLICIES],
        &[(&ROLES, &ROLES_FOLLOWED), (&POLICIES, &POLICIES_FOLLOWED)],
    );
}

/// One entity exists and cannot be read: its files stay, all else follows AWS.
fn one_unreadable(operation: &'static str, about: &str, name: &str, call: &str, how: How) {
    let (case, before, outcome) = export_before_and_after(Fault::new(operation, how).about(about));
    let stem = about.rsplit('/').next().expect("a name");
    let own = [&*format!("/{stem}.json"), &*format!(".{stem}.tf")];
    let (own, after) = (before.only(&own), case.tree());
    let what = format!("{operation} {how:?}");
    assert_eq!(own.paths().len(), 2, "{what}");
    let changes: Vec<_> = own
        .changes(&after)
        .into_iter()
        .filter(|change| own.paths().iter().any(|path| change.ends_with(path)))
        .collect();
    assert!(changes.is_empty(), "{what}: {changes:?}\n{outcome}");
    let mut expected: Vec<_> =
        [ROLES_FOLLOWED, POLICIES_FOLLOWED, ORGANIZATIONS_POLICIES_FOLLOWED].concat();
    expected.retain(|change| !own.paths().iter().any(|path| change.ends_with(path)));
    let mut changes = before.changes(&after);
    changes.sort();
    expected.sort();
    assert_eq!(changes, expected, "{what}\n{outcome}");
    outcome.failed_saying(&[&format!("cannot read {name} `{stem}`: `{call}`")]);
}

#[test]
fn unreadable_entity_keeps_its_files_and_stops_nothing_else() {
    let cases = [
        ("GetPolicy", "policy/run", "policy", "iam:GetPolicy"),
        ("DescribePolicy", "p-bbbbbbbb", "organizations policy", "organizations:DescribePolicy"),
        (
            "ListTagsForResource",
            "p-bbbbbbbb",
            "organizations policy",
            "organizations:ListTagsForResource",
        ),
        (
            "ListTargetsForPolicy",
            "p-bbbbbbbb",
            "organizations policy",
            "organizations:ListTargetsForPolicy",
        ),
    ];
    thread::scope(|scope| {
        for (operation, about, name, call) in cases {
            let is_listing = operation.starts_with("List");
            for how in WAYS {
                let is_of_listings = matches!(how, How::MissingMarker | How::RepeatedMarker);
                if is_listing || !is_of_listings {
                    scope.spawn(move || one_unreadable(operation, about, name, call, how));
                }
            }
        }
    });
}

#[test]
fn unreadable_instance_profile_keeps_the_role() {
    let mut world = World::small();
    world.role("build").profiles = vec!["nodes".to_owned()];
    let case = Case::new(world);
    case.export(&[]).succeeded();
    let before = case.tree();
    case.aws.world().role("build").tags = vec![("changed".to_owned(), "yes".to_owned())];
    case.fault(Fault::new("GetInstanceProfile", How::Denied));
    case.export(&[]).failed_saying(&[
        "cannot read role `build`: `iam:GetInstanceProfile` was denied",
        "hint: allow `iam:GetInstanceProfile` to that principal",
    ]);
    assert_eq!(case.tree(), before);
}

// --- accounts that change while they are read ---------------------------------------

#[test]
fn policy_deleted_while_the_account_is_read_is_gone() {
    let case = Case::new(World::small());
    case.export(&[]).succeeded();
    let before = case.tree();
    case.aws.world().policy("run").exists = false;
    case.export(&[]).succeeded();
    assert_eq!(
        before.changes(&case.tree()),
        ["- policies/run.json", "- terraform/iam_policy.run.tf"]
    );
}

#[test]
fn role_deleted_while_the_account_is_read_is_gone() {
    let case = Case::new(World::small());
    case.export(&[]).succeeded();
    let before = case.tree();
    {
        let mut world = case.aws.world();
        world.role("build").in_list = false;
        world.role("build").exists = false;
    }
    case.export(&[]).succeeded();
    assert_eq!(
        before.changes(&case.tree()),
        ["- roles/build.json", "- terraform/iam_role.build.tf"]
    );
}

#[test]
fn role_that_only_the_details_know_is_described_by_a_call_of_its_own() {
    let mut world = World::small();
    world.role("build").in_list = false;
    let case = Case::new(world);
    case.export(&[]).succeeded();
    let tree = case.tree();
    let file = tree.content("terraform/iam_role.build.tf");
    assert!(file.contains("what build does") && file.contains("= 7200"), "{file}");
}

#[test]
fn role_that_only_the_list_knows_is_not_gone() {
    let case = Case::new(World::small());
    case.export(&[]).succeeded();
    let before = case.tree();
    case.aws.world().role("build").in_details = false;
    let outcome = case.export(&[]).succeeded();
    assert_eq!(case.tree(), before, "{outcome}");
    assert!(outcome.stdout.contains("run again"), "{outcome}");
    case.aws.world().role("build").in_list = false;
    case.export(&[]).succeeded();
    assert_eq!(before.changes(&case.tree()).len(), 2);
}

#[test]
fn instance_profile_deleted_while_the_account_is_read_is_left_out() {
    let mut world = World::small();
    world.role("build").profiles = vec!["nodes".to_owned(), "spare".to_owned()];
    world.faults = vec![Fault::new("GetInstanceProfile", How::Code("NoSuchEntity")).about("spare")];
    let case = Case::new(world);
    case.export(&[]).succeeded();
    let tree = case.tree();
    let file = tree.content("roles/build.json");
    assert!(file.contains("nodes") && !file.contains("spare"), "{file}");
}

// --- organizations ----------------------------------------------------------------

/// The organization cannot be read, which is no failure: a note, and its files stay.
fn organization_is_noted(change: impl FnOnce(&mut World), note: &str) {
    let case = Case::new(World::small());
    case.export(&[]).succeeded();
    let before = case.tree();
    {
        let mut world = case.aws.world();
        world.roles.remove(0);
        change(&mut world);
    }
    let outcome = case.export(&[]).succeeded();
    assert!(outcome.stdout.contains(note), "{outcome}");
    assert_eq!(
        before.changes(&case.tree()),
        ["- roles/audit.json", "- terraform/iam_role.audit.tf"]
    );
}

#[test]
fn account_without_organization_is_exported_with_a_note() {
    organization_is_noted(
        |world| world.organization = None,
        "note: the account is in no organization",
    );
}

#[test]
fn member_account_is_exported_with_a_note() {
    let mut world = World::small();
    world.faults.push(Fault::new("ListPolicies", How::Denied));
    let case = Case::new(world);
    let outcome = case.export(&[]).succeeded();
    let note = "note: organizations policies of all types are not exported";
    assert!(outcome.stdout.contains(note), "{outcome}");
    assert!(case.tree().only(&["scps/"]).paths().is_empty());
}

#[test]
fn organization_that_may_no_longer_be_listed_is_a_failure_and_keeps_its_files() {
    let case = Case::new(World::small());
    case.export(&[]).succeeded();
    let before = case.tree();
    case.aws.world().faults.push(Fault::new("ListPolicies", How::Denied));
    let texts = ["cannot read organizations policies any more", "hint: allow"];
    case.export(&[]).failed_saying(&texts);
    assert_eq!(before.changes(&case.tree()), [""; 0]);
}

#[test]
fn files_of_a_type_that_is_no_longer_enabled_stay() {
    let case = Case::new(World::small());
    case.export(&[]).succeeded();
    let before = case.tree();
    case.aws.world().organization = Some(Vec::new());
    let outcome = case.export(&[]).succeeded();
    assert!(outcome.stdout.contains("3 organizations policies have files here and were not read"));
    assert_eq!(case.tree(), before);
}

#[test]
fn types_that_the_partition_does_not_know_are_none() {
    let mut world = World::small();
    let unknown = Fault::new("ListPolicies", How::Code("InvalidInputException"));
    world.faults = vec![unknown.clone().about("S3_POLICY"), unknown.about("BEDROCK_POLICY")];
    world.organization = Some(vec!["SERVICE_CONTROL_POLICY".into(), "TAG_POLICY".into()]);
    let case = Case::new(world);
    case.export(&[]).succeeded();
    assert_eq!(case.tree().only(&["scps/"]).paths().len(), 3);
}

// --- the organization's structure -------------------------------------------------

/// A case that asks for the structure of the organization and for nothing else.
fn structured(world: World) -> Case {
    let case = Case::new(world.with_structure(Structure::small()));
    std::fs::write(
        case.folder.path().join("aws-iam-gitops.toml"),
        "kinds = [\"organization_structure\"]\n",
    )
    .expect("the settings");
    case
}

fn structure(case: &Case) -> std::sync::MutexGuard<'_, World> {
    case.aws.world()
}

#[test]
fn structure_is_read_in_few_calls_and_whole_on_pages_of_any_size() {
    let whole = structured(World::small());
    whole.export(&[]).succeeded();
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for request in whole.aws.take_requests() {
        *calls.entry(request.operation).or_default() += 1;
    }
    let expected = [
        ("DescribeResourcePolicy", 1),
        ("GetCallerIdentity", 1),
        ("ListAccounts", 1),
        // Of the root and both units.
        ("ListAccountsForParent", 3),
        ("ListDelegatedAdministrators", 1),
        ("ListDelegatedServicesForAccount", 1),
        ("ListOrganizationalUnitsForParent", 3),
        ("ListRoots", 1),
        // Of two units, four accounts and the resource policy.
        ("ListTagsForResource", 7),
    ];
    let expected = expected.map(|(operation, count)| (operation.to_owned(), count));
    assert_eq!(calls, BTreeMap::from(expected));
    assert_eq!(whole.tree().only(&[".json"]).paths().len(), 8);
    whole.export(&[]).succeeded().wrote_nothing();
    for (sizes, order) in [(vec![1], 0), (vec![2, 0, 0, 5, 1, 0], 7)] {
        let case = structured(World { page_sizes: sizes.clone(), order, ..World::small() });
        case.export(&[]).succeeded();
        assert_eq!(case.tree().contents(), whole.tree().contents(), "pages of {sizes:?}");
    }
}

const LISTINGS: [(&str, &str); 6] = [
    ("ListRoots", ""),
    ("ListOrganizationalUnitsForParent", "ou-a1b2-bbbbbbbb"),
    ("ListAccounts", ""),
    ("ListAccountsForParent", "ou-a1b2-bbbbbbbb"),
    ("ListDelegatedAdministrators", ""),
    ("DescribeResourcePolicy", ""),
];

/// Units, accounts, administrators and the policy are gone, and one listing goes wrong: what it would
/// have told of stays.
#[test]
fn structure_that_is_read_in_part_is_not_gone() {
    let kinds = |operation: &str| -> &[&str] {
        match operation {
            "ListRoots" | "ListOrganizationalUnitsForParent" => {
                &["organizational_unit", "organizations_account"]
            }
            "ListAccounts" | "ListAccountsForParent" => &["organizations_account"],
            "ListDelegatedAdministrators" => &["delegated_administrator"],
            _ => &["organization_resource_policies", "organizations_resource_policy"],
        }
    };
    let check = |operation: &'static str, about: &str, how: How| {
        let case = structured(World::small());
        case.export(&[]).succeeded();
        let before = case.tree();
        {
            let mut world = structure(&case);
            let structure = world.structure.as_mut().expect("a structure");
            structure.units.truncate(1);
            structure.accounts.truncate(2);
            structure.administrators.clear();
            structure.resource_policy = None;
            let fault = Fault::new(operation, how);
            world.faults.push(if about.is_empty() { fault } else { fault.about(about) });
        }
        let call = format!("organizations:{operation}");
        let outcome = case.export(&[]).failed_saying(&[&call]);
        let own = kinds(operation);
        let changes = before.only(own).changes(&case.tree().only(own));
        assert_eq!(changes, [""; 0], "{operation} {how:?}\n{outcome}");
        assert!(!before.changes(&case.tree()).is_empty(), "{operation} {how:?}\n{outcome}");
    };
    thread::scope(|scope| {
        for (operation, about) in LISTINGS {
            for how in WAYS {
                let is_listing = operation.starts_with("List");
                if is_listing || !matches!(how, How::MissingMarker | How::RepeatedMarker) {
                    scope.spawn(move || check(operation, about, how));
                }
            }
        }
    });
}

const OPERATIONS: [&str; 9] = [
    "DescribeResourcePolicy",
    "ListAccounts",
    "ListAccountsForParent",
    "ListDelegatedAdministrators",
    "ListDelegatedServicesForAccount",
    "ListOrganizationalUnitsForParent",
    "ListPolicies",
    "ListRoots",
    "ListTagsForResource",
];

#[test]
fn member_account_is_told_once_who_may_read_the_structure() {
    let case = structured(World::small());
    std::fs::write(
        case.folder.path().join("aws-iam-gitops.toml"),
        "kinds = [\"default\", \"organization_structure\"]\n",
    )
    .expect("the settings");
    let refuse = |case: &Case| {
        let faults = OPERATIONS.map(|operation| Fault::new(operation, How::Denied));
        structure(case).faults.extend(faults);
    };
    let note = "organizational units, organizations accounts, delegated administrators, organization \
                resource policies and organizations policies of all types are not exported, which only \
                the management account or a delegated administrator may read: `organizations:ListRoots` \
                was denied";
    refuse(&case);
    let outcome = case.export(&[]).succeeded();
    assert!(outcome.stdout.contains(note), "{outcome}");
    assert_eq!(outcome.stdout.matches("may read").count(), 1, "{outcome}");

    structure(&case).faults.clear();
    case.export(&[]).succeeded();
    let before = case.tree();
    refuse(&case);
    let outcome = case.export(&[]).failed_saying(&[
        "cannot read organizational units, organizations accounts, delegated administrators, \
         organization resource policies and organizations policies any more: `organizations:ListRoots`",
        "hint: allow",
    ]);
    assert_eq!(outcome.stderr.matches("error: ").count(), 1, "{outcome}");
    assert!(outcome.stdout.contains(note), "{outcome}");
    assert_eq!(before.changes(&case.tree()), [""; 0]);

    structure(&case).faults.clear();
    structure(&case).organization = None;
    let outcome = case.export(&[]).succeeded();
    assert_eq!(outcome.stdout.matches("the account is in no organization").count(), 1, "{outcome}");
    assert_eq!(before.changes(&case.tree()), [""; 0]);
}

/// Listed neither where it was nor where it goes: it is in the organization all the same.
#[test]
fn account_that_moves_while_the_structure_is_read_is_not_lost() {
    let case = structured(World::small());
    case.export(&[]).succeeded();
    let before = case.tree();
    let hidden = Fault::new("ListAccountsForParent", How::Code("ParentNotFoundException"))
        .about("ou-a1b2-aaaaaaaa");
    structure(&case).faults.push(hidden.clone().times(1));
    case.export(&[]).succeeded().wrote_nothing();
    assert_eq!(case.tree(), before);
    structure(&case).faults.push(hidden);
    let texts = ["cannot read organizations account `444455556668`", "the account moved while"];
    case.export(&[]).failed_saying(&texts);
    assert_eq!(before.changes(&case.tree()), [""; 0]);
}

/// AWS gives the state of an account by one member or the other, or by both.
#[test]
fn either_spelling_of_an_accounts_state_is_one_file() {
    let case = structured(World::small());
    case.export(&[]).succeeded();
    assert!(
        case.tree()
            .content("organizations_accounts/444455556667.json")
            .contains("\"State\": \"ACTIVE\"")
    );
    for (has_state, has_status) in [(true, false), (false, true)] {
        let mut world = structure(&case);
        let structure = world.structure.as_mut().expect("a structure");
        (structure.has_state, structure.has_status) = (has_state, has_status);
        drop(world);
        case.export(&[]).succeeded().wrote_nothing();
    }
}

/// Terraform is to forget an account that is closed, and not to make it anew.
#[test]
fn closed_account_is_raw_json_and_forgotten_by_terraform() {
    let case = structured(World::small());
    case.export(&[]).succeeded();
    let before = case.tree();
    for state in ["PENDING_CLOSURE", "CLOSED", "SUSPENDED"] {
        let mut world = structure(&case);
        let accounts = &mut world.structure.as_mut().expect("a structure").accounts;
        accounts
            .iter_mut()
            .filter(|it| it.id == "444455556667")
            .for_each(|it| it.state = state.to_owned());
        drop(world);
        let outcome = case.export(&[]).succeeded();
        let reason = format!("does not import accounts that are {state}");
        assert!(outcome.stdout.contains(&reason), "{outcome}");
        assert!(case.tree().content("organizations_accounts/444455556667.json").contains(state));
    }
    assert_eq!(
        before.changes(&case.tree()),
        [
            "~ organizations_accounts/444455556667.json",
            "~ terraform/organizations_account.444455556667.tf"
        ]
    );
    let file = case.tree().content("terraform/organizations_account.444455556667.tf").to_owned();
    assert!(file.contains("removed {") && file.contains("destroy = false"), "{file}");
}

// --- retries, limits ------------------------------------------------------------------

#[test]
fn throttled_answers_are_retried_on_every_client() {
    let operations = ["GetCallerIdentity", "GetAccountAuthorizationDetails", "DescribePolicy"];
    let mut world = World::small();
    world.faults =
        operations.map(|operation| Fault::new(operation, How::Throttled).times(1)).to_vec();
    let case = Case::new(world);
    case.export(&[]).succeeded();
    assert_eq!(case.tree().only(&["roles/", "policies/", "scps/"]).paths().len(), 9);
    let requests = case.aws.take_requests();
    for (operation, service) in operations.into_iter().zip(["sts", "iam", "organizations"]) {
        let of_client: Vec<_> =
            requests.iter().filter(|request| request.service == service).collect();
        assert!(of_client.iter().all(|request| request.attempt.contains("max=10")), "{service}");
        let attempts: Vec<_> = of_client
            .iter()
            .filter(|request| request.attempt.contains("attempt=2"))
            .map(|request| request.operation.as_str())
            .collect();
        assert_eq!(attempts, [operation]);
    }
}

#[test]
fn throttling_slows_down_the_calls_that_follow() {
    let mut world = World::small();
    world.faults = vec![Fault::new("ListRoles", How::Throttled).times(1)];
    let case = Case::new(world);
    let start = Instant::now();
    case.export(&[]).succeeded();
    // A retry by the standard mode waits a second at most; the adaptive one refills a bucket first.
    assert!(start.elapsed() > Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn answers_that_break_off_are_asked_for_again() {
    let operations = [
        "GetCallerIdentity",
        "GetAccountAuthorizationDetails",
        "ListRoles",
        "GetPolicy",
        "ListPolicies",
        "DescribePolicy",
    ];
    for how in [How::ConnectionCut, How::Unavailable] {
        let mut world = World::small();
        world.faults = operations.map(|operation| Fault::new(operation, how).times(1)).to_vec();
        let case = Case::new(world);
        case.export(&[]).succeeded();
        assert_eq!(case.tree().only(&["roles/", "policies/", "scps/"]).paths().len(), 9);
    }
}

#[test]
fn calls_in_flight_are_bounded() {
    for (concurrency, expected) in [("1", 1), ("4", 4)] {
        let case = Case::new(World { delay: Duration::from_millis(20), ..rich() });
        case.export(&["--concurrency", concurrency]).succeeded();
        assert_eq!(case.aws.most_in_flight(), expected);
    }
}

#[test]
fn slow_answers_are_waited_for() {
    let case = Case::new(World { delay: Duration::from_millis(1500), ..World::small() });
    case.export(&["--concurrency", "32"]).succeeded();
}

#[test]
fn summary_counts_the_calls_that_were_made() {
    let case = Case::new(World { page_sizes: vec![2], ..rich() });
    let summary = case.export(&["--output", "json"]).succeeded().summary();
    assert_eq!(summary["calls"], case.aws.take_requests().len());
}

// --- same account, same bytes ------------------------------------------------------------

#[test]
fn order_of_answers_does_not_matter() {
    let arguments = ["--organizations-attachments"];
    let case = Case::new(rich());
    case.export(&arguments).succeeded();
    let before = case.tree();
    for order in 1..4 {
        case.aws.world().order = order;
        // Fresh: everything that AWS returns in any order, but for lists inside documents, whose
        // order is kept as it was read first.
        case.export(&arguments).succeeded().wrote_nothing();
        assert_eq!(case.tree(), before, "order {order}");
    }
}

#[test]
fn lists_of_entities_in_any_order_are_the_same_bytes() {
    let mut plain = rich();
    // A list of one has no order.
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}},
    ]});
    plain.roles.iter_mut().for_each(|role| role.trust = trust.clone());
    plain.policies.iter_mut().for_each(|policy| policy.document = trust.clone());
    plain.role("deploy").inline.iter_mut().for_each(|(_, document)| *document = trust.clone());
    let trees = [0, 5, 6].map(|order| {
        let case = Case::new(World { order, ..plain.clone() });
        case.export(&["--organizations-attachments"]).succeeded();
        case.tree()
    });
    assert_eq!(trees[1].contents(), trees[0].contents());
    assert_eq!(trees[2].contents(), trees[0].contents());
}

// --- whose account it is -------------------------------------------------------------------

#[test]
fn another_account_into_the_same_folder_is_refused() {
    let case = Case::new(World::small());
    case.export(&[]).succeeded();
    let before = case.tree();
    case.aws.world().account = "999900001111".to_owned();
    case.export(&[]).failed_saying(&[
        "the folder holds account `111122223333`",
        "this is account `999900001111`",
        "hint: give each account a folder of its own",
    ]);
    assert_eq!(case.tree(), before);
}

#[test]
fn accounts_of_other_partitions_are_exported() {
    for (partition, region) in [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")] {
        let case = Case::new(World { partition: partition.to_owned(), ..World::small() });
        case.export(&["--region", region]).succeeded();
        let tree = case.tree();
        let provider = tree.content("terraform/provider.tf");
        assert!(provider.contains(&format!("\"{region}\"")), "{provider}");
        let arn = format!("arn:{partition}:iam::111122223333:policy/read");
        assert!(tree.content("terraform/iam_policy.read.tf").contains(&arn));
        case.export(&["--region", region]).succeeded().wrote_nothing();
    }
}

#[test]
fn requests_are_signed_for_the_region_of_the_profile() {
    let case = Case::new(World::small());
    let configuration = case.folder.path().join("config");
    let text = "[default]\nregion = eu-west-1\n[profile gov]\nregion = us-gov-west-1\n";
    std::fs::write(&configuration, text).expect("write the configuration");
    let mut environment = case.aws.environment();
    environment.push(("AWS_CONFIG_FILE", configuration.to_str().expect("UTF-8").to_owned()));
    for (arguments, region) in [
        (&[][..], "eu-west-1"),
        (&["--profile", "gov"], "us-gov-west-1"),
        (&["--profile", "gov", "--region", "us-west-2"], "us-west-2"),
    ] {
        case.aws.take_requests();
        export(&environment, &case.folder.path().join("iam"), arguments).succeeded();
        let requests = case.aws.take_requests();
        assert!(requests.iter().any(|request| request.service == "sts"));
        for request in requests.iter().filter(|request| request.service == "sts") {
            assert_eq!(request.region, region, "{arguments:?}");
        }
    }
}

#[test]
fn expired_credentials_are_told_with_a_hint() {
    let case = Case::new(World::small());
    case.fault(Fault::new("GetCallerIdentity", How::Code("ExpiredToken")));
    case.export(&[]).failed_saying(&["`sts:GetCallerIdentity`", "ExpiredToken", "hint: check"]);
    assert!(case.tree().paths().is_empty());
}

#[test]
fn credentials_that_expire_on_the_way_delete_nothing() {
    let (case, before, outcome) =
        export_before_and_after(Fault::new("ListRoles", How::Code("ExpiredToken")));
    outcome.failed_saying(&["`iam:ListRoles`", "ExpiredToken", "hint: check the credentials"]);
    let after = case.tree();
    assert!(before.only(&ROLES).changes(&after.only(&ROLES)).is_empty());
}

#[test]
fn no_credentials_are_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = Instant::now();
    let environment = [("AWS_EC2_METADATA_DISABLED", "true".to_owned())];
    let outcome = export(&environment, folder.path(), &[]).failed_saying(&[
        "error: cannot find out which AWS account this is",
        "`sts:GetCallerIdentity` got no answer",
        "credentials",
        "hint: check the credentials",
    ]);
    assert!(start.elapsed() < Duration::from_secs(5), "{outcome}");
    assert!(outcome.stdout.is_empty(), "{outcome}");
}

// --- what is printed ---------------------------------------------------------------------------

#[test]
fn no_secret_and_no_policy_is_printed() {
    let mut world = rich();
    let marker = "arn:aws:s3:::only-in-a-policy-body";
    world.policy("read").document["Statement"][0]["Resource"] = json!(marker);
    world.role("audit").trust["Statement"][0]["Sid"] = json!("OnlyInATrustPolicy");
    world.organizations_policies[0].content["Statement"][0]["Sid"] = json!("OnlyInAnOrganization");
    world.faults = vec![
        Fault::new("GetPolicy", How::Denied).about("run"),
        Fault::new("DescribePolicy", How::TextCut).about("p-bbbbbbbb"),
        Fault::new("GetPolicy", How::Unavailable).about("write").times(1),
    ];
    let case = Case::new(world);
    let profile = case.aws.profile();
    for verbose in ["-q", "-v", "-vv", "-vvv"] {
        for environment in [case.aws.environment(), profile.environment.clone()] {
            let outcome = export(&environment, case.folder.path(), &[verbose]);
            assert_eq!(outcome.code, Some(1), "{outcome}");
            for text in [&outcome.stdout, &outcome.stderr] {
                secret_free(text);
                for body in ["only-in-a-policy-body", "OnlyInATrustPolicy", "OnlyInAnOrganization"]
                {
                    assert!(!text.contains(body), "{verbose}: {body}");
                }
            }
        }
    }
}

#[test]
fn stderr_that_is_no_terminal_has_log_lines_and_no_escapes() {
    let case = Case::new(rich());
    let outcome = case.export(&[]).succeeded();
    assert!(!outcome.stderr.contains('\u{1b}') && !outcome.stderr.contains('\r'), "{outcome}");
    let lines: Vec<_> = outcome.stderr.lines().collect();
    // One when it is connected, one for each kind, one in the end.
    let kinds = aws_iam_gitops::settings::values::default_kinds().count();
    assert_eq!(lines.len(), 2 + kinds, "{outcome}");
    assert!(lines.iter().all(|line| line.contains(" INFO ")), "{outcome}");
    assert!(lines[0].contains("connected account=\"111122223333\""), "{outcome}");
    assert!(!outcome.stdout.contains('\u{1b}'), "{outcome}");
}

#[test]
fn quiet_export_says_nothing_on_stderr() {
    let case = Case::new(rich());
    let outcome = case.export(&["-q"]).succeeded();
    assert_eq!(outcome.stderr, "");
}

#[test]
fn verbose_export_names_each_call() {
    let case = Case::new(World::small());
    let outcome = case.export(&["-v"]).succeeded();
    for call in ["iam:ListRoles", "iam:GetPolicy", "organizations:DescribePolicy"] {
        assert!(outcome.stderr.contains(call), "{outcome}");
    }
}

#[test]
fn dry_run_writes_nothing() {
    let case = Case::new(World::small());
    case.export(&["--dry-run"]).succeeded();
    assert!(Path::read_dir(case.folder.path()).expect("the folder").next().is_none());
}
