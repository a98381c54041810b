//! Reads what the guard asks of a repository: raw JSON, and what a plan hides of its source.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::directory::Files;
use crate::json::Json;
use crate::plan_guard::exported::{Attached, Exported, Reference};
use crate::plan_guard::identity::Identity;
use crate::plan_guard::plan::Plan;
use crate::resource::organizations_policy::OrganizationsPolicy;
use crate::resource::parts::managed_elsewhere;
use crate::resource::policy::Policy;
use crate::resource::{Context, Entity, KINDS};
use crate::settings::Coverage;
use crate::terraform::source::{Removed, SourceFile};

/// Reads the folder of an export, as far as the plan makes it necessary.
///
/// # Errors
///
/// A file that cannot be read, or that is no raw JSON of an export.
pub fn read(files: &dyn Files, coverage: &Coverage, plan: &Plan) -> anyhow::Result<Exported> {
    let mut exported = Exported::default();
    for kind in KINDS {
        for folder in kind.folders {
            let folder = below(coverage.prefix(), folder);
            let names = files.files(&folder)?;
            for name in names.iter().filter(|name| name.ends_with(".json")) {
                let path = format!("{folder}/{name}");
                let content = files.read(&path)?.unwrap_or_default();
                let entity = std::str::from_utf8(&content)
                    .map_err(anyhow::Error::new)
                    .and_then(|text| Ok((kind.parse)(text)?))
                    .with_context(|| format!("`{path}` is no raw JSON of an export"))?;
                add(&mut exported, entity.as_ref(), coverage);
            }
        }
    }
    let root = below(coverage.prefix(), "terraform");
    for (address, folder) in folders(&root, plan) {
        match folder {
            Some(folder) => read_source(&mut exported, files, &folder, &address)?,
            None => exported.unread_modules.push(address),
        }
    }
    Ok(exported)
}

fn add(exported: &mut Exported, entity: &dyn Entity, coverage: &Coverage) {
    let context = Context {
        organizations_attachments: true,
        exclusive: true,
        managed_elsewhere: coverage.managed_elsewhere,
        ..Context::default()
    };
    let is_elsewhere = !coverage.managed_elsewhere && managed_elsewhere(entity.tags()).is_some();
    if entity.json_only().is_none() && !is_elsewhere {
        for (address, id) in entity.terraform(&context).declarations() {
            let Some(id) = id else { continue };
            let key = (address.resource_type.to_string(), id.to_owned());
            exported.imports.insert(key, address.to_string());
        }
    }
    if !entity.path().is_empty() {
        let tags = entity.tags().to_vec();
        let path = Some(entity.path().to_owned());
        exported.identities.push(Identity { path, tags, ..Identity::of_arn(entity.arn()) });
    }
    if let Some(policy) = entity.as_any().downcast_ref::<Policy>() {
        let document = policy.document().map(ToString::to_string);
        exported.policies.insert(entity.arn().to_owned(), document.unwrap_or_default());
    }
    if let Some(policy) = entity.as_any().downcast_ref::<OrganizationsPolicy>() {
        let attached = Attached {
            policy_type: policy.policy_type().to_owned(),
            content: policy.content().to_string(),
            targets: policy.targets().map(|ids| ids.map(str::to_owned).collect()),
        };
        exported.organizations.insert(entity.name().to_owned(), attached);
        let of_name = |name: &str| Identity {
            kind: "organizations-policy".to_owned(),
            name: name.to_owned(),
            arn: Some(entity.arn().to_owned()),
            id: Some(entity.name().to_owned()),
            tags: entity.tags().to_vec(),
            ..Identity::default()
        };
        exported.identities.extend(entity.names().into_iter().map(of_name));
    }
}

