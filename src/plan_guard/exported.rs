//! What the repository beside a plan says: the raw JSON of the export, and what the plan does not
//! tell of its source.
//!
//! The only part of the guard that reads files. A plan tells the references in an expression and
//! not what is done with them, so whether an argument is a bare reference is read in the source.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Context as _;

use super::identity::Identity;
use super::plan::Plan;
use crate::directory::Files;
use crate::resource::organizations_policy::OrganizationsPolicy;
use crate::resource::parts::managed_elsewhere;
use crate::resource::policy::Policy;
use crate::resource::{Context, Entity, KINDS};
use crate::settings::Coverage;
use crate::terraform::source::{Removed, SourceFile};

/// What the rules ask of the repository.
#[derive(Debug, Default)]
pub struct Exported {
    /// Resource type and import ID of all that an export writes, with the address it gives it.
    imports: HashMap<(String, String), String>,
    pub identities: Vec<Identity>,
    /// Documents of customer managed policies, by ARN.
    policies: HashMap<String, String>,
    /// By ID.
    organizations: BTreeMap<String, Attached>,
    /// Arguments that are bare references, by resource and name.
    references: HashMap<(String, String), Reference>,
    /// Resources in which nothing stands that the plan could hide: no policies of their own, no
    /// blocks that come of an expression.
    plain: HashSet<String>,
    /// Files with a `removed` block that runs a program.
    pub hidden_provisioners: Vec<String>,
    /// Addresses of modules whose source does not lie in the repository.
    pub unread_modules: Vec<String>,
}

/// An organizations policy and where it is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    pub policy_type: String,
    pub content: String,
    /// None: not known.
    pub targets: Option<Vec<String>>,
}

/// One attribute of another resource: `module.a.aws_iam_policy.x` and `arn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub resource: String,
    pub attribute: String,
}

