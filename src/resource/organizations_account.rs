//! Accounts of an organization: name, address, place in the tree and tags.
//!
//! The management account is raw JSON only: Terraform could not make it anew, rename it or remove it.
//! So are accounts that are closed or suspended, which the provider takes for gone.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_organizations::types as sdk;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::actions::{Action, Key, Place, Touches};
use super::organization::{self, Parent};
use super::parts::{Tag, date, sdk_date, tags_argument, tags_problem};
use super::{
    Context, Entity, FromDump, JsonOnly, Kind, Reading, ResourceType, Unreadable, address,
    delegated_administrator, organizations_policy, read_each,
};
use crate::aws::{Account, CallError, Dump, DumpError, Live, Organization, Page, Reason, Source};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::scope::Scope;
use crate::summary::{Failure, Missing, count};
use crate::terraform::{Body, Expression, resource};

pub static KIND: Kind = Kind {
    name: "organizations account",
    plural: "organizations accounts",
    folders: &["organizations_accounts"],
    terraform_prefix: "organizations_account",
    case: Case::Counts,
    do_keys_end_in_names: true,
    asked_by: Some(organization::STRUCTURE),
    detail_list: None,
    resource_types: &[ResourceType {
        name: "aws_organizations_account",
        import_id: "ACCOUNT_ID",
        identity: &["email"],
        written: &["email", "name", "parent_id", "tags"],
        computed: &["parent_id"],
        left_out: &[
            ("close_on_deletion", "concerns Terraform's own delete; AWS holds no such value"),
            ("create_govcloud", "only the creation of the account takes it"),
            ("iam_user_access_to_billing", "only the creation of the account takes it"),
            ("id", "the provider computes it"),
            ("role_name", "only the creation of the account takes it"),
            ("tags_all", "the provider computes it from `tags`"),
            ("timeouts", "how long Terraform waits is no property of the account"),
        ],
        ..ResourceType::PLAIN
    }],
    permissions: &[
        "organizations:ListAccounts",
        "organizations:ListAccountsForParent",
        "organizations:ListOrganizationalUnitsForParent",
        "organizations:ListRoots",
        "organizations:ListTagsForResource",
    ],
    named_permissions: &[
        "organizations:DescribeAccount",
        "organizations:ListParents",
        "organizations:ListPoliciesForTarget",
        "organizations:ListTagsForResource",
    ],
    read: |source| {
        Box::pin(async move {
            match source {
                Source::Live(live) => read_live(live).await,
                Source::Dump(dump) => read_dump(dump),
            }
        })
    },
    shelve,
    read_named: |live, keys| Box::pin(read_named(live, keys)),
    users: Some(|live, id| Box::pin(users(live, id))),
    actions: &[
        Action::organizations(
            &["CloseAccount", "MoveAccount", "RemoveAccountFromOrganization"],
            Touches::Named(&[Key {
                place: Place::Request(&["accountId"]),
                read: organization::account_key,
            }]),
        ),
        Action::organizations(
            &["TagResource", "UntagResource"],
            Touches::Named(&[Key {
                place: Place::Request(&["resourceId"]),
                read: |id, _| organization::tagged(id, organization::is_account_id),
            }]),
        ),
        // Of the service that manages accounts; it names none if it is the caller's own.
        Action {
            service: "account",
            names: &["AcceptPrimaryEmailUpdate", "PutAccountName"],
            touches: Touches::Named(&[Key {
                place: Place::Request(&["accountId"]),
                read: |id, own| match (id, own) {
                    ("", Some(own)) => organization::account_key(own, None),
                    _ => organization::account_key(id, None),
                },
            }]),
            is_reported: false,
        },
        // Which account it is stands in none of these.
        Action::organizations(
            &[
                "AcceptHandshake",
                "CreateAccount",
                "CreateGovCloudAccount",
                "CreateOrganization",
                "DeleteOrganization",
                "LeaveOrganization",
            ],
            Touches::All,
        ),
        Action::of_organizations(
            &["AccountDepartedOrganization", "AccountJoinedOrganization"],
            Touches::All,
        ),
        Action::of_organizations(
            &["CreateAccountResult"],
            Touches::Named(&[Key {
                place: Place::Response(&["createAccountStatus", "accountId"]),
                read: organization::account_key,
            }]),
        ),
        Action::of_organizations(
            &["CloseAccountResult"],
            Touches::Named(&[Key {
                place: Place::Response(&["closeAccountStatus", "accountId"]),
                read: organization::account_key,
            }]),
        ),
    ],
    deeds: &[
        ("MoveAccount", "destinationParentId", "moved it to"),
        ("PutAccountName", "accountName", "gave the account the name"),
    ],
    parts: &[],
    parse: super::parse::<OrganizationsAccount>,
};

