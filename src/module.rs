//! The `terraform/` folder as it is: our files, and what everybody else's files declare.
//!
//! Read so that nothing is declared twice and nothing is destroyed by leaving it out. What is
//! written is decided in `steps`.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::Account;
use crate::desired::Desired;
use crate::directory::Files;
use crate::invisible::visible;
use crate::json::Json;
use crate::resource::{Context, Entity, JsonOnly, Kind};
use crate::terraform::read::{Declarations, declarations, json_declarations};
use crate::terraform::{Address, Block, Body, Expression, format};

/// The versions that a module asks for.
pub const VERSIONS: &str = include_str!("../templates/terraform/versions.tf");
pub const VERSIONS_FILE: &str = "terraform/versions.tf";
pub const PROVIDER_FILE: &str = "terraform/provider.tf";

/// The root module in the folder of an export.
pub struct Module<'a> {
    directory: &'a dyn Files,
    /// The files that Terraform reads: `terraform/main.tf`. Whether all of them are here, and
    /// whether there are none.
    files: BTreeSet<String>,
    /// Override files, and files with values of variables.
    overrides: BTreeSet<String>,
    variables: BTreeSet<String>,
    is_whole: bool,
    is_fresh: bool,
    /// What the files declare that are none of ours.
    foreign: BTreeMap<String, Declarations>,
    /// Those that cannot be read, with why, and their text.
    unreadable: Vec<(String, String)>,
}

