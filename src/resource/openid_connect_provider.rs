//! OpenID Connect providers: issuers of tokens that roles may trust.
//!
//! AWS identifies one by the issuer's URL without its scheme. A path, its case and a slash at its
//! end are part of that: `a.example` and `a.example/` are two.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::actions::{Action, Key, Place, Touches};
use super::identity_provider::Provider;
use super::parts::{Tag, date, normalization_problem, sdk_date, tags_argument, tags_problem};
use super::{Context, Entity, FromDump, JsonOnly, Kind, Reading, ResourceType, address, read_each};
use crate::aws::{Account, CallError, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::terraform::{Body, Expression, resource};

pub static KIND: Kind = Kind {
    name: PROVIDER.name,
    plural: PROVIDER.plural,
    folders: &[PROVIDER.folder],
    terraform_prefix: "iam_openid_connect_provider",
    case: Case::Marked,
    do_keys_end_in_names: true,
    asked_by: None,
    detail_list: None,
    resource_types: &[ResourceType {
        name: "aws_iam_openid_connect_provider",
        import_id: "ARN",
        identity: &["url"],
        sets: &["client_id_list"],
        written: &["client_id_list", "tags", "thumbprint_list", "url"],
        computed: &["thumbprint_list"],
        left_out: &[
            ("id", "the provider computes it"),
            ("tags_all", "the provider computes it from `tags`"),
        ],
        ..ResourceType::PLAIN
    }],
    permissions: &["iam:GetOpenIDConnectProvider", "iam:ListOpenIDConnectProviders"],
    named_permissions: &["iam:GetOpenIDConnectProvider"],
    read: |source| {
        Box::pin(async move {
            match source {
                Source::Live(live) => read_live(live).await,
                Source::Dump(dump) => PROVIDER.read_dump::<OpenidConnectProvider>(dump),
            }
        })
    },
    shelve,
    read_named: |live, keys| Box::pin(read_named(live, keys)),
    users: None,
    actions: &[
        Action::iam(
            &[
                "AddClientIDToOpenIDConnectProvider",
                "DeleteOpenIDConnectProvider",
                "RemoveClientIDFromOpenIDConnectProvider",
                "TagOpenIDConnectProvider",
                "UntagOpenIDConnectProvider",
                "UpdateOpenIDConnectProviderThumbprint",
            ],
            Touches::Named(&[Key {
                place: Place::Request(&["openIDConnectProviderArn"]),
                read: |arn, own| PROVIDER.in_record(arn, own),
            }]),
        ),
        Action::iam(
            &["CreateOpenIDConnectProvider"],
            Touches::Named(&[Key {
                place: Place::Response(&["openIDConnectProviderArn"]),
                read: |arn, own| PROVIDER.in_record(arn, own),
            }]),
        ),
    ],
    deeds: &[
        ("AddClientIDToOpenIDConnectProvider", "clientID", "added the client ID"),
        ("RemoveClientIDFromOpenIDConnectProvider", "clientID", "removed the client ID"),
    ],
    parts: &[],
    parse: super::parse::<OpenidConnectProvider>,
};

const PROVIDER: Provider = Provider {
    resource: "oidc-provider",
    name: "OpenID Connect provider",
    plural: "openid connect providers",
    folder: "openid_connect_providers",
    shelf: "OpenIDConnectProvider",
    list: "OpenIDConnectProviderList",
    listed: "OpenIDConnectProviderListEntry",
    command: "aws iam get-open-id-connect-provider --open-id-connect-provider-arn",
};

/// The answer of GetOpenIDConnectProvider, and the ARN, which it does not name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OpenidConnectProvider {
    #[serde(default)]
    arn: String,
    /// Without `https://`.
    url: String,
    #[serde(default, rename = "ClientIDList")]
    client_id_list: Vec<String>,
    /// In AWS's order, which counts.
    #[serde(default)]
    thumbprint_list: Vec<String>,
    /// None where a person wrote the provider and AWS has not made it yet.
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    create_date: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

impl OpenidConnectProvider {
    fn issuer(&self) -> &str {
        PROVIDER.name_in(&self.arn).unwrap_or(&self.url)
    }

    fn problem(&self) -> Option<String> {
        url_problem(&self.url)
            .or_else(|| {
                // AWS makes the ARN of the URL.
                (!self.issuer().eq_ignore_ascii_case(&self.url)).then(|| {
                    format!("its ARN `{}` is not made of its URL `{}`", self.arn, self.url)
                })
            })
            .or_else(|| self.client_id_list.iter().find_map(|id| client_id_problem(id)))
            .or_else(|| {
                let mut thumbprints = self.thumbprint_list.iter();
                let thumbprint = thumbprints.find(|thumbprint| thumbprint.len() != 40)?;
                Some(format!("the provider refuses the thumbprint `{thumbprint}`"))
            })
            .or_else(|| tags_problem(&self.tags))
    }
}

/// Why the provider may refuse an issuer's URL: it takes what has a host and no query.
fn url_problem(url: &str) -> Option<String> {
    let (host, path) = url.split_at(url.find('/').unwrap_or(url.len()));
    let (host, port) = host.split_once(':').unwrap_or((host, "0"));
    let is_host = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
    let is_path = path.split('%').enumerate().all(|(index, part)| {
        let digits = if index == 0 { 0 } else { 2 };
        let code = part.as_bytes().get(..digits);
        code.is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
            && part.bytes().all(is_plain)
    });
    (!is_host || !is_port || !is_path)
        .then(|| format!("the provider may refuse the URL `https://{url}`"))
}

fn client_id_problem(id: &str) -> Option<String> {
    (!(1..=255).contains(&id.len()))
        .then(|| format!("the provider refuses the client ID `{id}`: it takes 1 to 255 bytes"))
        .or_else(|| normalization_problem(&format!("its client ID `{id}`"), id))
}

impl Entity for OpenidConnectProvider {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn name(&self) -> &str {
        self.issuer()
    }

    fn arn(&self) -> &str {
        &self.arn
    }

    fn folder(&self) -> &'static str {
        PROVIDER.folder
    }

    fn json(&self) -> Vec<u8> {
        super::pretty_json(self)
    }

    fn documents(&mut self) -> Vec<(String, Dialect, &mut Document)> {
        Vec::new()
    }

    fn json_only(&self) -> Option<JsonOnly> {
        self.problem().map(JsonOnly::Inexpressible)
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }

    fn was_made(&self) -> bool {
        self.create_date.is_some()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn terraform<'a>(&'a self, _: &Context) -> Body<'a> {
        let at = address("aws_iam_openid_connect_provider", self.issuer());
        let texts = |texts: &'a [String]| {
            Expression::List(texts.iter().map(|text| text.as_str().into()).collect())
        };
        let thumbprints = Some(self.thumbprint_list.as_slice()).filter(|list| !list.is_empty());
        let block = resource(&at)
            .attribute("url", format!("https://{}", self.url))
            .attribute("client_id_list", texts(&self.client_id_list))
            .optional("thumbprint_list", thumbprints.map(texts))
            .optional("tags", tags_argument(&self.tags));
        let mut body = Body::default();
        body.import(&at, self.arn.clone(), block);
        body
    }
}

