//! The raw JSON of an account, put together again as what `aws iam
//! get-account-authorization-details` prints, for the tools that read that.
//!
//! Here is where it is read from: a folder or a commit, and which of several accounts. What cannot
//! be read is an error: a tool that finds nothing in half a listing would say that all is well. What
//! the listing looks like is in [`listing`].

mod listing;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use listing::Listed;

use crate::aws::Account;
use crate::directory::{Directory, Files};
use crate::error::Refused;
use crate::invisible::visible;
use crate::raw_json;
use crate::repository::local::Past;
use crate::resource::{KINDS, Kind};
use crate::settings::file::{FILE_NAME, FileSettings};
use crate::settings::values::Prefix;
use crate::settings::{self, Choices, Coverage};

/// The folder that holds one folder for each of several accounts.
const ACCOUNTS: &str = "accounts";

/// What to put together.
#[derive(Clone, Debug)]
pub struct Request {
    /// The checkout, with its settings if there are some.
    pub folder: PathBuf,
    /// The folder below it that holds everything, instead of the one that the settings name.
    pub prefix: Option<Prefix>,
    /// Of several accounts, the one to take.
    pub account: Option<String>,
    /// The commit to read; none: the files as they are.
    pub revision: Option<String>,
}

/// The listing, and what a person should know of it.
#[derive(Clone, Debug)]
pub struct Details {
    /// As the AWS CLI prints it.
    pub text: String,
    pub notes: Vec<String>,
}

/// Puts the listing of one account together.
///
/// # Errors
///
/// There is no raw JSON, or that of several accounts and none is named; a file cannot be read, or is
/// no raw JSON.
pub fn authorization_details(request: &Request) -> anyhow::Result<Details> {
    let place = match &request.revision {
        None => Place::folder(&request.folder)?,
        Some(revision) => Place::Past(Past::open(&request.folder, revision)?),
    };
    let choices = Choices { prefix: request.prefix.clone(), ..Choices::default() };
    let coverage = Coverage::new(choices, place.settings()?);
    let held = Held::find(&place, coverage.prefix(), request.account.as_deref())?;
    let mut notes = listing::notes(&held.entities);
    let left_out = kinds().filter(|(kind, _)| !coverage.kinds.contains(kind.plural));
    let left_out: Vec<_> = left_out.map(|(kind, _)| kind.plural).collect();
    if !left_out.is_empty() {
        notes.push(format!("the settings leave out {}", left_out.join(" and ")));
    }
    Ok(Details { text: listing::text(held.entities), notes })
}

/// The kinds whose entities the listing has, each with its list.
fn kinds() -> impl Iterator<Item = (&'static Kind, &'static str)> {
    KINDS.iter().filter_map(|kind| Some((*kind, kind.detail_list?)))
}

/// Where raw JSON lies.
enum Place {
    Folder(PathBuf),
    Past(Past),
}

impl Place {
    fn folder(folder: &Path) -> anyhow::Result<Place> {
        fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
        Ok(Place::Folder(folder.to_owned()))
    }

    fn settings(&self) -> anyhow::Result<FileSettings> {
        match self {
            Place::Folder(folder) => settings::of_folder(folder),
            Place::Past(past) => match past.file(FILE_NAME)? {
                None => Ok(FileSettings::default()),
                Some(text) => {
                    let shown = self.shown(FILE_NAME);
                    Ok(FileSettings::parse(&shown, &String::from_utf8_lossy(&text))?)
                }
            },
        }
    }

    /// The accounts that have a folder each.
    fn accounts(&self) -> anyhow::Result<BTreeSet<String>> {
        let names = match self {
            Place::Folder(folder) => folders(&folder.join(ACCOUNTS))?,
            Place::Past(past) => past.folders(ACCOUNTS)?,
        };
        Ok(names.into_iter().filter(|name| settings::account_id(name).is_ok()).collect())
    }

    /// The raw JSON of a kind below a prefix, by path in the layout of the repository.
    fn raw_json(&self, prefix: &str, kind: &Kind) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let mut found = BTreeMap::new();
        match self {
            Place::Folder(folder) => {
                let directory = Directory::new(&folder.join(prefix), true);
                for path in raw_json::paths(&directory, kind)? {
                    let content = directory.read(&path)?.with_context(|| {
                        format!("cannot find what `{}` links to", self.shown(&below(prefix, &path)))
                    })?;
                    found.insert(path, content);
                }
            }
            Place::Past(past) => {
                for folder in kind.folders {
                    let files = past.files(&below(prefix, folder))?.into_iter();
                    let files = files.filter(|(name, _)| raw_json::is_raw_json(name));
                    found
                        .extend(files.map(|(name, content)| (format!("{folder}/{name}"), content)));
                }
            }
        }
        Ok(found)
    }

    /// What errors call a file.
    fn shown(&self, path: &str) -> String {
        match self {
            Place::Folder(folder) if folder == Path::new(".") => path.to_owned(),
            Place::Folder(folder) => folder.join(path).display().to_string(),
            Place::Past(past) => format!("{path} at {}", past.commit()),
        }
    }
}