impl<'a> Module<'a> {
    /// Looks which files there are. Those named like files of entities of kinds that are read in
    /// part are left aside, but for `own` and those that `others` names.
    ///
    /// # Errors
    ///
    /// The folder cannot be listed.
    pub fn open(
        directory: &'a dyn Files,
        own: &BTreeSet<String>,
        others: &BTreeSet<String>,
        partly_read: &[&Kind],
    ) -> anyhow::Result<Module<'a>> {
        let (mut files, mut is_fresh) = (BTreeSet::new(), true);
        let (mut overrides, mut variables) = (BTreeSet::new(), BTreeSet::new());
        directory.each("terraform", &[], &mut |name| {
            is_fresh = !is_configuration(name);
            is_fresh
        })?;
        let of_entities: Vec<String> =
            partly_read.iter().map(|kind| format!("{}.", kind.terraform_prefix)).collect();
        directory.each("terraform", &of_entities, &mut |name| {
            let path = format!("terraform/{name}");
            if is_configuration(name) {
                files.insert(path);
            } else if is_override(name) {
                overrides.insert(path);
            } else if holds_variables(name) {
                variables.insert(path);
            }
            true
        })?;
        if !partly_read.is_empty() {
            for path in own.union(others) {
                if directory.has(path)? {
                    files.insert(path.clone());
                }
            }
        }
        let is_whole = partly_read.is_empty();
        let (foreign, unreadable) = (BTreeMap::new(), Vec::new());
        Ok(Module {
            directory,
            files,
            overrides,
            variables,
            is_whole,
            is_fresh,
            foreign,
            unreadable,
        })
    }

    /// Reads what all files but `own` declare; the answer is notes on what cannot be read.
    ///
    /// # Errors
    ///
    /// A file is there and cannot be read.
    pub fn read_foreign(
        &mut self,
        own: &BTreeSet<String>,
        desired: &mut Desired,
    ) -> anyhow::Result<Vec<String>> {
        let mut notes = Vec::new();
        for path in self.files.difference(own) {
            let content = self.directory.read(path)?.unwrap_or_default();
            let text = String::from_utf8_lossy(&content);
            let found = match path.ends_with(".json") {
                true => json_declarations(&text).map_err(|error| (error.line(), error.column())),
                false => declarations(&text)
                    .map_err(|error| (error.location().line(), error.location().column())),
            };
            match found {
                Ok(found) => {
                    self.foreign.insert(path.clone(), found);
                    if path.ends_with(".tf")
                        && let Err(error) = desired.add(path, text.into_owned())
                    {
                        notes.push(format!("`{}` {error}", visible(path)));
                    }
                }
                Err((line, column)) => {
                    let syntax = if path.ends_with(".json") { "JSON" } else { "HCL" };
                    notes.push(format!(
                        "`{}` line {line} column {column}: this is not {syntax}, so what it declares is not known",
                        visible(path)
                    ));
                    self.unreadable.push((path.clone(), text.into_owned()));
                }
            }
        }
        for path in &self.overrides {
            let text = self.raw(path)?.unwrap_or_default();
            if let Err(error) = desired.add_override(path, text) {
                notes
                    .push(format!("`{}` {error}, so what it replaces is not known", visible(path)));
            }
        }
        for path in &self.variables {
            let text = self.raw(path)?.unwrap_or_default();
            let text = if path.ends_with(".json") { variables_of_json(&text) } else { text };
            desired.add_variables(path.trim_end_matches(".json"), text);
        }
        Ok(notes)
    }

    /// The file that cannot be read and may declare an entity: one that was declared somewhere before
    /// is sought in any, a new one where its name stands.
    pub fn unreadable(&self, entity: &dyn Entity, has_base: bool) -> Option<&str> {
        let name = format!("\"{}\"", entity.name());
        let is_named = |text: &str| has_base || text.contains(&name);
        self.unreadable.iter().find(|(_, text)| is_named(text)).map(|(path, _)| path.as_str())
    }

    /// Whether there is no Terraform at all yet, so that a missing file is no edit.
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// The text of a file, if it is there, with the line ends this program writes: Git may check
    /// files out with others.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be read.
    pub fn text(&self, path: &str) -> anyhow::Result<Option<String>> {
        if self.is_whole && !self.files.contains(path) {
            return Ok(None);
        }
        let content = self.directory.read(path)?;
        Ok(content.map(|content| {
            let text = String::from_utf8_lossy(&content);
            if text.contains('\r') { text.replace("\r\n", "\n") } else { text.into_owned() }
        }))
    }

    /// The text of a file to the byte, if it is there and text.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be read.
    pub fn raw(&self, path: &str) -> anyhow::Result<Option<String>> {
        let content = self.directory.read(path)?;
        Ok(content.and_then(|content| String::from_utf8(content).ok()))
    }

    /// The file that declares something of the entity and is not followed: one in Terraform's JSON
    /// syntax, or one that imports it and leaves the resource to be written.
    pub fn declared_elsewhere(&self, entity: &dyn Entity, context: &Context) -> Option<JsonOnly> {
        let is_json = |path: &str| path.ends_with(".json");
        let is_lone = |(to, _): &&(Address, Option<String>)| !self.declares(to);
        let lone = |found: &Declarations| Declarations {
            imports: found.imports.iter().filter(is_lone).cloned().collect(),
            ..Declarations::default()
        };
        if !self.has_foreign_resources() {
            return None;
        }
        let body = entity.terraform(context);
        let ours: Vec<_> = body.declarations().collect();
        let is_ours = |found: &Declarations| {
            found.resources.iter().any(|(address, name)| {
                ours.iter().any(|(own, _)| own == address)
                    || ours.first().is_some_and(|(own, _)| {
                        own.resource_type == address.resource_type
                            && name.as_deref() == Some(entity.name())
                    })
            }) || found.imports.iter().any(|(address, id)| {
                ours.iter().any(|(own, own_id)| {
                    own == address
                        || (own.resource_type == address.resource_type
                            && id.is_some()
                            && *own_id == id.as_deref())
                })
            })
        };
        let (path, _) = self.foreign.iter().find(|(path, found)| match is_json(path) {
            true => is_ours(found),
            // What `.tf` files declare is followed, but for an import block without its resource.
            false => !found.imports.is_empty() && is_ours(&lone(found)),
        })?;
        Some(JsonOnly::DeclaredIn(path.clone()))
    }

    /// The files that are none of ours.
    pub fn foreign_files(&self) -> impl Iterator<Item = &String> {
        self.foreign.keys()
    }

    /// Whether a file that is none of ours declares a resource.
    pub fn declares(&self, address: &Address) -> bool {
        let declares = |found: &Declarations| found.resources.iter().any(|(at, _)| at == address);
        self.foreign.values().any(declares)
    }

    pub fn has_foreign(&self) -> bool {
        !self.foreign.is_empty()
    }

    /// Spares a look at every entity where the other files are settings and nothing else.
    fn has_foreign_resources(&self) -> bool {
        self.foreign.values().any(|found| !found.resources.is_empty() || !found.imports.is_empty())
    }

    /// Whether a file that is none of ours declares this very entity under the address we give it,
    /// such as a file of ours that a person renamed.
    pub fn has_under_our_address(&self, entity: &dyn Entity, context: &Context) -> bool {
        if !self.has_foreign_resources() || entity.json_only().is_some() {
            return false;
        }
        let body = entity.terraform(context);
        let Some((own, own_id)) = body.declarations().next() else { return false };
        self.foreign.values().any(|found| {
            let is_imported =
                || found.imports.iter().any(|(to, id)| *to == own && id.as_deref() == own_id);
            found.resources.iter().any(|(address, name)| {
                *address == own && (name.as_deref() == Some(entity.name()) || is_imported())
            })
        })
    }

    /// The files that the whole module shares and that are not there yet.
    pub fn missing_files(&self, account: Option<&Account>) -> Vec<(String, String)> {
        let mut files = Vec::new();
        let is_missing = |path: &str| !self.files.contains(path);
        if is_missing(VERSIONS_FILE) && self.required_providers().is_none() {
            files.push((VERSIONS_FILE.to_owned(), VERSIONS.to_owned()));
        }
        if is_missing(PROVIDER_FILE) && self.aws_provider().is_none() {
            files.push((PROVIDER_FILE.to_owned(), provider(account)));
        }
        files
    }

    /// A file that says where the state is kept.
    pub fn backend(&self) -> Option<&str> {
        self.declaring(|found| found.has_backend)
    }

    /// A file that says which providers are required.
    pub fn required_providers(&self) -> Option<&str> {
        self.declaring(|found| found.has_required_providers)
    }

    /// A file that configures the AWS provider.
    pub fn aws_provider(&self) -> Option<&str> {
        self.declaring(|found| found.has_aws_provider)
    }

    fn declaring(&self, what: fn(&Declarations) -> bool) -> Option<&str> {
        self.foreign.iter().find(|(_, found)| what(found)).map(|(path, _)| path.as_str())
    }

    /// `removed` blocks for everything a file declares, unless `ours` or another file declares it by
    /// now or says where it has moved. To delete the file alone would make Terraform destroy what it holds
    /// in its state.
    pub fn forget(&self, text: &str, ours: &Declarations) -> Option<String> {
        let found = declarations(text).unwrap_or_default();
        let is_elsewhere = |address: &Address| {
            self.foreign.values().chain([ours]).any(|other| {
                other.resources.iter().any(|(declared, _)| declared == address)
                    || other.moved.contains(address)
                    || other.removed.contains(address)
            })
        };
        let addresses = found.resources.iter().map(|(address, _)| address);
        let blocks: Vec<_> =
            addresses.filter(|address| !is_elsewhere(address)).map(removed).collect();
        (!blocks.is_empty()).then(|| format::file(&Body { blocks }))
    }
}

