//! The kinds of entities that are exported: one file each, one line each in [`KINDS`].
//!
//! A kind's file holds everything about it: its raw JSON, how it is read from AWS or from the AWS
//! CLI's output, when it is not for Terraform, its Terraform and import IDs, and the list of
//! provider arguments that are written or left out. Nothing outside this folder knows a kind.

pub mod account_alias;
pub mod actions;
pub mod delegated_administrator;
pub mod group;
mod identity_provider;
pub mod openid_connect_provider;
mod organization;
pub mod organization_resource_policy;
pub mod organizational_unit;
pub mod organizations_account;
pub mod organizations_policy;
pub mod parts;
pub mod password_policy;
pub mod permission_set;
pub mod policy;
mod principal;
pub mod role;
pub mod saml_provider;
pub mod service_linked_role;
pub mod user;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use futures::StreamExt;

use self::actions::Action;
use crate::aws::{Account, CallError, Dump, DumpError, Item, Live, Page, Source};
use crate::file_name::{self, Case};
use crate::policy_document::{Dialect, Document};
use crate::scope::Scope;
use crate::summary::{Failure, Missing};
use crate::terraform::{Address, Body, Expression};

/// Every kind, referred-to kinds first: a role refers to policies, never the other way round.
pub static KINDS: &[&Kind] = &[
    &policy::KIND,
    &group::KIND,
    &user::KIND,
    &role::KIND,
    &service_linked_role::KIND,
    &openid_connect_provider::KIND,
    &saml_provider::KIND,
    &account_alias::KIND,
    &password_policy::KIND,
    &organizational_unit::KIND,
    &organizations_account::KIND,
    &delegated_administrator::KIND,
    &organization_resource_policy::KIND,
    &organizations_policy::KIND,
    &permission_set::KIND,
];

/// What is the same for all entities of one kind.
pub struct Kind {
    /// Singular and plural as people read them.
    pub name: &'static str,
    pub plural: &'static str,
    /// Folders of the raw JSON, one for each sub-kind.
    pub folders: &'static [&'static str],
    /// First part of the names of Terraform files: `iam_role` in `iam_role.deploy.tf`.
    pub terraform_prefix: &'static str,
    pub case: Case,
    /// The word by which settings ask for the kind and its like; none: it is written unless settings
    /// say otherwise.
    pub asked_by: Option<&'static str>,
    /// Whether the key of a [`Scope`] ends in the name by which an entity's files go.
    pub do_keys_end_in_names: bool,
    /// The list of GetAccountAuthorizationDetails that its entities are in.
    pub detail_list: Option<&'static str>,
    pub resource_types: &'static [ResourceType],
    /// The API permissions that reading all entities takes.
    pub permissions: &'static [&'static str],
    /// Those that reading single entities takes, and who uses them.
    pub named_permissions: &'static [&'static str],
    /// Reads all entities of the kind.
    pub read: for<'a> fn(&'a Source) -> ReadFuture<'a>,
    /// Takes what is the kind's from an output of the AWS CLI, or from raw JSON.
    pub shelve: fn(&mut Page) -> Result<(), DumpError>,
    /// Reads the entities with these keys from AWS, in a few calls each.
    pub read_named: for<'a> fn(&'a Live, &'a BTreeSet<String>) -> ReadFuture<'a>,
    /// What AWS lets refer to an entity: its Terraform says the ARN or a reference, as the module
    /// declares the entity or not.
    pub users: Option<for<'a> fn(&'a Live, &'a str) -> UsersFuture<'a>>,
    /// The actions that may change entities of the kind.
    pub actions: &'static [Action],
    /// Actions that one parameter of the request tells best: the action, the parameter, and what was
    /// done: `attached`, in front of the parameter's value.
    pub deeds: &'static [(&'static str, &'static str, &'static str)],
    /// How keys of a [`Scope`] begin that name a part of an entity, and what such a part is called.
    pub parts: &'static [(&'static str, &'static str)],
    /// Reads back what [`Entity::json`] wrote.
    pub parse: fn(&str) -> serde_json::Result<Box<dyn Entity>>,
}

