//! The Git side against real Git: a repository reached by its path, over HTTP, and over TLS.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_iam_gitops::repository::{
    Anonymous, Commit, Credentials, Expected, GitError, Login, Oid, Person, Reason, Remote,
    Repository, Tree,
};
use aws_iam_gitops::terraform::read::literal;
use support::git_server::{Bare, Fault, GitServer, How, basic, git};
use support::tls_server::{Certificate, TlsServer};

const TOKEN: &str = "s3cret-token-0123456789";
const NEW_TOKEN: &str = "renewed-token-987654321";

/// A token as a secret store has it, and how often it was asked for and refused.
struct Token {
    now: Mutex<Option<&'static str>>,
    renewed: Option<&'static str>,
    asked: AtomicUsize,
    refused: AtomicUsize,
}

impl Token {
    fn new(now: Option<&'static str>, renewed: Option<&'static str>) -> Arc<Token> {
        let (asked, refused) = Default::default();
        Arc::new(Token { now: Mutex::new(now), renewed, asked, refused })
    }
}

impl Credentials for Token {
    fn authorization(&self, _: &Remote) -> anyhow::Result<Option<Login>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let now = *self.now.lock().unwrap();
        Ok(now.map(|token| Login { username: "x-access-token".to_owned(), password: token.into() }))
    }

    fn refused(&self) {
        self.refused.fetch_add(1, Ordering::SeqCst);
        if self.renewed.is_some() {
            *self.now.lock().unwrap() = self.renewed;
        }
    }
}

/// A repository of the code under test and the folder of its clone.
struct Client {
    repository: Repository,
    folder: tempfile::TempDir,
}

impl Client {
    fn new(url: &str) -> Client {
        Client::with(url, Arc::new(Anonymous))
    }

    fn with(url: &str, credentials: Arc<dyn Credentials>) -> Client {
        let folder = tempfile::tempdir().unwrap();
        let repository = open(url, folder.path(), credentials, None).unwrap();
        Client { repository, folder }
    }

    /// Fetches, lets the caller change files, commits and pushes.
    fn update(&mut self, change: impl Fn(&Tree)) -> Result<Option<Oid>, GitError> {
        let head = self.repository.fetch("main")?;
        let tree = self.repository.tree(head, "")?;
        change(&tree);
        let Some(commit) = self.repository.commit(&tree, &about("work"))? else { return Ok(None) };
        self.repository.push(commit, "main")?;
        Ok(Some(commit))
    }
}

fn open(
    url: &str,
    folder: &Path,
    credentials: Arc<dyn Credentials>,
    authorities: Option<&Path>,
) -> Result<Repository, GitError> {
    let remote = Remote::parse(url).unwrap();
    Repository::open(remote, folder, credentials, authorities)
}

