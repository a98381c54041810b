//! The files of a commit below a folder, and changes to them that are not committed yet.
//!
//! There is no checkout: folders and files are read from Git's objects as they are asked for.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use git2::{ObjectType, Odb, Oid};

use super::Store;
use super::error::{Failure, GitError, Reason};
use super::memory::write_tree;
use super::transport::lock;
use crate::terraform::read::mentions;

const FILE: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;
const FOLDER: u32 = 0o40_000;
/// Bytes of an object's ID.
const ID: usize = 20;

/// The files of a commit, or of none yet, with pending changes. Paths are relative to its prefix.
///
/// Symbolic links and submodules are not files: they are neither listed, read nor removed.
pub struct Tree {
    store: Arc<Store>,
    pub(super) commit: Option<Oid>,
    pub(super) root: Option<Oid>,
    /// Empty, or ends with `/`.
    prefix: String,
    folders: Mutex<HashMap<String, Arc<Folder>>>,
    changes: Mutex<Changes>,
}

/// A tree object as it is, and where its entries are, by name.
#[derive(Default)]
pub(super) struct Folder {
    data: Vec<u8>,
    places: Vec<Range<usize>>,
    /// Whether no entry is a folder; Git's order is that of the names then.
    is_flat: bool,
    /// The blobs that [`Tree::naming_any`] may have to look into; none: any of them.
    unread: Mutex<Option<Vec<Oid>>>,
}

impl Folder {
    fn parse(data: Vec<u8>) -> Result<Folder, Failure> {
        let mut places = Vec::with_capacity(data.len() / 32);
        let (mut start, mut is_flat) = (0, true);
        for entry in entries(&data) {
            let entry = entry?;
            is_flat &= entry.mode != FOLDER;
            let end = start + entry.bytes.len();
            places.push(start..end);
            start = end;
        }
        let name = |place: &Range<usize>| raw_entry(&data[place.clone()]).map(|entry| entry.name);
        // Git's own order is another one for folders.
        if !places.is_sorted_by_key(name) {
            places.sort_by_key(name);
            is_flat = false;
        }
        Ok(Folder { data, places, is_flat, unread: Mutex::default() })
    }

    fn name(&self, place: &Range<usize>) -> &[u8] {
        raw_entry(&self.data[place.clone()]).map_or(b"", |entry| entry.name)
    }

    /// Where a name is, or would be.
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.places.binary_search_by(|place| self.name(place).cmp(name.as_bytes()))
    }

    fn get(&self, name: &str) -> Option<Entry> {
        let entry = raw_entry(&self.data[self.places[self.find(name).ok()?].clone()])?;
        Some(Entry { id: entry.id, mode: entry.mode })
    }

    /// The names of files, those left out that begin with one of these.
    fn names_without(&self, skipped: &[String], visit: &mut dyn FnMut(&str) -> bool) {
        let mut next = 0;
        while let Some(place) = self.places.get(next) {
            let name = self.name(place);
            if let Some(start) = skipped.iter().find(|start| name.starts_with(start.as_bytes())) {
                let begins = |place: &Range<usize>| self.name(place).starts_with(start.as_bytes());
                next += self.places[next..].partition_point(begins);
                continue;
            }
            next += 1;
            let is_file = raw_entry(&self.data[place.clone()])
                .is_some_and(|entry| Entry { id: entry.id, mode: entry.mode }.is_file());
            if let Ok(name) = std::str::from_utf8(name)
                && is_file
                && !visit(name)
            {
                return;
            }
        }
    }

    /// The files by name; names that are not UTF-8 are left out.
    fn files(&self) -> impl Iterator<Item = (&str, Oid)> {
        self.places.iter().filter_map(|place| self.file(place))
    }

    fn file(&self, place: &Range<usize>) -> Option<(&str, Oid)> {
        let entry = raw_entry(&self.data[place.clone()])?;
        let is_file = Entry { id: entry.id, mode: entry.mode }.is_file();
        Some((std::str::from_utf8(entry.name).ok().filter(|_| is_file)?, entry.id))
    }

    /// The names of the files that are one of these blobs, which are sorted.
    ///
    /// Compares bytes and takes no entry apart: of ten thousand files, that takes less time than all
    /// the rest of an event.
    fn names_of(&self, blobs: &[Oid]) -> impl Iterator<Item = &str> {
        let places = if blobs.is_empty() { &[] } else { self.places.as_slice() };
        places.iter().filter_map(|place| {
            let id = &self.data[place.end - ID..place.end];
            blobs.binary_search_by(|blob| blob.as_bytes().cmp(id)).ok()?;
            self.file(place).map(|(name, _)| name)
        })
    }
}

