//! Random histories of an account: real calls to the emulator, and the records that CloudTrail
//! writes of them.
//!
//! A [`History`] is determined by its seed. It draws from few names, so that entities collide, go
//! and come again. What AWS would refuse is not sent, as the emulator would take some of it; such
//! calls are recorded with their error all the same. How records reach a function is not here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::cloudtrail::{ACCOUNT, Actor, Call, Record, Trail};
use super::python::Emulator;
use super::random::Random;

mod people;

/// How many names there are of each kind.
#[derive(Clone, Debug)]
pub struct Options {
    pub roles: usize,
    pub policies: usize,
    pub instance_profiles: usize,
    pub organizations_policies: usize,
    pub users: usize,
    pub groups: usize,
    /// How many of a hundred operations are ones that AWS refuses, besides those that happen to be.
    pub refused: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            roles: 6,
            policies: 5,
            instance_profiles: 4,
            organizations_policies: 4,
            users: 4,
            groups: 4,
            refused: 4,
        }
    }
}

/// Some differ in nothing but case: AWS has one of them at a time, in files they are one name.
const ROLE_NAMES: &[&str] = &[
    "deploy",
    "Deploy",
    "data+ml@tokyo",
    "team=sorting,site=lyon",
    "batch_worker",
    "con",
    "-lead.",
    "a",
];
const POLICY_NAMES: &[&str] =
    &["read", "READ", "deploy", "cost=center+1", "office.network", "x@y,z", "_"];
const PROFILE_NAMES: &[&str] = &["deploy", "web", "Web", "a+b=c,d.e@f-g"];
const ORGANIZATIONS_POLICY_NAMES: &[&str] =
    &["deny leaving", "Régions %{if} ${x}", "tags/“quoted”", "stop \\ \"all\""];
const PATHS: &[&str] = &["/", "/", "/team/lyon/", "/service-role/"];
const DESCRIPTIONS: &[&str] = &[
    "what it is for",
    "${aws:username} %{ if true } $${ %%{",
    "two\nlines,\ta tab and  spaces",
    "\"quotes\" 'and' \\backslashes\\ `too`",
    "<b>&amp; é ü ÿ ¿</b>",
    " around ",
    "EOT",
    "0",
];
const TAGS: &[(&str, &[&str])] = &[
    ("team", &["lyon", "Tokyo", ""]),
    ("cost center", &["4711", "0x12", "1e3"]),
    ("a:b/c=d+e-f@g_h.i", &["é: /=+-@_.", " around "]),
    ("Name", &["true", "null"]),
];
/// Of AWS; the emulator knows these of [`emulator`].
const AWS_MANAGED: &[&str] = &[
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
    "arn:aws:iam::aws:policy/PowerUserAccess",
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess",
];
const ORGANIZATION: &str = "o-history0001";
const TARGETS: &[&str] = &["r-ab12", "ou-ab12-lyon0001", "444455556666", "777788889999"];

/// Starts an emulator for histories; one is enough for many, one after the other.
pub fn emulator() -> Emulator {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("account.json");
    std::fs::write(&file, account().to_string()).expect("write the account");
    // The emulator has read the file when it says that it has started.
    Emulator::start(Some(&file))
}

/// The account before the first call: AWS's own policies, and an organization.
fn account() -> Value {
    let document =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let policies = AWS_MANAGED.iter().map(|arn| {
        let version = json!({"VersionId": "v7", "IsDefaultVersion": true, "Document": document});
        json!({"Arn": arn, "PolicyId": "ANPAOFAWS", "PolicyVersionList": [version]})
    });
    let id = "p-beforehand";
    let arn = organizations_policy_arn(id);
    let targets = TARGETS.iter().map(|id| json!({"TargetId": id, "Name": format!("named {id}")}));
    json!({
        "account": ACCOUNT,
        "policies": policies.collect::<Vec<_>>(),
        "organizations_policies": [{
            "PolicySummary": {
                "Id": id, "Arn": arn, "Name": "there beforehand", "Description": "of no history",
                "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": false,
            },
            "Content": document,
            "Targets": targets.collect::<Vec<_>>(),
        }],
    })
}

fn organizations_policy_arn(id: &str) -> String {
    format!("arn:aws:organizations::{ACCOUNT}:policy/{ORGANIZATION}/service_control_policy/{id}")
}

// --- the account -----------------------------------------------------------

/// What the account holds, as far as the next calls depend on it.
#[derive(Default)]
struct Account {
    roles: BTreeMap<String, Principal>,
    users: BTreeMap<String, Principal>,
    groups: BTreeMap<String, Principal>,
    /// Users and groups that they are in.
    memberships: BTreeSet<(String, String)>,
    policies: BTreeMap<String, Policy>,
    /// The role in each.
    profiles: BTreeMap<String, Option<String>>,
    organizations_policies: BTreeMap<String, OrganizationsPolicy>,
}