/// Whether Terraform takes a file of the module for configuration. Override files are, too, but they
/// declare nothing of their own.
fn is_configuration(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".tf").or_else(|| name.strip_suffix(".tf.json")) else {
        return false;
    };
    !name.starts_with('.') && stem != "override" && !stem.ends_with("_override")
}

/// Whether what a file of native syntax says replaces arguments of other files.
fn is_override(name: &str) -> bool {
    let stem = name.strip_suffix(".tf").unwrap_or_default();
    !name.starts_with('.') && (stem == "override" || stem.ends_with("_override"))
}

/// Whether Terraform takes the values of variables from a file unasked.
fn holds_variables(name: &str) -> bool {
    let name = name.strip_suffix(".json").unwrap_or(name);
    name == "terraform.tfvars" || name.ends_with(".auto.tfvars")
}

/// Values of variables, from Terraform's JSON syntax to its own.
fn variables_of_json(text: &str) -> String {
    let Ok(Json::Object(values)) = Json::parse(text) else { return String::new() };
    let line = |(name, value): (String, Json)| {
        let value = value.to_string().replace("${", "$${").replace("%{", "%%{");
        format!("{name} = {value}\n")
    };
    values.into_iter().map(line).collect()
}

/// The Terraform of an entity, in place of the text `old`. What AWS has and is left out of it Terraform
/// forgets, if it was in the old file: blocks that are only left out would be destroyed. What it
/// was told to forget before it still is.
pub fn body<'a>(entity: &'a dyn Entity, context: &Context, old: &str) -> Body<'a> {
    let mut body = entity.terraform(context);
    let left_out = entity.left_out(context);
    if old.is_empty() || (left_out.is_empty() && !old.contains("removed")) {
        return body;
    }
    let old = declarations(old).unwrap_or_default();
    let is_known = |address: &Address| {
        old.removed.contains(address) || old.resources.iter().any(|(found, _)| found == address)
    };
    let ours: Vec<Address> = body.declarations().map(|(address, _)| address).collect();
    let forgotten = left_out.iter().filter(|address| is_known(address)).chain(
        old.removed.iter().filter(|address| !left_out.contains(address) && !ours.contains(address)),
    );
    body.blocks.extend(forgotten.map(removed));
    body
}

