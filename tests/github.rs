//! Pull requests against a fake of GitHub's API over HTTP.

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_iam_gitops::conflict::{self, Conflict};
use aws_iam_gitops::credentials::Clock;
use aws_iam_gitops::error;
use aws_iam_gitops::github::{GitHubError, PullRequest, PullRequests, is_passing};
use aws_iam_gitops::repository::{
    Anonymous, Commit, Credentials, Expected, Login, Oid, Person, Remote, Repository, Tree,
};
use aws_iam_gitops::settings::environment::Environment;
use aws_iam_gitops::settings::{SyncArguments, SyncSettings};
use serde_json::{Value, json};

use support::fake_github::{FakeGitHub, Fault, How, Pull};
use support::git_server::{Bare, GitServer, git};

const TOKEN: &str = "ghs_s3cretToken";
const BRANCH: &str = "aws-iam-gitops/conflict/iam_role.deploy";
const NOW: u64 = 1_800_000_000;

/// A clock that stands still but for the pauses, which take no time.
#[derive(Default)]
struct TestClock(Mutex<Vec<u64>>);

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn pause(&self, duration: Duration) {
        self.0.lock().expect("not poisoned").push(duration.as_secs());
    }
}

/// A token, and the one that follows when it is refused.
struct Token(Mutex<Vec<&'static str>>);

impl Credentials for Token {
    fn authorization(&self, _: &Remote) -> anyhow::Result<Option<Login>> {
        let token = self.0.lock().expect("not poisoned").first().copied();
        Ok(token.map(|token| Login { username: "x".to_owned(), password: token.into() }))
    }

    fn refused(&self) {
        let mut tokens = self.0.lock().expect("not poisoned");
        if tokens.len() > 1 {
            tokens.remove(0);
        }
    }
}

struct Case {
    fake: FakeGitHub,
    pulls: Arc<PullRequests>,
    clock: Arc<TestClock>,
}

fn settings(variables: &[(&str, &str)]) -> SyncSettings {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let environment = Environment::read(variables).expect("good variables");
    SyncSettings::new(SyncArguments::default(), environment).expect("settings")
}

impl Case {
    fn new() -> Case {
        Case::with(vec![TOKEN])
    }

    fn with(tokens: Vec<&'static str>) -> Case {
        let fake = FakeGitHub::start(TOKEN);
        let settings = settings(&[
            ("AWS_IAM_GITOPS_REPOSITORY", "https://git.example.com/o/n.git"),
            ("AWS_IAM_GITOPS_GITHUB_API", &fake.url),
        ]);
        let clock = Arc::new(TestClock::default());
        let credentials = Arc::new(Token(Mutex::new(tokens)));
        let pulls = PullRequests::open(&settings, credentials, clock.clone());
        let pulls = Arc::new(pulls.expect("no certificates").expect("it is GitHub"));
        Case { fake, pulls, clock }
    }

    /// Calls from a thread that may block.
    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&PullRequests) -> T + Send + 'static,
    ) -> T {
        let pulls = Arc::clone(&self.pulls);
        tokio::task::spawn_blocking(move || call(&pulls)).await.expect("no panic")
    }

    async fn open_or_update(&self, title: &str, body: &str) -> anyhow::Result<PullRequest> {
        let (title, body) = (title.to_owned(), body.to_owned());
        self.call(move |pulls| pulls.open_or_update(BRANCH, "main", &title, &body)).await
    }

    async fn close(&self, number: u64) -> anyhow::Result<bool> {
        self.call(move |pulls| pulls.close_with_comment(number, "Resolved.")).await
    }

    fn faults(&self, faults: Vec<Fault>) {
        self.fake.world().faults = faults;
    }

    fn pauses(&self) -> Vec<u64> {
        std::mem::take(&mut self.clock.0.lock().expect("not poisoned"))
    }
}

fn answer(about: &'static str, status: u16, body: Value) -> Fault {
    Fault(about, How::Answer(status, vec![], body))
}