pub type ReadFuture<'a> = Pin<Box<dyn Future<Output = Reading> + Send + 'a>>;
pub type UsersFuture<'a> = Pin<Box<dyn Future<Output = Result<Scope, CallError>> + Send + 'a>>;

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.plural)
    }
}

/// The API permissions of an export of all kinds.
pub fn export_permissions() -> BTreeSet<&'static str> {
    KINDS.iter().flat_map(|kind| kind.permissions).copied().collect()
}

/// The API permissions of the function, which reads single entities too.
pub fn sync_permissions() -> BTreeSet<&'static str> {
    let named = KINDS.iter().flat_map(|kind| kind.named_permissions).copied();
    export_permissions().into_iter().chain(named).collect()
}

impl Kind {
    /// Whether it belongs to the organization, not to an account of it.
    pub fn is_of_organization(&self) -> bool {
        self.permissions.iter().all(|permission| !permission.starts_with("iam:"))
    }

    /// What an entity, or a part of one, is called, and the name that its key holds.
    pub fn noun<'a>(&self, key: &'a str) -> (&'static str, &'a str) {
        let part =
            self.parts.iter().find_map(|(prefix, noun)| Some((*noun, key.strip_prefix(prefix)?)));
        part.unwrap_or_else(|| (self.name, name_in(key)))
    }

    /// Whether a key names a part of some entity, and not the entity.
    pub fn is_part(&self, key: &str) -> bool {
        self.parts.iter().any(|(prefix, _)| key.starts_with(prefix))
    }

    /// Where the raw JSON of the entity with a key may lie, if the key tells: `roles/deploy.json`.
    pub fn base_paths(&self, key: &str) -> Vec<String> {
        let name = name_in(key);
        let mut names: Vec<_> = [self.case, Case::Ignored]
            .into_iter()
            .map(|case| file_name::json_file(name, case))
            .collect();
        names.dedup();
        let in_folder = |folder| names.iter().map(move |name| format!("{folder}/{name}"));
        self.folders.iter().flat_map(in_folder).collect()
    }

    /// Where the raw JSON of the entity may lie that a Terraform file is named after.
    pub fn base_paths_of(&self, terraform_path: &str) -> Vec<String> {
        let file = terraform_path.strip_prefix("terraform/");
        let name = file.and_then(|file| file_name::json_file_beside(self.terraform_prefix, file));
        let in_folder = |folder: &&str| name.as_ref().map(|name| format!("{folder}/{name}"));
        self.folders.iter().filter_map(in_folder).collect()
    }
}

/// A Terraform resource type that a kind is written as, with every argument of the provider.
pub struct ResourceType {
    pub name: &'static str,
    /// The import ID, as people read it: `ROLE:POLICY`.
    pub import_id: &'static str,
    /// The arguments that say which object of AWS it is; none: an account has one.
    pub identity: &'static [&'static str],
    /// The argument that names the entity it hangs on; none: it is the entity itself.
    pub owner: Option<&'static str>,
    /// The argument that is a policy document.
    pub document: Option<(&'static str, Dialect)>,
    /// Arguments that are lists whose order says nothing.
    pub sets: &'static [&'static str],
    /// What else declares such resources, without a block for each: a resource type, the argument or
    /// block by which it does, and the argument that names the owner or owners.
    pub also_declared_by: &'static [(&'static str, &'static str, &'static str)],
    /// What the provider takes where an argument is not given, unless that is an empty value.
    pub defaults: &'static [(&'static str, &'static str)],
    pub written: &'static [&'static str],
    /// Written arguments that stay what AWS has where a file does not give them.
    pub computed: &'static [&'static str],
    /// Written arguments that a file may leave to the provider's block: they are not compared.
    pub of_provider: &'static [&'static str],
    /// Arguments that are never written, each with the reason.
    pub left_out: &'static [(&'static str, &'static str)],
    /// The argument that lists what one resource is about, where we write a resource for each.
    pub each: Option<&'static str>,
}