fn about(subject: &str) -> Commit {
    Commit {
        message: format!("{subject}\n\nwhy\n"),
        author: Person { name: "alice@example.com".into(), email: "alice@example.com".into() },
        committer: Person { name: "aws-iam-gitops".into(), email: "bot@example.com".into() },
        author_time: 1_600_000_000,
        time: 1_700_000_000,
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// A server with one repository, which has a file already.
fn served() -> (GitServer, Bare, String) {
    let server = GitServer::start();
    let bare = server.repository("r");
    bare.commit("main", &[("roles/a.json", Some("1"))], "begin");
    let url = server.url_of("r");
    (server, bare, url)
}

/// The same by path and over HTTP.
fn places() -> Vec<(String, Bare, Box<dyn std::any::Any>)> {
    let server = GitServer::start();
    let remote = server.repository("r");
    let folder = tempfile::tempdir().unwrap();
    let local = Bare::init(&folder.path().join("r.git"));
    let path = local.path.to_str().unwrap().to_owned();
    vec![(server.url_of("r"), remote, Box::new(server)), (path, local, Box::new(folder))]
}

#[test]
fn empty_repository_gets_its_first_commit() {
    for (url, bare, _keep) in places() {
        let mut client = Client::new(&url);
        assert_eq!(client.repository.fetch("main").unwrap(), None, "{url}");
        let commit = client
            .update(|tree| {
                assert!(tree.files("roles").unwrap().is_empty());
                tree.write("roles/a.json", b"1").unwrap();
                tree.write("top", b"2").unwrap();
            })
            .unwrap()
            .unwrap();
        assert_eq!(bare.head("main"), Some(commit.to_string()));
        assert_eq!(bare.files("main"), ["roles/a.json", "top"]);
        let format = "--format=%an <%ae> %at|%cn <%ce> %ct|%B";
        assert_eq!(
            git(&bare.path, &["log", format, "main"]).trim(),
            "alice@example.com <alice@example.com> 1600000000|\
             aws-iam-gitops <bot@example.com> 1700000000|work\n\nwhy"
        );
        bare.check();
        assert_eq!(client.repository.fetch("other").unwrap(), None);
    }
}

#[test]
fn files_are_changed_and_removed_and_the_rest_stays() {
    for (url, bare, _keep) in places() {
        let files = [
            ("roles/a.json", Some("1")),
            ("roles/b.json", Some("2")),
            ("roles/sub/c.json", Some("3")),
            ("scps/only", Some("4")),
            ("README", Some("5")),
        ];
        bare.commit("main", &files, "begin");
        let mut client = Client::new(&url);
        client
            .update(|tree| {
                assert_eq!(tree.files("roles").unwrap(), names(&["a.json", "b.json"]));
                assert_eq!(tree.read("roles/a.json").unwrap().unwrap(), b"1");
                assert_eq!(tree.read("roles/z.json").unwrap(), None);
                tree.write("roles/a.json", b"one").unwrap();
                tree.write("roles/new.json", b"new").unwrap();
                tree.write("roles-x/y", b"y").unwrap();
                tree.remove("roles/b.json").unwrap();
                tree.remove("roles/b.json").unwrap();
                tree.remove("scps/only").unwrap();
                tree.remove("nowhere/x").unwrap();
                assert_eq!(tree.files("roles").unwrap(), names(&["a.json", "new.json"]));
                assert_eq!(tree.read("roles/a.json").unwrap().unwrap(), b"one");
                assert_eq!(tree.read("roles/b.json").unwrap(), None);
            })
            .unwrap()
            .unwrap();
        let found = bare.files("main");
        let expected =
            ["README", "roles-x/y", "roles/a.json", "roles/new.json", "roles/sub/c.json"];
        assert_eq!(found, expected);
        assert_eq!(bare.content("main", "roles/a.json"), "one");
        assert_eq!(bare.log("main"), ["work", "begin"]);
        bare.check();
    }
}

#[test]
fn files_are_found_by_what_they_assign_after_every_change() {
    let (_server, _, url) = served();
    let mut client = Client::new(&url);
    let naming = |tree: &Tree, text: &str| tree.naming_any("t", &[literal(text)]).unwrap();
    let write = |tree: &Tree, name: &str, text: &str| {
        tree.write(&format!("t/{name}"), format!("x = \"{text}\"\n").as_bytes()).unwrap();
    };
    client
        .update(|tree| {
            assert!(naming(tree, "1").is_empty());
            write(tree, "a.tf", "1");
            write(tree, "b.tf", "1");
            write(tree, "c.tf", "2");
            assert_eq!(naming(tree, "1"), names(&["t/a.tf", "t/b.tf"]));
        })
        .unwrap();
    client
        .update(|tree| {
            assert_eq!(naming(tree, "1"), names(&["t/a.tf", "t/b.tf"]));
            write(tree, "b.tf", "2");
            write(tree, "d.tf", "3");
            tree.remove("t/a.tf").unwrap();
            assert!(naming(tree, "1").is_empty());
            assert_eq!(naming(tree, "2"), names(&["t/b.tf", "t/c.tf"]));
        })
        .unwrap();
    let head = client.repository.fetch("main").unwrap();
    let tree = client.repository.tree(head, "").unwrap();
    assert!(naming(&tree, "1").is_empty());
    assert_eq!(naming(&tree, "2"), names(&["t/b.tf", "t/c.tf"]));
    assert_eq!(naming(&tree, "3"), names(&["t/d.tf"]));
}

#[test]
fn nothing_changed_is_no_commit() {
    for (url, bare, _keep) in places() {
        bare.commit("main", &[("roles/a.json", Some("1"))], "begin");
        let mut client = Client::new(&url);
        let nothing = client.update(|tree| {
            tree.write("roles/a.json", b"1").unwrap();
            tree.write("roles/b.json", b"2").unwrap();
            tree.remove("roles/b.json").unwrap();
            tree.remove("roles/a.json").unwrap();
            tree.write("roles/a.json", b"1").unwrap();
            assert!(!tree.is_changed());
        });
        assert_eq!(nothing.unwrap(), None);
        assert_eq!(bare.log("main"), ["begin"]);
    }
}

#[test]
fn modes_and_what_is_no_file_stay() {
    let (_server, bare, url) = served();
    bare.import(&format!(
        "commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\nfrom {}\n\
         M 100755 inline roles/run\ndata 1\n1\n\
         M 120000 inline roles/link\ndata 6\na.json\n\
         M 160000 1111111111111111111111111111111111111111 roles/module\n",
        bare.head("main").unwrap()
    ));
    let mut client = Client::new(&url);
    client
        .update(|tree| {
            assert_eq!(tree.files("roles").unwrap(), names(&["a.json", "run"]));
            assert_eq!(tree.read("roles/link").unwrap(), None);
            tree.remove("roles/link").unwrap();
            assert!(tree.write("roles/link", b"1").is_err());
            assert!(tree.files("roles/module").is_err());
            tree.write("roles/run", b"2").unwrap();
        })
        .unwrap()
        .unwrap();
    let listing = git(&bare.path, &["ls-tree", "-r", "main"]);
    for mode in ["100755 blob", "120000 blob", "160000 commit", "100644 blob"] {
        assert_eq!(listing.matches(mode).count(), 1, "{mode}:\n{listing}");
    }
}

#[test]
fn prefix_is_all_that_is_seen_and_changed() {
    let (_server, bare, url) = served();
    let mut client = Client::new(&url);
    let head = client.repository.fetch("main").unwrap();
    let tree = client.repository.tree(head, "accounts/111122223333").unwrap();
    assert!(tree.files("roles").unwrap().is_empty());
    tree.write("roles/a.json", b"2").unwrap();
    let changes = tree.changes().unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].path.as_str(), &changes[0].old), ("roles/a.json", &None));
    let commit = client.repository.commit(&tree, &about("work")).unwrap().unwrap();
    client.repository.push(commit, "main").unwrap();
    let expected = ["accounts/111122223333/roles/a.json", "roles/a.json"];
    assert_eq!(bare.files("main"), expected);
    let changed = |prefix| client.repository.changed_paths(head, commit, prefix).unwrap();
    assert_eq!(changed(""), expected[..1]);
    assert_eq!(changed("accounts/111122223333/"), ["roles/a.json"]);
    assert!(changed("roles").is_empty());
    assert_eq!(client.repository.changed_paths(None, commit, "").unwrap(), expected);
    assert_ne!(head, Some(commit));
}

#[test]
fn paths_out_of_the_repository_are_refused() {
    let (_server, _bare, url) = served();
    let mut client = Client::new(&url);
    let head = client.repository.fetch("main").unwrap();
    let tree = client.repository.tree(head, "").unwrap();
    for path in ["", "/", "/etc/passwd", "../x", "a/../x", "a//b", "a/", "./a", ".git/config"] {
        assert!(tree.write(path, b"1").is_err(), "{path}");
        assert!(tree.read(path).is_err(), "{path}");
        assert!(tree.remove(path).is_err(), "{path}");
    }
    assert!(client.repository.tree(head, "../x").is_err());
    let error = tree.write("roles/a.json/b", b"1").unwrap_err().to_string();
    assert!(error.contains("`roles/a.json`: it is not a folder"), "{error}");
    assert!(tree.write("roles", b"1").unwrap_err().to_string().contains("it is a folder"));
    assert!(tree.read("roles").is_err());
    tree.write("new", b"1").unwrap();
    assert!(tree.write("new/x", b"1").is_err());
    tree.write("deep/x", b"1").unwrap();
    assert!(tree.write("deep", b"1").is_err());
}