const LIST: &str = "GET /repos/o/n/pulls";
const OPEN: &str = "POST /repos/o/n/pulls";
const CHANGE: &str = "PATCH /repos/o/n/pulls/1";
const SHOW: &str = "GET /repos/o/n/pulls/1";
const COMMENTS: &str = "GET /repos/o/n/issues/1/comments";
const COMMENT: &str = "POST /repos/o/n/issues/1/comments";

#[tokio::test]
async fn pull_request_is_opened_once_and_updated_when_its_text_changes() {
    let case = Case::new();
    let opened = case.open_or_update("title", "body\n").await.unwrap();
    assert_eq!((opened.number, opened.branch.as_str()), (1, BRANCH));
    assert_eq!(opened.url, "https://github.com/o/n/pull/1");
    assert_eq!(case.fake.take_calls(), [LIST, OPEN]);
    assert_eq!(case.fake.world().pulls, [Pull::new(BRANCH, "title", "body\n")]);

    assert_eq!(case.open_or_update("title", "body").await.unwrap(), opened, "it says the same");
    assert_eq!(case.fake.take_calls(), [LIST]);

    let updated = case.open_or_update("title", "other").await.unwrap();
    assert_eq!((updated.number, updated.body.as_str()), (1, "other"));
    assert_eq!(case.fake.take_calls(), [LIST, CHANGE]);
    assert_eq!(case.fake.world().pulls, [Pull::new(BRANCH, "title", "other")]);

    let found = case.call(|pulls| pulls.find_open(BRANCH, "main")).await.unwrap();
    assert_eq!(found, Some(updated));
    assert_eq!(case.call(|pulls| pulls.find_open("x", "main")).await.unwrap(), None);
    assert_eq!(case.call(|pulls| pulls.find_open(BRANCH, "x")).await.unwrap(), None);
}

#[tokio::test]
async fn text_goes_on_from_the_one_that_is_there() {
    let case = Case::new();
    let add = |pulls: &PullRequests| {
        pulls.open_or_revise(BRANCH, "main", "title", false, |earlier| {
            match earlier.contains('b') {
                true => earlier.to_owned(),
                false => format!("{earlier}a\nb"),
            }
        })
    };
    assert_eq!(case.call(add).await.unwrap().body, "a\nb");
    // As a browser's form sends it.
    case.fake.world().pulls[0].body = Some("x\r\n".to_owned());
    assert_eq!(case.call(add).await.unwrap().body, "x\na\nb");
    case.fake.take_calls();
    case.call(add).await.unwrap();
    assert_eq!(case.fake.take_calls(), [LIST]);
}

#[tokio::test]
async fn pull_requests_of_others_are_not_touched() {
    let case = Case::new();
    let mut fork = Pull::new(BRANCH, "theirs", "");
    fork.is_of_fork = true;
    let mut closed = Pull::new(BRANCH, "old", "");
    closed.is_open = false;
    let mut elsewhere = Pull::new(BRANCH, "to another branch", "");
    elsewhere.base = "release".to_owned();
    let before = vec![fork, closed, elsewhere];
    case.fake.world().pulls = before.clone();
    assert_eq!(case.open_or_update("title", "body").await.unwrap().number, 4);
    assert_eq!(case.fake.world().pulls[..3], before);
    // Should GitHub not understand the filter.
    let all = case.call(|pulls| pulls.list_open("aws-iam-gitops/", "main")).await.unwrap();
    assert_eq!(all.iter().map(|pull| pull.number).collect::<Vec<_>>(), [4]);
}

#[tokio::test]
async fn list_is_read_to_its_end() {
    let case = Case::new();
    let pulls =
        (0..250).map(|number| Pull::new(&format!("aws-iam-gitops/conflict/{number}"), "", ""));
    case.fake.world().pulls = pulls.chain([Pull::new("feature", "", "")]).collect();
    let found = case.call(|pulls| pulls.list_open("aws-iam-gitops/conflict/", "main")).await;
    assert_eq!(found.unwrap().len(), 250);
    assert_eq!(case.fake.take_calls(), [LIST; 3]);
}