impl ResourceType {
    /// What most types have; the rest is for each to say.
    const PLAIN: ResourceType = ResourceType {
        name: "",
        import_id: "",
        identity: &[],
        owner: None,
        document: None,
        sets: &[],
        also_declared_by: &[],
        defaults: &[],
        written: &[],
        computed: &[],
        of_provider: &[],
        left_out: &[("id", "the provider computes it")],
        each: None,
    };
}

/// The resource type of that name, with its kind.
pub fn resource_type(name: &str) -> Option<(&'static Kind, &'static ResourceType)> {
    KINDS.iter().find_map(|kind| {
        let found = kind.resource_types.iter().find(|found| found.name == name)?;
        Some((*kind, found))
    })
}

/// One role, policy, … of the account.
pub trait Entity: Send + Sync {
    fn kind(&self) -> &'static Kind;
    /// What AWS identifies it by within its kind; file names and labels come from it.
    fn name(&self) -> &str;
    fn arn(&self) -> &str;
    /// Whether AWS gives entities of its kind an ARN; else [`Entity::arn`] is empty.
    fn has_arn(&self) -> bool {
        true
    }
    /// What a [`Scope`] calls it.
    fn key(&self) -> &str {
        self.name()
    }
    /// All that people may call it.
    fn names(&self) -> Vec<&str> {
        vec![self.name()]
    }
    /// IAM's path; kinds that have none have an empty one.
    fn path(&self) -> &str {
        ""
    }
    fn folder(&self) -> &'static str;
    fn case(&self) -> Case {
        self.kind().case
    }
    /// The raw JSON, pretty-printed with a final line break.
    fn json(&self) -> Vec<u8>;
    /// All policy documents, each under a key that stays the same from one read to the next.
    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)>;
    /// Why this entity cannot be Terraform, if it cannot.
    fn json_only(&self) -> Option<JsonOnly>;
    fn tags(&self) -> &[parts::Tag];
    /// Takes from the base what this reading left unknown: unknown is not gone.
    fn keep_known(&mut self, _base: &dyn Entity) {}
    /// Whether AWS ever had it: only AWS gives it an ID, whoever wrote the raw JSON.
    fn was_made(&self) -> bool {
        true
    }
    /// Whether AWS makes the name, so that nobody knows it before the entity is there.
    fn is_named_by_aws(&self) -> bool {
        false
    }
    /// Takes AWS's defaults for what a person left out of the raw JSON: what the base knows, or
    /// what is new, is not unknown.
    fn take_defaults(&mut self, _base: Option<&dyn Entity>) {}
    fn as_any(&self) -> &dyn std::any::Any;
    /// The resources and import blocks; only asked for when [`Entity::json_only`] has nothing.
    fn terraform<'a>(&'a self, context: &Context) -> Body<'a>;
    /// Resources that AWS has, that [`Entity::terraform`] leaves out, and that it may have held
    /// before.
    fn left_out(&self, _: &Context) -> Vec<Address> {
        Vec::new()
    }
    /// Keys of entities that [`Entity::terraform`] refers to where the module declares them.
    fn mentions(&self) -> Vec<(&'static Kind, &str)> {
        Vec::new()
    }
    /// What other resources may say instead of this entity's key.
    fn reference(&self) -> Option<Expression<'static>> {
        None
    }

    /// Where the raw JSON lies: `roles/deploy.json`.
    fn json_path(&self) -> String {
        format!("{}/{}", self.folder(), file_name::json_file(self.name(), self.case()))
    }

    /// Where the Terraform lies: `terraform/iam_role.deploy.tf`.
    fn terraform_path(&self) -> String {
        let prefix = self.kind().terraform_prefix;
        format!("terraform/{}", file_name::terraform_file(prefix, self.name(), self.case()))
    }
}