/// The Account of DescribeAccount, plus its parent and tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OrganizationsAccount {
    id: String,
    arn: String,
    email: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// What AWS says in place of the state, or beside it: no second spelling of it is written.
    #[serde(default, skip_serializing)]
    status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined_method: Option<String>,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    joined_timestamp: Option<String>,
    /// `None` means that the parent was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    /// `None` means that ListTagsForResource was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<Tag>>,
}

impl OrganizationsAccount {
    fn is_management_account(&self) -> bool {
        Account::of_arn(&self.arn).is_some_and(|management| management.id == self.id)
    }

    fn problem(&self) -> Option<String> {
        if !organization::is_account_id(&self.id) {
            return Some(format!("`{}` is not the ID of an account", self.id));
        }
        if self.is_management_account() {
            return Some("the management account is not Terraform's to make or remove".to_owned());
        }
        if let Some(state @ ("CLOSED" | "PENDING_CLOSURE" | "SUSPENDED")) = self.state.as_deref() {
            return Some(format!("the provider does not import accounts that are {state}"));
        }
        if self.name.is_empty() || self.name.len() > 50 {
            return Some("the provider takes names of 1 to 50 bytes".to_owned());
        }
        if !is_email(&self.email) {
            return Some(format!("the provider refuses the address `{}`", self.email));
        }
        let parent = self.parent_id.as_deref().and_then(organization::parent_problem);
        parent.or_else(|| tags_problem(self.tags()))
    }
}

/// What the provider takes for an address: one `@`, and a dot after it with something around it.
fn is_email(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c == '@' || " \t\n\u{c}\r".contains(c))
    };
    let is_domain = |domain: &str| {
        let mut dots = domain.match_indices('.');
        is_part(domain) && dots.any(|(at, _)| at > 0 && at + 1 < domain.len())
    };
    (6..=64).contains(&text.len())
        && text.split_once('@').is_some_and(|(name, domain)| is_part(name) && is_domain(domain))
}

impl Entity for OrganizationsAccount {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    /// The ID: names may be changed and repeated.
    #[expect(clippy::misnamed_getters, reason = "the ID is what AWS identifies it by")]
    fn name(&self) -> &str {
        &self.id
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.id, &self.name, &self.email]
    }

    fn arn(&self) -> &str {
        &self.arn
    }

    fn folder(&self) -> &'static str {
        "organizations_accounts"
    }

    fn json(&self) -> Vec<u8> {
        super::pretty_json(self)
    }

    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)> {
        Vec::new()
    }

    fn json_only(&self) -> Option<JsonOnly> {
        self.problem().map(JsonOnly::Inexpressible)
    }

    fn tags(&self) -> &[Tag] {
        self.tags.as_deref().unwrap_or_default()
    }

    fn keep_known(&mut self, base: &dyn Entity) {
        let Some(base) = base.as_any().downcast_ref::<OrganizationsAccount>() else { return };
        self.parent_id = self.parent_id.take().or_else(|| base.parent_id.clone());
        self.tags = self.tags.take().or_else(|| base.tags.clone());
    }

    fn is_named_by_aws(&self) -> bool {
        true
    }

    fn take_defaults(&mut self, base: Option<&dyn Entity>) {
        let base = base.and_then(|base| base.as_any().downcast_ref::<OrganizationsAccount>());
        if base.is_none_or(|base| base.tags.is_some()) {
            self.tags.get_or_insert_default();
        }
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, context: &Context) -> Body<'a> {
        let at = address("aws_organizations_account", &self.id);
        let parent = self.parent_id.as_deref().map(|id| organization::refer(context, id));
        // An importer sets neither of these, so that their defaults would be a change.
        let mut ignored = vec!["close_on_deletion", "create_govcloud"];
        if self.tags.is_none() {
            ignored.extend(["tags", "tags_all"]);
        }
        let block = resource(&at)
            .attribute("name", self.name.as_str())
            .attribute("email", self.email.as_str())
            .optional("parent_id", parent)
            .optional("tags", tags_argument(self.tags()))
            .ignore_changes(&ignored);
        let mut body = Body::default();
        body.import(&at, self.id.clone(), block);
        body
    }

    fn mentions(&self) -> Vec<(&'static Kind, &str)> {
        self.parent_id.as_deref().and_then(organization::mentioned).into_iter().collect()
    }

    fn reference(&self) -> Option<Expression<'static>> {
        Some(address("aws_organizations_account", &self.id).attribute("id"))
    }
}

impl FromDump for OrganizationsAccount {
    const WHAT: &'static str = "organizations account";
    fn arn(&self) -> &str {
        &self.arn
    }
    #[expect(clippy::misnamed_getters, reason = "the ID is what AWS identifies it by")]
    fn name(&self) -> &str {
        &self.id
    }
    fn normalize(&mut self) {
        let status = self.status.take();
        self.state = self.state.take().or(status);
        self.tags.iter_mut().for_each(|tags| tags.sort());
    }
}

