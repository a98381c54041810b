//! Organizational units: the tree of an organization. Who is in one stands with the account.

use std::collections::BTreeSet;

use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::actions::{Action, Key, Place, Touches};
use super::organization::{self, Parent};
use super::parts::{Tag, tags_argument, tags_problem};
use super::{
    Context, Entity, FromDump, JsonOnly, Kind, Reading, ResourceType, Unreadable, address,
    organizations_account, organizations_policy, read_each,
};
use crate::aws::{CallError, Dump, DumpError, Live, Page, Reason, Source, Unit};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::scope::Scope;
use crate::summary::{Failure, Missing, count};
use crate::terraform::{Body, Expression, resource};

pub static KIND: Kind = Kind {
    name: "organizational unit",
    plural: "organizational units",
    folders: &["organizational_units"],
    terraform_prefix: "organizations_organizational_unit",
    case: Case::Counts,
    do_keys_end_in_names: true,
    asked_by: Some(organization::STRUCTURE),
    detail_list: None,
    resource_types: &[ResourceType {
        name: "aws_organizations_organizational_unit",
        import_id: "UNIT_ID",
        identity: &["parent_id", "name"],
        written: &["name", "parent_id", "tags"],
        left_out: &[
            ("id", "the provider computes it"),
            ("tags_all", "the provider computes it from `tags`"),
        ],
        ..ResourceType::PLAIN
    }],
    permissions: &[
        "organizations:ListOrganizationalUnitsForParent",
        "organizations:ListRoots",
        "organizations:ListTagsForResource",
    ],
    named_permissions: &[
        "organizations:DescribeOrganizationalUnit",
        "organizations:ListAccountsForParent",
        "organizations:ListOrganizationalUnitsForParent",
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
            &["CreateOrganizationalUnit"],
            Touches::Named(&[Key {
                place: Place::Response(&["organizationalUnit", "id"]),
                read: organization::unit_key,
            }]),
        ),
        Action::organizations(
            &["DeleteOrganizationalUnit", "UpdateOrganizationalUnit"],
            Touches::Named(&[Key {
                place: Place::Request(&["organizationalUnitId"]),
                read: organization::unit_key,
            }]),
        ),
        Action::organizations(
            &["TagResource", "UntagResource"],
            Touches::Named(&[Key {
                place: Place::Request(&["resourceId"]),
                read: |id, _| organization::tagged(id, organization::is_unit_id),
            }]),
        ),
    ],
    deeds: &[("UpdateOrganizationalUnit", "name", "gave it the name")],
    parts: &[],
    parse: super::parse::<OrganizationalUnit>,
};

/// The OrganizationalUnit of DescribeOrganizationalUnit, plus its parent and tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OrganizationalUnit {
    id: String,
    arn: String,
    name: String,
    /// `None` means that ListParents was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    /// `None` means that ListTagsForResource was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<Tag>>,
}

impl OrganizationalUnit {
    fn problem(&self) -> Option<String> {
        if !organization::is_unit_id(&self.id) {
            return Some(format!("`{}` is not the ID of an organizational unit", self.id));
        }
        if self.name.is_empty() || self.name.len() > 128 {
            return Some("the provider takes names of 1 to 128 bytes".to_owned());
        }
        match &self.parent_id {
            None => Some("its parent is not known".to_owned()),
            Some(parent) => organization::parent_problem(parent),
        }
        .or_else(|| tags_problem(self.tags()))
    }
}

