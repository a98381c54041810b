//! Delegated administrators: which account administers which service for the organization.
//!
//! Name, address and state of the account are the account's own and stand with it.

use std::collections::BTreeSet;

use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::actions::{Action, Key, Place, Touches};
use super::organization;
use super::parts::{Tag, date, sdk_date};
use super::{
    Context, Entity, FromDump, JsonOnly, Kind, Reading, ResourceType, Unreadable,
    organizations_account, read_each,
};
use crate::aws::{CallError, Dump, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::summary::{Failure, Missing, count};
use crate::terraform::{Address, Body, label, resource};

pub static KIND: Kind = Kind {
    name: "delegated administrator",
    plural: "delegated administrators",
    folders: &["delegated_administrators"],
    terraform_prefix: "organizations_delegated_administrator",
    case: Case::Counts,
    do_keys_end_in_names: true,
    asked_by: Some(organization::STRUCTURE),
    detail_list: None,
    resource_types: &[ResourceType {
        name: "aws_organizations_delegated_administrator",
        import_id: "ACCOUNT_ID/SERVICE",
        identity: &["account_id", "service_principal"],
        owner: Some("account_id"),
        written: &["account_id", "service_principal"],
        ..ResourceType::PLAIN
    }],
    permissions: &[
        "organizations:ListDelegatedAdministrators",
        "organizations:ListDelegatedServicesForAccount",
    ],
    named_permissions: &[
        "organizations:ListDelegatedAdministrators",
        "organizations:ListDelegatedServicesForAccount",
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
    users: None,
    actions: &[Action::organizations(
        &["DeregisterDelegatedAdministrator", "RegisterDelegatedAdministrator"],
        Touches::Named(&[Key {
            place: Place::Request(&["accountId"]),
            read: organization::account_key,
        }]),
    )],
    deeds: &[
        ("DeregisterDelegatedAdministrator", "servicePrincipal", "took the administration away of"),
        ("RegisterDelegatedAdministrator", "servicePrincipal", "delegated the administration of"),
    ],
    parts: &[],
    parse: super::parse::<DelegatedAdministrator>,
};

/// What is the delegation's own of a DelegatedAdministrator of ListDelegatedAdministrators, plus its
/// services.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DelegatedAdministrator {
    /// Of the account.
    id: String,
    arn: String,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    delegation_enabled_date: Option<String>,
    /// `None` means that ListDelegatedServicesForAccount was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delegated_services: Option<Vec<Service>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    service_principal: String,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    delegation_enabled_date: Option<String>,
}

impl DelegatedAdministrator {
    fn problem(&self) -> Option<String> {
        if !organization::is_account_id(&self.id) {
            return Some(format!("`{}` is not the ID of an account", self.id));
        }
        let services = self.delegated_services.as_deref().unwrap_or_default();
        if services.is_empty() {
            return Some("the services that it administers are not known".to_owned());
        }
        let is_refused = |service: &&Service| {
            let name = &service.service_principal;
            name.is_empty() || name.len() > 128 || name.contains('/')
        };
        let refused = services.iter().find(is_refused)?;
        Some(format!("the provider refuses the service `{}`", refused.service_principal))
    }
}

impl Entity for DelegatedAdministrator {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    /// The ID of the account.
    fn name(&self) -> &str {
        &self.id
    }

    fn arn(&self) -> &str {
        &self.arn
    }

    fn folder(&self) -> &'static str {
        "delegated_administrators"
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

    /// The tags of the account stand with it.
    fn tags(&self) -> &[Tag] {
        &[]
    }

    fn keep_known(&mut self, base: &dyn Entity) {
        let Some(base) = base.as_any().downcast_ref::<DelegatedAdministrator>() else { return };
        if self.delegated_services.is_none() {
            self.delegated_services.clone_from(&base.delegated_services);
        }
    }

    fn was_made(&self) -> bool {
        self.delegation_enabled_date.is_some()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, context: &Context) -> Body<'a> {
        let mut body = Body::default();
        for service in self.delegated_services.iter().flatten() {
            let principal = service.service_principal.as_str();
            let at = Address::new(
                "aws_organizations_delegated_administrator",
                label::joint(&self.id, "for", principal),
            );
            let block = resource(&at)
                .attribute("account_id", organization::refer(context, &self.id))
                .attribute("service_principal", principal);
            body.import(&at, format!("{}/{principal}", self.id), block);
        }
        body
    }

    fn mentions(&self) -> Vec<(&'static Kind, &str)> {
        vec![(&organizations_account::KIND, &self.id)]
    }
}

impl FromDump for DelegatedAdministrator {
    const WHAT: &'static str = "delegated administrator";
    fn arn(&self) -> &str {
        &self.arn
    }
    fn name(&self) -> &str {
        &self.id
    }
    fn normalize(&mut self) {
        self.delegated_services.iter_mut().for_each(|services| services.sort());
    }
}