/// What rendering needs to know of the rest of the module.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// What to write for the key of an entity that the same module declares, by kind and key.
    pub references: HashMap<(&'static str, String), String>,
    /// Whether attachments of organizations policies are written.
    pub organizations_attachments: bool,
    /// Whether what something else manages is written all the same.
    pub managed_elsewhere: bool,
    /// Whether `*_exclusive` resources are written.
    pub exclusive: bool,
}

impl Context {
    /// A reference where the module declares the entity with this key, else the key itself.
    pub fn refer<'a>(&self, kind: &Kind, key: &'a str) -> Expression<'a> {
        match self.references.get(&(kind.plural, key.to_owned())) {
            Some(reference) => Expression::Reference(reference.clone()),
            None => Expression::from(key),
        }
    }
}

/// Why an entity is written as raw JSON and not as Terraform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JsonOnly {
    /// AWS wrote it and only AWS changes it.
    AwsManaged,
    ServiceLinked,
    Reserved,
    /// Something else manages it: the tag that says so.
    ManagedElsewhere(String),
    /// The provider would refuse it, and with it every plan of the module.
    Inexpressible(String),
    /// A `.tf` file that is not ours declares it already.
    DeclaredIn(String),
}

impl fmt::Display for JsonOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonOnly::AwsManaged => f.write_str("managed by AWS"),
            JsonOnly::ServiceLinked => f.write_str("service-linked, `/aws-service-role/`"),
            JsonOnly::Reserved => f.write_str("only AWS changes roles under `/aws-reserved/`"),
            JsonOnly::ManagedElsewhere(tag) => {
                write!(f, "something else manages it, as its tag `{tag}` says")
            }
            JsonOnly::Inexpressible(reason) => f.write_str(reason),
            JsonOnly::DeclaredIn(file) => write!(f, "`{file}` declares it already"),
        }
    }
}

/// What is known of one kind after reading.
#[derive(Default)]
pub struct Reading {
    pub entities: Vec<Box<dyn Entity>>,
    /// The keys that were asked for; everything was where this is `None`.
    pub named: Option<BTreeSet<String>>,
    /// Keys of those asked for that AWS does not have.
    pub absent: BTreeSet<String>,
    /// The folders whose listing is complete: only there does absence mean "gone".
    pub complete: BTreeSet<&'static str>,
    /// Entities that exist and could not be read; their files stay as they are.
    pub unreadable: Vec<Unreadable>,
    /// Listings that failed, files that are malformed.
    pub failures: Vec<Failure>,
    /// A listing that this principal may not have: a failure where there are files of the kind,
    /// which would stay as they are unnoticed.
    pub refused: Option<Refused>,
    /// What a person should know that is no failure.
    pub notes: Vec<String>,
    /// What files do not tell, so that Terraform is told to leave it alone.
    pub missing: Vec<Missing>,
    /// What was left aside on purpose, with the reason.
    pub skipped: Vec<(String, String)>,
}

/// What was read of AWS: the *actual* state of a scope, in the order of [`KINDS`].
#[derive(Default)]
pub struct Inventory {
    pub readings: Vec<(&'static Kind, Reading)>,
    /// Terraform files that are named like an entity's, are none's, and name what was read.
    pub strays: BTreeSet<String>,
}

impl Inventory {
    pub fn reading(&self, kind: &Kind) -> Option<&Reading> {
        self.readings.iter().find(|(read, _)| std::ptr::eq(*read, kind)).map(|(_, reading)| reading)
    }