#[derive(Clone, Copy)]
struct Entry {
    id: Oid,
    mode: u32,
}

impl Entry {
    fn is_file(&self) -> bool {
        matches!(self.mode, FILE | EXECUTABLE | 0o100_664)
    }
}

#[derive(Default)]
struct Changes {
    /// By path; none: removed.
    files: BTreeMap<String, Option<Oid>>,
    contents: HashMap<Oid, Vec<u8>>,
}

/// A file before and after the pending changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: String,
    pub old: Option<Vec<u8>>,
    pub new: Option<Vec<u8>>,
}

impl Tree {
    pub(super) fn new(
        store: Arc<Store>,
        commit: Option<Oid>,
        root: Option<Oid>,
        prefix: &str,
    ) -> Result<Tree, GitError> {
        let mut prefix = prefix.trim_matches('/').to_owned();
        if !prefix.is_empty() {
            check(&prefix)?;
            prefix.push('/');
        }
        let (folders, changes) = Default::default();
        Ok(Tree { store, commit, root, prefix, folders, changes })
    }

    /// The names of the files in a folder; none where there is no folder.
    ///
    /// # Errors
    ///
    /// The folder is a file, or the clone is damaged.
    pub fn files(&self, folder: &str) -> Result<BTreeSet<String>, GitError> {
        Ok(self.blobs(folder)?.map(|(name, _)| name).collect())
    }

    /// The names of the folders in a folder, as committed; none where there is no folder.
    ///
    /// # Errors
    ///
    /// As [`Tree::files`].
    pub fn folders(&self, folder: &str) -> Result<Vec<String>, GitError> {
        let committed = match self.folder(&self.full(folder.trim_matches('/'))?) {
            Err(error) if error.reason == Reason::Other => return Ok(Vec::new()),
            committed => committed?,
        };
        let entries =
            committed.places.iter().filter_map(|at| raw_entry(&committed.data[at.clone()]));
        let folders = entries.filter(|entry| entry.mode == FOLDER);
        Ok(folders.filter_map(|entry| Some(str::from_utf8(entry.name).ok()?.to_owned())).collect())
    }

    /// The files in a folder by name, each with what [`Tree::content`] reads it by.
    ///
    /// # Errors
    ///
    /// As [`Tree::files`].
    pub fn blobs(&self, folder: &str) -> Result<impl Iterator<Item = (String, Oid)>, GitError> {
        let folder = folder.trim_matches('/');
        let committed = self.folder(&self.full(folder)?)?;
        let changed = self.pending(folder);
        let kept = committed.files().filter(|(name, _)| !changed.contains_key(*name));
        let written = changed.iter().filter_map(|(name, id)| Some((name.as_str(), (*id)?)));
        let mut blobs: Vec<(String, Oid)> =
            kept.chain(written).map(|(name, id)| (name.to_owned(), id)).collect();
        blobs.sort();
        Ok(blobs.into_iter())
    }

    /// The pending changes of the files in a folder, by name.
    fn pending(&self, folder: &str) -> BTreeMap<String, Option<Oid>> {
        let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let changes = lock(&self.changes);
        let changed = changes.files.range(start.clone()..);
        changed
            .map_while(|(path, id)| Some((path.strip_prefix(&start)?, *id)))
            .filter(|(name, _)| !name.contains('/'))
            .map(|(name, id)| (name.to_owned(), id))
            .collect()
    }

