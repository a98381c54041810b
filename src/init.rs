//! What a repository needs around its export: backend, settings, workflows, owners, a README.
//!
//! A table of files, filled in and written where nothing stands yet. What the values may be is decided
//! in `cli::init`; roles, bucket and provider for GitHub's tokens are the infrastructure's.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::aws::Account;
use crate::desired::Desired;
use crate::directory::Directory;
use crate::error::Refused;
use crate::module::{Module, PROVIDER_FILE, VERSIONS, VERSIONS_FILE, provider};
use crate::settings::account_id;
use crate::settings::accounts::folder_of;
use crate::settings::file::FILE_NAME;
use crate::settings::values::Prefix;

/// A workflow that may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workflow {
    Plan,
    Apply,
    Drift,
    Export,
}

/// The program that the workflows run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub url: String,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// What goes into the files; each value is fit to stand in YAML, HCL and TOML as it is.
#[derive(Clone, Debug)]
pub struct InitSettings {
    /// The root of the checkout.
    pub folder: PathBuf,
    pub prefix: Option<Prefix>,
    pub account: Account,
    pub region: String,
    pub state_bucket: String,
    pub plan_role: String,
    pub apply_role: String,
    pub export_role: String,
    pub branch: String,
    pub environment: Option<String>,
    /// Who must approve changes of what decides, as CODEOWNERS names them.
    pub team: Option<String>,
    pub program: Option<Program>,
    pub workflows: BTreeSet<Workflow>,
    pub dry_run: bool,
}

/// A file of the table.
struct Template {
    /// Where it goes; `@…@` as in the text.
    path: &'static str,
    text: &'static str,
    purpose: &'static str,
    workflow: Option<Workflow>,
}

impl Template {
    const fn new(path: &'static str, text: &'static str, purpose: &'static str) -> Template {
        Template { path, text, purpose, workflow: None }
    }

    const fn of(self, workflow: Workflow) -> Template {
        Template { workflow: Some(workflow), ..self }
    }
}

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("../templates/repository/", $name))
    };
}

const BACKEND_FILE: &str = "terraform/backend.tf";
const CODEOWNERS: &str = ".github/CODEOWNERS";

/// All but the two files that an export writes, too.
const TEMPLATES: [Template; 9] = [
    Template::new(
        "@terraform_folder@/backend.tf",
        template!("backend.tf"),
        "where the state is kept",
    ),
    Template::new(FILE_NAME, template!("settings.toml"), "what is exported, and how"),
    Template::new("@folder@README.md", template!("README.md"), "how the team works with it"),
    Template::new(".gitignore", template!("gitignore"), "what Terraform keeps for itself"),
    Template::new(CODEOWNERS, template!("CODEOWNERS"), "who approves changes of what decides"),
    Template::new(
        ".github/workflows/plan@slug@.yml",
        template!("workflows/plan.yml"),
        "what a pull request would change, as a comment",
    )
    .of(Workflow::Plan),
    Template::new(
        ".github/workflows/apply@slug@.yml",
        template!("workflows/apply.yml"),
        "applies the branch",
    )
    .of(Workflow::Apply),
    Template::new(
        ".github/workflows/drift@slug@.yml",
        template!("workflows/drift.yml"),
        "tells once a day what is out of step",
    )
    .of(Workflow::Drift),
    Template::new(
        ".github/workflows/export@slug@.yml",
        template!("workflows/export.yml"),
        "exports the account every hour",
    )
    .of(Workflow::Export),
];

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Written,
    /// It is there already, as it would be written.
    Same,
    /// It is there already, and says something else.
    Kept,
    /// This other file says it already.
    Elsewhere(String),
}

/// A file, with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Below the root of the checkout.
    pub path: String,
    pub purpose: &'static str,
    pub fate: Fate,
}

/// Writes what is not there yet.
///
/// # Errors
///
/// A folder on the way is a symbolic link or a file: nothing is written then. A file cannot be written:
/// those before it are there, whole.
pub fn init(settings: &InitSettings) -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    for (path, purpose, text) in texts(settings) {
        refuse_detours(&settings.folder, &path)?;
        files.push((path, purpose, text));
    }
    let elsewhere = declared(settings)?;
    let mut outcome = Vec::new();
    for (path, purpose, text) in files {
        let full = settings.folder.join(&path);
        let other = elsewhere.iter().find(|(ours, _)| *ours == path);
        let fate = match other.filter(|_| fs::symlink_metadata(&full).is_err()) {
            Some((_, other)) => Fate::Elsewhere(other.clone()),
            None => write(&full, text.as_bytes(), settings.dry_run)?,
        };
        outcome.push(File { path, purpose, fate });
    }
    Ok(outcome)
}