#[tokio::test]
async fn pull_request_is_closed_with_one_comment() {
    let case = Case::new();
    case.open_or_update("title", "body").await.unwrap();
    case.fake.world().pulls[0].comments = vec!["hm".to_owned(); 120];
    case.fake.take_calls();
    assert!(case.close(1).await.unwrap());
    assert_eq!(case.fake.take_calls(), [SHOW, COMMENTS, COMMENTS, COMMENT, CHANGE]);
    assert!(!case.close(1).await.unwrap(), "it is closed already");
    assert_eq!(case.fake.take_calls(), [SHOW]);
    let pull = case.fake.world().pulls[0].clone();
    assert_eq!(
        (pull.is_open, pull.comments.len(), &*pull.comments[120]),
        (false, 121, "Resolved.")
    );

    // The run ended between comment and end.
    case.fake.world().pulls[0].is_open = true;
    assert!(case.close(1).await.unwrap());
    assert_eq!(case.fake.world().pulls[0].comments.len(), 121);
    case.call(|pulls| pulls.close(1)).await.unwrap();
}

#[tokio::test]
async fn rival_who_is_faster_is_found() {
    let case = Case::new();
    case.fake.world().before_opening =
        Some(Box::new(|pulls| pulls.push(Pull::new(BRANCH, "title", "theirs"))));
    let opened = case.open_or_update("title", "ours").await.unwrap();
    assert_eq!(opened.number, 1);
    assert_eq!(case.fake.take_calls(), [LIST, OPEN, LIST, CHANGE]);
    assert_eq!(case.fake.world().pulls, [Pull::new(BRANCH, "title", "ours")]);
}

#[tokio::test]
async fn answer_that_is_lost_makes_nothing_twice() {
    let case = Case::new();
    case.faults(vec![Fault(OPEN, How::Cut)]);
    assert_eq!(case.open_or_update("title", "body").await.unwrap().number, 1);
    assert_eq!(case.fake.world().pulls.len(), 1);
    assert_eq!(case.fake.take_calls(), [LIST, OPEN, OPEN, LIST]);
    case.faults(vec![
        Fault(COMMENT, How::Cut),
        Fault(CHANGE, How::Cut),
        Fault(SHOW, How::Refuse),
        answer(COMMENT, 502, json!({})),
    ]);
    assert!(case.close(1).await.unwrap());
    let pull = case.fake.world().pulls[0].clone();
    assert_eq!((pull.is_open, pull.comments), (false, vec!["Resolved.".to_owned()]));
}

#[tokio::test]
async fn limits_are_waited_out_when_that_is_short() {
    let case = Case::new();
    let secondary = json!({
        "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
    });
    let seconds = |seconds: &str| vec![("retry-after", seconds.to_owned())];
    let reset = |seconds: u64| {
        vec![
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-reset", (NOW + seconds).to_string()),
        ]
    };
    case.faults(vec![
        Fault(OPEN, How::Answer(403, seconds("7"), secondary.clone())),
        Fault(OPEN, How::Answer(429, reset(3), json!({"message": "API rate limit exceeded"}))),
        Fault(OPEN, How::Answer(503, vec![], json!({"message": "Unicorn"}))),
    ]);
    case.open_or_update("title", "body").await.unwrap();
    assert_eq!(case.pauses(), [7, 3, 4]);
    assert_eq!(case.fake.world().pulls.len(), 1);

    for headers in [seconds("60"), reset(3000), vec![]] {
        case.faults(vec![Fault(LIST, How::Answer(403, headers, secondary.clone()))]);
        let error = case.open_or_update("title", "body").await.unwrap_err();
        assert!(is_passing(&error), "{error:#}");
        assert!(case.pauses().is_empty());
    }
    // A comment is waited for as well: a limit says that nothing was done.
    case.faults(vec![Fault(COMMENT, How::Answer(403, seconds("2"), secondary))]);
    assert!(case.close(1).await.unwrap());
    assert_eq!(case.pauses(), [2]);
    assert_eq!(case.fake.world().pulls[0].comments.len(), 1);
}

