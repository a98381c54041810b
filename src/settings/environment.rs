//! The environment: the function's settings, and defaults for the command line.
//!
//! A variable that is empty counts as not set. One that begins like ours and is not known is
//! refused, so that a misspelt setting does not go unseen.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use super::spelling::allowed;
use super::values::{self, Invalid, Prefix};
use super::{Choices, GitHubApp, SettingsError, Stored, TokenSource, accounts};
use crate::invisible::visible;
use crate::repository::Remote;

const OURS: &str = "AWS_IAM_GITOPS_";

/// Our variables without [`OURS`], each with what it sets.
const VARIABLES: [(&str, &str); 29] = [
    ("REPOSITORY", "the repository, as in `--repository`"),
    ("BRANCH", "the branch to commit to; otherwise `main`"),
    ("PREFIX", "as `prefix` in the file"),
    ("KINDS", "as `kinds` in the file, with commas: `roles,policies`"),
    ("AWS_MANAGED", "as `aws_managed` in the file"),
    ("ORGANIZATIONS_ATTACHMENTS", "as `organizations_attachments` in the file"),
    ("MANAGED_ELSEWHERE", "as `managed_elsewhere` in the file"),
    ("EXCLUSIVE", "as `exclusive` in the file"),
    ("IMPORTS", "as `imports` in the file"),
    ("MODE", "as `mode` in the file"),
    ("ACCOUNTS", "several accounts: their IDs with commas, `organization`, or IDs of its units"),
    ("ACCOUNTS_EXCLUDE", "as `exclude` under `[accounts]` in the file, with commas"),
    ("ACCOUNTS_ROLE", "as `role` under `[accounts]`"),
    ("ACCOUNTS_EXTERNAL_ID", "as `external_id` under `[accounts]`"),
    ("ACCOUNTS_SESSION_NAME", "as `session_name` under `[accounts]`"),
    ("ACCOUNTS_CONCURRENCY", "as `concurrency` under `[accounts]`"),
    ("QUEUE", "a function's queue, on which it puts a message for each account"),
    ("CONCURRENCY", "AWS calls in flight at once; otherwise 8"),
    ("LEASE", "how long a reading of AWS is fresh; otherwise 4 seconds"),
    ("PAUSE", "before AWS is asked twice; otherwise 2 seconds"),
    ("CLONE", "the clone's folder; otherwise in ~/.cache, or /tmp in a function"),
    ("TOKEN", "the token itself, for the command line"),
    ("TOKEN_SECRET", "the secret of Secrets Manager that holds the token"),
    ("TOKEN_PARAMETER", "the parameter of Systems Manager that holds the token"),
    ("GITHUB_APP_ID", "the GitHub App that may write to the repository"),
    ("GITHUB_APP_INSTALLATION_ID", "its installation; otherwise GitHub is asked"),
    ("GITHUB_APP_KEY_SECRET", "the secret that holds the App's private key"),
    ("GITHUB_APP_KEY_PARAMETER", "the parameter that holds the App's private key"),
    ("GITHUB_API", "GitHub's REST API; otherwise as the repository's host has it"),
];

/// Variables of other programs that mean something here.
pub const OTHERS: [&str; 8] = [
    "AWS_LAMBDA_RUNTIME_API",
    "HOME",
    "XDG_CACHE_HOME",
    "GIT_SSL_CAINFO",
    "GH_TOKEN",
    "GITHUB_TOKEN",
    "GITHUB_SERVER_URL",
    "GITHUB_API_URL",
];

/// Our variables by their full names, each with what it sets.
pub fn variables() -> impl Iterator<Item = (String, &'static str)> {
    VARIABLES.iter().map(|(name, meaning)| (format!("{OURS}{name}"), *meaning))
}