impl FromDump for OpenidConnectProvider {
    const WHAT: &'static str = PROVIDER.name;
    fn arn(&self) -> &str {
        &self.arn
    }
    fn name(&self) -> &str {
        self.issuer()
    }
    fn complete(&mut self, _: &Path, account: Option<&Account>) {
        if let Some(account) = account.filter(|_| self.arn.is_empty()) {
            self.arn = PROVIDER.arn(account, &self.url);
        }
    }
    fn normalize(&mut self) {
        if let Some(url) = self.url.strip_prefix("https://") {
            self.url = url.to_owned();
        }
        self.client_id_list.sort();
        self.client_id_list.dedup();
        self.tags.sort();
    }
}

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    PROVIDER.shelve_list(page)?;
    let is_described = ["ClientIDList", "ThumbprintList"].iter().any(|list| page.has(list));
    if page.has("Url") && is_described {
        page.put(PROVIDER.shelf, Rank::OfAccount, page.whole);
    }
    Ok(())
}

async fn read_live(live: &Live) -> Reading {
    let call = "iam:ListOpenIDConnectProviders";
    let answer = live.call(call, live.iam.list_open_id_connect_providers().send()).await;
    let listed = answer.and_then(|answer| {
        let providers = answer.open_id_connect_provider_list.unwrap_or_default();
        PROVIDER.names(call, providers.into_iter().map(|provider| provider.arn))
    });
    PROVIDER.read_live(live, listed, |name| async move { read_provider(live, &name).await }).await
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    read_each(live, keys, |name| async move { read_provider(live, &name).await }).await
}

/// Reads one provider; `None` when there is none of that name.
async fn read_provider(
    live: &Live,
    name: &str,
) -> Result<Option<OpenidConnectProvider>, CallError> {
    let call = "iam:GetOpenIDConnectProvider";
    let arn = PROVIDER.arn(&live.account, name);
    let request = live.iam.get_open_id_connect_provider().open_id_connect_provider_arn(&arn);
    let answer = match live.call(call, request.send()).await {
        Ok(answer) => answer,
        Err(error) if error.reason == Reason::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut provider = OpenidConnectProvider {
        arn,
        url: answer.url.ok_or_else(|| CallError::empty(call))?,
        client_id_list: answer.client_id_list.unwrap_or_default(),
        thumbprint_list: answer.thumbprint_list.unwrap_or_default(),
        create_date: sdk_date(answer.create_date.as_ref()),
        tags: answer.tags.unwrap_or_default().into_iter().map(Tag::from).collect(),
    };
    provider.normalize();
    Ok(Some(provider))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_the_provider_takes() {
        for url in ["a.example", "a.example/", "a.example:8443/x", "a.example/id/AB%2F_~'x"] {
            assert_eq!(url_problem(url), None, "{url}");
        }
        for url in [
            "",
            "/x",
            "a.example?x=1",
            "a.example/%2",
            "a.example/%zz",
            "a b/",
            "a/#x",
            "a:/",
            "a/é",
        ] {
            assert!(url_problem(url).is_some(), "{url}");
        }
    }
}