/// Path, purpose and text of every file.
fn texts(settings: &InitSettings) -> Vec<(String, &'static str, String)> {
    let prefix = settings.prefix.as_ref().map(Prefix::as_str);
    let folder = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
    // Where the folders of other accounts lie, each called by its ID.
    let siblings = prefix.and_then(|prefix| prefix.rsplit_once('/'));
    let siblings = siblings.filter(|(_, name)| account_id(name).is_ok()).map(|(folder, _)| folder);
    let terraform_folder = format!("{folder}terraform");
    // The file stays as it is when another account is laid out.
    let is_one_of_several = settings.prefix.as_ref() == Some(&folder_of(&settings.account.id));
    let owned_folder = match is_one_of_several {
        true => "accounts/*/terraform",
        false => &terraform_folder,
    };
    let state_key = format!("{folder}terraform.tfstate");
    let title = prefix.map(|prefix| format!(" {prefix}")).unwrap_or_default();
    let prefix_option = prefix.map(|prefix| format!(" --prefix {prefix}")).unwrap_or_default();
    let slug = prefix.map(|prefix| format!("-{}", prefix.replace(['/', '.'], "-")));
    let program = settings.program.as_ref();
    let protected = protected(settings);
    let values: [(&str, Option<&str>); 23] = [
        ("account", Some(&settings.account.id)),
        ("apply_role", Some(&settings.apply_role)),
        ("branch", Some(&settings.branch)),
        ("environment", settings.environment.as_deref()),
        ("export_role", Some(&settings.export_role)),
        ("folder", Some(&folder)),
        ("one", siblings.map(|_| "")),
        ("owned_folder", Some(owned_folder)),
        ("owns", Some(if settings.team.is_some() { "" } else { "# " })),
        ("plan_role", Some(&settings.plan_role)),
        ("prefix", prefix),
        ("prefix_option", Some(&prefix_option)),
        ("program_sha256", Some(program.map_or("", |program| &program.sha256))),
        ("program_url", Some(program.map_or("", |program| &program.url))),
        ("protected", protected.as_deref()),
        ("region", Some(&settings.region)),
        ("siblings", siblings),
        ("slug", Some(slug.as_deref().unwrap_or_default())),
        ("state_bucket", Some(&settings.state_bucket)),
        ("state_key", Some(&state_key)),
        ("team", Some(settings.team.as_deref().unwrap_or("@example-org/security"))),
        ("terraform_folder", Some(&terraform_folder)),
        ("title", Some(&title)),
    ];
    let is_wanted = |template: &&Template| {
        template.workflow.is_none_or(|workflow| settings.workflows.contains(&workflow))
    };
    let fill = |template: &Template| {
        (fill(template.path, &values), template.purpose, fill(template.text, &values))
    };
    let mut files: Vec<_> = TEMPLATES.iter().filter(is_wanted).map(fill).collect();
    let shared = [
        (VERSIONS_FILE, "which versions are taken", VERSIONS.to_owned()),
        (PROVIDER_FILE, "which account, and no other", provider(Some(&settings.account))),
    ];
    let shared = shared.map(|(path, purpose, text)| (format!("{folder}{path}"), purpose, text));
    files.splice(1..1, shared);
    files
}

/// The roles that the guard does not know by their names, as a list's items.
fn protected(settings: &InitSettings) -> Option<String> {
    let roles = [&settings.plan_role, &settings.apply_role, &settings.export_role];
    let is_known = |arn: &str| arn.rsplit('/').next().is_some_and(|name| name.starts_with(OWN));
    let others: BTreeSet<&String> = roles.into_iter().filter(|arn| !is_known(arn)).collect();
    let items: Vec<String> = others.iter().map(|arn| format!("\"{arn}\"")).collect();
    (!items.is_empty()).then(|| items.join(", "))
}

/// How names of what the deployment consists of begin.
const OWN: &str = "aws-iam-gitops-";

/// Fills in a template. A line that names something without a value is left out.
fn fill(template: &str, values: &[(&str, Option<&str>)]) -> String {
    template.split_inclusive('\n').filter_map(|line| fill_line(line, values)).collect()
}

