//! What the listing looks like: AWS's four lists, with what AWS counts and repeats in them.
//!
//! The kinds say which list their entities are in, and their raw JSON has AWS's own members. What it
//! has beyond them stays: no tool minds, and an export from the listing loses nothing.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::invisible::visible;
use crate::json::{Json, ParseError};
use crate::resource::{Entity, pretty_json};
use crate::summary::count;

/// The lists, in the order in which the AWS CLI prints them.
const LISTS: [&str; 4] = ["UserDetailList", "GroupDetailList", "RoleDetailList", POLICIES];
/// The list of what the entities of the others attach.
const POLICIES: &str = "Policies";

/// Names shown of many; a number tells of the rest.
const SHOWN: usize = 20;

/// An entity of the listing.
pub struct Listed {
    list: &'static str,
    /// What notes call its file.
    file: String,
    json: Json,
    was_made: bool,
    has_text_for_document: bool,
    has_no_document: bool,
}

type Members = Vec<(String, Json)>;

impl Listed {
    /// Takes an entity's raw JSON.
    ///
    /// # Errors
    ///
    /// It nests too deeply.
    pub fn new(
        entity: &mut dyn Entity,
        list: &'static str,
        file: String,
    ) -> Result<Listed, ParseError> {
        let json = Json::parse(&String::from_utf8_lossy(&entity.json()))?;
        let was_made = entity.was_made();
        let mut documents = entity.documents().into_iter();
        let has_text_for_document = documents.any(|(_, _, document)| document.problem().is_some());
        let has_no_document =
            list == POLICIES && items(json.member("PolicyVersionList")).is_empty();
        Ok(Listed { list, file, json, was_made, has_text_for_document, has_no_document })
    }

    /// The ARNs of the managed policies that are attached to it.
    fn attached(&self) -> impl Iterator<Item = &str> {
        let attached = items(self.json.member("AttachedManagedPolicies"));
        attached.iter().filter_map(|policy| text_of(policy.member("PolicyArn")))
    }

    /// The ARN of the managed policy that is its boundary.
    fn boundary(&self) -> Option<&str> {
        text_of(self.json.member("PermissionsBoundary")?.member("PermissionsBoundaryArn"))
    }
}

/// `RoleId`, `PolicyId` …, and no `DefaultVersionId`.
fn is_own_id(key: &str) -> bool {
    key.ends_with("Id") && !key.ends_with("VersionId")
}

/// The listing, in the order of the entities.
pub fn text(entities: Vec<Listed>) -> String {
    let mut attachments: HashMap<String, usize> = HashMap::new();
    let mut boundaries: HashMap<String, usize> = HashMap::new();
    for entity in &entities {
        for arn in entity.attached() {
            *attachments.entry(arn.to_owned()).or_default() += 1;
        }
        if let Some(arn) = entity.boundary() {
            *boundaries.entry(arn.to_owned()).or_default() += 1;
        }
    }
    let mut lists: Vec<(&str, Vec<Json>)> = LISTS.map(|list| (list, Vec::new())).into();
    for entity in entities {
        let Json::Object(mut members) = entity.json else { continue };
        // What AWS has not made has no ID, rather than an empty one that others have too.
        members.retain(|(key, value)| !(is_own_id(key) && text_of(Some(value)) == Some("")));
        if entity.list == POLICIES {
            let arn = members.iter().find(|(key, _)| key == "Arn");
            let arn = arn.and_then(|(_, arn)| text_of(Some(arn))).unwrap_or_default();
            let of = |counts: &HashMap<String, usize>| {
                Json::Number(counts.get(arn).copied().unwrap_or_default().to_string())
            };
            let counts = [
                ("AttachmentCount", of(&attachments)),
                ("PermissionsBoundaryUsageCount", of(&boundaries)),
            ];
            insert_after(&mut members, "DefaultVersionId", counts);
        }
        spell_dates(&mut members);
        repeat_roles(&mut members);
        let list = lists.iter_mut().find(|(list, _)| *list == entity.list);
        list.expect("the kinds' lists are AWS's").1.push(Json::Object(members));
    }
    let lists = lists.into_iter().map(|(name, list)| (name.to_owned(), Json::Array(list)));
    String::from_utf8_lossy(&pretty_json(&Json::Object(lists.collect()))).into_owned()
}