impl Entity for OrganizationalUnit {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    /// The ID: names may be changed, repeated below another parent, and hold any character.
    #[expect(clippy::misnamed_getters, reason = "the ID is what AWS identifies it by")]
    fn name(&self) -> &str {
        &self.id
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.id, &self.name]
    }

    fn arn(&self) -> &str {
        &self.arn
    }

    fn folder(&self) -> &'static str {
        "organizational_units"
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
        let Some(base) = base.as_any().downcast_ref::<OrganizationalUnit>() else { return };
        self.parent_id = self.parent_id.take().or_else(|| base.parent_id.clone());
        self.tags = self.tags.take().or_else(|| base.tags.clone());
    }

    fn is_named_by_aws(&self) -> bool {
        true
    }

    fn take_defaults(&mut self, base: Option<&dyn Entity>) {
        let base = base.and_then(|base| base.as_any().downcast_ref::<OrganizationalUnit>());
        if base.is_none_or(|base| base.tags.is_some()) {
            self.tags.get_or_insert_default();
        }
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, context: &Context) -> Body<'a> {
        let at = address("aws_organizations_organizational_unit", &self.id);
        let unknown: &[&str] = if self.tags.is_none() { &["tags", "tags_all"] } else { &[] };
        let parent = self.parent_id.as_deref().map(|id| organization::refer(context, id));
        let block = resource(&at)
            .attribute("name", self.name.as_str())
            .optional("parent_id", parent)
            .optional("tags", tags_argument(self.tags()))
            .ignore_changes(unknown);
        let mut body = Body::default();
        body.import(&at, self.id.clone(), block);
        body
    }

    fn mentions(&self) -> Vec<(&'static Kind, &str)> {
        self.parent_id.as_deref().and_then(organization::mentioned).into_iter().collect()
    }

    fn reference(&self) -> Option<Expression<'static>> {
        Some(address("aws_organizations_organizational_unit", &self.id).attribute("id"))
    }
}

impl FromDump for OrganizationalUnit {
    const WHAT: &'static str = "organizational unit";
    fn arn(&self) -> &str {
        &self.arn
    }
    #[expect(clippy::misnamed_getters, reason = "the ID is what AWS identifies it by")]
    fn name(&self) -> &str {
        &self.id
    }
    fn normalize(&mut self) {
        self.tags.iter_mut().for_each(|tags| tags.sort());
    }
}

const SHELF: &str = "OrganizationalUnit";
const PARENTS: &str = "OrganizationalUnitParents";
const TAGS: &str = "OrganizationalUnitTags";

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    let lists = [("Parents", PARENTS), ("Tags", TAGS)];
    organization::shelve_lists(page, &lists, organization::is_unit_id);
    let members = ("OrganizationalUnits", "OrganizationalUnit");
    organization::shelve_entities(page, members, SHELF, ":ou/")
}

/// Files never tell that they hold all units: each listing is of one parent.
fn read_dump(dump: &Dump) -> Reading {
    let mut reading = Reading::default();
    let mut errors = Vec::new();
    let id_of = organization::owned_id_in_name;
    let parents =
        organization::by_id::<Parent>(dump, PARENTS, "list of parents", id_of, &mut errors);
    let tags = organization::by_id::<Tag>(dump, TAGS, "list of tags", id_of, &mut errors);
    reading.failures.extend(errors.into_iter().map(Failure::from));
    let mut units = reading.take(dump, SHELF, |unit: &mut OrganizationalUnit| {
        let parent = || parents.of(&unit.id)?.pop();
        unit.parent_id = unit.parent_id.take().or_else(|| parent().map(|parent| parent.id));
        unit.tags = unit.tags.take().or_else(|| tags.of(&unit.id));
    });
    units.retain(|unit| !parents.is_cut_short(&unit.id) && !tags.is_cut_short(&unit.id));
    let lacking = |lacks: fn(&OrganizationalUnit) -> bool, command: &str, what: &str| {
        let lacking: Vec<_> = units.iter().filter(|unit| lacks(unit)).collect();
        let first = lacking.first()?;
        Some(Missing {
            command: format!("aws organizations {command} {}", first.id),
            what: format!(
                "for each, in a file with the ID in its name: {what} of {}",
                count(lacking.len(), "organizational unit")
            ),
        })
    };
    let parents = lacking(|unit| unit.parent_id.is_none(), "list-parents --child-id", "the parent");
    let tags = lacking(|unit| unit.tags.is_none(), "list-tags-for-resource --resource-id", "tags");
    reading.missing.extend(parents.into_iter().chain(tags));
    reading.entities = units.into_iter().map(|unit| Box::new(unit) as _).collect();
    reading
}

