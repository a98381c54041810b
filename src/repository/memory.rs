//! Trees into the part of the clone that stays in memory, past libgit2's own hashing.
//!
//! libgit2 looks for collisions while it hashes, at a quarter of the speed of the processor's own
//! instructions; for the two trees of ten thousand files that an event changes, that was most of its
//! CPU time. Nobody can forge a collision in what is only made here, and libgit2 hashes each
//! object once more, its own way, when it packs it.

use std::ptr;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use git2::{Binding, Odb, Oid};
use libgit2_sys::{GIT_OBJECT_TREE, git_odb_get_backend};

use super::error::{Failure, Reason};

/// Writes a tree object to the first backend of an object database, which is the one in memory.
pub(super) fn write_tree(odb: &Odb<'_>, data: &[u8]) -> Result<Oid, Failure> {
    let id = id_of_tree(data)?;
    let mut backend = ptr::null_mut();
    // SAFETY: the database is open as long as it is borrowed, and owns its backends. Every backend
    // copies what its `write` is given before it returns, and keeps none of these pointers.
    let status = unsafe {
        if git_odb_get_backend(&raw mut backend, odb.raw(), 0) < 0 {
            return Err(git2::Error::last_error(-1).into());
        }
        let Some(write) = (*backend).write else {
            return Err(Failure::new(Reason::Other, "no object can be written to the clone"));
        };
        write(backend, id.raw(), data.as_ptr().cast(), data.len(), GIT_OBJECT_TREE)
    };
    if status < 0 {
        return Err(git2::Error::last_error(status).into());
    }
    Ok(id)
}

fn id_of_tree(data: &[u8]) -> Result<Oid, Failure> {
    let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(format!("tree {}\0", data.len()).as_bytes());
    hash.update(data);
    Ok(Oid::from_bytes(hash.finish().as_ref())?)
}

#[cfg(test)]
mod tests {
    use git2::ObjectType;

    use super::*;

    #[test]
    fn tree_is_written_as_git_would() {
        let folder = tempfile::tempdir().unwrap();
        let git = git2::Repository::init_bare(folder.path()).unwrap();
        let odb = git.odb().unwrap();
        odb.add_new_mempack_backend(1000).unwrap();
        for size in [0, 1, 1000] {
            let data = b"100644 a\0aaaaaaaaaaaaaaaaaaaa".repeat(size);
            let id = write_tree(&odb, &data).unwrap();
            assert_eq!(id, Oid::hash_object(ObjectType::Tree, &data).unwrap());
            let found = git.odb().unwrap().read(id).unwrap().data().to_vec();
            assert_eq!(found, data);
        }
        let objects = std::fs::read_dir(folder.path().join("objects")).unwrap();
        assert_eq!(objects.count(), 2, "nothing is on disk but the empty `pack` and `info`");
    }
}
