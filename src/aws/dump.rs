//! Files that the AWS CLI wrote, in place of calls.
//!
//! Files are told apart by their content. Here they are only sorted into shelves; each kind parses
//! what lies on its own. A listing in files is complete only when nothing speaks against it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Account;
use crate::invisible::visible;
use crate::resource::KINDS;

/// Everything that was found in the files given.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    files: Vec<File>,
    shelves: HashMap<&'static str, Vec<Place>>,
    /// Pages of get-account-authorization-details that say that more follows, and that do not.
    truncated_pages: usize,
    final_pages: usize,
    /// Other listings that say that more follows.
    truncated_listings: usize,
    /// Whose entities these are; the others' are left aside.
    pub account: Option<Account>,
    pub aws_managed: bool,
}

#[derive(Clone, Debug)]
struct File {
    path: PathBuf,
    text: String,
}

#[derive(Clone, Debug)]
struct Place {
    file: usize,
    range: Range<usize>,
    is_truncated: bool,
    rank: Rank,
}

/// What a value on a shelf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// An entity of the account that its ARN names.
    OfAccount,
    /// An entity of an organization.
    OfOrganization,
    /// Something of an entity.
    Part,
}

/// One JSON object that the AWS CLI printed, from which each kind takes what is its.
pub struct Page<'a> {
    pub path: &'a Path,
    pub whole: &'a RawValue,
    members: HashMap<Cow<'a, str>, &'a RawValue>,
    shelved: Vec<(&'static str, Rank, &'a RawValue)>,
}

/// The lists of get-account-authorization-details that no other output has.
const DETAIL_LISTS: [&str; 3] = ["RoleDetailList", "UserDetailList", "GroupDetailList"];
/// Outputs that are lists of things, empty ones too.
const LISTS: [&str; 8] = [
    "Accounts",
    "DelegatedAdministrators",
    "DelegatedServices",
    "OrganizationalUnits",
    "Parents",
    "Policies",
    "Roles",
    "Targets",
];
/// What says that more follows, and what that is.
const PAGING: [&str; 4] = ["IsTruncated", "Marker", "NextToken", "ResponseMetadata"];

impl<'a> Page<'a> {
    pub fn has(&self, member: &str) -> bool {
        self.members.contains_key(member)
    }

    /// Whether it holds this member and nothing else, paging aside.
    pub fn has_only(&self, member: &str) -> bool {
        self.has(member)
            && self.members.keys().all(|key| key == member || PAGING.contains(&key.as_ref()))
    }

    pub fn get(&self, member: &str) -> Option<&'a RawValue> {
        self.members.get(member).copied()
    }

    /// Whether it is output of get-account-authorization-details.
    pub fn is_details(&self) -> bool {
        DETAIL_LISTS.iter().any(|list| self.has(list))
    }

    /// The items of a list; none where there is no such list.
    ///
    /// # Errors
    ///
    /// The member is no list.
    pub fn list(&self, member: &str) -> Result<Vec<&'a RawValue>, DumpError> {
        let Some(list) = self.get(member) else { return Ok(Vec::new()) };
        serde_json::from_str(list.get()).map_err(|error| DumpError::Invalid {
            path: self.path.to_owned(),
            message: error.to_string(),
        })
    }

    pub fn put(&mut self, shelf: &'static str, rank: Rank, value: &'a RawValue) {
        self.shelved.push((shelf, rank, value));
    }

    /// The ARN of a member, as far as it has one.
    pub fn arn_of(value: &RawValue) -> Option<String> {
        named(value).arn
    }

    /// Whether a value is about an organizations policy: the summary of one, or one with its summary.
    pub fn is_of_organizations(value: &RawValue) -> bool {
        let named = named(value);
        named.aws_managed.is_some() || named.policy_summary.is_some()
    }

    fn is_truncated(&self) -> bool {
        self.get("IsTruncated").is_some_and(|value| value.get() == "true") || self.has("NextToken")
    }

    fn is_known(&self) -> bool {
        !self.shelved.is_empty() || LISTS.iter().any(|list| self.has(list))
    }
}

/// One JSON value on a shelf.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    pub path: &'a Path,
    text: &'a str,
    file: &'a str,
    /// Whether the page it stands on says that more follows.
    pub is_truncated: bool,
}

