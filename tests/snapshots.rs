//! Golden output: the whole tree that an export of each account writes.
//!
//! A snapshot that changes is read line by line before it is accepted.

mod support;

use std::fmt::Write;
use std::path::Path;

use aws_iam_gitops::aws::{Connection, Dump, PAUSE, Source};
use aws_iam_gitops::export::export;
use aws_iam_gitops::settings::{Coverage, ExportSettings};
use support::assert_snapshot;
use support::python::project;
use support::run::Tree;

/// Exports an account from files with the ordinary settings.
fn export_account(from: &Path, to: &Path) -> String {
    let settings = ExportSettings {
        from: vec![from.to_owned()],
        to: to.to_owned(),
        account: None,
        connection: Connection {
            profile: None,
            region: None,
            concurrency: 1,
            aws_managed: true,
            pause: PAUSE,
        },
        coverage: Coverage {
            aws_managed: true,
            organizations_attachments: true,
            ..Coverage::default()
        },
        overwrite: false,
        is_adopting: false,
        dry_run: false,
    };
    let dump = Dump::read(&settings.from, None, true).expect("readable files");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let summary = runtime.block_on(export(&Source::Dump(dump), &settings)).expect("an export");
    assert!(summary.failures.is_empty(), "{:?}", summary.failures);
    summary.text().replace(&*to.to_string_lossy(), "TO")
}

fn tree_with_content(folder: &Path) -> String {
    let tree = Tree::of(folder);
    let mut out = String::new();
    for path in tree.paths() {
        let _ = writeln!(out, "==> {path} <==\n{}", tree.content(path));
    }
    out
}

/// Path, size and a 64-bit FNV-1a digest of every file: for input that stays where it is.
fn tree_with_digests(folder: &Path) -> String {
    let tree = Tree::of(folder);
    let mut out = String::new();
    for path in tree.paths() {
        let content = tree.content(path);
        let digest = content.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let _ = writeln!(out, "{digest:016x} {:>7} {path}", content.len());
    }
    out
}

fn assert_account(name: &str, from: &Path, describe: fn(&Path) -> String) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let summary = export_account(from, folder.path());
    support::assert_formatted(folder.path());
    assert_snapshot(name, &format!("{summary}\n{}", describe(folder.path())));
}

#[test]
fn example_account() {
    assert_account("example", &project().join("examples/account"), tree_with_content);
}

#[test]
fn hostile_account() {
    assert_account("hostile", &project().join("tests/accounts/hostile"), tree_with_content);
}

#[test]
fn real_dumps() {
    let folder = project().join("../shared/data/authorization-details");
    if !folder.is_dir() {
        eprintln!("skipped: there is no {}", folder.display());
        return;
    }
    for name in ["cloudmapper-demo", "cloudsplaining-example"] {
        assert_account(name, &folder.join(format!("{name}.json")), tree_with_digests);
    }
}