    pub fn entities(&self) -> impl Iterator<Item = &dyn Entity> {
        self.readings.iter().flat_map(|(_, reading)| &reading.entities).map(Box::as_ref)
    }
}

/// What only the management account of an organization or a delegated administrator may read.
#[derive(Clone, Debug)]
pub struct Refused {
    /// `organizations policies of all types`.
    pub what: String,
    pub error: CallError,
}

/// An entity that exists and could not be read.
pub struct Unreadable {
    /// Its name, or its key where the name is not known.
    pub name: String,
    pub error: CallError,
}

/// One entity of the AWS CLI's output, as a kind's shelf holds it.
pub(crate) trait FromDump: serde::de::DeserializeOwned + PartialEq {
    /// Names one in an error.
    const WHAT: &'static str;
    fn arn(&self) -> &str;
    /// What [`Entity::name`] is going to be.
    fn name(&self) -> &str;
    /// Derives what is told by nothing but the file's name and whose entities these are.
    fn complete(&mut self, _: &Path, _: Option<&Account>) {}
    /// Derives what a listing leaves out, and sorts what it returns in any order.
    fn normalize(&mut self) {}
}

impl Reading {
    /// A reading of nothing but these.
    pub(crate) fn of_named(keys: &BTreeSet<String>) -> Reading {
        Reading { named: Some(keys.clone()), ..Reading::default() }
    }

    /// Adds what came of reading the entity with a key.
    pub(crate) fn add<T: Entity + 'static>(
        &mut self,
        key: String,
        found: Result<Option<T>, CallError>,
    ) {
        match found {
            Ok(Some(entity)) => self.entities.push(Box::new(entity)),
            Ok(None) => {
                self.absent.insert(key);
            }
            Err(error) => {
                let name = name_in(&key).to_owned();
                self.unreadable.push(Unreadable { name, error });
            }
        }
    }

    /// Whether this reading proves that an entity of earlier is no more.
    pub fn is_gone(&self, base: &dyn Entity) -> bool {
        let is_it = |entity: &Unreadable| entity.name == base.name() || entity.name == base.key();
        let is_unreadable = || self.unreadable.iter().any(is_it);
        self.absent.contains(base.key())
            || (self.complete.contains(base.folder()) && self.named.is_none() && !is_unreadable())
    }

    /// Takes what a shelf holds: the account's own, each once. What is malformed or contradicts
    /// itself is a failure, and then nothing counts as complete.
    pub(crate) fn take<T: FromDump>(
        &mut self,
        dump: &Dump,
        shelf: &'static str,
        mut complete: impl FnMut(&mut T),
    ) -> Vec<T> {
        let mut errors = Vec::new();
        let mut found: BTreeMap<String, (Item, T)> = BTreeMap::new();
        let mut contradictory = BTreeSet::new();
        for (item, mut entity) in dump.parse::<T>(shelf, T::WHAT, &mut errors) {
            complete(&mut entity);
            // AWS's own form first: what is derived follows from it.
            entity.normalize();
            entity.complete(item.path, dump.account.as_ref());
            let name = entity.name().to_owned();
            match &dump.account {
                Some(account) if !account.owns(entity.arn()) => {
                    let reason = format!("of another account than `{}`", account.id);
                    self.skipped.push((name, reason));
                    continue;
                }
                _ => {}
            }
            match found.get(&name) {
                Some((_, first)) if *first == entity => {}
                Some((first, _)) => {
                    let (first, second) = (first.path.to_owned(), item.path.to_owned());
                    contradictory.insert(name.clone());
                    errors.push(DumpError::Contradiction { what: T::WHAT, name, first, second });
                }
                None => {
                    found.insert(name, (item, entity));
                }
            }
        }
        found.retain(|name, _| !contradictory.contains(name));
        self.failures.extend(errors.into_iter().map(Failure::from));
        found.into_values().map(|(_, entity)| entity).collect()
    }