/// Leaves import blocks out where the old file has none for a resource that it declares: people take
/// them out once they are applied. What is new still comes with its own.
pub fn with_imports_of<'a>(old: &str, mut body: Body<'a>) -> Body<'a> {
    let old = declarations(old).unwrap_or_default();
    body.retain_imports(|to| {
        old.imports.iter().any(|(address, _)| address.to_string() == to)
            || !old.resources.iter().any(|(address, _)| address.to_string() == to)
    });
    body
}

/// Leaves import blocks as the old file has them. What is new there has one if it is in AWS.
pub fn with_imports_of_existing<'a>(
    old: &str,
    mut body: Body<'a>,
    exists: &dyn Fn(&str, &str) -> bool,
) -> Body<'a> {
    let old = declarations(old).unwrap_or_default();
    let old_id = |to: &str| {
        let mut imports = old.imports.iter();
        imports.find(|(address, _)| address.to_string() == to).map(|(_, id)| id.clone())
    };
    let is_declared = |to: &str| old.resources.iter().any(|(address, _)| address.to_string() == to);
    body.blocks.retain_mut(|block| {
        let [(_, Expression::Reference(to)), (_, Expression::String(id))] =
            block.attributes.as_mut_slice()
        else {
            return true;
        };
        if block.keyword != "import" {
            return true;
        }
        match old_id(to) {
            // What AWS has goes by the old ID until the change is applied.
            Some(old) => {
                if let Some(old) = old {
                    *id = old.into();
                }
                true
            }
            None => !is_declared(to) && exists(to, id),
        }
    });
    body
}

/// Whether a file of ours only tells Terraform to forget.
pub fn is_tombstone(text: &str) -> bool {
    text.starts_with("removed") && declarations(text).is_ok_and(|found| found.only_removed)
}

/// The block by which Terraform forgets a resource without destroying it.
fn removed<'a>(address: &Address) -> Block<'a> {
    let lifecycle = Block::new("lifecycle", Vec::new())
        .attribute("destroy", Expression::Reference("false".to_owned()));
    Block::new("removed", Vec::new())
        .attribute("from", Expression::Reference(address.to_string()))
        .block(lifecycle)
}

/// `provider.tf`: the region of the partition's IAM, and no other account than this one.
pub fn provider(account: Option<&Account>) -> String {
    let mut block = Block::new("provider", vec!["aws".to_owned()])
        .optional("region", account.and_then(Account::iam_region));
    if let Some(account) = account {
        let ids = vec![Expression::from(account.id.as_str())];
        block = block.attribute("allowed_account_ids", Expression::List(ids));
    }
    format::file(&Body { blocks: vec![block] })
}