fn fill_line(line: &str, values: &[(&str, Option<&str>)]) -> Option<String> {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('@') {
        out.push_str(before);
        let named = after.split_once('@').and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((value, after))
        });
        rest = match named {
            Some((value, after)) => {
                out.push_str((*value)?);
                after
            }
            None => {
                out.push('@');
                after
            }
        };
    }
    out.push_str(rest);
    Some(out)
}

/// Fails where a folder on the way to a file is not a folder of this checkout.
fn refuse_detours(root: &Path, path: &str) -> anyhow::Result<()> {
    let mut folder = root.to_owned();
    for part in Path::new(path).parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        match fs::symlink_metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(Refused {
                    error: format!("`{}` is no folder", folder.display()),
                    hint: "what `init` writes stays inside the repository: it follows no symbolic link",
                }
                .into());
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read `{}`", folder.display()));
            }
        }
    }
    Ok(())
}

/// Files of ours that another file stands for, each with that one.
fn declared(settings: &InitSettings) -> anyhow::Result<Vec<(String, String)>> {
    let prefix = settings.prefix.as_ref().map(Prefix::as_str);
    let folder = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
    let directory = Directory::new(&settings.folder.join(&folder), true);
    let none = BTreeSet::new();
    let mut module = Module::open(&directory, &none, &none, &[])?;
    module.read_foreign(&none, &mut Desired::default())?;
    let of_module = [
        (BACKEND_FILE, module.backend()),
        (VERSIONS_FILE, module.required_providers()),
        (PROVIDER_FILE, module.aws_provider()),
    ];
    let mut found: Vec<(String, String)> = of_module
        .into_iter()
        .filter_map(|(ours, other)| Some((ours, other?)))
        .filter(|(ours, other)| ours != other)
        .map(|(ours, other)| (format!("{folder}{ours}"), format!("{folder}{other}")))
        .collect();
    // GitHub takes the first of these alone.
    let others = ["CODEOWNERS", "docs/CODEOWNERS"];
    if let Some(other) = others.iter().find(|other| settings.folder.join(other).exists()) {
        found.push((CODEOWNERS.to_owned(), (*other).to_owned()));
    }
    Ok(found)
}

/// Writes a file as a whole, and never over another one.
fn write(path: &Path, text: &[u8], dry_run: bool) -> anyhow::Result<Fate> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Ok(found) => {
            let is_same = found.is_file() && fs::read(path).is_ok_and(|content| content == text);
            return Ok(if is_same { Fate::Same } else { Fate::Kept });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read `{shown}`")),
    }
    if dry_run {
        return Ok(Fate::Written);
    }
    match create(path, text) {
        Ok(()) => Ok(Fate::Written),
        // Somebody was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Fate::Kept),
        Err(error) => Err(error).with_context(|| format!("cannot write `{shown}`")),
    }
}

/// The file appears under its name once it is whole; a name that is taken is an error.
fn create(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!(".{name}.{}.unfinished", std::process::id()));
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
        file.write_all(text)?;
        drop(file);
        fs::hard_link(&unfinished, path)
    };
    let written = write();
    // Best effort: the name is one that no other run takes.
    let _ = fs::remove_file(&unfinished);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [(&str, Option<&str>); 3] =
        [("branch", Some("main")), ("team", Some("@o/@branch@")), ("environment", None)];

    #[test]
    fn templates_are_filled_in_once() {
        assert_eq!(fill("a: @branch@\n", &VALUES), "a: main\n");
        assert_eq!(fill("x @team@ y", &VALUES), "x @o/@branch@ y");
        assert_eq!(fill("uses: a@b # @c\n@", &VALUES), "uses: a@b # @c\n@");
    }

    #[test]
    fn lines_without_a_value_are_left_out() {
        assert_eq!(fill("a\nenvironment: \"@environment@\"\nb\n", &VALUES), "a\nb\n");
    }

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        assert_eq!(write(&path, b"1", true).unwrap(), Fate::Written);
        assert!(!path.exists());
        assert_eq!(write(&path, b"1", false).unwrap(), Fate::Written);
        assert_eq!(write(&path, b"1", false).unwrap(), Fate::Same);
        assert_eq!(write(&path, b"2", false).unwrap(), Fate::Kept);
        assert_eq!(create(&path, b"2").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"1");
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }
}