/// Whether Lambda started this process.
pub fn is_function() -> bool {
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// What the environment says.
#[derive(Clone, Debug)]
pub struct Environment {
    pub repository: Option<Remote>,
    pub branch: Option<String>,
    pub choices: Choices,
    /// The address of the queue on which a message goes for each of several accounts.
    pub queue: Option<Url>,
    pub concurrency: Option<usize>,
    pub pause: Option<Duration>,
    pub lease: Option<Duration>,
    pub clone: Option<PathBuf>,
    /// Where the user's programs keep what they can make anew; a function has no such place.
    pub cache: Option<PathBuf>,
    pub certificates: Option<PathBuf>,
    pub token: TokenSource,
    /// Where GitHub's REST API is said to be.
    pub github_api: Option<Url>,
    /// The server of a GitHub workflow, and its API.
    pub workflow: Option<(Url, Url)>,
}

impl Environment {
    /// The environment of this process.
    ///
    /// # Errors
    ///
    /// As [`Environment::read`].
    pub fn of_process() -> Result<Environment, SettingsError> {
        Environment::read(std::env::vars_os())
    }

    /// Reads the variables that are ours, and the few of others.
    ///
    /// # Errors
    ///
    /// A variable of ours that is not known, a value that cannot be, or two that contradict each
    /// other.
    pub fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Environment, SettingsError> {
        let variables = Variables::collect(variables)?;
        Ok(Environment {
            repository: variables.parse("REPOSITORY", values::remote)?,
            branch: variables.parse("BRANCH", values::branch)?,
            choices: Choices {
                prefix: variables.parse("PREFIX", Prefix::parse)?,
                kinds: variables.parse("KINDS", values::kinds)?,
                aws_managed: variables.parse("AWS_MANAGED", values::boolean)?,
                organizations_attachments: variables
                    .parse("ORGANIZATIONS_ATTACHMENTS", values::boolean)?,
                managed_elsewhere: variables.parse("MANAGED_ELSEWHERE", values::boolean)?,
                exclusive: variables.parse("EXCLUSIVE", values::boolean)?,
                imports: variables.parse("IMPORTS", values::boolean)?,
                mode: variables.parse("MODE", values::mode)?,
                accounts: variables.accounts()?,
            },
            queue: variables.parse("QUEUE", values::web_address)?,
            concurrency: variables.parse("CONCURRENCY", values::concurrency)?,
            pause: variables.parse("PAUSE", values::pause)?,
            lease: variables.parse("LEASE", values::pause)?,
            clone: variables.of_ours("CLONE").map(PathBuf::from),
            cache: variables.cache(),
            certificates: variables.get("GIT_SSL_CAINFO").map(PathBuf::from),
            token: variables.token()?,
            github_api: variables.parse("GITHUB_API", values::web_address)?,
            workflow: variables.workflow(),
        })
    }
}

struct Variables(BTreeMap<String, String>);

impl Variables {
    fn cache(&self) -> Option<PathBuf> {
        if self.get("AWS_LAMBDA_RUNTIME_API").is_some() {
            return None;
        }
        let of_home = || self.get("HOME").map(|home| PathBuf::from(home).join(".cache"));
        self.get("XDG_CACHE_HOME").map(PathBuf::from).or_else(of_home)
    }

    fn collect(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Variables, SettingsError> {
        let mut found = BTreeMap::new();
        for (name, value) in variables {
            let name = name.to_string_lossy().into_owned();
            if let Some(known) = name.strip_prefix(OURS) {
                let names = VARIABLES.map(|(name, _)| name);
                if !names.contains(&known) {
                    let invalid = Invalid::new("there is no such setting", allowed(known, &names));
                    return Err(invalid.at(format!("`{}`", visible(&name))));
                }
            } else if !OTHERS.contains(&name.as_str()) {
                continue;
            }
            let Ok(value) = value.into_string() else {
                let invalid = Invalid::new("its value is not UTF-8", "a text in UTF-8");
                return Err(invalid.at(format!("`{name}`")));
            };
            if !value.is_empty() {
                found.insert(name, value);
            }
        }
        Ok(Variables(found))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn of_ours(&self, name: &str) -> Option<&str> {
        self.get(&format!("{OURS}{name}"))
    }

    fn parse<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, SettingsError> {
        let parsed = self.of_ours(name).map(parse).transpose();
        parsed.map_err(|invalid| invalid.at(format!("`{OURS}{name}`")))
    }

    fn token(&self) -> Result<TokenSource, SettingsError> {
        self.at_most_one(&["TOKEN", "TOKEN_SECRET", "TOKEN_PARAMETER", "GITHUB_APP_ID"])?;
        let app = self.github_app()?;
        if let Some(stored) = self.stored("TOKEN_SECRET", "TOKEN_PARAMETER")? {
            return Ok(TokenSource::Stored(stored));
        }
        if let Some(token) = self.parse("TOKEN", given_token)? {
            return Ok(TokenSource::Given(token));
        }
        match app {
            Some(app) => Ok(TokenSource::GitHubApp(app)),
            None => self.ambient(),
        }
    }

    fn github_app(&self) -> Result<Option<GitHubApp>, SettingsError> {
        let installation = self.parse("GITHUB_APP_INSTALLATION_ID", values::github_installation)?;
        let key = self.stored("GITHUB_APP_KEY_SECRET", "GITHUB_APP_KEY_PARAMETER")?;
        let api = self.parse("GITHUB_API", values::web_address)?;
        match (self.parse("GITHUB_APP_ID", values::github_app_id)?, key) {
            (Some(id), Some(key)) => Ok(Some(GitHubApp { id, installation, key, api })),
            (Some(_), None) => Err(Invalid::new(
                "a GitHub App needs its private key",
                format!("the key's place in {OURS}GITHUB_APP_KEY_SECRET or {OURS}GITHUB_APP_KEY_PARAMETER"),
            )
            .at(format!("`{OURS}GITHUB_APP_ID`"))),
            (None, key) if key.is_some() || installation.is_some() => {
                Err(Invalid::new("the GitHub App is not named", format!("its ID in {OURS}GITHUB_APP_ID"))
                    .at(format!("`{OURS}GITHUB_APP_ID`")))
            }
            (None, _) => Ok(None),
        }
    }

    fn stored(&self, secret: &str, parameter: &str) -> Result<Option<Stored>, SettingsError> {
        self.at_most_one(&[secret, parameter])?;
        let secret = self.parse(secret, values::secret)?;
        Ok(secret.or(self.parse(parameter, values::parameter)?))
    }

    fn accounts(&self) -> Result<accounts::Choices, SettingsError> {
        self.at_most_one(&["PREFIX", "ACCOUNTS"])?;
        Ok(accounts::Choices {
            which: self.parse("ACCOUNTS", accounts::which)?,
            exclude: self.parse("ACCOUNTS_EXCLUDE", accounts::ids)?,
            role: self.parse("ACCOUNTS_ROLE", accounts::role)?,
            external_id: self.parse("ACCOUNTS_EXTERNAL_ID", accounts::external_id)?,
            session_name: self.parse("ACCOUNTS_SESSION_NAME", accounts::session_name)?,
            at_once: self.parse("ACCOUNTS_CONCURRENCY", accounts::at_once)?,
        })
    }

    fn at_most_one(&self, names: &[&str]) -> Result<(), SettingsError> {
        let mut set = names.iter().filter(|name| self.of_ours(name).is_some());
        let (Some(first), Some(second)) = (set.next(), set.next()) else { return Ok(()) };
        let problem = format!("`{OURS}{first}` is set too");
        Err(Invalid::new(problem, "one of the two").at(format!("`{OURS}{second}`")))
    }

    /// Other servers' workflows set the same variables; their API has another path.
    fn workflow(&self) -> Option<(Url, Url)> {
        let address = |name| values::web_address(self.get(name)?).ok();
        let (server, api) = (address("GITHUB_SERVER_URL")?, address("GITHUB_API_URL")?);
        (!api.path().trim_end_matches('/').ends_with("/v1")).then_some((server, api))
    }

    fn ambient(&self) -> Result<TokenSource, SettingsError> {
        let server = self.get("GITHUB_SERVER_URL").unwrap_or("https://github.com");
        let server: Url =
            values::web_address(server).map_err(|invalid| invalid.at("`GITHUB_SERVER_URL`"))?;
        let token = ["GH_TOKEN", "GITHUB_TOKEN"].into_iter().find_map(|name| self.get(name));
        Ok(TokenSource::Ambient { token: token.map(|token| token.trim().into()), server })
    }
}

fn given_token(text: &str) -> Result<SecretString, Invalid> {
    let token = text.trim();
    if token.is_empty() || token.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Invalid::new("that is no token", "a token on one line, without spaces"));
    }
    Ok(SecretString::from(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::file::FileSettings;
    use crate::settings::{SyncArguments, SyncSettings};

    fn read(variables: &[(&str, &str)]) -> Result<Environment, SettingsError> {
        Environment::read(variables.iter().map(|(name, value)| {
            let name = match OTHERS.contains(name) || *name == "AWS_REGION" {
                true => (*name).to_owned(),
                false => format!("{OURS}{name}"),
            };
            (name.into(), (*value).into())
        }))
    }

    #[track_caller]
    fn refused(variables: &[(&str, &str)], place: &str, problem: &str, right: &str) {
        let error = read(variables).unwrap_err();
        assert_eq!(error.place, format!("`{place}`"), "{error:?}");
        assert!(error.problem.contains(problem), "{error:?}");
        assert!(error.right.contains(right), "{error:?}");
    }

    fn settings(variables: &[(&str, &str)]) -> SyncSettings {
        SyncSettings::new(SyncArguments::default(), read(variables).unwrap()).unwrap()
    }

    const REPOSITORY: (&str, &str) = ("REPOSITORY", "https://github.com/o/n");

    #[test]
    fn only_the_repository_must_be_named() {
        let settings = settings(&[REPOSITORY, ("AWS_REGION", "x"), ("BRANCH", "")]);
        assert_eq!(settings.repository.to_string(), "https://github.com/o/n");
        assert_eq!((settings.branch.as_str(), settings.concurrency), ("main", 8));
        assert_eq!(settings.pause, Duration::from_secs(2));
        assert!(settings.clone.starts_with(std::env::temp_dir()));
        let coverage = settings.coverage(FileSettings::default());
        assert_eq!(coverage.kinds, values::default_kinds().collect());
        assert!(coverage.imports && !coverage.aws_managed && coverage.prefix.is_none());
        let error = SyncSettings::new(SyncArguments::default(), read(&[]).unwrap()).unwrap_err();
        assert_eq!(error.place, "`AWS_IAM_GITOPS_REPOSITORY`");
        assert!(error.hint().contains("--repository"));
    }

    #[test]
    fn arguments_win_over_the_environment_and_that_over_the_file() {
        let file = "prefix = 'f'\nimports = false\naws_managed = true\nkinds = ['roles']";
        let file = FileSettings::parse("f", file).unwrap();
        let environment =
            read(&[REPOSITORY, ("PREFIX", "e"), ("AWS_MANAGED", "false"), ("BRANCH", "e")]);
        let arguments = SyncArguments {
            branch: Some("a".to_owned()),
            choices: Choices { prefix: Some(Prefix::parse("a").unwrap()), ..Choices::default() },
            ..SyncArguments::default()
        };
        let settings = SyncSettings::new(arguments, environment.unwrap()).unwrap();
        let coverage = settings.coverage(file);
        assert_eq!((settings.branch.as_str(), coverage.prefix.unwrap().as_str()), ("a", "a"));
        assert!(!coverage.aws_managed && !coverage.imports);
        assert_eq!(coverage.kinds.into_iter().collect::<Vec<_>>(), ["roles"]);
    }

    #[test]
    fn folders_of_several_accounts_and_the_folder_of_one_are_layered_as_one() {
        let file = || FileSettings::parse("f", "[accounts]\norganization = true\n").unwrap();
        let coverage = settings(&[REPOSITORY, ("PREFIX", "x")]).coverage(file());
        assert_eq!((coverage.prefix(), coverage.several()), ("x", Ok(None)));
        let accounts = [REPOSITORY, ("ACCOUNTS", "111122223333"), ("ACCOUNTS_ROLE", "r")];
        let coverage =
            settings(&accounts).coverage(FileSettings::parse("f", "prefix = 'x'").unwrap());
        let several = coverage.several().unwrap().unwrap();
        assert_eq!((coverage.prefix(), several.role.as_str()), ("", "r"));
        let coverage = settings(&[REPOSITORY, ("ACCOUNTS_EXTERNAL_ID", "x1")]).coverage(file());
        let several = coverage.several().unwrap().unwrap();
        assert_eq!(several.which, accounts::Which::Organization);
        assert_eq!(several.external_id.as_deref(), Some("x1"));
        let one = coverage.of_account("111122223333", false);
        assert_eq!((one.prefix(), one.several()), ("accounts/111122223333", Ok(None)));
        assert!(!one.kinds.contains("organizations policies") && one.kinds.contains("roles"));
        assert!(coverage.of_account("1", true).kinds.contains("organizations policies"));
        refused(
            &[("PREFIX", "x"), ("ACCOUNTS", "organization")],
            "AWS_IAM_GITOPS_ACCOUNTS",
            "is set too",
            "one",
        );
    }

    #[test]
    fn every_variable_is_read() {
        let values = [
            ("REPOSITORY", "/srv/x.git"),
            ("BRANCH", "env/prod"),
            ("PREFIX", "a/b"),
            ("KINDS", "roles, organizations_policies"),
            ("AWS_MANAGED", "true"),
            ("ORGANIZATIONS_ATTACHMENTS", "true"),
            ("MANAGED_ELSEWHERE", "true"),
            ("IMPORTS", "false"),
            ("CONCURRENCY", "3"),
            ("PAUSE", "0.5"),
            ("CLONE", "/tmp/clone"),
            ("TOKEN_PARAMETER", "/git/token"),
            ("GIT_SSL_CAINFO", "/etc/ca.pem"),
        ];
        let settings = settings(&values);
        assert_eq!(settings.branch, "env/prod");
        assert_eq!((settings.concurrency, settings.pause), (3, Duration::from_millis(500)));
        assert_eq!(settings.clone, PathBuf::from("/tmp/clone"));
        assert_eq!(settings.certificates, Some(PathBuf::from("/etc/ca.pem")));
        let stored = Stored::Parameter("/git/token".to_owned());
        assert!(matches!(&settings.token, TokenSource::Stored(found) if *found == stored));
        let coverage = settings.coverage(FileSettings::default());
        assert_eq!(coverage.prefix.unwrap().as_str(), "a/b");
        assert_eq!(
            coverage.kinds.into_iter().collect::<Vec<_>>(),
            ["organizations policies", "roles"]
        );
        assert!(coverage.aws_managed && coverage.organizations_attachments);
        assert!(coverage.managed_elsewhere && !coverage.imports);
    }

    #[test]
    fn unknown_variable_of_ours_is_refused_without_its_value() {
        refused(
            &[("TOKN", "the-secret")],
            "AWS_IAM_GITOPS_TOKN",
            "no such setting",
            "did you mean `TOKEN`?",
        );
        let error = read(&[("TOKN", "the-secret")]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("the-secret"));
    }

    #[test]
    fn wrong_value_is_refused_with_the_variable_and_what_would_be_right() {
        for (name, value, problem, right) in [
            ("REPOSITORY", "git@github.com:o/n.git", "SSH", "https://"),
            ("REPOSITORY", "ssh://git@github.com/o/n", "SSH", "https://"),
            ("REPOSITORY", "http://git.example.com/o/n", "not encrypted", "https://"),
            ("REPOSITORY", "ftp://example.com/o/n", "not `https`", "https://"),
            ("REPOSITORY", "https://github.com", "names no repository", "owner/name"),
            ("REPOSITORY", "https://github.com/o/n%0ax", "names no repository", "owner/name"),
            ("REPOSITORY", "https://github.com/o/n?x=y", "a query", "https://github.com/o/n"),
            ("REPOSITORY", "https://[x/o/n", "cannot be read", "https://"),
            ("BRANCH", "refs/heads/x", "a whole reference", "`x`"),
            ("BRANCH", "a b", "not the name of a branch", "main"),
            ("BRANCH", "a..b", "not the name", "main"),
            ("BRANCH", "a//b", "not the name", "main"),
            ("BRANCH", "-x", "not the name", "main"),
            ("BRANCH", "x.lock", "not the name", "main"),
            ("PREFIX", "/a", "inside the repository", "accounts/"),
            ("PREFIX", "a/", "an empty part", "accounts/"),
            ("PREFIX", "a/.GIT", "`.GIT`", "accounts/"),
            ("PREFIX", "a\\b", "characters", "accounts/"),
            ("PREFIX", "./a", "`.`", "accounts/"),
            ("KINDS", "roles,", "no kind ``", "`roles`"),
            ("KINDS", "roles,polices", "`polices`", "did you mean `policies`?"),
            ("ACCOUNTS", "1111", "names no accounts", "organization"),
            ("ACCOUNTS_EXCLUDE", "x", "not the ID", "twelve digits"),
            ("ACCOUNTS_ROLE", "a b", "not the name of a role", "path"),
            ("ACCOUNTS_EXTERNAL_ID", "a b", "no external ID", "letters"),
            ("ACCOUNTS_SESSION_NAME", "a b", "not the name of a session", "letters"),
            ("ACCOUNTS_CONCURRENCY", "33", "`33`", "1 to 32"),
            ("QUEUE", "http://example.com/q", "reads", "https://"),
            ("AWS_MANAGED", "yes", "`yes`", "`true` or `false`"),
            ("CONCURRENCY", "0", "`0`", "1 to 64"),
            ("CONCURRENCY", "x", "`x`", "1 to 64"),
            ("PAUSE", "-1", "`-1`", "0 to 60"),
            ("PAUSE", "NaN", "`NaN`", "0 to 60"),
            ("TOKEN_SECRET", "a b", "names no secret", "the name or ARN"),
            (
                "TOKEN_SECRET",
                "arn:aws:ssm:us-east-1:111122223333:parameter/x",
                "else",
                "ARN of a secret",
            ),
            ("GITHUB_API", "http://example.com", "reads the token", "https://"),
            ("GITHUB_APP_ID", "my-app", "no ID", "client ID"),
            ("GITHUB_APP_INSTALLATION_ID", "x", "no ID", "the number"),
            ("TOKEN", "a\nb", "no token", "one line"),
        ] {
            refused(&[(name, value)], &format!("{OURS}{name}"), problem, right);
        }
    }

    #[test]
    fn contradictory_variables_are_refused() {
        let app = ("GITHUB_APP_ID", "7");
        let key = ("GITHUB_APP_KEY_SECRET", "k");
        let both = "is set too";
        refused(
            &[("TOKEN", "t"), ("TOKEN_SECRET", "s")],
            "AWS_IAM_GITOPS_TOKEN_SECRET",
            both,
            "one",
        );
        refused(&[("TOKEN_SECRET", "t"), app, key], "AWS_IAM_GITOPS_GITHUB_APP_ID", both, "one");
        refused(
            &[app, key, ("GITHUB_APP_KEY_PARAMETER", "k")],
            "AWS_IAM_GITOPS_GITHUB_APP_KEY_PARAMETER",
            both,
            "one",
        );
        refused(&[app], "AWS_IAM_GITOPS_GITHUB_APP_ID", "needs its private key", "KEY_SECRET");
        refused(&[key], "AWS_IAM_GITOPS_GITHUB_APP_ID", "not named", "GITHUB_APP_ID");
        refused(
            &[("GITHUB_APP_INSTALLATION_ID", "1")],
            "AWS_IAM_GITOPS_GITHUB_APP_ID",
            "not named",
            "GITHUB_APP_ID",
        );
        let local = read(&[app, key, ("REPOSITORY", "/srv/x")]).unwrap();
        let error = SyncSettings::new(SyncArguments::default(), local).unwrap_err();
        assert!(error.problem.contains("cannot reach"), "{error:?}");
    }

    #[test]
    fn address_of_the_api_follows_the_host() {
        for (repository, api) in [
            ("https://github.com/o/n.git", "https://api.github.com/"),
            ("https://octo.ghe.com/o/n", "https://api.octo.ghe.com/"),
            ("https://git.example.com:8443/o/n", "https://git.example.com:8443/api/v3"),
            ("http://127.0.0.1:80/o/n", "http://127.0.0.1/api/v3"),
        ] {
            let app = [("GITHUB_APP_ID", "7"), ("GITHUB_APP_KEY_SECRET", "k")];
            let TokenSource::GitHubApp(found) =
                settings(&[app[0], app[1], ("REPOSITORY", repository)]).token
            else {
                panic!("no App");
            };
            assert_eq!(found.api.unwrap().as_str(), api);
        }
    }

    #[test]
    fn repository_is_on_github_where_its_host_or_a_setting_says_so() {
        let own = ("REPOSITORY", "https://git.example.com/o/n");
        let server = ("GITHUB_SERVER_URL", "https://git.example.com");
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
        let cases: &[Case] = &[
            (&[REPOSITORY], Some("https://api.github.com/")),
            (&[("REPOSITORY", "https://octo.ghe.com/o/n")], Some("https://api.octo.ghe.com/")),
            (&[own], None),
            (&[("REPOSITORY", "https://github.com/o/n/x")], None),
            (&[("REPOSITORY", "/srv/x.git"), ("GITHUB_API", "https://x/api/v3")], None),
            (&[own, ("GITHUB_API", "https://x/api/v3")], Some("https://x/api/v3")),
            (
                &[own, ("GITHUB_APP_ID", "7"), ("GITHUB_APP_KEY_SECRET", "k")],
                Some("https://git.example.com/api/v3"),
            ),
            (
                &[own, server, ("GITHUB_API_URL", "https://git.example.com/api/v3")],
                Some("https://git.example.com/api/v3"),
            ),
            (&[own, server], None),
            // Gitea's and Forgejo's workflows.
            (&[own, server, ("GITHUB_API_URL", "https://git.example.com/api/v1")], None),
            (
                &[
                    own,
                    ("GITHUB_SERVER_URL", "https://github.com"),
                    ("GITHUB_API_URL", "https://api.github.com"),
                ],
                None,
            ),
        ];
        for (variables, api) in cases {
            let found = settings(variables).github_api;
            assert_eq!(found.as_ref().map(Url::as_str), *api, "{variables:?}");
        }
    }

    #[test]
    fn no_token_is_in_any_text() {
        let secret = "ghp_topsecret";
        let with_user = format!("https://x:{secret}@github.com/o/n");
        for name in
            ["REPOSITORY", "GITHUB_API", "TOKEN_SECRET", "TOKEN_PARAMETER", "GITHUB_APP_KEY_SECRET"]
        {
            let value =
                if name.ends_with("ORY") || name.ends_with("API") { &with_user } else { secret };
            let error = read(&[(name, value)]).unwrap_err();
            assert!(
                !format!("{error} {error:?} {}", error.hint()).contains("topsecret"),
                "{error}"
            );
        }
        for name in ["TOKEN", "GITHUB_TOKEN", "GH_TOKEN"] {
            let environment = read(&[REPOSITORY, (name, secret)]).unwrap();
            assert!(!format!("{environment:?}").contains("topsecret"));
            let settings = SyncSettings::new(SyncArguments::default(), environment).unwrap();
            assert!(!format!("{settings:?} {settings:#?}").contains("topsecret"));
        }
        let error = read(&[("TOKEN", "ghp topsecret")]).unwrap_err();
        assert!(!format!("{error:?}").contains("topsecret"));
    }
}