fn folders(folder: &Path) -> anyhow::Result<Vec<String>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let list = || {
        let entries: Result<Vec<_>, _> = fs::read_dir(folder)?.collect();
        let entries = entries?.into_iter().filter(|entry| entry.path().is_dir());
        Ok(entries.filter_map(|entry| entry.file_name().into_string().ok()).collect())
    };
    list().map_err(|error: io::Error| {
        anyhow::Error::new(error).context(format!("cannot list `{}`", folder.display()))
    })
}

/// A path below a prefix, which may be empty.
fn below(prefix: &str, path: &str) -> String {
    if prefix.is_empty() { path.to_owned() } else { format!("{prefix}/{path}") }
}

/// An account's entities.
struct Held {
    entities: Vec<Listed>,
    /// None: all that there is belongs to AWS.
    account: Option<Account>,
}

impl Held {
    /// Reads the account that is meant: the one in the prefix's folder, or one of `accounts/`.
    fn find(place: &Place, prefix: &str, wanted: Option<&str>) -> anyhow::Result<Held> {
        let accounts = place.accounts()?;
        if let Some(id) = wanted.filter(|id| accounts.contains(*id)) {
            return Held::of_account(place, id);
        }
        let own = Held::read(place, prefix)?;
        let shown = place.shown(if prefix.is_empty() { "." } else { prefix });
        let own_id = own.account.as_ref().map(|account| account.id.as_str());
        let known: BTreeSet<&str> = accounts.iter().map(String::as_str).chain(own_id).collect();
        let refused = |error: String, hint| Err(Refused { error, hint }.into());
        match (wanted, known.iter().next()) {
            (Some(id), _) if own_id == Some(id) => Ok(own),
            (Some(id), _) => {
                let found = match known.is_empty() {
                    true => "of no account".to_owned(),
                    false => format!("of {}", listing::names(known)),
                };
                refused(
                    format!("`{}` holds nothing of account `{id}`, only {found}", visible(&shown)),
                    "several accounts lie in `accounts/`, each in a folder named after its ID",
                )
            }
            // Who names a folder means that one.
            (None, _) if accounts.is_empty() || !prefix.is_empty() => own.unless_empty(&shown),
            (None, Some(id)) if own.entities.is_empty() && accounts.len() == 1 => {
                Held::of_account(place, id)
            }
            (None, _) => refused(
                format!("`{}` holds several accounts: {}", visible(&shown), listing::names(known)),
                "say which with `--account`",
            ),
        }
    }

    fn of_account(place: &Place, id: &str) -> anyhow::Result<Held> {
        let folder = format!("{ACCOUNTS}/{id}");
        let shown = place.shown(&folder);
        let held = Held::read(place, &folder)?.unless_empty(&shown)?;
        match &held.account {
            Some(account) if account.id != id => Err(Refused {
                error: format!("`{}` holds account `{}`", visible(&shown), account.id),
                hint: "each account has a folder of its own, named after its ID",
            }
            .into()),
            _ => Ok(held),
        }
    }

    fn read(place: &Place, prefix: &str) -> anyhow::Result<Held> {
        let mut entities = Vec::new();
        let mut account: Option<(Account, String)> = None;
        for (kind, list) in kinds() {
            for (path, content) in place.raw_json(prefix, kind)? {
                let file = place.shown(&below(prefix, &path));
                let fault = |error| Refused {
                    error,
                    hint: "nothing is printed, for half a listing would pass for a whole one",
                };
                let mut entity = raw_json::parse(kind, &path, &content)
                    .map_err(|error| fault(error.at(&file)))?;
                if let Some(found) = Account::of_arn(entity.arn()) {
                    let (first, of) = account.get_or_insert((found.clone(), file.clone()));
                    if *first != found {
                        return Err(fault(format!(
                            "`{}` is of account `{}`, and `{}` of account `{}`",
                            visible(of),
                            first.id,
                            visible(&file),
                            found.id
                        ))
                        .into());
                    }
                }
                let listed = Listed::new(entity.as_mut(), list, file.clone());
                entities
                    .push(listed.map_err(|error| fault(format!("`{}`: {error}", visible(&file))))?);
            }
        }
        Ok(Held { entities, account: account.map(|(account, _)| account) })
    }

    /// What a scan of nothing finds is nothing, and looks like good news.
    fn unless_empty(self, shown: &str) -> anyhow::Result<Held> {
        if !self.entities.is_empty() {
            return Ok(self);
        }
        let folders = listing::names(kinds().flat_map(|(kind, _)| kind.folders).copied());
        Err(Refused {
            error: format!("`{}` has no raw JSON in {folders}", visible(shown)),
            hint: "name the folder of an export, or the checkout of a repository that one goes to",
        }
        .into())
    }
}