async fn read_live(live: &Live) -> Reading {
    let mut reading = Reading::default();
    let tree = match live.organization().await {
        Ok(tree) => tree,
        Err(error) => {
            organization::fail(&mut reading, &KIND, error);
            return reading;
        }
    };
    reading.failures.extend(tree.failures.iter().cloned().map(Failure::from));
    reading.set_complete("organizational_units");
    let mut answers = futures::stream::iter(tree.units.clone())
        .map(|unit| async move {
            let tags = organization::list_tags(live, &unit.id).await;
            (unit, tags)
        })
        .buffer_unordered(live.concurrency);
    let mut done = 0;
    while let Some((unit, tags)) = answers.next().await {
        done += 1;
        live.progress.count("organizational units", done, Some(tree.units.len()));
        match tags {
            Ok(tags) => reading.entities.push(Box::new(OrganizationalUnit::of(unit, tags))),
            // It is gone by now.
            Err(error) if error.reason == Reason::NotFound => {}
            Err(error) => reading.unreadable.push(Unreadable { name: unit.id, error }),
        }
    }
    live.progress.stop("organizational units");
    reading
}

impl OrganizationalUnit {
    fn of(unit: Unit, tags: Vec<Tag>) -> OrganizationalUnit {
        let mut unit = OrganizationalUnit {
            id: unit.id,
            arn: unit.arn,
            name: unit.name,
            parent_id: Some(unit.parent_id),
            tags: Some(tags),
        };
        unit.normalize();
        unit
    }
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    read_each(live, keys, |id| async move { describe(live, &id).await }).await
}

/// Reads one unit; `None` when there is none with that ID.
async fn describe(live: &Live, id: &str) -> Result<Option<OrganizationalUnit>, CallError> {
    let call = "organizations:DescribeOrganizationalUnit";
    let unit = async {
        let request = live.organizations.describe_organizational_unit();
        let answer = live.call(call, request.organizational_unit_id(id).send()).await?;
        answer.organizational_unit.ok_or_else(|| CallError::empty(call))
    };
    let parent = organization::parent_of(live, id);
    let tags = organization::list_tags(live, id);
    match async { tokio::try_join!(unit, parent, tags) }.await {
        Ok((unit, parent_id, tags)) => {
            let unit = Unit {
                id: unit.id.unwrap_or_default(),
                arn: unit.arn.unwrap_or_default(),
                name: unit.name.unwrap_or_default(),
                parent_id,
            };
            Ok(Some(OrganizationalUnit::of(unit, tags)))
        }
        Err(error) if error.reason == Reason::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The units and accounts in a unit, and the policies attached to it.
async fn users(live: &Live, id: &str) -> Result<Scope, CallError> {
    let units = |token| {
        let request = live.organizations.list_organizational_units_for_parent();
        request.parent_id(id).max_results(20).set_next_token(token).send()
    };
    let units = live.list("organizations:ListOrganizationalUnitsForParent", units, |page| {
        (page.organizational_units.unwrap_or_default(), page.next_token.is_some(), page.next_token)
    });
    let accounts = organizations_account::ids_in(live, id);
    let policies = organizations_policy::attached_to(live, id);
    let mut scope = Scope::default();
    match async { tokio::try_join!(units, accounts, policies) }.await {
        Ok((units, accounts, policies)) => {
            let units = units.into_iter().filter_map(|unit| unit.id);
            units.for_each(|id| scope.add(KIND.plural, id));
            accounts.into_iter().for_each(|id| scope.add(organizations_account::KIND.plural, id));
            policies.into_iter().for_each(|id| scope.add(organizations_policy::KIND.plural, id));
            Ok(scope)
        }
        Err(error) if error.reason == Reason::NotFound => Ok(scope),
        Err(error) => Err(error),
    }
}