/// Why the files given cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    #[error("cannot read `{}`", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("`{}` is not valid JSON: {message}", path.display())]
    Invalid { path: PathBuf, message: String },
    #[error("`{}` line {line}: this is not the {what} that the AWS CLI prints: {message}", path.display())]
    Malformed { path: PathBuf, line: usize, what: &'static str, message: String },
    #[error("`{}` is no output of the AWS CLI that this program reads", path.display())]
    Unknown { path: PathBuf },
    #[error("the name of `{}` holds no policy ID such as `p-a1b2c3d4`, and its content does not name the policy", path.display())]
    NoPolicyId { path: PathBuf },
    #[error("neither name nor content of `{}` tells which {what} it is about", path.display())]
    NoName { path: PathBuf, what: &'static str, hint: &'static str },
    #[error("the files do not tell of which account the {what} are")]
    NoAccount { what: &'static str },
    #[error("{what} `{}` {}", visible(name), twice(first, second))]
    Contradiction { what: &'static str, name: String, first: PathBuf, second: PathBuf },
    #[error("`{}` is only a part of the {what}: it says that more follows", path.display())]
    CutShort { path: PathBuf, what: &'static str },
    #[error("there is nothing to export in {0}")]
    Empty(String),
    #[error("the files hold entities of accounts {0} in equal number")]
    Undecided(String),
    #[error("the files hold nothing of account `{wanted}`, only of {found}")]
    OtherAccount { wanted: String, found: String },
}

impl DumpError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            DumpError::Unknown { .. } | DumpError::Empty(_) => Some(
                "`aws iam get-account-authorization-details > authorization-details.json` is the file to start with; \
                 `aws-iam-gitops export --help` lists the others",
            ),
            DumpError::Invalid { .. } => Some(
                "the AWS CLI prints JSON with `--output json`; a command that fails leaves an empty file",
            ),
            DumpError::NoPolicyId { .. } => {
                Some("call the file, for example, `list-targets-for-policy.p-a1b2c3d4.json`")
            }
            DumpError::NoName { hint, .. } => Some(hint),
            DumpError::Contradiction { .. } => {
                Some("give files that were written at the same time")
            }
            DumpError::CutShort { .. } => {
                Some("give the other pages too, or run the command without `--max-items`")
            }
            DumpError::Undecided(_) | DumpError::NoAccount { .. } => {
                Some("say which with `--account`")
            }
            _ => None,
        }
    }
}

impl Dump {
    /// Reads files and, in folders, every `*.json` file.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is no JSON, or is nothing the AWS CLI prints; tags or targets of
    /// nobody knows which policy; files without a single entity.
    ///
    /// `account` says whose entities to take; without it, it is the account that most of them are
    /// of.
    pub fn read(
        paths: &[PathBuf],
        account: Option<&str>,
        aws_managed: bool,
    ) -> Result<Dump, DumpError> {
        let mut found = Vec::new();
        for path in paths {
            collect(path, &mut found)?;
        }
        found.sort();
        found.dedup();
        let read = |path: PathBuf| match fs::read(&path).and_then(decode) {
            Ok(text) => Ok((path, text)),
            Err(source) => Err(DumpError::Unreadable { path, source }),
        };
        let texts = found.into_iter().map(read);
        let names: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        Dump::of_texts(texts, &names.join(", "), account, aws_managed)
    }

    /// Takes texts of files, each with its path, from a place that errors call `shown`.
    ///
    /// # Errors
    ///
    /// As [`Dump::read`].
    pub fn of_texts(
        texts: impl Iterator<Item = Result<(PathBuf, String), DumpError>>,
        shown: &str,
        account: Option<&str>,
        aws_managed: bool,
    ) -> Result<Dump, DumpError> {
        let mut dump = Dump { aws_managed, ..Dump::default() };
        for file in texts {
            let (path, text) = file?;
            dump.files.push(File { path, text });
            dump.sort_file(dump.files.len() - 1)?;
        }
        if dump.places().all(|place| place.rank == Rank::Part) {
            return Err(DumpError::Empty(shown.to_owned()));
        }
        dump.account = dump.find_account(account)?;
        Ok(dump)
    }

    /// What lies on a shelf, in order of files.
    pub fn items<'a>(&'a self, shelf: &'static str) -> impl Iterator<Item = Item<'a>> {
        self.shelves.get(shelf).map(Vec::as_slice).unwrap_or_default().iter().map(|place| {
            let file = &self.files[place.file];
            Item {
                path: &file.path,
                text: &file.text[place.range.clone()],
                file: &file.text,
                is_truncated: place.is_truncated,
            }
        })
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.shelves.values().flatten()
    }

