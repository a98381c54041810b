//! Where a repository is: a URL or a path, never with a secret in it.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use reqwest::Url;

use super::error::RemoteError;

/// The address of a Git repository.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote(pub(super) Place);

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    Http(Url),
    Path(PathBuf),
}

impl Remote {
    /// Reads an `https` URL, an `http` URL of this machine, a `file` URL or a path.
    ///
    /// # Errors
    ///
    /// It holds a user name, a password or a query; it is of another kind (SSH), or would send a
    /// token in the clear. The text itself is never repeated: it may hold a secret.
    pub fn parse(text: &str) -> Result<Remote, RemoteError> {
        let remote = Remote::parse_allowing_http(text)?;
        match &remote.0 {
            Place::Http(url) if url.scheme() == "http" && !is_loopback(url) => {
                Err(refuse("the repository's URL is not encrypted", "use its `https://` URL"))
            }
            _ => Ok(remote),
        }
    }

    /// As [`Remote::parse`], with unencrypted `http` URLs of any host.
    ///
    /// # Errors
    ///
    /// As [`Remote::parse`].
    pub fn parse_allowing_http(text: &str) -> Result<Remote, RemoteError> {
        let text = text.trim();
        if text.is_empty() || text.contains(char::is_control) {
            return Err(refuse("the repository is neither a URL nor a path", EXAMPLE));
        }
        if text.contains("://") {
            return parse_url(text);
        }
        if text.split('/').next().is_some_and(|first| first.contains(':')) {
            let (host, path) = text.split_once(':').unwrap_or_default();
            let host = host.rsplit('@').next().unwrap_or_default();
            return Err(no_ssh(host, path));
        }
        Ok(Remote(Place::Path(PathBuf::from(text))))
    }

    /// The server's name; none for a path.
    pub fn host(&self) -> Option<&str> {
        self.url().and_then(Url::host_str)
    }

    /// `https` or `http`; none for a path.
    pub fn scheme(&self) -> Option<&str> {
        self.url().map(Url::scheme)
    }

    /// The port, where it is not that of the scheme.
    pub fn port(&self) -> Option<u16> {
        self.url().and_then(Url::port)
    }

    /// The path on the server without its leading `/`; none for a path on this machine.
    pub fn path(&self) -> Option<&str> {
        self.url().map(|url| url.path().trim_matches('/'))
    }

    /// The folder on this machine; none for a server.
    pub fn folder(&self) -> Option<&Path> {
        match &self.0 {
            Place::Path(path) => Some(path),
            Place::Http(_) => None,
        }
    }

    /// Owner and name, as GitHub has them.
    pub fn owner_and_name(&self) -> Option<(&str, &str)> {
        let (owner, name) = self.path()?.split_once('/')?;
        let name = name.strip_suffix(".git").unwrap_or(name);
        (!owner.is_empty() && !name.is_empty() && !name.contains('/')).then_some((owner, name))
    }

    /// Whether the host is GitHub's own.
    pub fn is_github(&self) -> bool {
        self.host().is_some_and(|host| host == "github.com" || host.ends_with(".ghe.com"))
    }

    /// The address of the REST API, taking the server for GitHub.
    pub fn github_api(&self) -> Option<Url> {
        let url = self.url()?;
        let api = match url.host_str()? {
            "github.com" => "https://api.github.com".to_owned(),
            // GitHub Enterprise Cloud with data residency.
            host if host.ends_with(".ghe.com") => format!("https://api.{host}"),
            _ => format!("{}/api/v3", url.origin().ascii_serialization()),
        };
        api.parse().ok()
    }

    /// The URL; none for a path.
    pub fn url(&self) -> Option<&Url> {
        match &self.0 {
            Place::Http(url) => Some(url),
            Place::Path(_) => None,
        }
    }
}

impl From<&Path> for Remote {
    fn from(path: &Path) -> Remote {
        Remote(Place::Path(path.to_owned()))
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Http(url) => write!(f, "{}", url.as_str().trim_end_matches('/')),
            Place::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({self})")
    }
}

const EXAMPLE: &str = "such as `https://github.com/owner/repository` or `/srv/git/repository.git`";