    /// Shows the names of the files in a folder, as long as `visit` asks for more; those that begin
    /// with one of `skipped` are passed over at no cost.
    ///
    /// # Errors
    ///
    /// As [`Tree::files`].
    pub fn names_without(
        &self,
        folder: &str,
        skipped: &[String],
        visit: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(), GitError> {
        if lock(&self.changes).files.is_empty() {
            self.folder(&self.full(folder.trim_matches('/'))?)?.names_without(skipped, visit);
        } else {
            let is_skipped = |name: &str| skipped.iter().any(|start| name.starts_with(start));
            self.blobs(folder)?.all(|(name, _)| is_skipped(&name) || visit(&name));
        }
        Ok(())
    }

    /// Whether there is a file.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`].
    pub fn has(&self, path: &str) -> Result<bool, GitError> {
        let pending = lock(&self.changes).files.get(path).copied();
        match pending {
            Some(id) => Ok(id.is_some()),
            None => Ok(self.committed(path, "read")?.is_some()),
        }
    }

    /// The paths of the files in a folder that hold any of these [`mentions`]. What files hold is
    /// kept from one run to the next.
    ///
    /// # Errors
    ///
    /// As [`Tree::files`].
    pub fn naming_any(&self, folder: &str, wanted: &[u64]) -> Result<BTreeSet<String>, GitError> {
        let folder = folder.trim_matches('/');
        let committed = self.folder(&self.full(folder)?)?;
        let mut index = lock(&self.store.mentions);
        let unread = lock(&committed.unread).take();
        let unread = unread.unwrap_or_else(|| committed.files().map(|(_, id)| id).collect());
        for id in unread {
            if !index.knows(id) {
                index.add(id, &self.content(id)?);
            }
        }
        *lock(&committed.unread) = Some(Vec::new());
        let mut found: BTreeSet<&str> = committed.names_of(&index.of_any(wanted)).collect();
        let changed = self.pending(folder);
        for (name, id) in &changed {
            let named = id.map(|id| self.content(id)).transpose()?;
            let named = named.map(|content| mentions(&content)).unwrap_or_default();
            match named.iter().any(|named| wanted.contains(named)) {
                true => found.insert(name),
                false => found.remove(name.as_str()),
            };
        }
        let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(found.into_iter().map(|name| format!("{start}{name}")).collect())
    }

    /// The content of a file that [`Tree::blobs`] named.
    ///
    /// # Errors
    ///
    /// The clone is damaged.
    pub fn content(&self, id: Oid) -> Result<Vec<u8>, GitError> {
        if let Some(content) = lock(&self.changes).contents.get(&id) {
            return Ok(content.clone());
        }
        self.store.with("cannot read the clone", |repository| {
            read(&repository.odb()?, id, ObjectType::Blob)
        })
    }

    /// The content of a file, if it exists.
    ///
    /// # Errors
    ///
    /// It is a folder, a file stands where its folder should be, or the clone is damaged.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        let pending = lock(&self.changes).files.get(path).copied();
        let id = match pending {
            Some(id) => id,
            None => self.committed(path, "read")?,
        };
        id.map(|id| self.content(id)).transpose()
    }

    /// Changes a file; what it holds already is no change.
    ///
    /// # Errors
    ///
    /// The path is not one of a file, something else than a file is there, or the clone is
    /// damaged.
    pub fn write(&self, path: &str, content: &[u8]) -> Result<(), GitError> {
        let action = || format!("cannot write `{path}`");
        let refuse = |why: &str| Err(GitError::new(Reason::Other, action(), why));
        let committed = self.committed(path, "write")?;
        if committed.is_none() && self.entry(path)?.is_some() {
            return refuse("a symbolic link or a submodule is there");
        }
        let id = Oid::hash_object(ObjectType::Blob, content)
            .map_err(|error| Failure::from(error).during(action()))?;
        let mut changes = lock(&self.changes);
        let is_file = |path: &str| matches!(changes.files.get(path), Some(Some(_)));
        if path.match_indices('/').any(|(end, _)| is_file(&path[..end])) {
            return refuse("a file stands where a folder should be");
        }
        let below = format!("{path}/");
        let inside = changes.files.range(below.clone()..);
        let mut inside = inside.take_while(|(path, _)| path.starts_with(&below));
        if inside.any(|(_, id)| id.is_some()) {
            return refuse("it is a folder");
        }
        if committed == Some(id) {
            changes.files.remove(path);
        } else {
            changes.files.insert(path.to_owned(), Some(id));
            changes.contents.insert(id, content.to_vec());
        }
        Ok(())
    }

    /// Removes a file; one that is gone already is no error.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`].
    pub fn remove(&self, path: &str) -> Result<(), GitError> {
        let committed = self.committed(path, "remove")?;
        let mut changes = lock(&self.changes);
        match committed {
            Some(_) => changes.files.insert(path.to_owned(), None),
            None => changes.files.remove(path),
        };
        Ok(())
    }