const SHELF: &str = "OrganizationsAccount";
const PARENTS: &str = "OrganizationsAccountParents";
const TAGS: &str = "OrganizationsAccountTags";

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    let lists = [("Parents", PARENTS), ("Tags", TAGS)];
    organization::shelve_lists(page, &lists, organization::is_account_id);
    if page.has("DelegatedServices") {
        return Ok(());
    }
    organization::shelve_entities(page, ("Accounts", "Account"), SHELF, ":account/")
}

/// Files never tell that they hold all accounts: a listing may be of one parent.
fn read_dump(dump: &Dump) -> Reading {
    let mut reading = Reading::default();
    let mut errors = Vec::new();
    let id_of = organization::owned_id_in_name;
    let parents =
        organization::by_id::<Parent>(dump, PARENTS, "list of parents", id_of, &mut errors);
    let tags = organization::by_id::<Tag>(dump, TAGS, "list of tags", id_of, &mut errors);
    reading.failures.extend(errors.into_iter().map(Failure::from));
    let mut accounts = reading.take(dump, SHELF, |account: &mut OrganizationsAccount| {
        let parent = || parents.of(&account.id)?.pop();
        account.parent_id = account.parent_id.take().or_else(|| parent().map(|parent| parent.id));
        account.tags = account.tags.take().or_else(|| tags.of(&account.id));
    });
    accounts
        .retain(|account| !parents.is_cut_short(&account.id) && !tags.is_cut_short(&account.id));
    let lacking = |lacks: fn(&OrganizationsAccount) -> bool, command: &str, what: &str| {
        let lacking: Vec<_> = accounts.iter().filter(|account| lacks(account)).collect();
        let first = lacking.first()?;
        Some(Missing {
            command: format!("aws organizations {command} {}", first.id),
            what: format!(
                "for each, in a file with the ID in its name: {what} of {}",
                count(lacking.len(), "organizations account")
            ),
        })
    };
    let parents =
        lacking(|account| account.parent_id.is_none(), "list-parents --child-id", "the parent");
    let tags =
        lacking(|account| account.tags.is_none(), "list-tags-for-resource --resource-id", "tags");
    reading.missing.extend(parents.into_iter().chain(tags));
    reading.entities = accounts.into_iter().map(|account| Box::new(account) as _).collect();
    reading
}

/// Which accounts there are, one listing tells; in what they are, the listings of all parents. An
/// account that moves meanwhile may be in none of those or in two, and is not missing for that.
async fn read_live(live: &Live) -> Reading {
    let mut reading = Reading::default();
    let tree = match live.organization().await {
        Ok(tree) => tree,
        Err(error) => {
            organization::fail(&mut reading, &KIND, error);
            return reading;
        }
    };
    let accounts = match list_accounts(live).await {
        Ok(accounts) => accounts,
        Err(error) => {
            organization::fail(&mut reading, &KIND, error);
            return reading;
        }
    };
    let mut failures = tree.failures.clone();
    let mut places = places(live, tree, &mut failures).await;
    let is_placed = |account: &sdk::Account, places: &Places| {
        places.get(account.id().unwrap_or_default()).is_some_and(|found| found.len() == 1)
    };
    if failures.is_empty() && !accounts.iter().all(|account| is_placed(account, &places)) {
        places = self::places(live, tree, &mut failures).await;
    }
    let is_whole = failures.is_empty();
    reading.failures.extend(failures.into_iter().map(Failure::from));
    reading.set_complete("organizations_accounts");
    let (placed, moving): (Vec<_>, Vec<_>) =
        accounts.into_iter().partition(|account| is_placed(account, &places));
    // Where a listing failed, that is said already.
    for account in moving.into_iter().filter(|_| is_whole) {
        let name = account.id.unwrap_or_default();
        let error = CallError {
            call: "organizations:ListAccountsForParent",
            reason: Reason::Other,
            message: "the account moved while the organization was read".to_owned(),
        };
        reading.unreadable.push(Unreadable { name, error });
    }
    let of = placed.len();
    let mut answers = futures::stream::iter(placed)
        .map(|account| {
            let id = account.id().unwrap_or_default().to_owned();
            let place = places[&id][0].clone();
            async move {
                let tags = organization::list_tags(live, &id).await;
                (id, tags.map(|tags| OrganizationsAccount::of(account, place, tags)))
            }
        })
        .buffer_unordered(live.concurrency);
    let mut done = 0;
    while let Some((name, found)) = answers.next().await {
        done += 1;
        live.progress.count("organizations accounts", done, Some(of));
        match found {
            Ok(account) => reading.entities.push(Box::new(account)),
            // It has left by now.
            Err(error) if error.reason == Reason::NotFound => {}
            Err(error) => reading.unreadable.push(Unreadable { name, error }),
        }
    }
    live.progress.stop("organizations accounts");
    reading
}

