//! What OpenID Connect and SAML providers have in common: ARNs, listings, the AWS CLI's outputs.
//!
//! A listing has nothing but ARNs, and the answers about one provider do not name it.

use std::collections::BTreeSet;
use std::future::Future;

use futures::StreamExt;
use serde::Deserialize;

use super::actions::Found;
use super::{Entity, FromDump, Reading, Unreadable};
use crate::aws::{Account, CallError, Dump, DumpError, Live, Page, Rank};
use crate::invisible::visible;
use crate::summary::{Failure, count};

/// What the providers of one kind are called.
pub struct Provider {
    /// In ARNs: `saml-provider`.
    pub resource: &'static str,
    pub name: &'static str,
    pub plural: &'static str,
    pub folder: &'static str,
    /// The shelf of what describes one.
    pub shelf: &'static str,
    /// The list in the output that lists all, which is a shelf, too.
    pub list: &'static str,
    /// The shelf of what stands on the list.
    pub listed: &'static str,
    /// What prints one, in front of its ARN.
    pub command: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    arn: String,
}

impl Provider {
    pub fn arn(&self, account: &Account, name: &str) -> String {
        format!("arn:{}:iam::{}:{}/{name}", account.partition, account.id, self.resource)
    }

    /// The name in an ARN: of an OpenID Connect provider the issuer's URL, with its path.
    pub fn name_in<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _, "iam", "", _, resource] = parts[..] else { return None };
        let name = resource.strip_prefix(self.resource)?.strip_prefix('/')?;
        Some(name).filter(|name| !name.is_empty())
    }

    /// The provider whose ARN stands in a record.
    pub fn in_record(&self, arn: &str, own: Option<&str>) -> Found {
        let is_plain = arn.len() <= 2048 && arn.bytes().all(|byte| byte.is_ascii_graphic());
        let account = Account::of_arn(arn);
        let is_own = account.is_some_and(|account| own.is_none_or(|own| own == account.id));
        match self.name_in(arn) {
            Some(name) if is_plain && is_own => Found::Key(name.to_owned()),
            _ => Found::Unclear,
        }
    }

    /// Takes the list of all, and who is on it.
    pub fn shelve_list(&self, page: &mut Page) -> Result<(), DumpError> {
        let listed = page.list(self.list)?;
        if let Some(list) = page.get(self.list) {
            page.put(self.list, Rank::Part, list);
        }
        for provider in listed {
            page.put(self.listed, Rank::OfAccount, provider);
        }
        Ok(())
    }

    pub fn read_dump<T: FromDump + Entity + 'static>(&self, dump: &Dump) -> Reading {
        let mut reading = Reading::default();
        if dump.account.is_none() {
            if dump.items(self.shelf).next().is_some() {
                let error = DumpError::NoAccount { what: self.plural };
                reading.failures.push(Failure::from(error));
            }
            return reading;
        }
        let mut errors = Vec::new();
        let lists = dump.parse::<Vec<Listed>>(self.list, self.plural, &mut errors);
        reading.failures.extend(errors.into_iter().map(Failure::from));
        let found: Vec<T> = reading.take(dump, self.shelf, |_: &mut T| {});
        let described: BTreeSet<&str> = found.iter().map(FromDump::arn).collect();
        let own = lists.iter().flat_map(|(_, list)| list).map(|listed| listed.arn.as_str());
        let undescribed: BTreeSet<&str> =
            own.filter(|arn| dump.owns(arn) && !described.contains(arn)).collect();
        if let Some(arn) = undescribed.first() {
            reading.notes.push(format!(
                "{} listed and not described in these files; add the output of `{} {}` for each",
                is_or_are(undescribed.len(), self.name),
                self.command,
                visible(arn)
            ));
        }
        let is_whole = !lists.is_empty() && lists.iter().all(|(item, _)| !item.is_truncated);
        if is_whole && undescribed.is_empty() {
            reading.set_complete(self.folder);
        }
        reading.entities = found.into_iter().map(|entity| Box::new(entity) as _).collect();
        reading
    }

    /// Reads all that stand on a list of ARNs; `read` reads one, and finds nothing where it is gone
    /// by now.
    pub async fn read_live<T, F>(
        &self,
        live: &Live,
        listed: Result<Vec<String>, CallError>,
        read: impl Fn(String) -> F,
    ) -> Reading
    where
        T: Entity + 'static,
        F: Future<Output = Result<Option<T>, CallError>>,
    {
        let mut reading = Reading::default();
        let names = match listed {
            Ok(names) => names,
            Err(error) => {
                reading.failures.push(error.into());
                return reading;
            }
        };
        reading.complete.insert(self.folder);
        let of = names.len();
        let mut answers = futures::stream::iter(names)
            .map(|name| {
                let read = &read;
                async move { (name.clone(), read(name).await) }
            })
            .buffer_unordered(live.concurrency);
        let mut done = 0;
        while let Some((name, answer)) = answers.next().await {
            done += 1;
            live.progress.count(self.plural, done, Some(of));
            match answer {
                Ok(Some(provider)) => reading.entities.push(Box::new(provider)),
                Ok(None) => {}
                Err(error) => reading.unreadable.push(Unreadable { name, error }),
            }
        }
        live.progress.stop(self.plural);
        reading
    }

    /// The names on a listing; an entry without a usable ARN makes it useless.
    pub fn names(
        &self,
        call: &'static str,
        arns: impl Iterator<Item = Option<String>>,
    ) -> Result<Vec<String>, CallError> {
        let name = |arn: Option<String>| Some(self.name_in(&arn?)?.to_owned());
        arns.map(name).collect::<Option<_>>().ok_or_else(|| CallError::empty(call))
    }
}

fn is_or_are(number: usize, one: &str) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb}", count(number, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVIDER: Provider = Provider {
        resource: "oidc-provider",
        name: "",
        plural: "",
        folder: "",
        shelf: "",
        list: "",
        listed: "",
        command: "",
    };

    #[test]
    fn name_is_all_behind_the_first_slash() {
        for (arn, name) in [
            ("arn:aws:iam::111122223333:oidc-provider/a.example/b/", Some("a.example/b/")),
            (
                "arn:aws-cn:iam::111122223333:oidc-provider/a:8443/oidc-provider/x",
                Some("a:8443/oidc-provider/x"),
            ),
            ("arn:aws:iam::111122223333:oidc-provider/", None),
            ("arn:aws:iam::111122223333:oidc-providers/a", None),
            ("arn:aws:iam::111122223333:saml-provider/a", None),
            ("a.example", None),
        ] {
            assert_eq!(PROVIDER.name_in(arn), name, "{arn}");
        }
    }

    #[test]
    fn record_names_a_provider_of_its_own_account() {
        let key = |arn: &str, own| match PROVIDER.in_record(arn, own) {
            Found::Key(key) => Some(key),
            _ => None,
        };
        let arn = "arn:aws:iam::111122223333:oidc-provider/a.example/";
        assert_eq!(key(arn, Some("111122223333")).as_deref(), Some("a.example/"));
        assert_eq!(key(arn, None).as_deref(), Some("a.example/"));
        assert_eq!(key(arn, Some("444455556666")), None);
        assert_eq!(key("arn:aws:iam::111122223333:oidc-provider/a b", None), None);
        assert_eq!(key("", None), None);
    }
}