    /// Whether anything differs from the commit.
    pub fn is_changed(&self) -> bool {
        !lock(&self.changes).files.is_empty()
    }

    /// All pending changes, by path.
    ///
    /// # Errors
    ///
    /// The clone is damaged.
    pub fn changes(&self) -> Result<Vec<Change>, GitError> {
        let files = lock(&self.changes).files.clone();
        let content = |id: Option<Oid>| id.map(|id| self.content(id)).transpose();
        files
            .into_iter()
            .map(|(path, id)| {
                let old = content(self.committed(&path, "read")?)?;
                Ok(Change { old, new: content(id)?, path })
            })
            .collect()
    }

    /// Whether the files that another tree changes are here as they are there.
    ///
    /// # Errors
    ///
    /// The clone is damaged, or a folder is where a file should be.
    pub fn has_changes_of(&self, other: &Tree) -> Result<bool, GitError> {
        let files = lock(&other.changes).files.clone();
        for (path, id) in &files {
            let pending = lock(&self.changes).files.get(path).copied();
            let is = match pending {
                Some(id) => id,
                None => self.committed(path, "read")?,
            };
            if is != *id {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes the pending changes as objects: the new root, none if it is as before, and how many
    /// bytes were written.
    pub(super) fn store(&self, odb: &Odb<'_>) -> Result<(Option<Oid>, usize), Failure> {
        let changes = lock(&self.changes);
        if changes.files.is_empty() {
            return Ok((None, 0));
        }
        let folders = lock(&self.folders);
        let mut writer = Writer { odb, folders: &folders, written: 0, made: Vec::new() };
        let mut root = BTreeMap::new();
        for (path, id) in &changes.files {
            if let Some(content) = id.and_then(|id| changes.contents.get(&id)) {
                writer.write_blob(content)?;
            }
            insert(&mut root, &format!("{}{path}", self.prefix), *id);
        }
        let new = match writer.folder("", self.root, root)? {
            Some(id) => id,
            None => writer.write_tree(&[])?,
        };
        for (id, folder) in writer.made {
            self.store.keep(id, folder);
        }
        Ok(((Some(new) != self.root).then_some(new), writer.written))
    }

    /// The file's blob in the commit.
    fn committed(&self, path: &str, verb: &str) -> Result<Option<Oid>, GitError> {
        match self.entry(path)? {
            Some(entry) if entry.mode == FOLDER => {
                let action = format!("cannot {verb} `{path}`");
                Err(GitError::new(Reason::Other, action, "it is a folder"))
            }
            entry => Ok(entry.filter(Entry::is_file).map(|entry| entry.id)),
        }
    }

    fn entry(&self, path: &str) -> Result<Option<Entry>, GitError> {
        check(path)?;
        let full = self.full(path)?;
        let (folder, name) = full.rsplit_once('/').unwrap_or(("", &full));
        Ok(self.folder(folder)?.get(name))
    }

    fn full(&self, path: &str) -> Result<String, GitError> {
        if path.is_empty() {
            return Ok(self.prefix.trim_end_matches('/').to_owned());
        }
        check(path)?;
        Ok(format!("{}{path}", self.prefix))
    }

    /// What is in a folder of the commit; nothing where there is none.
    fn folder(&self, path: &str) -> Result<Arc<Folder>, GitError> {
        if let Some(folder) = lock(&self.folders).get(path) {
            return Ok(Arc::clone(folder));
        }
        let id = if path.is_empty() {
            self.root
        } else {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            match self.folder(parent)?.get(name) {
                None => None,
                Some(entry) if entry.mode == FOLDER => Some(entry.id),
                Some(_) => {
                    let action = format!("cannot read the folder `{path}`");
                    return Err(GitError::new(Reason::Other, action, "it is not a folder"));
                }
            }
        };
        let folder = match id {
            None => Arc::default(),
            Some(id) => {
                let kept = lock(&self.store.folders).get(&id).cloned();
                match kept {
                    Some(folder) => folder,
                    None => self.store.with("cannot read the clone", |repository| {
                        let data = read(&repository.odb()?, id, ObjectType::Tree)?;
                        Ok(self.store.keep(id, Folder::parse(data)?))
                    })?,
                }
            }
        };
        lock(&self.folders).insert(path.to_owned(), Arc::clone(&folder));
        Ok(folder)
    }
}

/// Refuses what is not the path of a file in a repository.
fn check(path: &str) -> Result<(), GitError> {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.contains('\0')
            && !part.eq_ignore_ascii_case(".git")
    };
    if path.split('/').all(is_part) {
        return Ok(());
    }
    let action = format!("cannot use the path `{}`", crate::invisible::visible(path));
    Err(GitError::new(Reason::Other, action, "a repository has no such path"))
}

fn read(odb: &Odb<'_>, id: Oid, kind: ObjectType) -> Result<Vec<u8>, Failure> {
    let object = odb.read(id)?;
    if object.kind() != kind {
        return Err(Failure::new(Reason::Corrupt, format!("object {id} is of another kind")));
    }
    Ok(object.data().to_vec())
}

/// An entry as it stands in a tree object: mode, space, name, NUL, the object's ID.
struct RawEntry<'a> {
    mode: u32,
    name: &'a [u8],
    id: Oid,
    bytes: &'a [u8],
}

impl RawEntry<'_> {
    /// Git sorts folders as if their names ended with a slash.
    fn key(&self) -> impl Iterator<Item = &u8> {
        self.name.iter().chain(if self.mode == FOLDER { b"/".as_slice() } else { b"" })
    }
}