    /// Parses everything on a shelf; `what` names one item in an error.
    pub fn parse<'a, T: Deserialize<'a>>(
        &'a self,
        shelf: &'static str,
        what: &'static str,
        errors: &mut Vec<DumpError>,
    ) -> Vec<(Item<'a>, T)> {
        let mut parsed = Vec::new();
        for item in self.items(shelf) {
            match item.parse(what) {
                Ok(value) => parsed.push((item, value)),
                Err(error) => errors.push(error),
            }
        }
        parsed
    }

    /// Parses everything on a shelf into a map; what stands there twice must say the same.
    pub fn parse_by<'a, T: Deserialize<'a> + PartialEq>(
        &'a self,
        shelf: &'static str,
        what: &'static str,
        key: fn(&T) -> &String,
        errors: &mut Vec<DumpError>,
    ) -> HashMap<String, T> {
        let mut found: HashMap<String, (Item, T)> = HashMap::new();
        for (item, value) in self.parse::<T>(shelf, what, errors) {
            let name = key(&value).clone();
            match found.get(&name) {
                Some((first, other)) if *other != value => {
                    let (first, second) = (first.path.to_owned(), item.path.to_owned());
                    errors.push(DumpError::Contradiction { what, name, first, second });
                }
                Some(_) => {}
                None => {
                    found.insert(name, (item, value));
                }
            }
        }
        found.into_iter().map(|(name, (_, value))| (name, value)).collect()
    }

    /// Files may hold several accounts' entities by mistake.
    fn find_account(&self, wanted: Option<&str>) -> Result<Option<Account>, DumpError> {
        let accounts = |rank| {
            self.places().filter(move |place| place.rank == rank).filter_map(|place| {
                let text = &self.files[place.file].text[place.range.clone()];
                let named: Named = serde_json::from_str(text).ok()?;
                Account::of_arn(
                    &named.arn.or(named.policy_summary.and_then(|summary| summary.arn))?,
                )
            })
        };
        let mut counts: BTreeMap<Account, usize> = BTreeMap::new();
        for account in accounts(Rank::OfAccount) {
            *counts.entry(account).or_default() += 1;
        }
        let names = |counts: &BTreeMap<Account, usize>| {
            let ids: Vec<_> = counts.keys().map(|account| format!("`{}`", account.id)).collect();
            ids.join(" and ")
        };
        if let Some(id) = wanted {
            if !counts.is_empty() && !counts.keys().any(|account| account.id == id) {
                let found = names(&counts);
                return Err(DumpError::OtherAccount { wanted: id.to_owned(), found });
            }
            let found = counts.into_keys().find(|account| account.id == id);
            let partition = found.map_or_else(|| "aws".to_owned(), |account| account.partition);
            return Ok(Some(Account { id: id.to_owned(), partition }));
        }
        let most = counts.values().copied().max().unwrap_or(0);
        counts.retain(|_, count| *count == most);
        if counts.len() > 1 {
            return Err(DumpError::Undecided(names(&counts)));
        }
        // Organizations policies alone: it is their management account that writes them.
        Ok(counts.into_keys().next().or_else(|| accounts(Rank::OfOrganization).next()))
    }

    /// Whether an ARN is of the account that is read.
    pub fn owns(&self, arn: &str) -> bool {
        self.account.as_ref().is_some_and(|account| account.owns(arn))
    }

    /// Whether the authorization details are whole: there are some, and no page says that more
    /// follows. Of several pages nobody can tell whether one is missing.
    pub fn has_all_details(&self) -> bool {
        self.final_pages > 0 && self.truncated_pages == 0
    }

    /// Whether no other listing says that more follows.
    pub fn has_whole_listings(&self) -> bool {
        self.truncated_listings == 0
    }

    /// The ID of an organizations policy in the name of a file.
    pub fn policy_id_in_name(path: &Path) -> Option<String> {
        let name = path.file_name()?.to_str()?;
        let start = name.match_indices("p-").map(|(at, _)| at).find(|at| {
            let is_start = *at == 0 || !name.as_bytes()[at - 1].is_ascii_alphanumeric();
            is_start && policy_id_length(&name[at + 2..]) >= 8
        })?;
        Some(name[start..start + 2 + policy_id_length(&name[start + 2..])].to_owned())
    }