impl Exported {
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
                    exported.add(entity.as_ref(), coverage);
                }
            }
        }
        let root = below(coverage.prefix(), "terraform");
        for (address, folder) in folders(&root, plan) {
            match folder {
                Some(folder) => exported.read_source(files, &folder, &address)?,
                None => exported.unread_modules.push(address),
            }
        }
        Ok(exported)
    }

    /// The address that an export gives to what has this import ID.
    pub fn import(&self, resource_type: &str, id: &str) -> Option<&str> {
        self.imports.get(&(resource_type.to_owned(), id.to_owned())).map(String::as_str)
    }

    /// The document of a customer managed policy.
    pub fn policy(&self, arn: &str) -> Option<&str> {
        self.policies.get(arn).map(String::as_str)
    }

    pub fn organizations_policy(&self, id: &str) -> Option<&Attached> {
        self.organizations.get(id)
    }

    /// The organizations policies that are attached to a target, by ID.
    pub fn attached_to<'a>(
        &'a self,
        target: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Attached)> {
        let is_attached = move |policy: &Attached| {
            policy.targets.as_ref().is_some_and(|targets| targets.iter().any(|of| of == target))
        };
        let policies = self.organizations.iter().map(|(id, policy)| (id.as_str(), policy));
        policies.filter(move |(_, policy)| is_attached(policy))
    }

    /// What an argument refers to, if its source is a bare reference.
    pub fn reference(&self, resource: &str, argument: &str) -> Option<&Reference> {
        self.references.get(&(resource.to_owned(), argument.to_owned()))
    }

    /// Whether the source declares neither inline policies nor attachments in the resource itself.
    pub fn is_plain(&self, resource: &str) -> bool {
        self.plain.contains(resource)
    }

    fn add(&mut self, entity: &dyn Entity, coverage: &Coverage) {
        let context = Context {
            organizations_attachments: true,
            managed_elsewhere: coverage.managed_elsewhere,
            ..Context::default()
        };
        let is_elsewhere =
            !coverage.managed_elsewhere && managed_elsewhere(entity.tags()).is_some();
        if entity.json_only().is_none() && !is_elsewhere {
            for (address, id) in entity.terraform(&context).declarations() {
                let Some(id) = id else { continue };
                let key = (address.resource_type.to_string(), id.to_owned());
                self.imports.insert(key, address.to_string());
            }
        }
        if !entity.path().is_empty() {
            let tags = entity.tags().to_vec();
            let path = Some(entity.path().to_owned());
            self.identities.push(Identity { path, tags, ..Identity::of_arn(entity.arn()) });
        }
        if let Some(policy) = entity.as_any().downcast_ref::<Policy>() {
            let document = policy.document().map(ToString::to_string);
            self.policies.insert(entity.arn().to_owned(), document.unwrap_or_default());
        }
        if let Some(policy) = entity.as_any().downcast_ref::<OrganizationsPolicy>() {
            let attached = Attached {
                policy_type: policy.policy_type().to_owned(),
                content: policy.content().to_string(),
                targets: policy.targets().map(|ids| ids.map(str::to_owned).collect()),
            };
            self.organizations.insert(entity.name().to_owned(), attached);
        }
    }

    /// Looks for bare references in a module, and for programs that a `removed` block runs, of which
    /// a plan says nothing.
    fn read_source(&mut self, files: &dyn Files, folder: &str, module: &str) -> anyhow::Result<()> {
        let mut sources = Vec::new();
        let mut is_read = true;
        for name in files.files(folder)? {
            let is_json = name.ends_with(".tf.json");
            if !is_json && !name.ends_with(".tf") {
                continue;
            }
            let path = format!("{folder}/{name}");
            let text =
                String::from_utf8_lossy(&files.read(&path)?.unwrap_or_default()).into_owned();
            let may_run = text.contains("removed") && text.contains("provisioner");
            match SourceFile::parse(&path, text) {
                Ok(file) if !is_json => {
                    is_read &= !file.is_override();
                    let runs = |of: Removed| of.block.blocks().any(|of| of.name() != "lifecycle");
                    self.hidden_provisioners.extend(file.removed().any(runs).then_some(path));
                    sources.push(file);
                }
                // Terraform may read what this program does not: words count then.
                _ => {
                    is_read = false;
                    self.hidden_provisioners.extend(may_run.then_some(path));
                }
            }
        }
        if is_read {
            sources.iter().for_each(|file| self.add_source(file, module));
        }
        Ok(())
    }

    fn add_source(&mut self, file: &SourceFile, module: &str) {
        let dot = if module.is_empty() { "" } else { "." };
        for resource in file.resources() {
            let address = format!("{module}{dot}{}", resource.address);
            for attribute in resource.block.attributes() {
                if let Some(mut reference) = Reference::parse(attribute.value.source()) {
                    reference.resource = format!("{module}{dot}{}", reference.resource);
                    let key = (address.clone(), attribute.name.to_owned());
                    self.references.insert(key, reference);
                }
            }
            let hides = |name: &str| matches!(name, "inline_policy" | "dynamic");
            let is_plain = !resource.block.blocks().any(|nested| hides(nested.name()))
                && resource.block.value("managed_policy_arns").is_none();
            self.plain.extend(is_plain.then_some(address));
        }
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

impl Reference {
    /// Reads `aws_iam_policy.x.arn`, with a key of its instance or without.
    fn parse(source: &str) -> Option<Reference> {
        let source = source.trim();
        let (source, attribute) = source.rsplit_once('.')?;
        let source = match source.split_once('[') {
            Some((resource, key)) if is_key(key.strip_suffix(']')?) => resource,
            Some(_) => return None,
            None => source,
        };
        let (resource_type, name) = source.split_once('.')?;
        let is_reference = resource_type.starts_with("aws_")
            && is_identifier(resource_type)
            && is_identifier(name)
            && is_identifier(attribute);
        is_reference
            .then(|| Reference { resource: source.to_owned(), attribute: attribute.to_owned() })
    }
}

fn is_key(key: &str) -> bool {
    matches!(key, "each.key" | "each.value" | "count.index")
        || key.bytes().all(|byte| byte.is_ascii_digit())
        || key
            .strip_prefix('"')
            .and_then(|key| key.strip_suffix('"'))
            .is_some_and(|key| !key.contains(['"', '\\', '$', '%']))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
impl Exported {
    /// For the tests of the rules.
    pub fn with_import(mut self, resource_type: &str, id: &str, address: &str) -> Exported {
        self.imports.insert((resource_type.to_owned(), id.to_owned()), address.to_owned());
        self
    }

    pub fn with_policy(mut self, arn: &str, document: &str) -> Exported {
        self.policies.insert(arn.to_owned(), document.to_owned());
        self
    }

    pub fn with_organizations_policy(mut self, id: &str, policy: Attached) -> Exported {
        self.organizations.insert(id.to_owned(), policy);
        self
    }

    pub fn with_plain(mut self, resource: &str) -> Exported {
        self.plain.insert(resource.to_owned());
        self
    }

    pub fn with_reference(mut self, resource: &str, argument: &str, source: &str) -> Exported {
        let reference = Reference::parse(source).unwrap();
        self.references.insert((resource.to_owned(), argument.to_owned()), reference);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_references_are_told_from_expressions() {
        for source in [
            "aws_iam_policy.x.arn",
            "aws_iam_policy.x[0].arn",
            "aws_iam_policy.x[each.key].arn",
            "aws_iam_policy.x[\"a b\"].arn",
        ] {
            let found = Reference::parse(source).unwrap();
            assert_eq!(
                (found.resource.as_str(), found.attribute.as_str()),
                ("aws_iam_policy.x", "arn")
            );
        }
        for source in [
            "replace(aws_iam_policy.x.arn, \"a\", \"b\")",
            "\"${aws_iam_policy.x.arn}\"",
            "aws_iam_policy.x.arn == \"\" ? \"a\" : aws_iam_policy.y.arn",
            "data.aws_iam_policy.x.arn",
            "local.x.arn",
            "module.x.y.arn",
            "aws_iam_policy.x[local.key].arn",
            "aws_iam_policy.x[\"${local.key}\"].arn",
            "aws_iam_policy.x",
            "aws_iam_policy.x.y.arn",
            "aws_iam_policy.x[0]",
            "\"aws_iam_policy.x.arn\"",
        ] {
            assert_eq!(Reference::parse(source), None, "{source}");
        }
    }

    #[test]
    fn folders_of_modules_stay_in_the_repository() {
        assert_eq!(joined("terraform", "./a/b").as_deref(), Some("terraform/a/b"));
        assert_eq!(joined("terraform", "../modules/a").as_deref(), Some("modules/a"));
        assert_eq!(joined("terraform", "../../x"), None);
    }
}