/// A role, user or group.
#[derive(Default)]
struct Principal {
    inline: BTreeSet<String>,
    attached: BTreeSet<String>,
    boundary: Option<String>,
}

struct Policy {
    arn: String,
    versions: Vec<String>,
    default: String,
    made: usize,
}

struct OrganizationsPolicy {
    id: String,
    targets: BTreeSet<&'static str>,
}

impl Account {
    fn profiles_of(&self, role: &str) -> Vec<String> {
        let of_role = |(_, found): &(&String, &Option<String>)| found.as_deref() == Some(role);
        self.profiles.iter().filter(of_role).map(|(name, _)| name.clone()).collect()
    }

    fn is_used(&self, arn: &str) -> bool {
        let mut all = self.roles.values().chain(self.users.values()).chain(self.groups.values());
        all.any(|it| it.attached.contains(arn) || it.boundary.as_deref() == Some(arn))
    }
}

fn keys<T>(map: &BTreeMap<String, T>) -> Vec<String> {
    map.keys().cloned().collect()
}

// --- operations ------------------------------------------------------------

/// What a person does: one call or several. `None` if the account has nothing to do it to.
type Operation = fn(&mut History) -> Option<()>;

/// How often each happens, compared with the others.
const OPERATIONS: &[(usize, Operation)] = &[
    (10, History::create_role),
    (5, History::delete_role),
    (4, History::update_role),
    (1, History::update_role_description),
    (5, History::update_assume_role_policy),
    (8, History::put_role_policy),
    (4, History::delete_role_policy),
    (9, History::attach_role_policy),
    (5, History::detach_role_policy),
    (4, History::put_role_permissions_boundary),
    (2, History::delete_role_permissions_boundary),
    (4, History::tag_role),
    (2, History::untag_role),
    (8, History::create_policy),
    (4, History::delete_policy),
    (6, History::create_policy_version),
    (3, History::set_default_policy_version),
    (1, History::delete_policy_version),
    (3, History::tag_policy),
    (2, History::untag_policy),
    (5, History::create_instance_profile),
    (5, History::add_role_to_instance_profile),
    (2, History::remove_role_from_instance_profile),
    (3, History::move_instance_profile),
    (3, History::tag_instance_profile),
    (2, History::untag_instance_profile),
    (3, History::delete_instance_profile),
    (5, History::create_organizations_policy),
    (4, History::update_organizations_policy),
    (3, History::delete_organizations_policy),
    (5, History::attach_organizations_policy),
    (3, History::detach_organizations_policy),
    (2, History::tag_organizations_policy),
    (2, History::untag_organizations_policy),
    (8, History::create_person),
    (3, History::delete_person),
    (5, History::update_person),
    (5, History::put_persons_policy),
    (2, History::delete_a_persons_policy),
    (6, History::attach_to_person),
    (3, History::detach_from_a_person),
    (3, History::put_user_permissions_boundary),
    (2, History::delete_user_permissions_boundary),
    (2, History::tag_user),
    (1, History::untag_user),
    (6, History::join_group),
    (3, History::leave_a_group),
];

/// A random history that goes on for as long as it is asked to.
pub struct History {
    random: Random,
    options: Options,
    trail: Trail,
    actor: Actor,
    account: Account,
    records: Vec<Record>,
    api: Api,
}

impl History {
    /// Begins in the emulator's account as it was at its start; whatever came later is gone.
    pub fn new(seed: u64, emulator: &Emulator, options: Options) -> History {
        let api = Api::new(&emulator.endpoint);
        api.post("/moto-api/reset");
        // So that the emulator makes the same IDs.
        api.post(&format!("/moto-api/seed?a={}", seed % 1_000_000_007));
        let mut trail = Trail::new(seed);
        History {
            random: Random::new(seed),
            options,
            actor: trail.actor(),
            trail,
            account: Account::default(),
            records: Vec::new(),
            api,
        }
    }

    /// Does the next operation; what CloudTrail wrote of its calls, at least one.
    pub fn step(&mut self) -> Vec<Record> {
        self.actor = self.trail.actor();
        if self.random.percent(self.options.refused) {
            self.call_for_nobody();
        }
        let total: usize = OPERATIONS.iter().map(|(weight, _)| weight).sum();
        while self.records.is_empty() {
            let mut drawn = self.random.below(total);
            let operation = OPERATIONS.iter().find(|(weight, _)| {
                let is_here = drawn < *weight;
                drawn = drawn.saturating_sub(*weight);
                is_here
            });
            let (_, operation) = operation.expect("a number below the sum of the weights");
            operation(self);
        }
        std::mem::take(&mut self.records)
    }

    /// Does so many operations at once.
    pub fn steps(&mut self, count: usize) -> Vec<Record> {
        (0..count).flat_map(|_| self.step()).collect()
    }

    // --- roles