/// Spells dates as the AWS CLI does, the entity's and those of its parts: `+00:00` for `Z`. Documents
/// are left alone.
fn spell_dates(members: &mut Members) {
    for (key, value) in members {
        match value {
            Json::String(date) if key.ends_with("Date") && date.ends_with('Z') => {
                date.truncate(date.len() - 1);
                date.push_str("+00:00");
            }
            Json::Array(parts)
                if ["InstanceProfileList", "PolicyVersionList"].contains(&&**key) =>
            {
                for part in parts {
                    let Json::Object(members) = part else { continue };
                    spell_dates(members);
                }
            }
            _ => {}
        }
    }
}

/// Repeats the role in its instance profiles, as AWS does.
fn repeat_roles(members: &mut Members) {
    const REPEATED: [&str; 6] =
        ["Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument"];
    let repeated = members.iter().filter(|(key, _)| REPEATED.contains(&key.as_str()));
    let role = Json::Object(repeated.cloned().collect());
    let profiles = members.iter_mut().find(|(key, _)| key == "InstanceProfileList");
    if let Some((_, Json::Array(profiles))) = profiles {
        for profile in profiles {
            let Json::Object(profile) = profile else { continue };
            let roles = Json::Array(vec![role.clone()]);
            insert_after(profile, "CreateDate", [("Roles", roles)]);
        }
    }
}

fn insert_after<const N: usize>(members: &mut Members, after: &str, new: [(&str, Json); N]) {
    let at = members.iter().position(|(key, _)| key == after).map_or(members.len(), |at| at + 1);
    members.splice(at..at, new.map(|(key, value)| (key.to_owned(), value)));
}

/// What the listing does not tell and a reader takes for granted.
pub fn notes(entities: &[Listed]) -> Vec<String> {
    let mut notes = Vec::new();
    let policies = entities.iter().filter(|entity| entity.list == POLICIES);
    let known: HashSet<&str> =
        policies.filter_map(|policy| text_of(policy.json.member("Arn"))).collect();
    let used = entities.iter().flat_map(|entity| entity.attached().chain(entity.boundary()));
    let missing: BTreeSet<&str> = used.filter(|arn| !known.contains(arn)).collect();
    if !missing.is_empty() {
        let of_aws = missing.iter().any(|arn| arn.contains(":iam::aws:policy/"));
        let remedy = match of_aws {
            true => "; exports write AWS's own with `--aws-managed`, or `aws_managed = true`",
            false => "",
        };
        notes.push(format!(
            "{} in use, but not in the repository, so no tool sees what they grant: {}{remedy}",
            match missing.len() {
                1 => "1 managed policy is".to_owned(),
                many => format!("{} are", count(many, "managed policy")),
            },
            names(missing),
        ));
    }
    let mut note = |what: &str, is_meant: fn(&Listed) -> bool| {
        let files: Vec<_> = entities.iter().filter(|it| is_meant(it)).collect();
        if !files.is_empty() {
            notes.push(format!("{what}: {}", names(files.iter().map(|it| it.file.as_str()))));
        }
    };
    note("AWS has not made these yet, so they have no ID, and tools may refuse them", |entity| {
        !entity.was_made
    });
    note(
        "these hold a document that is no JSON object or has a key twice; it stands there as text, \
         and tools may refuse it",
        |entity| entity.has_text_for_document,
    );
    note("these hold no version of their policy, so no tool sees what they grant", |entity| {
        entity.has_no_document
    });
    notes
}

/// `` `a`, `b` and 3 more ``.
pub fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<_> =
        names.by_ref().take(SHOWN).map(|name| format!("`{}`", visible(name))).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn items(list: Option<&Json>) -> &[Json] {
    match list {
        Some(Json::Array(items)) => items,
        _ => &[],
    }
}

fn text_of(value: Option<&Json>) -> Option<&str> {
    match value? {
        Json::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::KINDS;

    #[test]
    fn lists_of_the_kinds_are_those_of_aws() {
        let lists: Vec<_> = KINDS.iter().filter_map(|kind| kind.detail_list).collect();
        assert!(!lists.is_empty() && lists.iter().all(|list| LISTS.contains(list)), "{lists:?}");
    }

    #[test]
    fn many_names_are_cut_short() {
        assert_eq!(names(["a", "b\u{1b}"]), "`a`, `b\\u{1b}`");
        let many: Vec<_> = (0..23).map(|number| number.to_string()).collect();
        assert!(names(many.iter().map(String::as_str)).ends_with("`19` and 3 more"));
    }
}