#[test]
fn lost_race_is_rejected_and_the_next_attempt_keeps_both() {
    for (url, bare, _keep) in places() {
        bare.commit("main", &[("roles/a.json", Some("1"))], "begin");
        let mut client = Client::new(&url);
        let head = client.repository.fetch("main").unwrap();
        let tree = client.repository.tree(head, "").unwrap();
        tree.write("roles/ours", b"1").unwrap();
        let commit = client.repository.commit(&tree, &about("work")).unwrap().unwrap();
        bare.commit("main", &[("roles/theirs", Some("1"))], "theirs");
        let error = client.repository.push(commit, "main").unwrap_err();
        assert_eq!(error.reason, Reason::Rejected, "{error}");
        assert!(error.is_retryable());
        assert_eq!(bare.log("main"), ["theirs", "begin"]);
        client.update(|tree| tree.write("roles/ours", b"1").unwrap()).unwrap().unwrap();
        assert_eq!(bare.log("main"), ["work", "theirs", "begin"]);
        bare.check();
    }
}

/// The other form of rejection: the server itself finds out, after the list of refs.
#[test]
fn race_lost_while_pushing_is_rejected_and_the_next_attempt_keeps_both() {
    let (server, bare, url) = served();
    let mut client = Client::new(&url);
    let other = bare.clone();
    let mut number = 0;
    server.before_pushes(3, move || {
        number += 1;
        other.commit("main", &[(&format!("roles/{number}"), Some("1"))], "theirs");
    });
    let mut rejections = 0;
    loop {
        match client.update(|tree| tree.write("roles/ours", b"1").unwrap()) {
            Ok(commit) => {
                assert_eq!(bare.head("main"), commit.map(|commit| commit.to_string()));
                break;
            }
            Err(error) => assert_eq!(error.reason, Reason::Rejected, "{error}"),
        }
        rejections += 1;
    }
    assert_eq!(rejections, 3);
    assert_eq!(bare.log("main"), ["work", "theirs", "theirs", "theirs", "begin"]);
    bare.check();
}

#[test]
fn two_first_commits_do_not_overwrite_each_other() {
    for (url, bare, _keep) in places() {
        let mut client = Client::new(&url);
        let head = client.repository.fetch("main").unwrap();
        let tree = client.repository.tree(head, "").unwrap();
        tree.write("ours", b"1").unwrap();
        let commit = client.repository.commit(&tree, &about("ours")).unwrap().unwrap();
        bare.commit("main", &[("theirs", Some("1"))], "theirs");
        let error = client.repository.push(commit, "main").unwrap_err();
        assert_eq!(error.reason, Reason::Rejected, "{error}");
        assert_eq!(bare.log("main"), ["theirs"]);
    }
}

#[test]
fn removed_branch_does_not_come_back() {
    for (url, bare, _keep) in places() {
        bare.commit("main", &[("a", Some("1"))], "begin");
        let mut client = Client::new(&url);
        let head = client.repository.fetch("main").unwrap();
        let tree = client.repository.tree(head, "").unwrap();
        tree.write("ours", b"1").unwrap();
        let commit = client.repository.commit(&tree, &about("ours")).unwrap().unwrap();
        git(&bare.path, &["update-ref", "-d", "refs/heads/main"]);
        let error = client.repository.push(commit, "main").unwrap_err();
        assert_eq!(error.reason, Reason::Rejected, "{error}");
        assert_eq!(bare.head("main"), None);
        assert_eq!(client.repository.fetch("main").unwrap(), None);
    }
}

#[test]
fn rewritten_branch_is_followed() {
    for (url, bare, _keep) in places() {
        bare.commit("main", &[("a", Some("1"))], "begin");
        let mut client = Client::new(&url);
        client.update(|tree| tree.write("b", b"1").unwrap()).unwrap().unwrap();
        git(&bare.path, &["update-ref", "-d", "refs/heads/main"]);
        bare.commit("main", &[("c", Some("1"))], "anew");
        client.update(|tree| tree.write("d", b"1").unwrap()).unwrap().unwrap();
        assert_eq!(bare.files("main"), ["c", "d"]);
        assert_eq!(bare.log("main"), ["work", "anew"]);
    }
}

#[test]
fn what_a_hook_says_is_told_and_not_tried_again() {
    let (_server, bare, url) = served();
    bare.hook("pre-receive", "printf 'not on a \\033[31mFriday\\n' >&2; exit 1");
    let mut client = Client::new(&url);
    let error = client.update(|tree| tree.write("b", b"1").unwrap()).unwrap_err();
    assert_eq!(error.reason, Reason::Refused, "{error}");
    assert!(!error.is_retryable());
    let text = error.to_string();
    assert!(text.contains("pre-receive hook declined"), "{text}");
    assert!(text.contains("not on a \\u{1b}[31mFriday"), "{text}");
    assert_eq!(bare.log("main"), ["begin"]);
}

#[test]
fn checked_out_branch_of_a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet", "--initial-branch=main"]);
    let mut client = Client::new(folder.path().to_str().unwrap());
    let error = client.update(|tree| tree.write("b", b"1").unwrap()).unwrap_err();
    assert_eq!(error.reason, Reason::Refused, "{error}");
    assert!(error.to_string().contains("bare"));
}

#[test]
fn renewed_token_is_used_after_a_refusal() {
    let (server, bare, url) = served();
    server.ask_for(Some(("x-access-token", NEW_TOKEN)));
    let token = Token::new(Some(TOKEN), Some(NEW_TOKEN));
    let mut client = Client::with(&url, token.clone());
    client.update(|tree| tree.write("b", b"1").unwrap()).unwrap().unwrap();
    assert_eq!(token.refused.load(Ordering::SeqCst), 1);
    assert_eq!(bare.log("main"), ["work", "begin"]);
    let statuses: Vec<u16> = server.take_requests().iter().map(|request| request.status).collect();
    // The list of refs twice, depth and pack; the list of refs and the push.
    assert_eq!(statuses, [401, 200, 200, 200, 200, 200]);

    // It ends between the list of refs and the push.
    *token.now.lock().unwrap() = Some(NEW_TOKEN);
    server.faults(vec![Fault::once("POST /r.git/git-receive-pack", How::Status(401))]);
    client.update(|tree| tree.write("b", b"2").unwrap()).unwrap().unwrap();
    assert_eq!(bare.content("main", "b"), "2");
}