/// Looks for bare references in a module, and for programs that a `removed` block runs, of which
/// a plan says nothing.
fn read_source(
    exported: &mut Exported,
    files: &dyn Files,
    folder: &str,
    module: &str,
) -> anyhow::Result<()> {
    let mut sources = Vec::new();
    let mut is_read = true;
    for name in files.files(folder)? {
        // What Terraform passes over declares nothing.
        if name.starts_with('.') {
            continue;
        }
        let is_json = name.ends_with(".tf.json");
        if !is_json && !name.ends_with(".tf") {
            continue;
        }
        let path = format!("{folder}/{name}");
        let text = String::from_utf8_lossy(&files.read(&path)?.unwrap_or_default()).into_owned();
        if is_json {
            let Ok(json) = Json::parse(&text) else {
                is_read = false;
                exported.hidden_provisioners.push(path);
                continue;
            };
            let has = |wanted: &str| has_key(&json, wanted);
            is_read &= !has("resource") && !has("module");
            let may_run = has("removed") && has("provisioner");
            exported.hidden_provisioners.extend(may_run.then_some(path));
            continue;
        }
        let may_run = text.contains("removed") && text.contains("provisioner");
        match SourceFile::parse(&path, text) {
            Ok(file) => {
                is_read &= !file.is_override();
                let runs = |of: Removed| of.block.blocks().any(|of| of.name() != "lifecycle");
                exported.hidden_provisioners.extend(file.removed().any(runs).then_some(path));
                sources.push(file);
            }
            // Terraform may read what this program does not: words count then.
            Err(_) => {
                is_read = false;
                exported.hidden_provisioners.extend(may_run.then_some(path));
            }
        }
    }
    if is_read {
        sources.iter().for_each(|file| add_source(exported, file, module));
    }
    Ok(())
}

/// Whether an object in it has a key, however the key is escaped.
fn has_key(json: &Json, wanted: &str) -> bool {
    match json {
        Json::Object(members) => {
            members.iter().any(|(key, value)| key == wanted || has_key(value, wanted))
        }
        Json::Array(items) => items.iter().any(|item| has_key(item, wanted)),
        _ => false,
    }
}

fn add_source(exported: &mut Exported, file: &SourceFile, module: &str) {
    let dot = if module.is_empty() { "" } else { "." };
    for resource in file.resources() {
        let address = format!("{module}{dot}{}", resource.address);
        for attribute in resource.block.attributes() {
            if let Some(mut reference) = Reference::parse(attribute.value.source()) {
                reference.resource = format!("{module}{dot}{}", reference.resource);
                let key = (address.clone(), attribute.name.to_owned());
                exported.references.insert(key, reference);
            }
        }
        let hides = |name: &str| matches!(name, "inline_policy" | "dynamic");
        let is_plain = !resource.block.blocks().any(|nested| hides(nested.name()))
            && resource.block.value("managed_policy_arns").is_none();
        exported.plain.extend(is_plain.then_some(address));
    }
}

/// A folder below the one of everything.
fn below(prefix: &str, folder: &str) -> String {
    match prefix {
        "" => folder.to_owned(),
        prefix => format!("{prefix}/{folder}"),
    }
}

/// The modules and their folders, the root's first; none: it does not lie in the repository.
fn folders(root: &str, plan: &Plan) -> BTreeMap<String, Option<String>> {
    let mut known: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (address, source, _) in plan.configuration.modules() {
        let parent = address.rsplit_once(".module.").map_or("", |(parent, _)| parent);
        let folder = match known.get(parent) {
            _ if address.is_empty() => Some(root.to_owned()),
            Some(Some(parent)) if source.starts_with('.') => joined(parent, source),
            _ => None,
        };
        known.insert(address, folder);
    }
    known
}

/// A relative path below another; none if it leaves the repository.
fn joined(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_at_any_depth_and_in_any_spelling() {
        let json = Json::parse(r#"{"rem\u006fved":[{"provisi\u006fner":[]}]}"#).unwrap();
        assert!(has_key(&json, "removed") && has_key(&json, "provisioner"));
        assert!(!has_key(&json, "resource"));
    }

    #[test]
    fn what_terraform_passes_over_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let decoy = "resource \"aws_iam_role_policy_attachment\" \"x\" {\n  policy_arn = aws_iam_policy.y.arn\n}\n";
        write(".zz.tf", decoy);
        let read = || {
            let mut exported = Exported::default();
            let files = crate::directory::Directory::new(folder.path(), true);
            read_source(&mut exported, &files, ".", "").unwrap();
            exported
        };
        assert!(read().references.is_empty());
        write("zz.tf", decoy);
        write("variables.tf.json", r#"{"variable":{"x":{}}}"#);
        assert_eq!(read().references.len(), 1);
        write("program.tf.json", r#"{"rem\u006fved":[{"provisi\u006fner":[]}]}"#);
        assert_eq!(read().hidden_provisioners, ["./program.tf.json"]);
        write("program.tf.json", "{");
        let unread = read();
        assert_eq!((unread.hidden_provisioners.len(), unread.references.len()), (1, 0));
    }

    #[test]
    fn folders_of_modules_stay_in_the_repository() {
        assert_eq!(joined("terraform", "./a/b").as_deref(), Some("terraform/a/b"));
        assert_eq!(joined("terraform", "../modules/a").as_deref(), Some("modules/a"));
        assert_eq!(joined("terraform", "../../x"), None);
    }
}