#[tokio::test]
async fn outage_ends_after_four_attempts() {
    let case = Case::new();
    case.faults(vec![answer(LIST, 502, json!({})); 4]);
    let error = case.open_or_update("title", "body").await.unwrap_err();
    assert!(is_passing(&error), "{error:#}");
    assert_eq!(case.pauses(), [1, 2, 4]);
    assert_eq!(
        format!("{error:#}"),
        "cannot look for pull requests: GitHub's search for the pull request failed with status 502"
    );
}

#[tokio::test]
async fn deadline_ends_every_call() {
    let case = Case::new();
    let start = Instant::now();
    case.faults(vec![Fault("", How::Delay(Duration::from_secs(20)))]);
    case.pulls.set_deadline(Some(start + Duration::from_millis(300)));
    let error = case.open_or_update("title", "body").await.unwrap_err();
    assert!(is_passing(&error) && start.elapsed() < Duration::from_secs(5), "{error:#}");
    case.fake.take_calls();
    let error = case.open_or_update("title", "body").await.unwrap_err();
    assert!(format!("{error:#}").contains("no time is left"), "{error:#}");
    assert!(case.fake.take_calls().is_empty() && case.pauses().is_empty());
    // A pause that is too long for what is left.
    case.pulls.set_deadline(Some(Instant::now() + Duration::from_secs(3)));
    let wait = vec![("retry-after", "9".to_owned())];
    case.faults(vec![Fault(LIST, How::Answer(429, wait, json!({})))]);
    assert!(is_passing(&case.open_or_update("title", "body").await.unwrap_err()));
    assert!(case.pauses().is_empty());
}

#[tokio::test]
async fn token_is_read_once_more_when_it_is_refused() {
    let case = Case::with(vec!["ghs_old", TOKEN]);
    case.open_or_update("title", "body").await.unwrap();
    assert_eq!(case.fake.take_calls(), [LIST, LIST, OPEN]);

    let case = Case::with(vec!["ghs_s3cretOld", "ghs_s3cretOlder"]);
    let error = case.open_or_update("title", "body").await.unwrap_err();
    assert_eq!(case.fake.take_calls(), [LIST, LIST]);
    let text = error::text(&error);
    assert!(text.contains("status 401: Bad credentials"), "{text}");
    assert!(text.contains("hint: check the token") && !is_passing(&error), "{text}");

    let text = error::text(&Case::with(vec![]).open_or_update("t", "b").await.unwrap_err());
    assert!(text.contains("there is none") && text.contains("AWS_IAM_GITOPS_TOKEN"), "{text}");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let case = Case::new();
    let not_found = json!({"message": "Not Found", "status": "404"});
    let forbidden = json!({"message": "Resource not accessible by integration", "status": "403"});
    for (fault, said, hint) in [
        (answer(LIST, 404, not_found), "Not Found", "`Pull requests: read and write`"),
        (answer(OPEN, 403, forbidden), "by integration", "`Pull requests: read and write`"),
        (
            answer(
                OPEN,
                403,
                json!({"message":
                "GitHub Actions is not permitted to create or approve pull requests."}),
            ),
            "not permitted",
            "allow GitHub Actions to create pull requests",
        ),
        (answer(LIST, 301, json!({"message": "Moved Permanently"})), "Moved", "its new address"),
    ] {
        case.faults(vec![fault]);
        let error = case.open_or_update("title", "body").await.unwrap_err();
        let text = error::text(&error);
        assert!(text.contains(said) && text.contains(hint), "{text}");
        assert!(!is_passing(&error), "{text}");
    }
    assert!(case.pauses().is_empty());
}

#[tokio::test]
async fn branch_without_commits_and_branch_that_is_missing_are_told_apart() {
    let case = Case::new();
    case.fake.with_heads(|_| Some("the same".to_owned()));
    let error = case.open_or_update("title", "body").await.unwrap_err();
    let of_github = error.downcast_ref::<GitHubError>().expect("what GitHub said");
    assert!(of_github.is_without_commits());
    let text = error::text(&error);
    assert!(text.contains(&format!("No commits between main and {BRANCH}")), "{text}");
    assert!(text.contains("there is nothing to merge"), "{text}");

    case.fake.with_heads(|branch| (branch == "main").then(String::new));
    let error = case.open_or_update("title", "body").await.unwrap_err();
    assert!(!error.downcast_ref::<GitHubError>().expect("what GitHub said").is_without_commits());
    let text = error::text(&error);
    assert!(text.contains("`head` is invalid"), "{text}");
    assert!(text.contains("both branches must be there"), "{text}");
}