    fn create_role(&mut self) -> Option<()> {
        let taken = keys(&self.account.roles);
        let (name, is_free) = self.new_name(ROLE_NAMES, self.options.roles, &taken)?;
        let path = self.one_of(PATHS);
        let trust = self.trust();
        let mut request = json!({
            "roleName": name, "path": path, "assumeRolePolicyDocument": trust,
            "maxSessionDuration": self.session_duration(),
        });
        self.add_description(&mut request);
        self.add_tags(&mut request);
        let boundary = if self.random.percent(20) { Some(self.policy_arn()) } else { None };
        if let Some(arn) = &boundary {
            request["permissionsBoundary"] = arn.as_str().into();
        }
        if !is_free {
            return self.refused("iam", "CreateRole", request, "EntityAlreadyExists");
        }
        let answer = self.api.iam("CreateRole", &request);
        let mut role = json!({
            "path": path,
            "roleName": name,
            "roleId": element(&answer, "RoleId"),
            "arn": element(&answer, "Arn"),
            "createDate": self.trail.date(),
            "assumeRolePolicyDocument": utf8_percent_encode(&trust, NON_ALPHANUMERIC).to_string(),
        });
        copy(&request, &mut role, &["description", "maxSessionDuration", "tags"]);
        if let Some(arn) = &boundary {
            role["permissionsBoundary"] =
                json!({"permissionsBoundaryType": "Policy", "permissionsBoundaryArn": arn});
        }
        self.record("iam", "CreateRole", request, Ok(json!({"role": role})));
        self.account.roles.insert(name, Principal { boundary, ..Principal::default() });
        Some(())
    }