#[test]
fn wrong_token_is_an_error_after_two_attempts() {
    let (server, _bare, url) = served();
    server.ask_for(Some(("x-access-token", NEW_TOKEN)));
    let token = Token::new(Some(TOKEN), None);
    let error = Client::with(&url, token.clone()).repository.fetch("main").unwrap_err();
    assert_eq!(error.reason, Reason::Unauthorized, "{error}");
    assert!(error.to_string().contains("no such login"), "{error}");
    assert_eq!(server.take_requests().len(), 2);
    assert_eq!(token.refused.load(Ordering::SeqCst), 2);
    let error = Client::new(&url).repository.fetch("main").unwrap_err();
    assert_eq!(error.reason, Reason::Unauthorized, "{error}");
    assert!(error.to_string().contains("there is no token"), "{error}");
    assert_eq!(server.take_requests().len(), 1);
}

#[test]
fn answers_have_their_reasons() {
    let (server, bare, url) = served();
    let cases = [
        (How::Status(403), Reason::Forbidden),
        (How::Status(404), Reason::NotFound),
        (How::Status(500), Reason::Unavailable),
        (How::Status(503), Reason::Unavailable),
        (How::Status(429), Reason::Unavailable),
        (How::Status(400), Reason::Other),
        (How::CutAnswer(0), Reason::Unavailable),
        (How::CutAnswer(30), Reason::Unavailable),
        (How::CutRequest, Reason::Unavailable),
    ];
    for about in ["service=git-upload-pack", "git-upload-pack", "git-receive-pack", "POST /"] {
        for (how, reason) in cases.clone() {
            let mut client = Client::new(&url);
            if about == "POST /" {
                client.repository.fetch("main").unwrap();
            }
            server.faults(vec![Fault::all(about, how.clone())]);
            let before = bare.head("main");
            let change = |tree: &Tree| tree.write("b", before.clone().unwrap().as_bytes()).unwrap();
            let error = client.update(change).expect_err(&format!("{about} {how:?}"));
            assert_eq!(error.reason, reason, "{about} {how:?}: {error}");
            let is_lost_answer =
                matches!(how, How::CutAnswer(_)) && about != "service=git-upload-pack";
            assert!(bare.head("main") == before || is_lost_answer, "{about} {how:?}");
            server.faults(Vec::new());
            client.update(|tree| tree.write("c", b"1").unwrap()).unwrap();
        }
    }
    let error = Client::new(&server.url_of("none")).repository.fetch("main").unwrap_err();
    assert_eq!(error.reason, Reason::NotFound, "{error}");
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let error = Client::new(nowhere.to_str().unwrap()).repository.fetch("main").unwrap_err();
    assert_eq!(error.reason, Reason::NotFound, "{error}");
    drop(server);
}

#[test]
fn push_whose_answer_is_lost_is_seen_by_the_next_fetch() {
    let (server, bare, url) = served();
    let mut client = Client::new(&url);
    server.faults(vec![Fault::once("POST /r.git/git-receive-pack", How::CutAnswer(0))]);
    let error = client.update(|tree| tree.write("b", b"1").unwrap()).unwrap_err();
    assert_eq!(error.reason, Reason::Unavailable, "{error}");
    assert_eq!(bare.log("main"), ["work", "begin"], "it landed");
    assert_eq!(client.update(|tree| tree.write("b", b"1").unwrap()).unwrap(), None);
}

#[test]
fn server_that_is_not_there_is_unavailable() {
    let server = GitServer::start();
    let url = server.url_of("r");
    drop(server);
    let error = Client::new(&url).repository.fetch("main").unwrap_err();
    assert_eq!(error.reason, Reason::Unavailable, "{error}");
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
}

#[test]
fn server_that_is_no_git_server_is_said_to_be_none() {
    let (server, _bare, url) = served();
    server.faults(vec![Fault::all("", How::Text(200, "please log in".to_owned()))]);
    let error = Client::new(&url).repository.fetch("main").unwrap_err();
    assert!(error.to_string().contains("not answer as a Git server (`text/plain`)"), "{error}");
}

#[test]
fn deadline_ends_every_call() {
    let (server, bare, url) = served();
    server.faults(vec![Fault::all("", How::Delay(Duration::from_secs(20)))]);
    let mut client = Client::new(&url);
    let start = Instant::now();
    client.repository.set_deadline(Some(start + Duration::from_millis(300)));
    let error = client.repository.fetch("main").unwrap_err();
    assert_eq!(error.reason, Reason::Unavailable, "{error}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let requests = server.take_requests().len();
    assert!(client.repository.fetch("main").unwrap_err().to_string().contains("no time is left"));
    assert_eq!(server.take_requests().len() + requests, 0, "nothing is sent any more");

    server.faults(Vec::new());
    client.repository.set_deadline(None);
    let head = client.repository.fetch("main").unwrap();
    let tree = client.repository.tree(head, "").unwrap();
    tree.write("b", b"1").unwrap();
    let commit = client.repository.commit(&tree, &about("work")).unwrap().unwrap();
    client.repository.set_deadline(Some(Instant::now()));
    assert_eq!(client.repository.push(commit, "main").unwrap_err().reason, Reason::Unavailable);
    assert_eq!(bare.log("main"), ["begin"]);
}

/// All bytes of all files below a folder.
fn everything_in(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything_in(&path));
        } else {
            let content = fs::read(&path).unwrap();
            found.push((path, content));
        }
    }
    found
}

#[test]
fn token_is_nowhere_but_in_the_header() {
    let (server, bare, url) = served();
    server.ask_for(Some(("x-access-token", TOKEN)));
    let mut client = Client::with(&url, Token::new(Some(TOKEN), None));
    client.update(|tree| tree.write("b", b"1").unwrap()).unwrap().unwrap();
    let header = basic("x-access-token", TOKEN);
    let encoded = header.strip_prefix("Basic ").unwrap();
    let is_secret = |text: &str| text.contains(TOKEN) || text.contains(encoded);
    for request in server.take_requests() {
        assert_eq!(request.authorization.as_deref(), Some(header.as_str()));
        assert!(!is_secret(&request.path));
    }
    for (path, content) in everything_in(client.folder.path()) {
        assert!(!is_secret(&String::from_utf8_lossy(&content)), "{}", path.display());
    }
    // Even where the server repeats it.
    bare.hook("pre-receive", &format!("echo 'bad {TOKEN}, {encoded}' >&2; exit 1"));
    let mut errors = vec![client.update(|tree| tree.write("b", b"2").unwrap()).unwrap_err()];
    for status in [400, 401, 403, 404, 500] {
        let text = format!("your {TOKEN} ({header}) is bad, is bad");
        server.faults(vec![Fault::all("", How::Text(status, text))]);
        errors.push(client.repository.fetch("main").unwrap_err());
    }
    for error in errors {
        let all = format!("{error} {error:?} {:?} {:?}", error.hint(), error.message());
        assert!(!is_secret(&all), "{all}");
        assert!(all.contains("bad"), "{all}");
    }
    assert!(!is_secret(&format!("{:?}", client.repository.remote())));
}