    /// Reads one kind from authorization details alone, where they hold all that there is to know.
    pub(crate) fn of_details<T: FromDump + Entity + 'static>(
        dump: &Dump,
        shelf: &'static str,
        folder: &'static str,
    ) -> Reading {
        let mut reading = Reading::default();
        let found: Vec<T> = reading.take(dump, shelf, |_: &mut T| {});
        // A list of none is what a filtered call prints too: no proof that all are gone.
        if !found.is_empty() && dump.has_all_details() {
            reading.set_complete(folder);
        }
        reading.entities = found.into_iter().map(|entity| Box::new(entity) as _).collect();
        reading
    }

    /// A reading of what an account has one of or none.
    pub(crate) fn of_one<T: Entity + 'static>(
        folder: &'static str,
        found: Result<Option<T>, CallError>,
    ) -> Reading {
        let mut reading = Reading::default();
        match found {
            Ok(found) => {
                reading.complete.insert(folder);
                reading.entities.extend(found.map(|entity| Box::new(entity) as _));
            }
            Err(error) => reading.failures.push(error.into()),
        }
        reading
    }

    /// The same from files, which must agree.
    pub(crate) fn of_files<T: Entity + PartialEq + 'static>(
        kind: &Kind,
        found: Vec<(Item, T)>,
    ) -> Reading {
        let mut reading = Reading::default();
        let mut found = found.into_iter();
        let Some((first, entity)) = found.next() else { return reading };
        match found.find(|(_, other)| *other != entity) {
            None => reading.entities.push(Box::new(entity)),
            Some((second, _)) => {
                let (first, second) = (first.path.to_owned(), second.path.to_owned());
                let (what, name) = (kind.name, entity.name().to_owned());
                let error = DumpError::Contradiction { what, name, first, second };
                reading.failures.push(error.into());
            }
        }
        reading
    }

    /// Says that a listing is complete, unless something failed.
    pub(crate) fn set_complete(&mut self, folder: &'static str) {
        if self.failures.is_empty() {
            self.complete.insert(folder);
        }
    }
}

/// The name and key of what an account has one of and AWS gives no name.
pub(crate) const ACCOUNT: &str = "account";

/// Reads back the raw JSON of an entity. People edit it too, so lists may be in any order.
pub(crate) fn parse<T: FromDump + Entity + 'static>(
    text: &str,
) -> serde_json::Result<Box<dyn Entity>> {
    let mut entity: T = serde_json::from_str(text)?;
    entity.normalize();
    Ok(Box::new(entity))
}

/// The name in a key: the last part of an ARN. Other keys are names, be there a `/` in them.
fn name_in(key: &str) -> &str {
    if key.starts_with("arn:") { key.rsplit('/').next().unwrap_or(key) } else { key }
}

/// Looks again after a pause for what is not found: IAM answers from copies that lag behind.
async fn look_twice<T, F>(live: &Live, mut look: impl FnMut() -> F) -> Result<Option<T>, CallError>
where
    F: Future<Output = Result<Option<T>, CallError>>,
{
    match look().await {
        Ok(None) => {
            live.pause().await;
            look().await
        }
        found => found,
    }
}

/// Reads entities by their keys; `read` reads one, and finds nothing where there is none.
pub(crate) async fn read_each<T, F>(
    live: &Live,
    keys: &BTreeSet<String>,
    read: impl Fn(String) -> F,
) -> Reading
where
    T: Entity + 'static,
    F: Future<Output = Result<Option<T>, CallError>>,
{
    let mut reading = Reading::of_named(keys);
    let mut answers = futures::stream::iter(keys.clone())
        .map(|key| {
            let read = &read;
            async move {
                let found = look_twice(live, || read(key.clone())).await;
                (key, found)
            }
        })
        .buffer_unordered(live.concurrency);
    while let Some((key, found)) = answers.next().await {
        reading.add(key, found);
    }
    reading
}

/// Pretty JSON with two spaces, a final line break and no invisible character left raw.
pub(crate) fn pretty_json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut out, parts::Visible::default());
    value.serialize(&mut serializer).expect("entities are plain data with text keys");
    out.push(b'\n');
    out
}

/// The address of an entity's main resource.
pub(crate) fn address(resource_type: &'static str, name: &str) -> Address {
    Address::new(resource_type, crate::terraform::label::label(name))
}