    fn delete_role(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.roles))?;
        let request = json!({"roleName": name});
        let role = &self.account.roles[&name];
        let profiles = self.account.profiles_of(&name);
        let is_free = role.attached.is_empty() && role.inline.is_empty() && profiles.is_empty();
        if !is_free && self.random.percent(15) {
            return self.refused("iam", "DeleteRole", request, "DeleteConflict");
        }
        for arn in self.account.roles[&name].attached.clone() {
            self.detach(&name, &arn);
        }
        for policy in self.account.roles[&name].inline.clone() {
            self.delete_inline(&name, &policy);
        }
        for profile in profiles {
            self.empty_profile(&profile);
            if self.random.percent(50) {
                self.delete_profile(&profile);
            }
        }
        self.account.roles.remove(&name);
        self.change("DeleteRole", request)
    }

    fn update_role(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.roles))?;
        let mut request = json!({"roleName": name, "maxSessionDuration": self.session_duration()});
        self.add_description(&mut request);
        self.change("UpdateRole", request)
    }

    fn update_role_description(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.roles))?;
        let description = self.one_of(DESCRIPTIONS);
        let request = json!({"roleName": name, "description": description});
        let answer = self.api.iam("UpdateRoleDescription", &request);
        let role = json!({
            "roleName": name, "description": description, "arn": element(&answer, "Arn"),
            "path": element(&answer, "Path"), "roleId": element(&answer, "RoleId"),
        });
        self.record("iam", "UpdateRoleDescription", request, Ok(json!({"role": role})));
        Some(())
    }

    fn update_assume_role_policy(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.roles))?;
        let request = json!({"roleName": name, "policyDocument": self.trust()});
        self.change("UpdateAssumeRolePolicy", request)
    }

    fn put_role_policy(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.roles))?;
        let policy = self.one_of(&["access", "Access", "read+write@s3", "a=b,c"]);
        let document = self.document("Allow");
        self.account.roles.get_mut(&name)?.inline.insert(policy.to_owned());
        let request = json!({"roleName": name, "policyName": policy, "policyDocument": document});
        self.change("PutRolePolicy", request)
    }

    fn delete_role_policy(&mut self) -> Option<()> {
        let (name, policy) = self.role_with(|role| role.inline.iter().cloned().collect())?;
        self.delete_inline(&name, &policy);
        Some(())
    }

    fn delete_inline(&mut self, role: &str, policy: &str) {
        self.account.roles.get_mut(role).expect("a role").inline.remove(policy);
        self.change("DeleteRolePolicy", json!({"roleName": role, "policyName": policy}));
    }

    fn attach_role_policy(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.roles))?;
        let arn = self.policy_arn();
        let request = json!({"roleName": name, "policyArn": arn});
        if !self.account.roles.get_mut(&name)?.attached.insert(arn) {
            // AWS says yes and does nothing; the emulator would count it twice.
            self.record("iam", "AttachRolePolicy", request, Ok(Value::Null));
            return Some(());
        }
        self.change("AttachRolePolicy", request)
    }

    fn detach_role_policy(&mut self) -> Option<()> {
        let (name, arn) = self.role_with(|role| role.attached.iter().cloned().collect())?;
        self.detach(&name, &arn);
        Some(())
    }

    fn detach(&mut self, role: &str, arn: &str) {
        self.account.roles.get_mut(role).expect("a role").attached.remove(arn);
        self.change("DetachRolePolicy", json!({"roleName": role, "policyArn": arn}));
    }

    fn put_role_permissions_boundary(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.roles))?;
        let arn = self.policy_arn();
        self.account.roles.get_mut(&name)?.boundary = Some(arn.clone());
        let request = json!({"roleName": name, "permissionsBoundary": arn});
        self.change("PutRolePermissionsBoundary", request)
    }

    fn delete_role_permissions_boundary(&mut self) -> Option<()> {
        let (name, _) = self.role_with(|role| role.boundary.iter().cloned().collect())?;
        self.delete_boundary(&name);
        Some(())
    }

    fn delete_boundary(&mut self, role: &str) {
        self.account.roles.get_mut(role).expect("a role").boundary = None;
        self.change("DeleteRolePermissionsBoundary", json!({"roleName": role}));
    }

    fn tag_role(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.roles))?;
        let request = json!({"roleName": name, "tags": self.some_tags("key", "value")});
        self.change("TagRole", request)
    }

    fn untag_role(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.roles))?;
        let request = json!({"roleName": name, "tagKeys": self.tag_keys()});
        self.change("UntagRole", request)
    }

    /// A role that has some of something, and one of it.
    fn role_with(&mut self, parts: fn(&Principal) -> Vec<String>) -> Option<(String, String)> {
        let of_role = |(name, role): (&String, &Principal)| -> Vec<(String, String)> {
            parts(role).into_iter().map(|part| (name.clone(), part)).collect()
        };
        let all: Vec<_> = self.account.roles.iter().flat_map(of_role).collect();
        self.random.pick(&all)
    }

    // --- policies

    fn create_policy(&mut self) -> Option<()> {
        let taken = keys(&self.account.policies);
        let (name, is_free) = self.new_name(POLICY_NAMES, self.options.policies, &taken)?;
        let path = self.one_of(PATHS);
        let document = self.document("Allow");
        let mut request = json!({"policyName": name, "path": path, "policyDocument": document});
        self.add_description(&mut request);
        self.add_tags(&mut request);
        if !is_free {
            return self.refused("iam", "CreatePolicy", request, "EntityAlreadyExists");
        }
        let answer = self.api.iam("CreatePolicy", &request);
        let arn = element(&answer, "Arn");
        let mut policy = json!({
            "policyName": name,
            "policyId": element(&answer, "PolicyId"),
            "arn": arn,
            "path": path,
            "defaultVersionId": "v1",
            "attachmentCount": 0,
            "permissionsBoundaryUsageCount": 0,
            "isAttachable": true,
            "createDate": self.trail.date(),
            "updateDate": self.trail.date(),
        });
        copy(&request, &mut policy, &["description", "tags"]);
        self.record("iam", "CreatePolicy", request, Ok(json!({"policy": policy})));
        let first = "v1".to_owned();
        let made = Policy { arn, versions: vec![first.clone()], default: first, made: 1 };
        self.account.policies.insert(name, made);
        Some(())
    }

    fn delete_policy(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.policies))?;
        let Policy { arn, versions, .. } = &self.account.policies[&name];
        let (arn, versions) = (arn.clone(), versions.clone());
        let request = json!({"policyArn": arn});
        let is_free = versions.len() == 1 && !self.account.is_used(&arn);
        if !is_free && self.random.percent(15) {
            return self.refused("iam", "DeletePolicy", request, "DeleteConflict");
        }
        for role in keys(&self.account.roles) {
            if self.account.roles[&role].attached.contains(&arn) {
                self.detach(&role, &arn);
            }
            if self.account.roles[&role].boundary.as_ref() == Some(&arn) {
                self.delete_boundary(&role);
            }
        }
        self.take_from_people(&arn);
        for version in versions {
            if self.account.policies[&name].default != version {
                self.delete_version(&name, &version);
            }
        }
        self.account.policies.remove(&name);
        self.change("DeletePolicy", request)
    }

    fn create_policy_version(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.policies))?;
        let document = self.document("Allow");
        let arn = self.account.policies[&name].arn.clone();
        let mut request = json!({"policyArn": arn, "policyDocument": document});
        let is_default = self.random.percent(60);
        if is_default || self.random.percent(50) {
            request["setAsDefault"] = is_default.into();
        }
        if self.account.policies[&name].versions.len() == 5 {
            if self.random.percent(15) {
                return self.refused("iam", "CreatePolicyVersion", request, "LimitExceeded");
            }
            let policy = &self.account.policies[&name];
            let oldest = policy.versions.iter().find(|version| **version != policy.default);
            let oldest = oldest.expect("one of five is the default").clone();
            self.delete_version(&name, &oldest);
        }
        let answer = self.api.iam("CreatePolicyVersion", &request);
        let policy = self.account.policies.get_mut(&name)?;
        policy.made += 1;
        let version = format!("v{}", policy.made);
        assert_eq!(element(&answer, "VersionId"), version);
        policy.versions.push(version.clone());
        if is_default {
            policy.default = version.clone();
        }
        let response = json!({"policyVersion": {
            "versionId": version, "isDefaultVersion": is_default, "createDate": self.trail.date(),
        }});
        self.record("iam", "CreatePolicyVersion", request, Ok(response));
        Some(())
    }

    fn set_default_policy_version(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.policies))?;
        let version = self.random.pick(&self.account.policies[&name].versions)?;
        let policy = self.account.policies.get_mut(&name)?;
        let request = json!({"policyArn": policy.arn, "versionId": version});
        if policy.default == version {
            // The emulator would be left without a default.
            self.record("iam", "SetDefaultPolicyVersion", request, Ok(Value::Null));
            return Some(());
        }
        policy.default = version;
        self.change("SetDefaultPolicyVersion", request)
    }

    fn delete_policy_version(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.policies))?;
        let policy = &self.account.policies[&name];
        let version = self.random.pick(&policy.versions)?;
        if version == policy.default {
            let request = json!({"policyArn": policy.arn, "versionId": version});
            return self.refused("iam", "DeletePolicyVersion", request, "DeleteConflict");
        }
        self.delete_version(&name, &version);
        Some(())
    }

    fn delete_version(&mut self, name: &str, version: &str) {
        let policy = self.account.policies.get_mut(name).expect("a policy");
        policy.versions.retain(|found| found != version);
        let request = json!({"policyArn": policy.arn, "versionId": version});
        self.change("DeletePolicyVersion", request);
    }

    fn tag_policy(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.policies))?;
        let tags = self.some_tags("key", "value");
        self.change(
            "TagPolicy",
            json!({"policyArn": self.account.policies[&name].arn, "tags": tags}),
        )
    }

    fn untag_policy(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.policies))?;
        let tag_keys = self.tag_keys();
        let arn = &self.account.policies[&name].arn;
        self.change("UntagPolicy", json!({"policyArn": arn, "tagKeys": tag_keys}))
    }

    /// A policy of the account or of AWS.
    fn policy_arn(&mut self) -> String {
        let own: Vec<_> = self.account.policies.values().map(|policy| policy.arn.clone()).collect();
        let own = if self.random.percent(65) { self.random.pick(&own) } else { None };
        own.unwrap_or_else(|| self.one_of(AWS_MANAGED).to_owned())
    }

    // --- instance profiles

    fn create_instance_profile(&mut self) -> Option<()> {
        let taken = keys(&self.account.profiles);
        let count = self.options.instance_profiles;
        let (name, is_free) = self.new_name(PROFILE_NAMES, count, &taken)?;
        let path = self.one_of(PATHS);
        let mut request = json!({"instanceProfileName": name, "path": path});
        self.add_tags(&mut request);
        if !is_free {
            return self.refused("iam", "CreateInstanceProfile", request, "EntityAlreadyExists");
        }
        let answer = self.api.iam("CreateInstanceProfile", &request);
        let mut profile = json!({
            "path": path,
            "instanceProfileName": name,
            "instanceProfileId": element(&answer, "InstanceProfileId"),
            "arn": element(&answer, "Arn"),
            "createDate": self.trail.date(),
            "roles": [],
        });
        copy(&request, &mut profile, &["tags"]);
        let response = json!({"instanceProfile": profile});
        self.record("iam", "CreateInstanceProfile", request, Ok(response));
        self.account.profiles.insert(name.clone(), None);
        // Whoever makes one usually fills it.
        let role = self.random.pick(&keys(&self.account.roles)).filter(|_| self.random.percent(60));
        if let Some(role) = role {
            self.fill_profile(&name, &role);
        }
        Some(())
    }

    fn add_role_to_instance_profile(&mut self) -> Option<()> {
        let profile = self.random.pick(&keys(&self.account.profiles))?;
        let role = self.random.pick(&keys(&self.account.roles))?;
        if self.account.profiles[&profile].is_none() {
            self.fill_profile(&profile, &role);
        } else if self.random.percent(20) {
            let request = json!({"instanceProfileName": profile, "roleName": role});
            self.refused("iam", "AddRoleToInstanceProfile", request, "LimitExceeded");
        }
        Some(())
    }

    fn remove_role_from_instance_profile(&mut self) -> Option<()> {
        let profile = self.full_profile()?;
        self.empty_profile(&profile);
        Some(())
    }

    fn move_instance_profile(&mut self) -> Option<()> {
        let profile = self.full_profile()?;
        let role = self.random.pick(&keys(&self.account.roles))?;
        self.empty_profile(&profile);
        self.fill_profile(&profile, &role);
        Some(())
    }

    fn tag_instance_profile(&mut self) -> Option<()> {
        let profile = self.random.pick(&keys(&self.account.profiles))?;
        let tags = self.some_tags("key", "value");
        self.change("TagInstanceProfile", json!({"instanceProfileName": profile, "tags": tags}))
    }

    fn untag_instance_profile(&mut self) -> Option<()> {
        let profile = self.random.pick(&keys(&self.account.profiles))?;
        let request = json!({"instanceProfileName": profile, "tagKeys": self.tag_keys()});
        self.change("UntagInstanceProfile", request)
    }

    fn delete_instance_profile(&mut self) -> Option<()> {
        let profile = self.random.pick(&keys(&self.account.profiles))?;
        if self.account.profiles[&profile].is_some() {
            if self.random.percent(15) {
                let request = json!({"instanceProfileName": profile});
                return self.refused("iam", "DeleteInstanceProfile", request, "DeleteConflict");
            }
            self.empty_profile(&profile);
        }
        self.delete_profile(&profile);
        Some(())
    }

    fn full_profile(&mut self) -> Option<String> {
        let is_full = |(_, role): &(&String, &Option<String>)| role.is_some();
        let full = self.account.profiles.iter().filter(is_full).map(|(name, _)| name.clone());
        let full: Vec<_> = full.collect();
        self.random.pick(&full)
    }

    fn fill_profile(&mut self, profile: &str, role: &str) {
        self.account.profiles.insert(profile.to_owned(), Some(role.to_owned()));
        let request = json!({"instanceProfileName": profile, "roleName": role});
        self.change("AddRoleToInstanceProfile", request);
    }

    fn empty_profile(&mut self, profile: &str) {
        let role = self.account.profiles.insert(profile.to_owned(), None).expect("a profile");
        let request = json!({"instanceProfileName": profile, "roleName": role});
        self.change("RemoveRoleFromInstanceProfile", request);
    }

    fn delete_profile(&mut self, profile: &str) {
        self.account.profiles.remove(profile);
        self.change("DeleteInstanceProfile", json!({"instanceProfileName": profile}));
    }

    // --- organizations

    fn create_organizations_policy(&mut self) -> Option<()> {
        let taken = keys(&self.account.organizations_policies);
        let count = self.options.organizations_policies;
        let (name, is_free) = self.new_name(ORGANIZATIONS_POLICY_NAMES, count, &taken)?;
        let mut request = json!({
            "name": name,
            "description": self.one_of(DESCRIPTIONS),
            "content": self.document("Deny"),
            "type": "SERVICE_CONTROL_POLICY",
        });
        self.add_tags(&mut request);
        if !is_free {
            let code = "DuplicatePolicyException";
            return self.refused("organizations", "CreatePolicy", request, code);
        }
        let answer = self.api.organizations("CreatePolicy", &request);
        let id = answer["Policy"]["PolicySummary"]["Id"].as_str().expect("an ID").to_owned();
        let policy = organizations_policy(&answer);
        self.record("organizations", "CreatePolicy", request, Ok(policy));
        let made = OrganizationsPolicy { id, targets: BTreeSet::new() };
        self.account.organizations_policies.insert(name, made);
        Some(())
    }

    fn update_organizations_policy(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.organizations_policies))?;
        let mut request = json!({"policyId": self.account.organizations_policies[&name].id});
        if self.random.percent(60) {
            request["content"] = self.document("Deny").into();
        }
        if self.random.percent(40) || request.get("content").is_none() {
            request["description"] = self.one_of(DESCRIPTIONS).into();
        }
        let answer = self.api.organizations("UpdatePolicy", &request);
        let policy = organizations_policy(&answer);
        self.record("organizations", "UpdatePolicy", request, Ok(policy));
        Some(())
    }

    fn delete_organizations_policy(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.organizations_policies))?;
        let OrganizationsPolicy { id, targets } = &self.account.organizations_policies[&name];
        let (request, targets) = (json!({"policyId": id}), targets.clone());
        if !targets.is_empty() && self.random.percent(15) {
            let code = "PolicyInUseException";
            return self.refused("organizations", "DeletePolicy", request, code);
        }
        for target in targets {
            self.detach_from(&name, target);
        }
        self.account.organizations_policies.remove(&name);
        self.change_organization("DeletePolicy", request)
    }

    fn attach_organizations_policy(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.organizations_policies))?;
        let target = self.one_of(TARGETS);
        let policy = self.account.organizations_policies.get_mut(&name)?;
        let request = json!({"policyId": policy.id, "targetId": target});
        if !policy.targets.insert(target) {
            let code = "DuplicatePolicyAttachmentException";
            return self.refused("organizations", "AttachPolicy", request, code);
        }
        self.change_organization("AttachPolicy", request)
    }

    fn detach_organizations_policy(&mut self) -> Option<()> {
        let attached: Vec<(String, &'static str)> = self
            .account
            .organizations_policies
            .iter()
            .flat_map(|(name, policy)| policy.targets.iter().map(|target| (name.clone(), *target)))
            .collect();
        let (name, target) = self.random.pick(&attached)?;
        self.detach_from(&name, target);
        Some(())
    }

    fn detach_from(&mut self, name: &str, target: &str) {
        let policy = self.account.organizations_policies.get_mut(name).expect("a policy");
        policy.targets.remove(target);
        let request = json!({"policyId": policy.id, "targetId": target});
        self.change_organization("DetachPolicy", request);
    }

    fn tag_organizations_policy(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.organizations_policies))?;
        let tags = self.some_tags("key", "value");
        let id = &self.account.organizations_policies[&name].id;
        self.change_organization("TagResource", json!({"resourceId": id, "tags": tags}))
    }

    fn untag_organizations_policy(&mut self) -> Option<()> {
        let name = self.random.pick(&keys(&self.account.organizations_policies))?;
        let tag_keys = self.tag_keys();
        let id = &self.account.organizations_policies[&name].id;
        self.change_organization("UntagResource", json!({"resourceId": id, "tagKeys": tag_keys}))
    }

    // --- refusals

    /// A call about something that does not exist, or no longer.
    fn call_for_nobody(&mut self) -> Option<()> {
        let (role, policy) = ("nobody", format!("arn:aws:iam::{ACCOUNT}:policy/nothing"));
        let (service, operation, request, code) = match self.random.below(5) {
            0 => ("iam", "DeleteRole", json!({"roleName": role}), "NoSuchEntity"),
            1 => {
                let request = json!({"roleName": role, "policyArn": policy});
                ("iam", "AttachRolePolicy", request, "NoSuchEntity")
            }
            2 => ("iam", "DeletePolicy", json!({"policyArn": policy}), "AccessDenied"),
            3 => {
                // A refused call may also name what exists.
                let role = self.random.pick(&keys(&self.account.roles)).unwrap_or(role.to_owned());
                let request = json!({"roleName": role, "policyName": "never there"});
                ("iam", "DeleteRolePolicy", request, "NoSuchEntity")
            }
            _ => {
                let request = json!({"policyId": "p-nothing00"});
                ("organizations", "DeletePolicy", request, "PolicyNotFoundException")
            }
        };
        self.refused(service, operation, request, code)
    }

    fn refused(
        &mut self,
        service: &str,
        operation: &str,
        request: Value,
        code: &str,
    ) -> Option<()> {
        self.record(service, operation, request, Err(code));
        Some(())
    }

    // --- calls

    fn change(&mut self, operation: &str, request: Value) -> Option<()> {
        self.api.iam(operation, &request);
        self.record("iam", operation, request, Ok(Value::Null));
        Some(())
    }

    fn change_organization(&mut self, operation: &str, request: Value) -> Option<()> {
        self.api.organizations(operation, &request);
        self.record("organizations", operation, request, Ok(Value::Null));
        Some(())
    }

    fn record(
        &mut self,
        service: &str,
        operation: &str,
        request: Value,
        result: Result<Value, &str>,
    ) {
        let call = Call { service, operation, request, result };
        self.records.push(self.trail.record(&self.actor, call));
    }

    // --- members

    fn one_of(&mut self, items: &[&'static str]) -> &'static str {
        self.random.pick(items).expect("not empty")
    }

    /// A name and whether AWS would take it; `None` if a taken one would be tried too often.
    fn new_name(
        &mut self,
        known: &[&str],
        count: usize,
        taken: &[String],
    ) -> Option<(String, bool)> {
        let name = |index: usize| match known.get(index) {
            Some(name) => (*name).to_owned(),
            None => format!("number-{index}"),
        };
        let is_free = |name: &String| !taken.iter().any(|found| found.eq_ignore_ascii_case(name));
        let (free, taken): (Vec<_>, Vec<_>) = (0..count).map(name).partition(is_free);
        if self.random.percent(95) {
            return self.random.pick(&free).map(|name| (name, true));
        }
        self.random.pick(&taken).map(|name| (name, false))
    }

    fn session_duration(&mut self) -> u32 {
        self.random.pick(&[3600, 3600, 7200, 43200]).expect("not empty")
    }

    fn add_description(&mut self, request: &mut Value) {
        if self.random.percent(70) {
            request["description"] = self.one_of(DESCRIPTIONS).into();
        }
    }

    fn add_tags(&mut self, request: &mut Value) {
        if self.random.percent(40) {
            request["tags"] = self.some_tags("key", "value");
        }
    }

    fn some_tags(&mut self, key_name: &str, value_name: &str) -> Value {
        let keys = self.tag_keys();
        let tags = keys.iter().map(|key| {
            let (_, values) = TAGS.iter().find(|(found, _)| found == key).expect("one of ours");
            json!({key_name: key, value_name: self.one_of(values)})
        });
        tags.collect()
    }

    /// At least one.
    fn tag_keys(&mut self) -> Vec<&'static str> {
        let mut keys: Vec<_> = TAGS.iter().map(|(key, _)| *key).collect();
        self.random.shuffle(&mut keys);
        keys.truncate(1 + self.random.below(TAGS.len()));
        keys
    }

    /// A policy document as people write it: on one line or on many.
    fn document(&mut self, effect: &str) -> String {
        let bucket = format!("arn:aws:s3:::bucket-{}", self.random.below(5));
        let statements = [
            json!({"Sid": "Objects", "Effect": effect, "Action": ["s3:PutObject", "s3:GetObject"],
                   "Resource": [format!("{bucket}/${{aws:username}}/*"), bucket]}),
            json!({"Effect": effect, "Action": "ec2:*", "Resource": "*", "Condition": {
                "StringEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-3"]}}}),
            json!({"Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "Resource": "*", "Condition": {
                "BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}),
            json!({"Effect": effect, "Action": ["sqs:SendMessage"], "Resource": "*", "Condition": {
                "StringLike": {"aws:PrincipalTag/team": ["%{if}", "a\"b\\c", "é<&>", "${*}"]}}}),
        ];
        self.policy(&statements)
    }

    fn trust(&mut self) -> String {
        let root = format!("arn:aws:iam::{ACCOUNT}:root");
        let statement = |principal| json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
        let statements = [
            statement(json!({"Service": "ec2.amazonaws.com"})),
            statement(json!({"Service": ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"]})),
            statement(json!({"AWS": [root, "arn:aws:iam::444455556666:root"]})),
            json!({"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
                   "Principal": {"Federated": format!(
                       "arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com")},
                   "Condition": {"StringLike": {
                       "token.actions.githubusercontent.com:sub": "repo:example/infra:*"}}}),
        ];
        self.policy(&statements)
    }

    fn policy(&mut self, statements: &[Value]) -> String {
        let mut statements = statements.to_vec();
        self.random.shuffle(&mut statements);
        statements.truncate(1 + self.random.below(3));
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        if self.random.percent(50) { document.to_string() } else { format!("{document:#}") }
    }
}

fn copy(from: &Value, to: &mut Value, members: &[&str]) {
    for member in members {
        if let Some(value) = from.get(member) {
            to[member] = value.clone();
        }
    }
}

/// The response of Organizations with CloudTrail's names.
fn organizations_policy(answer: &Value) -> Value {
    renamed(&json!({"policy": answer["Policy"]}), |name| with_first(name, char::to_ascii_lowercase))
}

// --- the API ---------------------------------------------------------------

/// The emulator's API; requests have CloudTrail's names and go out with the API's.
struct Api {
    endpoint: String,
    client: reqwest::blocking::Client,
}

impl Api {
    fn new(endpoint: &str) -> Api {
        let client = reqwest::blocking::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .expect("an HTTP client");
        Api { endpoint: endpoint.to_owned(), client }
    }

    fn post(&self, path: &str) {
        let request = self.client.post(format!("{}{path}", self.endpoint));
        send(request, path);
    }

    /// The answer's XML; anything but success fails the test.
    fn iam(&self, operation: &str, request: &Value) -> String {
        let mut form = format!("Action={operation}&Version=2010-05-08");
        flatten("", &api_names(request), &mut form);
        let request = self
            .request("iam")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(form);
        send(request, operation)
    }

    fn organizations(&self, operation: &str, request: &Value) -> Value {
        let request = self
            .request("organizations")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AWSOrganizationsV20161128.{operation}"))
            .body(api_names(request).to_string());
        // Some operations answer with nothing.
        serde_json::from_str(&send(request, operation)).unwrap_or_default()
    }

    /// Not signed, only labelled with the service.
    fn request(&self, service: &str) -> reqwest::blocking::RequestBuilder {
        let scope = format!("test/20261122/us-east-1/{service}/aws4_request");
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none");
        self.client.post(&self.endpoint).header("authorization", authorization)
    }
}

fn send(request: reqwest::blocking::RequestBuilder, what: &str) -> String {
    let answer = request.send().unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let status = answer.status();
    let text = answer.text().unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert!(status.is_success(), "{what}: {status}\n{text}");
    text
}

fn api_names(request: &Value) -> Value {
    renamed(request, |name| with_first(name, char::to_ascii_uppercase))
}

fn with_first(name: &str, change: fn(&char) -> char) -> String {
    let mut characters = name.chars();
    characters.next().iter().map(change).chain(characters).collect()
}

fn renamed(value: &Value, name: fn(&str) -> String) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| renamed(item, name)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| (name(key), renamed(value, name)));
            members.collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Adds a parameter in the notation of the query protocol.
fn flatten(name: &str, value: &Value, form: &mut String) {
    let below =
        |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| flatten(&below(key), value, form));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| {
            flatten(&below(&format!("member.{}", index + 1)), item, form);
        }),
        Value::String(text) => {
            form.push_str(&format!("&{name}={}", utf8_percent_encode(text, NON_ALPHANUMERIC)));
        }
        other => form.push_str(&format!("&{name}={other}")),
    }
}

/// The text of the first element of that name.
fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name}: {xml}"));
    rest.split_once("</").expect("an end").0.to_owned()
}