/// The roots and units that each account is in.
type Places = HashMap<String, Vec<String>>;

async fn places(live: &Live, tree: &Organization, failures: &mut Vec<CallError>) -> Places {
    let mut places = Places::new();
    let parents: Vec<String> = tree.parents().map(str::to_owned).collect();
    let mut answers = futures::stream::iter(parents)
        .map(|parent| async move {
            let ids = ids_in(live, &parent).await;
            (parent, ids)
        })
        .buffer_unordered(live.concurrency);
    while let Some((parent, answer)) = answers.next().await {
        match answer {
            Ok(ids) => {
                // A page that shifts while it is read has one of them twice.
                let ids: BTreeSet<String> = ids.into_iter().collect();
                ids.into_iter().for_each(|id| places.entry(id).or_default().push(parent.clone()));
            }
            // The unit is gone by now, and what was in it is elsewhere.
            Err(error) if error.reason == Reason::NotFound => {}
            Err(error) => failures.push(error),
        }
    }
    places
}

/// There is no organization without an account, so an answer without one is none.
async fn list_accounts(live: &Live) -> Result<Vec<sdk::Account>, CallError> {
    let call = "organizations:ListAccounts";
    let request = |token| {
        let request = live.organizations.list_accounts();
        request.max_results(20).set_next_token(token).send()
    };
    let accounts = live.list(call, request, |page| {
        (page.accounts.unwrap_or_default(), page.next_token.is_some(), page.next_token)
    });
    let accounts = accounts.await?;
    if accounts.is_empty() { Err(CallError::empty(call)) } else { Ok(accounts) }
}

/// IDs of the accounts directly in a root or unit.
pub(super) async fn ids_in(live: &Live, parent: &str) -> Result<Vec<String>, CallError> {
    let request = |token| {
        let request = live.organizations.list_accounts_for_parent();
        request.parent_id(parent).max_results(20).set_next_token(token).send()
    };
    live.list("organizations:ListAccountsForParent", request, |page| {
        let accounts = page.accounts.unwrap_or_default().into_iter();
        let ids = accounts.filter_map(|account| account.id);
        (ids.collect(), page.next_token.is_some(), page.next_token)
    })
    .await
}

impl OrganizationsAccount {
    fn of(account: sdk::Account, parent_id: String, tags: Vec<Tag>) -> OrganizationsAccount {
        let mut account = OrganizationsAccount {
            id: account.id.unwrap_or_default(),
            arn: account.arn.unwrap_or_default(),
            email: account.email.unwrap_or_default(),
            name: account.name.unwrap_or_default(),
            state: account.state.map(|state| state.as_str().to_owned()),
            status: account.status.map(|status| status.as_str().to_owned()),
            joined_method: account.joined_method.map(|method| method.as_str().to_owned()),
            joined_timestamp: sdk_date(account.joined_timestamp.as_ref()),
            parent_id: Some(parent_id),
            tags: Some(tags),
        };
        account.normalize();
        account
    }
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    read_each(live, keys, |id| async move { describe(live, &id).await }).await
}

/// Reads one account; `None` when it is not in the organization.
async fn describe(live: &Live, id: &str) -> Result<Option<OrganizationsAccount>, CallError> {
    let call = "organizations:DescribeAccount";
    let account = async {
        let request = live.organizations.describe_account().account_id(id);
        let answer = live.call(call, request.send()).await?;
        answer.account.ok_or_else(|| CallError::empty(call))
    };
    let parent = organization::parent_of(live, id);
    let tags = organization::list_tags(live, id);
    match async { tokio::try_join!(account, parent, tags) }.await {
        Ok((account, parent, tags)) => Ok(Some(OrganizationsAccount::of(account, parent, tags))),
        Err(error) if error.reason == Reason::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The policies attached to an account, and what it administers.
async fn users(live: &Live, id: &str) -> Result<Scope, CallError> {
    let mut scope = Scope::default();
    scope.add(delegated_administrator::KIND.plural, id);
    match organizations_policy::attached_to(live, id).await {
        Ok(policies) => {
            policies.into_iter().for_each(|id| scope.add(organizations_policy::KIND.plural, id));
            Ok(scope)
        }
        Err(error) if error.reason == Reason::NotFound => Ok(scope),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_the_provider_takes() {
        for address in
            ["a@b.cd", "a b@c.de".replace(' ', "+").as_str(), "x@mail.example.com", "a@.b.c"]
        {
            assert!(is_email(address), "{address}");
        }
        for address in ["", "a@b.", "abc@def", "a b@c.de", "a@b@c.de", "abcdef@.g", "@bcd.ef"] {
            assert!(!is_email(address), "{address}");
        }
    }
}