#[tokio::test]
async fn token_is_in_no_error() {
    let case = Case::new();
    let body = json!({"message": format!("bad {TOKEN}\u{1b}[31m"), "errors": [TOKEN]});
    for status in [400, 401, 403, 404, 422, 301] {
        case.faults(vec![answer(LIST, status, body.clone()), answer(LIST, status, body.clone())]);
        let error = case.open_or_update("title", "body").await.unwrap_err();
        let all = format!("{error:#} {error:?} {}", error::text(&error));
        assert!(all.contains("bad …\\u{1b}[31m") && !all.contains("s3cret"), "{all}");
    }
    case.faults(vec![answer(LIST, 200, json!({"token": TOKEN}))]);
    let error = case.open_or_update("title", "body").await.unwrap_err();
    assert!(!format!("{error:#} {error:?}").contains("s3cret"), "{error:#}");
}

#[tokio::test]
async fn repository_that_is_not_on_github_has_none() {
    for (variables, is_there) in [
        (&[("AWS_IAM_GITOPS_REPOSITORY", "https://github.com/o/n")][..], true),
        (&[("AWS_IAM_GITOPS_REPOSITORY", "https://gitlab.com/o/n")], false),
        (&[("AWS_IAM_GITOPS_REPOSITORY", "/srv/git/n.git")], false),
    ] {
        let credentials = Arc::new(Token(Mutex::new(Vec::new())));
        let clock = Arc::new(TestClock::default());
        let found = PullRequests::open(&settings(variables), credentials, clock).unwrap();
        assert_eq!(found.is_some(), is_there, "{variables:?}");
    }
}

const FILE: &str = "terraform/iam_role.deploy.tf";
const BASE: &str = "max_session_duration = 3600\n";

/// One look at a conflict, as the pipeline takes it.
struct Look<'a> {
    repository: Repository,
    pulls: &'a PullRequests,
    _folder: tempfile::TempDir,
}

impl<'a> Look<'a> {
    fn new(url: &str, pulls: &'a PullRequests) -> Look<'a> {
        let folder = tempfile::tempdir().expect("a folder");
        let remote = Remote::parse(url).expect("an address");
        let repository = Repository::open(remote, folder.path(), Arc::new(Anonymous), None);
        Look { repository: repository.expect("a clone"), pulls, _folder: folder }
    }

    /// Brings AWS's version to the branch and its pull request; whether anything was to do.
    fn show(&mut self, actual: &str) -> (bool, PullRequest) {
        let branch = conflict::branch("", FILE);
        let main = self.repository.fetch("main").expect("the server").expect("a head");
        let there = self.repository.fetch_also(&[&branch]).expect("the server")[0];
        let tree = self.repository.tree(Some(main), "").expect("a tree");
        let desired = tree.read(FILE).expect("the clone").expect("a file");
        let desired = String::from_utf8(desired).expect("UTF-8");
        tree.write(FILE, actual.as_bytes()).expect("a file");
        let history = self.repository.log_of_paths("main", main, &[FILE], "roles/deploy.json", 10);
        let history = history.expect("the server");
        let conflict = Conflict {
            kind: "role",
            name: "deploy",
            path: FILE,
            default_branch: "main",
            git: (Some(BASE), Some(&desired)),
            aws: (Some(BASE), Some(actual)),
            reason: None,
            records: &[],
            earlier: "",
            history: &history,
        };
        let found = self.pulls.find_open(&branch, "main").expect("GitHub");
        let body = |earlier: &str| Conflict { earlier, ..conflict.clone() }.body();
        let is_same = found.is_some_and(|found| found.body.trim() == body(&found.body).trim())
            && there.is_some_and(|there| self.holds(there, &tree));
        if !is_same {
            let (parents, expected) = match there {
                Some(there) => (vec![there, main], Expected::At(there)),
                None => (vec![main], Expected::Absent),
            };
            let person = Person { name: "p".to_owned(), email: "p@example.com".to_owned() };
            let about = Commit {
                message: "conflict".to_owned(),
                author: person.clone(),
                committer: person,
                author_time: 1_700_000_000,
                time: 1_700_000_000,
            };
            let commit = self.repository.commit_on(&tree, &about, &parents).expect("the clone");
            if let Some(commit) = commit {
                self.repository.push_to(commit, &branch, expected).expect("the server");
            }
        }
        let title = conflict.title();
        let pull = self.pulls.open_or_revise(&branch, "main", &title, false, body).expect("GitHub");
        (!is_same, pull)
    }

    fn holds(&self, commit: Oid, tree: &Tree) -> bool {
        let there = self.repository.tree(Some(commit), "").expect("a tree");
        there.has_changes_of(tree).expect("the clone")
    }
}

/// What merging the pull request would make of the file, by Git itself.
fn merged(bare: &Bare) -> String {
    let branch = conflict::branch("", FILE);
    let tree = git(&bare.path, &["merge-tree", "--write-tree", "main", &branch]);
    bare.content(tree.trim(), FILE)
}

#[test]
fn conflict_is_shown_followed_and_closed() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let server = GitServer::start();
    let bare = server.repository("r");
    bare.commit("main", &[(FILE, Some(BASE)), ("roles/deploy.json", Some("{}"))], "export");
    bare.commit("main", &[(FILE, Some("max_session_duration = 7200\n"))], "longer sessions");
    let case = Case::new();
    let heads = bare.clone();
    case.fake.with_heads(move |branch| heads.head(branch));
    let look = || Look::new(&server.url_of("r"), &case.pulls);

