//! The tree of an organization: its roots and organizational units, listed once for all kinds that
//! have a place in it.

use std::collections::HashSet;

use futures::StreamExt;

use super::{CallError, Live};

/// The roots and units of an organization, as far as they could be listed.
#[derive(Default)]
pub struct Organization {
    /// Their IDs; AWS has one for each organization.
    pub roots: Vec<String>,
    /// Those above before those below.
    pub units: Vec<Unit>,
    /// Listings that failed, so that units may be missing.
    pub failures: Vec<CallError>,
}

/// An organizational unit in a listing of its parent.
#[derive(Clone)]
pub struct Unit {
    pub id: String,
    pub arn: String,
    pub name: String,
    pub parent_id: String,
}

impl Organization {
    /// Everything that accounts may be in.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        let units = self.units.iter().map(|unit| &unit.id);
        self.roots.iter().chain(units).map(String::as_str)
    }
}

/// Reads the tree level by level: one call for the roots, one or more for each root and unit.
pub(super) async fn read(live: &Live) -> Result<Organization, CallError> {
    let mut organization = Organization { roots: roots(live).await?, ..Organization::default() };
    let mut level = organization.roots.clone();
    let mut seen = HashSet::new();
    while !level.is_empty() {
        let mut answers = futures::stream::iter(std::mem::take(&mut level))
            .map(|parent| async move { units_of(live, &parent).await })
            .buffered(live.concurrency);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(units) => {
                    let units = units.into_iter().filter(|unit| seen.insert(unit.id.clone()));
                    let before = organization.units.len();
                    organization.units.extend(units);
                    let found = &organization.units[before..];
                    level.extend(found.iter().map(|unit| unit.id.clone()));
                    live.progress.count("organization's tree", organization.units.len(), None);
                }
                Err(error) => organization.failures.push(error),
            }
        }
    }
    live.progress.stop("organization's tree");
    Ok(organization)
}

/// There is no organization without a root, so an answer without one is none.
async fn roots(live: &Live) -> Result<Vec<String>, CallError> {
    let call = "organizations:ListRoots";
    let request = |token| live.organizations.list_roots().set_next_token(token).send();
    let answer = live.list(call, request, |page| {
        let roots = page.roots.unwrap_or_default().into_iter();
        (roots.filter_map(|root| root.id).collect(), page.next_token.is_some(), page.next_token)
    });
    answer
        .await
        .and_then(|roots| if roots.is_empty() { Err(CallError::empty(call)) } else { Ok(roots) })
}

async fn units_of(live: &Live, parent: &str) -> Result<Vec<Unit>, CallError> {
    let request = |token| {
        let request = live.organizations.list_organizational_units_for_parent();
        request.parent_id(parent).max_results(20).set_next_token(token).send()
    };
    live.list("organizations:ListOrganizationalUnitsForParent", request, |page| {
        let units = page.organizational_units.unwrap_or_default().into_iter();
        let units = units.map(|unit| Unit {
            id: unit.id.unwrap_or_default(),
            arn: unit.arn.unwrap_or_default(),
            name: unit.name.unwrap_or_default(),
            parent_id: parent.to_owned(),
        });
        (units.collect(), page.next_token.is_some(), page.next_token)
    })
    .await
}
