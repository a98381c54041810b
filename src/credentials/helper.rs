//! Git's own credential helpers, by the program `git`: what a person set up for Git serves here.
//!
//! Nobody is asked anything on a terminal. `git credential approve` is not called: what comes from
//! a helper is stored with it already.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tracing::debug;

use super::Login;

/// How long a helper may take.
const TIME_LIMIT: Duration = Duration::from_secs(30);

pub struct Helper {
    /// What the login is for, as `git credential` reads it.
    question: String,
    /// All that the helper said, to be told if it is refused.
    answer: Mutex<Option<SecretString>>,
}

impl Helper {
    pub fn new(url: &Url) -> Helper {
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let path = percent_decode_str(url.path().trim_matches('/')).decode_utf8_lossy();
        let question = format!("protocol={}\nhost={host}{port}\npath={path}\n\n", url.scheme());
        Helper { question, answer: Mutex::new(None) }
    }

    /// The login, if a helper has one.
    pub fn fill(&self) -> Option<Login> {
        let answer = run("fill", &self.question)?;
        let login = login_of(answer.expose_secret());
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        login
    }

    /// Tells the helpers that the login was refused, so that they forget it.
    pub fn reject(&self) {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(answer) = answer {
            run("reject", &format!("{}\n", answer.expose_secret()));
        }
    }
}

fn login_of(answer: &str) -> Option<Login> {
    let value = |key: &str| {
        let value = answer.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.filter(|value| !value.is_empty())
    };
    Some(Login {
        username: value("username")?.to_owned(),
        password: SecretString::from(value("password")?),
    })
}

/// The output of `git credential ACTION`; none if it fails, hangs or is not there.
fn run(action: &str, input: &str) -> Option<SecretString> {
    let child = Command::new("git")
        .args(["credential", action])
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let output = match child {
        Ok(mut child) => {
            let output = talk(&mut child, input);
            if output.is_none() {
                let _ = child.kill();
            }
            let succeeded = child.wait().is_ok_and(|status| status.success());
            output.filter(|_| succeeded)
        }
        Err(_) => None,
    };
    debug!(action, answered = output.is_some(), "git credential");
    output
}

fn talk(child: &mut Child, input: &str) -> Option<SecretString> {
    let mut stdin = child.stdin.take()?;
    let mut stdout = child.stdout.take()?;
    stdin.write_all(input.as_bytes()).ok()?;
    drop(stdin);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut output = String::new();
        let read = stdout.read_to_string(&mut output);
        let _ = sender.send(read.map(|_| SecretString::from(output)));
    });
    receiver.recv_timeout(TIME_LIMIT).ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_names_server_and_repository() {
        let question = |url: &str| Helper::new(&url.parse().unwrap()).question;
        assert_eq!(
            question("https://github.com/o/n.git"),
            "protocol=https\nhost=github.com\npath=o/n.git\n\n"
        );
        assert!(
            question("http://127.0.0.1:8080/a%20b").contains("host=127.0.0.1:8080\npath=a b\n")
        );
    }

    #[test]
    fn answer_without_user_name_or_password_is_none() {
        let login = login_of("protocol=https\nusername=u\npassword=p=q\n").unwrap();
        assert_eq!((login.username.as_str(), login.password.expose_secret()), ("u", "p=q"));
        for answer in ["", "quit=1\n", "username=u\n", "username=u\npassword=\n", "password=p\n"] {
            assert!(login_of(answer).is_none(), "{answer}");
        }
    }
}