const SHELF: &str = "DelegatedAdministrator";
const SERVICES: &str = "DelegatedServices";

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    organization::shelve_lists(page, &[(SERVICES, SERVICES)], organization::is_account_id);
    for administrator in page.list("DelegatedAdministrators")? {
        page.put(SHELF, Rank::OfOrganization, administrator);
    }
    if page.has("Id") && page.has(SERVICES) {
        page.put(SHELF, Rank::OfOrganization, page.whole);
    }
    Ok(())
}

/// Files never tell that they hold all of them: a listing may be of one service.
fn read_dump(dump: &Dump) -> Reading {
    let mut reading = Reading::default();
    let mut errors = Vec::new();
    let services = organization::by_id::<Service>(
        dump,
        SERVICES,
        "list of services",
        organization::owned_id_in_name,
        &mut errors,
    );
    reading.failures.extend(errors.into_iter().map(Failure::from));
    let mut found = reading.take(dump, SHELF, |administrator: &mut DelegatedAdministrator| {
        let of_file = || services.of(&administrator.id);
        administrator.delegated_services = administrator.delegated_services.take().or_else(of_file);
    });
    found.retain(|administrator| !services.is_cut_short(&administrator.id));
    let lacking: Vec<_> = found.iter().filter(|it| it.delegated_services.is_none()).collect();
    if let Some(first) = lacking.first() {
        reading.missing.push(Missing {
            command: format!(
                "aws organizations list-delegated-services-for-account --account-id {}",
                first.id
            ),
            what: format!(
                "for each, in a file with the ID in its name: services of {}",
                count(lacking.len(), "delegated administrator")
            ),
        });
    }
    reading.entities = found.into_iter().map(|it| Box::new(it) as _).collect();
    reading
}

async fn read_live(live: &Live) -> Reading {
    let mut reading = Reading::default();
    let found = match list(live).await {
        Ok(found) => found,
        Err(error) => {
            organization::fail(&mut reading, &KIND, error);
            return reading;
        }
    };
    reading.set_complete("delegated_administrators");
    let of = found.len();
    let mut answers = futures::stream::iter(found)
        .map(|administrator| async move {
            let services = services_of(live, &administrator.id).await;
            (administrator, services)
        })
        .buffer_unordered(live.concurrency);
    let mut done = 0;
    while let Some((mut administrator, services)) = answers.next().await {
        done += 1;
        live.progress.count("delegated administrators", done, Some(of));
        match services {
            Ok(services) => {
                administrator.delegated_services = Some(services);
                administrator.normalize();
                reading.entities.push(Box::new(administrator));
            }
            // It is none any more by now.
            Err(error) if error.reason == Reason::NotFound => {}
            Err(error) => reading.unreadable.push(Unreadable { name: administrator.id, error }),
        }
    }
    live.progress.stop("delegated administrators");
    reading
}

/// All of them, without their services.
async fn list(live: &Live) -> Result<Vec<DelegatedAdministrator>, CallError> {
    let request = |token| {
        let request = live.organizations.list_delegated_administrators();
        request.max_results(20).set_next_token(token).send()
    };
    live.list("organizations:ListDelegatedAdministrators", request, |page| {
        let found = page.delegated_administrators.unwrap_or_default().into_iter();
        let found = found.map(|administrator| DelegatedAdministrator {
            id: administrator.id.unwrap_or_default(),
            arn: administrator.arn.unwrap_or_default(),
            delegation_enabled_date: sdk_date(administrator.delegation_enabled_date.as_ref()),
            delegated_services: None,
        });
        (found.collect(), page.next_token.is_some(), page.next_token)
    })
    .await
}

async fn services_of(live: &Live, account: &str) -> Result<Vec<Service>, CallError> {
    let request = |token| {
        let request = live.organizations.list_delegated_services_for_account();
        request.account_id(account).max_results(20).set_next_token(token).send()
    };
    live.list("organizations:ListDelegatedServicesForAccount", request, |page| {
        let services = page.delegated_services.unwrap_or_default().into_iter();
        let services = services.map(|service| Service {
            service_principal: service.service_principal.unwrap_or_default(),
            delegation_enabled_date: sdk_date(service.delegation_enabled_date.as_ref()),
        });
        (services.collect(), page.next_token.is_some(), page.next_token)
    })
    .await
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    read_each(live, keys, |id| async move { describe(live, &id).await }).await
}

/// Reads one; `None` when the account administers nothing. No call tells of one alone.
async fn describe(live: &Live, id: &str) -> Result<Option<DelegatedAdministrator>, CallError> {
    let (found, services) = match tokio::try_join!(list(live), services_of(live, id)) {
        Ok(answers) => answers,
        Err(error) if error.reason == Reason::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = found.into_iter().find(|administrator| administrator.id == id);
    Ok(found.map(|mut administrator| {
        administrator.delegated_services = Some(services);
        administrator.normalize();
        administrator
    }))
}