    fn sort_file(&mut self, file: usize) -> Result<(), DumpError> {
        let File { path, text } = &self.files[file];
        let invalid = |error: serde_json::Error| DumpError::Invalid {
            path: path.clone(),
            message: error.to_string(),
        };
        let mut found: Vec<(&'static str, Place)> = Vec::new();
        let (mut truncated_pages, mut final_pages, mut truncated_listings) = (0, 0, 0);
        let mut values = 0;
        for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
            let value = value.map_err(invalid)?;
            values += 1;
            let Ok(members) = serde_json::from_str::<Members>(value.get()) else {
                return Err(DumpError::Unknown { path: path.clone() });
            };
            let mut page = Page { path, whole: value, members: members.0, shelved: Vec::new() };
            for kind in KINDS {
                (kind.shelve)(&mut page)?;
            }
            let is_truncated = page.is_truncated();
            if page.is_details() {
                truncated_pages += usize::from(is_truncated);
                final_pages += usize::from(!is_truncated);
            } else if page.is_known() {
                truncated_listings += usize::from(is_truncated);
            } else {
                return Err(DumpError::Unknown { path: path.clone() });
            }
            found.extend(page.shelved.into_iter().map(|(shelf, rank, value)| {
                let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
                let range = start..start + value.get().len();
                (shelf, Place { file, range, is_truncated, rank })
            }));
        }
        if values == 0 {
            return Err(DumpError::Invalid {
                path: path.clone(),
                message: "the file is empty".to_owned(),
            });
        }
        self.truncated_pages += truncated_pages;
        self.final_pages += final_pages;
        self.truncated_listings += truncated_listings;
        for (shelf, place) in found {
            self.shelves.entry(shelf).or_default().push(place);
        }
        Ok(())
    }
}

impl<'a> Item<'a> {
    /// Parses the value; `what` names it in an error.
    ///
    /// # Errors
    ///
    /// The value has another shape; the error names file and line.
    pub fn parse<T: Deserialize<'a>>(&self, what: &'static str) -> Result<T, DumpError> {
        serde_json::from_str(self.text).map_err(|error| DumpError::Malformed {
            path: self.path.to_owned(),
            line: self.lines_before() + error.line(),
            what,
            message: without_position(&error.to_string()),
        })
    }
}

impl Item<'_> {
    fn lines_before(&self) -> usize {
        let start = self.text.as_ptr() as usize - self.file.as_ptr() as usize;
        self.file.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count()
    }
}

/// The text of a file. PowerShell's `>` writes UTF-16, or UTF-8 with a byte order mark.
fn decode(bytes: Vec<u8>) -> std::io::Result<String> {
    let invalid = |message: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, message);
    let pairs = |read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> =
            bytes[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        String::from_utf16(&units).map_err(|_| invalid("the file is not valid UTF-16"))
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => pairs(u16::from_le_bytes),
        [0xfe, 0xff, ..] => pairs(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => {
            String::from_utf8(rest.to_vec()).map_err(|_| invalid("the file is not valid UTF-8"))
        }
        _ => String::from_utf8(bytes).map_err(|_| invalid("the file is not valid UTF-8")),
    }
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), DumpError> {
    let unreadable = |source| DumpError::Unreadable { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if entry.is_dir() {
            // In a folder that an export wrote, `terraform/` and hidden folders are not the AWS CLI's.
            if name != "terraform" && !name.starts_with('.') {
                collect(&entry, found)?;
            }
        } else if entry.extension().is_some_and(|extension| extension == "json") {
            found.push(entry);
        }
    }
    Ok(())
}

fn policy_id_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

fn twice(first: &Path, second: &Path) -> String {
    if first == second {
        format!("stands twice in `{}`, with different content", first.display())
    } else {
        format!("is not the same in `{}` and in `{}`", first.display(), second.display())
    }
}

fn without_position(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

/// The members of an object by which it is told apart.
fn named(value: &RawValue) -> Named {
    serde_json::from_str(value.get()).unwrap_or_default()
}

/// The little of an entity that tells its kind and its account.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    aws_managed: Option<bool>,
    arn: Option<String>,
    policy_summary: Option<NamedSummary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NamedSummary {
    arn: Option<String>,
}

/// The members of an object, values unparsed.
struct Members<'a>(HashMap<Cow<'a, str>, &'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = HashMap::new();
                while let Some((key, value)) = map.next_entry::<Key<'de>, &RawValue>()? {
                    members.insert(key.0, value);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