fn refuse(message: &'static str, hint: impl Into<String>) -> RemoteError {
    RemoteError { message, hint: hint.into() }
}

fn no_ssh(host: &str, path: &str) -> RemoteError {
    let hint = format!("use `https://{host}/{}` and a token", path.trim_start_matches('/'));
    refuse("the repository's URL is for SSH, which is not spoken here", hint)
}

fn parse_url(text: &str) -> Result<Remote, RemoteError> {
    let url =
        Url::parse(text).map_err(|_| refuse("the repository's URL cannot be read", EXAMPLE))?;
    match url.scheme() {
        "http" | "https" => {}
        "file" => {
            let path = url
                .to_file_path()
                .map_err(|()| refuse("the repository's URL names no path here", EXAMPLE))?;
            return Ok(Remote(Place::Path(path)));
        }
        "ssh" | "git+ssh" | "ssh+git" => {
            return Err(no_ssh(url.host_str().unwrap_or("host"), url.path()));
        }
        _ => return Err(refuse("the repository's URL is not `https`", EXAMPLE)),
    }
    let bare = format!("{}{}", url.origin().ascii_serialization(), url.path());
    if !url.username().is_empty() || url.password().is_some() {
        let hint = format!(
            "use `{bare}`, and give the token by AWS_IAM_GITOPS_TOKEN_SECRET or AWS_IAM_GITOPS_TOKEN: a URL \
             ends up in logs"
        );
        return Err(refuse("the repository's URL holds a user name or a secret", hint));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("the repository's URL holds a query", format!("use `{bare}`")));
    }
    Ok(Remote(Place::Http(url)))
}

/// Whether what is sent there does not leave this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> RemoteError {
        let error = Remote::parse(text).expect_err(text);
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert!(!error.hint().contains("s3cret"), "{}", error.hint());
        error
    }

    #[test]
    fn urls_and_paths_are_told_apart() {
        let remote = Remote::parse(" https://Example.com:8443/a/b.git/ ").unwrap();
        assert_eq!(remote.to_string(), "https://example.com:8443/a/b.git");
        assert_eq!((remote.host(), remote.port()), (Some("example.com"), Some(8443)));
        assert_eq!((remote.scheme(), remote.path()), (Some("https"), Some("a/b.git")));
        for path in ["/srv/git/x y.git", "repository.git", "./a:b"] {
            assert_eq!(Remote::parse(path).unwrap().folder(), Some(Path::new(path)));
        }
        let remote = Remote::parse("file:///srv/git/x%20y.git").unwrap();
        assert_eq!(remote.folder(), Some(Path::new("/srv/git/x y.git")));
        assert_eq!(remote.host(), None);
    }

    #[test]
    fn secret_in_the_url_is_refused_and_not_repeated() {
        for text in [
            "https://s3cret@example.com/a/b",
            "https://user:s3cret@example.com/a/b",
            "https://example.com/a/b?token=s3cret",
            "https://example.com/a/b#s3cret",
            "https://s3cret@exa mple/",
            "s3cret@example.com:a/b",
            "ssh://s3cret@example.com/a/b",
            "s3cret://example.com",
            "https://s3cret\n@x",
        ] {
            refused(text);
        }
        let error = refused("https://user:s3cret@example.com/a/b");
        assert!(error.hint().contains("`https://example.com/a/b`"), "{}", error.hint());
    }

    #[test]
    fn ssh_is_refused_with_the_https_form() {
        for text in ["git@example.com:a/b.git", "ssh://git@example.com/a/b.git"] {
            let error = refused(text);
            assert!(error.hint().contains("`https://example.com/a/b.git`"), "{}", error.hint());
        }
    }

    #[test]
    fn token_does_not_travel_in_the_clear() {
        for text in ["http://example.com/a", "http://10.0.0.1/a", "http://localhost.example/a"] {
            assert!(refused(text).hint().contains("https"));
            assert!(Remote::parse_allowing_http(text).is_ok());
        }
        for text in ["http://127.0.0.1:8080/a", "http://localhost/a", "http://[::1]:80/a"] {
            assert!(Remote::parse(text).is_ok(), "{text}");
        }
        refused("git://example.com/a");
        refused("");
    }
}