    let (_, pull) = look().show("max_session_duration = 900\n");
    assert_eq!((pull.number, pull.title.as_str()), (1, "role deploy changed in Git and in AWS"));
    for said in
        ["\n+max_session_duration = 7200", "\n+max_session_duration = 900", "longer sessions"]
    {
        assert!(pull.body.contains(said), "{said}: {}", pull.body);
    }
    assert_eq!(merged(&bare), "max_session_duration = 900\n");
    let first = bare.head(BRANCH);
    case.fake.take_calls();

    // Nothing changed, but elsewhere.
    bare.commit("main", &[("other", Some("1"))], "noise");
    let (has_changed, again) = look().show("max_session_duration = 900\n");
    assert_eq!((has_changed, bare.head(BRANCH)), (false, first));
    assert_eq!(again, pull);
    assert_eq!(case.fake.take_calls(), [LIST, LIST]);

    // Git moves on, then AWS.
    bare.commit("main", &[(FILE, Some("max_session_duration = 43200\n"))], "longest sessions");
    let (has_changed, updated) = look().show("max_session_duration = 900\n");
    assert!(has_changed && updated.body.contains("longest sessions"), "{}", updated.body);
    assert_eq!(merged(&bare), "max_session_duration = 900\n");
    let (has_changed, updated) = look().show("max_session_duration = 1800\n");
    assert!(has_changed && updated.body.contains("+max_session_duration = 1800"));
    assert_eq!(merged(&bare), "max_session_duration = 1800\n");
    assert_eq!(bare.files(BRANCH), ["other", "roles/deploy.json", FILE]);
    assert_eq!(case.fake.world().pulls.len(), 1);

    // AWS follows Git.
    let mut look = look();
    look.repository.fetch("main").expect("the server");
    let start = conflict::branch_start("");
    let heads: Vec<_> = look.repository.heads(&start).collect();
    assert_eq!(heads.len(), 1);
    let open = case.pulls.list_open(&start, "main").expect("GitHub");
    assert_eq!(open[0].branch, heads[0].0);
    let text = conflict::resolved("role", "deploy", "main");
    assert!(case.pulls.close_with_comment(open[0].number, &text).expect("GitHub"));
    look.repository.remove_branch(heads[0].0, heads[0].1).expect("the server");
    assert_eq!(bare.head(BRANCH), None);
    assert_eq!(case.fake.world().pulls[0].comments, [text]);
    bare.check();
}