fn entries(mut data: &[u8]) -> impl Iterator<Item = Result<RawEntry<'_>, Failure>> {
    std::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        let entry = raw_entry(data);
        data = entry.as_ref().map_or(&[], |entry| &data[entry.bytes.len()..]);
        Some(entry.ok_or_else(|| Failure::new(Reason::Corrupt, "a tree object is malformed")))
    })
}

fn raw_entry(data: &[u8]) -> Option<RawEntry<'_>> {
    let space = memchr::memchr(b' ', data)?;
    let end = memchr::memchr(b'\0', data)?;
    let mode = u32::from_str_radix(std::str::from_utf8(&data[..space]).ok()?, 8).ok()?;
    let name = data.get(space + 1..end)?;
    let id = Oid::from_bytes(data.get(end + 1..end + 1 + ID)?).ok()?;
    Some(RawEntry { mode, name, id, bytes: &data[..end + 1 + ID] })
}

/// What becomes of a name in a folder.
enum Node {
    Write(Oid),
    Remove,
    Folder(BTreeMap<String, Node>),
}

fn insert(folder: &mut BTreeMap<String, Node>, path: &str, id: Option<Oid>) {
    if let Some((name, rest)) = path.split_once('/') {
        let node = folder.entry(name.to_owned()).or_insert_with(|| Node::Folder(BTreeMap::new()));
        if let Node::Folder(inside) = node {
            return insert(inside, rest, id);
        }
    }
    folder.insert(path.to_owned(), id.map_or(Node::Remove, Node::Write));
}

struct Writer<'a> {
    odb: &'a Odb<'a>,
    /// What was read of the commit already.
    folders: &'a HashMap<String, Arc<Folder>>,
    written: usize,
    /// Folders that were written, which the next run reads.
    made: Vec<(Oid, Folder)>,
}