#[test]
fn redirect_to_another_host_does_not_get_the_token() {
    let (server, _bare, url) = served();
    let other = GitServer::start();
    other.repository("r");
    for about in ["service=git-upload-pack", "POST /r.git/git-upload-pack"] {
        server.faults(vec![Fault::all(about, How::Redirect(other.url.clone()))]);
        let mut client = Client::with(&url, Token::new(Some(TOKEN), None));
        let error = client.repository.fetch("main").unwrap_err();
        assert_eq!(error.reason, Reason::Other, "{error}");
        assert!(other.take_requests().is_empty());
    }
}

#[test]
fn renamed_repository_is_followed_on_its_server() {
    let server = GitServer::start();
    let bare = Bare::init(&server.repository("r").path.parent().unwrap().join("new/r.git"));
    bare.commit("main", &[("a", Some("1"))], "begin");
    let place = format!("{}/new", server.url);
    server.faults(vec![Fault::all(" /r.git/", How::Redirect(place))]);
    let mut client = Client::with(&server.url_of("r"), Token::new(Some(TOKEN), None));
    client.update(|tree| tree.write("b", b"1").unwrap()).unwrap().unwrap();
    assert_eq!(bare.log("main"), ["work", "begin"]);
}

#[test]
fn ref_whose_name_is_not_utf_8_does_no_harm() {
    use std::os::unix::ffi::OsStrExt;
    for (url, bare, _keep) in places() {
        let head = bare.commit("main", &[("a", Some("1"))], "begin");
        let name = std::ffi::OsStr::from_bytes(b"refs/heads/\xe9t\xe9");
        let done = std::process::Command::new("git")
            .arg("-C")
            .arg(&bare.path)
            .arg("update-ref")
            .arg(name)
            .arg(head)
            .status();
        assert!(done.unwrap().success());
        let mut client = Client::new(&url);
        client.update(|tree| tree.write("b", b"1").unwrap()).unwrap().unwrap();
        assert_eq!(bare.log("main"), ["work", "begin"]);
    }
}

type Damage<'a> = &'a dyn Fn(&Path);

/// Does this to every file of objects in a clone.
fn damage(clone: &Path, how: impl Fn(&Path)) {
    for (path, _) in everything_in(&clone.join("objects")) {
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        #[expect(clippy::permissions_set_readonly_false, reason = "a file of this test")]
        permissions.set_readonly(false);
        fs::set_permissions(&path, permissions).unwrap();
        how(&path);
    }
}

#[test]
fn damaged_clone_heals() {
    let (_server, bare, url) = served();
    let overwrite = |path: &Path| {
        let mut content = fs::read(path).unwrap();
        let middle = content.len() / 2;
        content[middle..].iter_mut().take(40).for_each(|byte| *byte ^= 0x55);
        let mut file = fs::File::options().write(true).open(path).unwrap();
        file.write_all(&content).unwrap();
    };
    // A file that is mapped into memory must not become shorter.
    let replace = |path: &Path, length: usize| {
        let content = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        fs::write(path, &content[..length.min(content.len())]).unwrap();
    };
    let kinds: [(&str, Damage<'_>); 5] = [
        ("removed", &|path| fs::remove_file(path).unwrap()),
        ("overwritten", &overwrite),
        ("empty", &|path| replace(path, 0)),
        ("cut", &|path| replace(path, 10)),
        ("only packs removed", &|path| {
            if path.extension().is_some_and(|end| end == "pack") {
                fs::remove_file(path).unwrap();
            }
        }),
    ];
    for (name, how) in kinds {
        for is_opened_anew in [true, false] {
            let mut client = Client::new(&url);
            let text = format!("{name} {is_opened_anew}");
            client.update(|tree| tree.write("b", text.as_bytes()).unwrap()).unwrap();
            damage(client.folder.path(), how);
            if is_opened_anew {
                client.repository =
                    open(&url, client.folder.path(), Arc::new(Anonymous), None).unwrap();
            }
            // What is found damaged on the way is an error that the next attempt does not have.
            let mut attempts = 0;
            while let Err(error) = attempt(&mut client, &text) {
                assert_eq!(error.reason, Reason::Corrupt, "{text}: {error}");
                attempts += 1;
                assert!(attempts < 3, "{text}: {error}");
            }
            assert_eq!(bare.content("main", "c"), text);
            bare.check();
        }
    }
}

/// Reads and writes without expecting it to go well.
fn attempt(client: &mut Client, text: &str) -> Result<(), GitError> {
    let head = client.repository.fetch("main")?;
    let tree = client.repository.tree(head, "")?;
    for name in tree.files("")? {
        tree.read(&name)?;
    }
    for name in tree.files("roles")? {
        tree.read(&format!("roles/{name}"))?;
    }
    tree.write("c", text.as_bytes())?;
    if let Some(commit) = client.repository.commit(&tree, &about("work"))? {
        client.repository.push(commit, "main")?;
    }
    Ok(())
}

#[test]
fn clone_of_another_remote_is_made_anew() {
    let (server, _bare, url) = served();
    server.repository("other").commit("main", &[("x", Some("1"))], "begin");
    let folder = tempfile::tempdir().unwrap();
    let client = |url: &str| open(url, folder.path(), Arc::new(Anonymous), None).unwrap();
    client(&url).fetch("main").unwrap();
    let mut other = client(&server.url_of("other"));
    assert!(everything_in(&folder.path().join("objects")).is_empty());
    let head = other.fetch("main").unwrap();
    assert_eq!(other.tree(head, "").unwrap().files("").unwrap(), names(&["x"]));
}

#[test]
fn clone_that_was_cut_short_is_made_anew() {
    let (_server, _bare, url) = served();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("aws-iam-gitops"), "").unwrap();
    fs::create_dir_all(folder.path().join("objects/pack")).unwrap();
    let mut repository = open(&url, folder.path(), Arc::new(Anonymous), None).unwrap();
    assert!(repository.fetch("main").unwrap().is_some());
}

