//! What the kinds of an organization share: IDs, tags, a place in the tree, and lists of the AWS
//! CLI's output that only the file's name says whose they are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::actions::Found;
use super::organizations_policy::is_policy_id;
use super::parts::Tag;
use super::{Context, Kind, Reading, Refused, organizational_unit, organizations_account};
use crate::aws::{CallError, Dump, DumpError, Item, Live, Page, Rank, Reason};
use crate::terraform::Expression;

/// The word by which settings ask for the kinds that make up an organization.
pub(super) const STRUCTURE: &str = "organization_structure";

/// `ou-ab12-cdefgh34`.
pub(super) fn is_unit_id(text: &str) -> bool {
    let parts = text.strip_prefix("ou-").and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(root, unit)| is_code(root, 4) && is_code(unit, 8))
}

/// `r-ab12`.
pub(super) fn is_root_id(text: &str) -> bool {
    text.strip_prefix("r-").is_some_and(|root| is_code(root, 4))
}

/// Twelve digits.
pub(super) fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `rp-ab12cdef`, of the organization's resource policy.
pub(super) fn is_resource_policy_id(text: &str) -> bool {
    text.strip_prefix("rp-").is_some_and(|id| {
        (4..=128).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

fn is_code(text: &str, shortest: usize) -> bool {
    (shortest..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The ID of a unit in a record as the key.
pub(super) fn unit_key(id: &str, _: Option<&str>) -> Found {
    if is_unit_id(id) { Found::Key(id.to_owned()) } else { Found::Unclear }
}

/// The ID of an account in a record as the key.
pub(super) fn account_key(id: &str, _: Option<&str>) -> Found {
    if is_account_id(id) { Found::Key(id.to_owned()) } else { Found::Unclear }
}

/// What was tagged, of the things that have such IDs.
pub(super) fn tagged(id: &str, is_id: fn(&str) -> bool) -> Found {
    let sorts = [is_unit_id, is_account_id, is_resource_policy_id, is_policy_id];
    match id {
        _ if is_id(id) => Found::Key(id.to_owned()),
        _ if is_root_id(id) => Found::Foreign("tags of the organization's root are not exported"),
        _ if sorts.iter().any(|is_sort| is_sort(id)) => Found::Foreign("of another kind"),
        _ => Found::Unclear,
    }
}

/// Why the provider refuses a text as a parent.
pub(super) fn parent_problem(id: &str) -> Option<String> {
    let is_parent = is_root_id(id) || is_unit_id(id);
    (!is_parent).then(|| format!("`{id}` is not the ID of a root or of an organizational unit"))
}

/// The unit or account with this ID, as far as it is one: what resources may refer to.
pub(super) fn mentioned(id: &str) -> Option<(&'static Kind, &str)> {
    match id {
        _ if is_unit_id(id) => Some((&organizational_unit::KIND, id)),
        _ if is_account_id(id) => Some((&organizations_account::KIND, id)),
        _ => None,
    }
}

/// A reference to a unit or account that the module declares, else its ID.
pub(super) fn refer<'a>(context: &Context, id: &'a str) -> Expression<'a> {
    match mentioned(id) {
        Some((kind, key)) => context.refer(kind, key),
        None => Expression::from(id),
    }
}

/// Notes why a listing of the organization is not there.
pub(super) fn fail(reading: &mut Reading, kind: &Kind, error: CallError) {
    match error.reason {
        Reason::NoOrganization => {
            reading.notes.push("the account is in no organization".to_owned())
        }
        Reason::Denied => {
            reading.refused = Some(Refused { what: kind.plural.to_owned(), error });
        }
        _ => reading.failures.push(error.into()),
    }
}

/// The tags of anything in the organization.
pub(super) async fn list_tags(live: &Live, id: &str) -> Result<Vec<Tag>, CallError> {
    let request = |token| {
        let request = live.organizations.list_tags_for_resource();
        request.resource_id(id).set_next_token(token).send()
    };
    live.list("organizations:ListTagsForResource", request, |page| {
        let tags = page.tags.unwrap_or_default().into_iter();
        let tags = tags.map(|tag| Tag { key: tag.key, value: tag.value });
        (tags.collect(), page.next_token.is_some(), page.next_token)
    })
    .await
}

/// The root or unit that a unit or account is in; AWS has one for each.
pub(super) async fn parent_of(live: &Live, id: &str) -> Result<String, CallError> {
    let call = "organizations:ListParents";
    let request =
        |token| live.organizations.list_parents().child_id(id).set_next_token(token).send();
    let parents = live.list(call, request, |page| {
        let parents = page.parents.unwrap_or_default().into_iter();
        (
            parents.filter_map(|parent| parent.id).collect(),
            page.next_token.is_some(),
            page.next_token,
        )
    });
    parents.await?.pop().ok_or_else(|| CallError::empty(call))
}

// --- the AWS CLI's output ------------------------------------------------------------

/// The ID in the name of a file: `list-parents.ou-ab12-cdefgh34.json`.
pub(super) fn id_in_name(path: &Path) -> Option<&str> {
    let name = path.file_stem()?.to_str()?;
    let is_id =
        |text: &&str| is_unit_id(text) || is_account_id(text) || is_resource_policy_id(text);
    let words = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    words.into_iter().find(is_id)
}

/// Puts lists on a shelf whose owner the file's name tells, where it is one of these.
pub(super) fn shelve_lists(
    page: &mut Page,
    lists: &[(&'static str, &'static str)],
    is_id: fn(&str) -> bool,
) {
    if !id_in_name(page.path).is_some_and(is_id) {
        return;
    }
    for (member, shelf) in lists {
        if let Some(list) = page.get(member).filter(|_| page.has_only(member)) {
            page.put(shelf, Rank::Part, list);
        }
    }
}

/// Puts entities on a shelf: those of a list, the one in a member, and the whole, as far as their
/// ARNs say that they are of this sort.
pub(super) fn shelve_entities(
    page: &mut Page,
    (list, member): (&str, &str),
    shelf: &'static str,
    sort: &str,
) -> Result<(), DumpError> {
    let is_of_sort = |value: &&RawValue| {
        let arn = Page::arn_of(value).unwrap_or_default();
        arn.contains(":organizations:") && arn.contains(sort)
    };
    let whole = page.has("Id").then_some(page.whole);
    let found: Vec<_> = page.list(list)?.into_iter().chain(page.get(member)).chain(whole).collect();
    for value in found.into_iter().filter(is_of_sort) {
        page.put(shelf, Rank::OfOrganization, value);
    }
    Ok(())
}

/// Lists whose owner only the file's name tells.
pub(super) struct ById<T> {
    whole: HashMap<String, Vec<T>>,
    /// Owners of whose list the last page is missing.
    cut_short: HashSet<String>,
}

impl<T: Clone> ById<T> {
    /// The list of an owner, if there is one.
    pub fn of(&self, id: &str) -> Option<Vec<T>> {
        self.whole.get(id).cloned()
    }

    pub fn is_cut_short(&self, id: &str) -> bool {
        self.cut_short.contains(id)
    }
}

/// Reads all pages of such lists; `id_of` finds the ID in the name of a file.
pub(super) fn by_id<T: serde::de::DeserializeOwned + PartialEq>(
    dump: &Dump,
    shelf: &'static str,
    what: &'static str,
    id_of: fn(&Path) -> Option<String>,
    errors: &mut Vec<DumpError>,
) -> ById<T> {
    let mut pages: BTreeMap<String, Vec<(Item, Vec<T>)>> = BTreeMap::new();
    for (item, values) in dump.parse::<Vec<T>>(shelf, what, errors) {
        let id = id_of(item.path).expect("files without an ID are not put on the shelf");
        pages.entry(id).or_default().push((item, values));
    }
    let mut found = ById { whole: HashMap::new(), cut_short: HashSet::new() };
    for (id, mut pages) in pages {
        pages.dedup_by(|a, b| a.1 == b.1);
        let truncated = pages.iter().find(|(item, _)| item.is_truncated);
        let last_pages = pages.iter().filter(|(item, _)| !item.is_truncated).count();
        match truncated {
            Some((item, _)) if last_pages != 1 => {
                errors.push(DumpError::CutShort { path: item.path.to_owned(), what });
                found.cut_short.insert(id);
            }
            None if last_pages > 1 => {
                errors.push(DumpError::Contradiction {
                    what,
                    name: id.clone(),
                    first: pages[0].0.path.to_owned(),
                    second: pages[1].0.path.to_owned(),
                });
                found.cut_short.insert(id);
            }
            _ => {
                let values = pages.into_iter().flat_map(|(_, values)| values).collect();
                found.whole.insert(id, values);
            }
        }
    }
    found
}

/// The ID in the name of a file as [`by_id`] asks for it.
pub(super) fn owned_id_in_name(path: &Path) -> Option<String> {
    id_in_name(path).map(str::to_owned)
}

/// One of the Parents of list-parents.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parent {
    pub id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart() {
        for (id, is) in [
            ("ou-ab12-cdefgh34", "unit"),
            ("r-ab12", "root"),
            ("111122223333", "account"),
            ("rp-ab12cdef", "resource policy"),
        ] {
            assert_eq!(is_unit_id(id), is == "unit", "{id}");
            assert_eq!(is_root_id(id), is == "root", "{id}");
            assert_eq!(is_account_id(id), is == "account", "{id}");
            assert_eq!(is_resource_policy_id(id), is == "resource policy", "{id}");
        }
        for id in
            ["", "ou-ab12", "ou-AB12-cdefgh34", "ou-ab12-cdefgh34-x", "r-", "1111", "p-12345678"]
        {
            let is_any = is_unit_id(id) || is_root_id(id) || is_account_id(id);
            assert!(!is_any && !is_resource_policy_id(id), "{id}");
        }
    }

    /// What the AWS CLI prints, by file name, as the kind reads it.
    fn read(kind: &'static Kind, files: &[(&str, &str)]) -> Reading {
        let texts = files.iter().map(|(name, text)| {
            let text = text.replace("ARN", "arn:aws:organizations::111122223333:");
            Ok((std::path::PathBuf::from(name), text))
        });
        let dump = Dump::of_texts(texts, "files", None, false).expect("files of the AWS CLI");
        futures::executor::block_on((kind.read)(&crate::aws::Source::Dump(dump)))
    }

    fn json_of(reading: &Reading, index: usize) -> serde_json::Value {
        serde_json::from_slice(&reading.entities[index].json()).expect("JSON")
    }

    const UNIT: &str =
        r#"{"Id": "ou-a1b2-aaaaaaaa", "Arn": "ARNou/o-x/ou-a1b2-aaaaaaaa", "Name": "a"}"#;
    const ACCOUNT: &str = r#"{"Id": "444455556666", "Arn": "ARNaccount/o-x/444455556666", "Name": "a",
        "Email": "a@b.example", "Status": "ACTIVE", "JoinedTimestamp": "2024-05-06T09:08:09.123000+02:00"}"#;

    #[test]
    fn parents_and_tags_of_units_are_in_files_of_their_own() {
        let kind = &organizational_unit::KIND;
        let list = format!("{{\"OrganizationalUnits\": [{UNIT}]}}");
        let one = format!("{{\"OrganizationalUnit\": {UNIT}}}");
        let alone = read(kind, &[("list.json", &list), ("one.json", &one)]);
        assert_eq!(alone.entities.len(), 1);
        assert!(alone.complete.is_empty() && alone.failures.is_empty());
        let missing: Vec<_> = alone.missing.iter().map(|it| it.command.as_str()).collect();
        let commands = [
            "aws organizations list-parents --child-id ou-a1b2-aaaaaaaa",
            "aws organizations list-tags-for-resource --resource-id ou-a1b2-aaaaaaaa",
        ];
        assert_eq!(missing, commands);
        // The provider insists on a parent, and none is invented.
        let reason = alone.entities[0].json_only().expect("raw JSON only").to_string();
        assert_eq!(reason, "its parent is not known");

        let parents = r#"{"Parents": [{"Id": "r-a1b2", "Type": "ROOT"}]}"#;
        let tags = r#"{"Tags": [{"Key": "b", "Value": ""}, {"Key": "a", "Value": ""}]}"#;
        let whole = [
            ("list.json", list.as_str()),
            ("list-parents.ou-a1b2-aaaaaaaa.json", parents),
            ("list-tags-for-resource.ou-a1b2-aaaaaaaa.json", tags),
        ];
        let whole = read(kind, &whole);
        assert!(whole.missing.is_empty() && whole.failures.is_empty());
        assert!(whole.entities[0].json_only().is_none());
        let json = json_of(&whole, 0);
        assert_eq!((&json["ParentId"], &json["Tags"][0]["Key"]), (&"r-a1b2".into(), &"a".into()));
    }

    #[test]
    fn account_whose_parent_no_file_tells_is_written_without_one() {
        let kind = &organizations_account::KIND;
        let list = format!("{{\"Accounts\": [{ACCOUNT}]}}");
        let reading = read(kind, &[("list.json", &list)]);
        assert_eq!(reading.missing.len(), 2);
        let json = json_of(&reading, 0);
        assert_eq!(json["State"], "ACTIVE");
        assert_eq!(json["JoinedTimestamp"], "2024-05-06T07:08:09Z");
        assert!(json.get("Status").is_none() && json.get("ParentId").is_none());
        let entity = &reading.entities[0];
        assert!(entity.json_only().is_none());
        let text = crate::terraform::format::file(&entity.terraform(&Context::default()));
        assert!(!text.contains("parent_id"), "{text}");
        for ignored in ["close_on_deletion,", "create_govcloud,", "tags,", "tags_all,"] {
            assert!(text.contains(&format!("      {ignored}\n")), "{text}");
        }
        let management = list.replace("444455556666", "111122223333");
        let reading = read(kind, &[("list.json", &management)]);
        let reason = reading.entities[0].json_only().expect("raw JSON only").to_string();
        assert!(reason.contains("management account"), "{reason}");
    }

    #[test]
    fn services_of_administrators_are_in_files_of_their_own() {
        let kind = &super::super::delegated_administrator::KIND;
        let list = format!("{{\"DelegatedAdministrators\": [{ACCOUNT}]}}");
        let reading = read(kind, &[("list.json", &list)]);
        assert!(reading.entities[0].json_only().is_some() && reading.missing.len() == 1);
        let services = r#"{"DelegatedServices": [{"ServicePrincipal": "ram.amazonaws.com"}]}"#;
        let files = [("list.json", list.as_str()), ("services.444455556666.json", services)];
        let reading = read(kind, &files);
        assert!(reading.entities[0].json_only().is_none() && reading.missing.is_empty());
        assert!(json_of(&reading, 0).get("Name").is_none());
        // An administrator is no account by that.
        let json = String::from_utf8(reading.entities[0].json()).expect("UTF-8");
        let reading = read(&organizations_account::KIND, &[("x.json", &json)]);
        assert!(reading.entities.is_empty() && reading.failures.is_empty());
    }

    #[test]
    fn a_file_name_tells_whose_list_it_holds() {
        for (name, id) in [
            ("list-parents.ou-ab12-cdefgh34.json", Some("ou-ab12-cdefgh34")),
            ("tags of 111122223333.json", Some("111122223333")),
            ("rp-ab12cdef.json", Some("rp-ab12cdef")),
            ("list-tags-for-resource.p-ab12cdef.json", None),
            ("1111222233334.json", None),
        ] {
            assert_eq!(id_in_name(Path::new(name)), id, "{name}");
        }
    }
}