impl Writer<'_> {
    fn write_blob(&mut self, data: &[u8]) -> Result<Oid, Failure> {
        self.written += data.len();
        Ok(self.odb.write(ObjectType::Blob, data)?)
    }

    fn write_tree(&mut self, data: &[u8]) -> Result<Oid, Failure> {
        self.written += data.len();
        write_tree(self.odb, data)
    }

    /// Writes a folder anew; entries without a change are copied as they are. None: it is empty.
    fn folder(
        &mut self,
        path: &str,
        base: Option<Oid>,
        mut nodes: BTreeMap<String, Node>,
    ) -> Result<Option<Oid>, Failure> {
        let is_file = |node: &Node| !matches!(node, Node::Folder(_));
        if let Some(folder) = self.folders.get(path)
            && folder.is_flat
            && nodes.values().all(is_file)
        {
            return self.splice(&Arc::clone(folder), &nodes);
        }
        let read = |id| read(self.odb, id, ObjectType::Tree);
        let data = match self.folders.get(path) {
            Some(folder) => Cow::Borrowed(&folder.data),
            None => Cow::Owned(base.map(read).transpose()?.unwrap_or_default()),
        };
        let mut kept = Vec::new();
        let mut fresh = Vec::new();
        for entry in entries(&data) {
            let entry = entry?;
            match std::str::from_utf8(entry.name).ok().and_then(|name| nodes.remove_entry(name)) {
                Some((name, node)) => fresh.extend(self.entry(path, &name, node, Some(&entry))?),
                None => kept.push(entry),
            }
        }
        for (name, node) in nodes {
            fresh.extend(self.entry(path, &name, node, None)?);
        }
        if kept.is_empty() && fresh.is_empty() {
            return Ok(None);
        }
        let mut fresh = fresh.iter().filter_map(|bytes| raw_entry(bytes)).collect::<Vec<_>>();
        fresh.sort_by(|one, other| one.key().cmp(other.key()));
        let (mut kept, mut fresh) = (kept.into_iter().peekable(), fresh.into_iter().peekable());
        let mut out = Vec::with_capacity(data.len() + 1024);
        loop {
            let next = match (kept.peek(), fresh.peek()) {
                (Some(old), Some(new)) if new.key().lt(old.key()) => fresh.next(),
                (Some(_), _) => kept.next(),
                (None, _) => fresh.next(),
            };
            match next {
                Some(entry) => out.extend_from_slice(entry.bytes),
                None => {
                    let id = self.write_tree(&out)?;
                    self.made.push((id, Folder::parse(out)?));
                    return Ok(Some(id));
                }
            }
        }
    }

    /// Changes some files of a folder without folders; what lies between them is copied as it is.
    fn splice(
        &mut self,
        folder: &Folder,
        nodes: &BTreeMap<String, Node>,
    ) -> Result<Option<Oid>, Failure> {
        let mut out = Vec::with_capacity(folder.data.len() + 1024);
        let mut places = Vec::with_capacity(folder.places.len() + nodes.len());
        let copy = |from: usize, to: usize, out: &mut Vec<u8>, places: &mut Vec<Range<usize>>| {
            let Some(copied) = folder.places.get(from..to).filter(|copied| !copied.is_empty())
            else {
                return;
            };
            let (start, end) = (copied[0].start, copied[copied.len() - 1].end);
            let offset = out.len();
            let moved =
                |place: &Range<usize>| place.start - start + offset..place.end - start + offset;
            places.extend(copied.iter().map(moved));
            out.extend_from_slice(&folder.data[start..end]);
        };
        let mut next = 0;
        for (name, node) in nodes {
            let (at, old) = match folder.find(name) {
                Ok(at) => (at, raw_entry(&folder.data[folder.places[at].clone()])),
                Err(at) => (at, None),
            };
            copy(next, at, &mut out, &mut places);
            if let Node::Write(id) = node {
                let start = out.len();
                let mode = old.as_ref().map_or(FILE, |entry| entry.mode);
                out.extend_from_slice(format!("{mode:o} {name}\0").as_bytes());
                out.extend_from_slice(id.as_bytes());
                places.push(start..out.len());
            }
            next = at + usize::from(old.is_some());
        }
        copy(next, folder.places.len(), &mut out, &mut places);
        let mut unread = lock(&folder.unread).clone();
        if let Some(unread) = &mut unread {
            let written = |node: &Node| if let Node::Write(id) = node { Some(*id) } else { None };
            unread.extend(nodes.values().filter_map(written));
        }
        if out.is_empty() {
            return Ok(None);
        }
        let id = self.write_tree(&out)?;
        self.made.push((id, Folder { data: out, places, is_flat: true, unread: unread.into() }));
        Ok(Some(id))
    }

    /// The entry of a name in the form of a tree object; none: there is nothing any more.
    fn entry(
        &mut self,
        folder: &str,
        name: &str,
        node: Node,
        old: Option<&RawEntry<'_>>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let (mode, id) = match node {
            Node::Remove => return Ok(None),
            Node::Write(id) => (old.map_or(FILE, |entry| entry.mode), id),
            Node::Folder(nodes) => {
                let path = format!("{folder}/{name}");
                let path = path.trim_start_matches('/');
                match self.folder(path, old.map(|entry| entry.id), nodes)? {
                    Some(id) => (FOLDER, id),
                    None => return Ok(None),
                }
            }
        };
        let mut bytes = format!("{mode:o} {name}\0").into_bytes();
        bytes.extend_from_slice(id.as_bytes());
        Ok(Some(bytes))
    }
}