fn bytes(server: &GitServer) -> usize {
    server.take_requests().iter().map(|request| request.sent + request.received).sum()
}

#[test]
fn warm_clone_transfers_what_changed() {
    let (server, bare, url) = served();
    let paths: Vec<String> = (0..2_000).map(|n| format!("roles/role-{n}.json")).collect();
    let files: Vec<_> = paths.iter().map(|path| (path.as_str(), Some(path.as_str()))).collect();
    bare.commit("main", &files, "many");
    let mut client = Client::new(&url);
    let head = client.repository.fetch("main").unwrap();
    let cold = bytes(&server);
    assert_eq!(client.repository.fetch("main").unwrap(), head);
    let requests = server.take_requests();
    assert_eq!(requests.len(), 1, "unchanged: the list of refs alone: {requests:?}");
    assert!(requests[0].sent < 1_000);
    for n in 0..3 {
        let text = n.to_string();
        bare.commit("main", &[("roles/role-7.json", Some(&text))], "one");
        let head = client.repository.fetch("main").unwrap();
        let warm = bytes(&server);
        assert!(warm < 4_000 && warm * 5 < cold, "{warm} of {cold}");
        let tree = client.repository.tree(head, "").unwrap();
        assert_eq!(tree.read("roles/role-7.json").unwrap().unwrap(), text.as_bytes());
        assert_eq!(tree.files("roles").unwrap().len(), 2_001);
    }
    // What it pushed itself is not fetched again, but little by another process.
    client.update(|tree| tree.write("roles/role-8.json", b"1").unwrap()).unwrap().unwrap();
    server.take_requests();
    client.repository.fetch("main").unwrap();
    assert_eq!(server.take_requests().len(), 1);
    client.repository = open(&url, client.folder.path(), Arc::new(Anonymous), None).unwrap();
    client.repository.fetch("main").unwrap();
    assert!(bytes(&server) < 4_000);
}

#[test]
fn what_piles_up_in_a_clone_is_bounded() {
    let (_server, bare, url) = served();
    let mut client = Client::new(&url);
    let mut most = 0;
    for n in 0..120 {
        bare.commit("main", &[("a", Some(&n.to_string()))], "one");
        let head = client.repository.fetch("main").unwrap();
        let tree = client.repository.tree(head, "").unwrap();
        assert_eq!(tree.read("a").unwrap().unwrap(), n.to_string().as_bytes());
        most = most.max(everything_in(&client.folder.path().join("objects")).len());
    }
    assert!(most < 130, "{most}");
}

#[test]
fn five_thousand_files_are_pushed() {
    for (url, bare, _keep) in places() {
        let mut client = Client::new(&url);
        let content = "0123456789abcdef".repeat(60);
        client
            .update(|tree| {
                for n in 0..5_000 {
                    let content = format!("{n}{content}");
                    tree.write(&format!("roles/role-{n}.json"), content.as_bytes()).unwrap();
                }
            })
            .unwrap()
            .unwrap();
        assert_eq!(bare.files("main").len(), 5_000);
        bare.check();
        let mut other = Client::new(&url);
        let head = other.repository.fetch("main").unwrap();
        let tree = other.repository.tree(head, "").unwrap();
        let blobs: Vec<_> = tree.blobs("roles").unwrap().collect();
        assert_eq!(blobs.len(), 5_000);
        assert!(tree.content(blobs[17].1).unwrap().ends_with(content.as_bytes()));
    }
}

#[test]
fn over_tls_with_a_login_it_is_fetched_and_pushed() {
    let server = TlsServer::start("x-access-token", TOKEN);
    let bare = server.repository("r");
    bare.commit("main", &[("a", Some("1"))], "begin");
    let url = server.url_of("r", Certificate::Good);
    let folder = tempfile::tempdir().unwrap();
    let authority = server.authority();
    let with = |token: &'static str| {
        open(&url, folder.path(), Token::new(Some(token), None), Some(&authority)).unwrap()
    };
    let error = with(NEW_TOKEN).fetch("main").unwrap_err();
    assert_eq!(error.reason, Reason::Unauthorized, "{error}");

    let mut repository = with(TOKEN);
    let head = repository.fetch("main").unwrap();
    let tree = repository.tree(head, "").unwrap();
    assert_eq!(tree.read("a").unwrap().unwrap(), b"1");
    tree.write("b", &vec![b'x'; 3_000_000]).unwrap();
    let commit = repository.commit(&tree, &about("work")).unwrap().unwrap();
    repository.push(commit, "main").unwrap();
    assert_eq!(bare.log("main"), ["work", "begin"]);
    bare.check();

    bare.hook("pre-receive", "echo 'not on Friday' >&2; exit 1");
    let tree = repository.tree(Some(commit), "").unwrap();
    tree.remove("b").unwrap();
    let commit = repository.commit(&tree, &about("work")).unwrap().unwrap();
    let error = repository.push(commit, "main").unwrap_err();
    assert_eq!(error.reason, Reason::Refused, "{error}");
    assert!(server.requests(Certificate::Good).iter().all(|line| !line.contains(TOKEN)));
}

#[test]
fn wrong_certificate_is_refused_and_nothing_is_sent() {
    let server = TlsServer::start("x-access-token", TOKEN);
    server.repository("r").commit("main", &[("a", Some("1"))], "begin");
    let authority = server.authority();
    let cases = [
        (Certificate::UnknownAuthority, Some(authority.as_path())),
        (Certificate::OtherName, Some(authority.as_path())),
        (Certificate::Expired, Some(authority.as_path())),
        (Certificate::Good, None),
    ];
    for (certificate, authority) in cases {
        let folder = tempfile::tempdir().unwrap();
        let url = server.url_of("r", certificate);
        let token = Token::new(Some(TOKEN), None);
        let mut repository = open(&url, folder.path(), token, authority).unwrap();
        let error = repository.fetch("main").unwrap_err();
        assert_eq!(error.reason, Reason::Tls, "{certificate:?}: {error}");
        assert!(!error.is_retryable());
        assert!(error.to_string().contains("certificate"), "{error}");
        assert_eq!(server.requests(certificate), [""; 0], "{certificate:?}");
    }
}

#[test]
fn file_without_certificates_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for path in [file.path(), Path::new("/nowhere/ca.pem")] {
        let credentials = Arc::new(Anonymous);
        let opened = open("https://localhost/r", folder.path(), credentials, Some(path));
        let error = opened.err().unwrap();
        assert_eq!(error.reason, Reason::Tls);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

const CONFLICT: &str = "aws-iam-gitops/conflict/iam_role.deploy";

/// A commit of a file for the conflict's branch, on top of these.
fn version(client: &Client, main: Option<Oid>, content: &str, parents: &[Oid]) -> Option<Oid> {
    let tree = client.repository.tree(main, "").unwrap();
    tree.write("terraform/deploy.tf", content.as_bytes()).unwrap();
    client.repository.commit_on(&tree, &about("conflict"), parents).unwrap()
}

#[test]
fn branch_is_made_beside_and_moves_forward_with_the_default_branch() {
    for (url, bare, _keep) in places() {
        bare.commit("main", &[("terraform/deploy.tf", Some("git 1"))], "begin");
        let mut client = Client::new(&url);
        let main = client.repository.fetch("main").unwrap();
        assert_eq!(client.repository.fetch_also(&[CONFLICT]).unwrap(), [None], "{url}");
        let first = version(&client, main, "aws 1", main.as_slice()).unwrap();
        client.repository.push_to(first, CONFLICT, Expected::Absent).unwrap();
        client.repository.push_to(first, CONFLICT, Expected::Absent).expect("it is there already");
        assert_eq!(bare.head(CONFLICT), Some(first.to_string()));
        assert_eq!(bare.head("main"), main.map(|id| id.to_string()));

        // Another function, and another clone, later.
        bare.commit("main", &[("other", Some("1"))], "other");
        bare.commit("main", &[("terraform/deploy.tf", Some("git 2"))], "edit");
        let mut client = Client::new(&url);
        let main = client.repository.fetch("main").unwrap();
        let tree = client.repository.tree(main, "").unwrap();
        let heads: Vec<_> = client.repository.heads("aws-iam-gitops/conflict/").collect();
        assert_eq!(heads, [(CONFLICT, first)]);
        assert_eq!(client.repository.heads("aws-iam-gitops/none/").count(), 0);
        let found = client.repository.fetch_also(&[CONFLICT, "none", "main"]).unwrap();
        assert_eq!(found, [Some(first), None, main]);
        assert_eq!(tree.read("terraform/deploy.tf").unwrap().unwrap(), b"git 2", "still readable");
        let there = client.repository.tree(Some(first), "").unwrap();
        assert_eq!(there.read("terraform/deploy.tf").unwrap().unwrap(), b"aws 1");
        tree.write("terraform/deploy.tf", b"aws 1").unwrap();
        assert!(there.has_changes_of(&tree).unwrap());
        tree.write("terraform/deploy.tf", b"aws 2").unwrap();
        assert!(!there.has_changes_of(&tree).unwrap());

        let parents = [first, main.unwrap()];
        let second = version(&client, main, "aws 2", &parents).unwrap();
        client.repository.push_to(second, CONFLICT, Expected::At(first)).unwrap();
        assert_eq!(bare.files(CONFLICT), ["other", "terraform/deploy.tf"]);
        assert_eq!(bare.content(CONFLICT, "terraform/deploy.tf"), "aws 2");
        let expected = format!("{first} {}", main.unwrap());
        assert_eq!(git(&bare.path, &["log", "-1", "--format=%P", CONFLICT]).trim(), expected);
        assert_eq!(version(&client, main, "aws 2", &[second, main.unwrap()]), None, "the same");
        assert_eq!(bare.content("main", "terraform/deploy.tf"), "git 2");
        bare.check();

        client.repository.remove_branch(CONFLICT, second).unwrap();
        client.repository.remove_branch(CONFLICT, second).expect("it is gone already");
        assert_eq!(bare.head(CONFLICT), None);
        client.repository.fetch("main").unwrap();
        assert_eq!(client.repository.heads("").count(), 1);
    }
}

#[test]
fn branch_that_is_elsewhere_is_not_moved() {
    for (url, bare, _keep) in places() {
        bare.commit("main", &[("terraform/deploy.tf", Some("git"))], "begin");
        let mut client = Client::new(&url);
        let main = client.repository.fetch("main").unwrap();
        let first = version(&client, main, "aws 1", main.as_slice()).unwrap();
        let rival = version(&client, main, "aws 0", main.as_slice()).unwrap();
        client.repository.push_to(first, CONFLICT, Expected::Absent).unwrap();
        let rejected = |commit: Oid, expected: Expected| {
            let error = client.repository.push_to(commit, CONFLICT, expected).unwrap_err();
            assert_eq!(error.reason, Reason::Rejected, "{error}");
            assert!(error.is_retryable());
        };
        rejected(rival, Expected::Absent);
        rejected(rival, Expected::At(main.unwrap()));
        // Where it is expected, and yet not to be had without force.
        rejected(rival, Expected::At(first));
        let error = client.repository.remove_branch(CONFLICT, rival).unwrap_err();
        assert_eq!(error.reason, Reason::Rejected, "{error}");
        assert_eq!(bare.head(CONFLICT), Some(first.to_string()));
        git(&bare.path, &["update-ref", "-d", &format!("refs/heads/{CONFLICT}")]);
        let second = version(&client, main, "aws 2", &[first, main.unwrap()]).unwrap();
        rejected(second, Expected::At(first));
        assert_eq!(bare.head(CONFLICT), None);
        bare.check();
    }
}

#[test]
fn branches_that_are_here_are_not_asked_for() {
    let (server, bare, url) = served();
    bare.commit("other", &[("x", Some("1"))], "other");
    let mut client = Client::new(&url);
    client.repository.fetch("main").unwrap();
    server.take_requests();
    assert_eq!(client.repository.fetch_also(&["main", "none"]).unwrap().len(), 2);
    assert_eq!(server.take_requests().len(), 0);
    client.repository.fetch_also(&["other"]).unwrap();
    assert_eq!(server.take_requests().len(), 3, "the list of refs, depth and pack");
    client.repository.fetch_also(&["other"]).unwrap();
    assert_eq!(server.take_requests().len(), 0);
}

/// Subjects of commits that changed a file since its JSON did.
fn changes(client: &Client, head: Oid, most: usize) -> (Vec<String>, bool) {
    let paths = ["terraform/deploy.tf"];
    let log = client.repository.log_of_paths("main", head, &paths, "roles/deploy.json", most);
    let log = log.unwrap();
    (log.commits.into_iter().map(|commit| commit.subject).collect(), log.is_cut)
}

#[test]
fn commits_that_changed_a_file_since_the_last_export_are_listed() {
    let tf = "terraform/deploy.tf";
    for (url, bare, _keep) in places() {
        bare.commit("main", &[(tf, Some("0"))], "too old");
        bare.commit("main", &[(tf, Some("1")), ("roles/deploy.json", Some("1"))], "export");
        bare.commit("main", &[(tf, Some("2"))], "edit one");
        for number in 0..5 {
            bare.commit("main", &[("other", Some(&number.to_string()))], "noise");
        }
        // A pull request merged with a merge commit.
        let base = bare.head("main").unwrap();
        bare.import(&format!(
            "commit refs/heads/feature\nauthor Mallory @team <m@x> 1700000001 +0000\n\
             committer A <a@b> 1700000001 +0000\ndata 8\nedit two\nfrom {base}\n\
             M 100644 inline {tf}\ndata 1\n3\n"
        ));
        bare.commit("main", &[("other", Some("x"))], "noise");
        let (ours, theirs) = (bare.head("main").unwrap(), bare.head("feature").unwrap());
        bare.import(&format!(
            "commit refs/heads/main\ncommitter A <a@b> 1700000002 +0000\ndata 5\nmerge\n\
             from {ours}\nmerge {theirs}\nM 100644 inline {tf}\ndata 1\n3\n"
        ));
        let mut client = Client::new(&url);
        let head = client.repository.fetch("main").unwrap().unwrap();
        let (found, is_cut) = changes(&client, head, 10);
        assert_eq!((found, is_cut), (vec!["edit two".to_owned(), "edit one".to_owned()], false));
        assert_eq!(changes(&client, head, 1), (vec!["edit two".to_owned()], true));
        let log = client.repository.log_beyond("main", head, theirs.parse().unwrap(), 10).unwrap();
        let subjects: Vec<_> = log.commits.iter().map(|commit| commit.subject.as_str()).collect();
        assert_eq!(subjects, ["noise"]);
        // The clone is as small as before, and of use.
        client.update(|tree| tree.write("ours", b"1").unwrap()).unwrap().unwrap();
        bare.commit("main", &[("other", Some("y"))], "noise");
        client.update(|tree| tree.write("ours", b"2").unwrap()).unwrap().unwrap();
        let head = client.repository.fetch("main").unwrap().unwrap();
        assert_eq!(changes(&client, head, 10).0, ["edit two", "edit one"]);
        bare.check();
    }
}

#[test]
fn history_that_is_too_long_is_said_to_be_cut() {
    let (server, bare, url) = served();
    bare.commit("main", &[("terraform/deploy.tf", Some("1"))], "old edit");
    let mut stream = String::new();
    for number in 0..60 {
        let from = match number {
            0 => format!("from {}\n", bare.head("main").unwrap()),
            _ => String::new(),
        };
        stream.push_str(&format!(
            "commit refs/heads/main\ncommitter A <a@b> {} +0000\ndata 5\nnoise\n{from}\
             M 100644 inline other\ndata 2\n{number:02}\n",
            1_700_000_000 + number
        ));
    }
    bare.import(&stream);
    let mut client = Client::new(&url);
    let paths = ["terraform/deploy.tf"];
    for _ in 0..2 {
        let head = client.repository.fetch("main").unwrap().unwrap();
        let log = client.repository.log_of_paths("main", head, &paths, "roles/deploy.json", 10);
        let log = log.unwrap();
        assert_eq!((log.commits.len(), log.looked_at, log.is_cut), (0, 50, true));
        // Fetches stay as small as they were, though fifty commits are here.
        server.take_requests();
        bare.commit("main", &[("other", Some("z"))], "noise");
        client.update(|tree| tree.write("ours", b"1").unwrap()).unwrap();
        bare.commit("main", &[("ours", Some("2"))], "noise");
        let requests = server.take_requests();
        assert!(requests.iter().all(|request| request.received < 1500), "{requests:#?}");
        let head = client.repository.fetch("main").unwrap();
        let parents = head.map(|head| client.repository.tree(Some(head), "").is_ok());
        assert_eq!(parents, Some(true));
    }
    bare.check();
}

#[test]
fn rule_of_a_branch_is_told_with_a_way_out() {
    let (_server, bare, url) = served();
    for (said, hook) in [
        ("GH006: Protected branch update failed for refs/heads/main.", "pre-receive"),
        ("GH013: Repository rule violations found, see https://x/internal", "update"),
    ] {
        fs::remove_file(bare.path.join("hooks/pre-receive")).ok();
        bare.hook(hook, &format!("echo 'error: {said}' >&2; exit 1"));
        let mut client = Client::new(&url);
        let error = client.update(|tree| tree.write("b", b"1").unwrap()).unwrap_err();
        assert_eq!(error.reason, Reason::Refused, "{error}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.hint().unwrap().contains("mode = \"pull-request\""), "{error}");
    }
}

#[test]
fn history_that_begins_with_the_file_is_whole() {
    for (url, bare, _keep) in places() {
        bare.commit("main", &[("terraform/deploy.tf", Some("1"))], "first");
        bare.commit("main", &[("other", Some("1"))], "noise");
        let mut client = Client::new(&url);
        let head = client.repository.fetch("main").unwrap().unwrap();
        assert_eq!(changes(&client, head, 10), (vec!["first".to_owned()], false));
        let log = client.repository.log_of_paths("main", head, &["none"], "nor/this", 10).unwrap();
        assert_eq!((log.commits.len(), log.looked_at, log.is_cut), (0, 2, false));
    }
}
