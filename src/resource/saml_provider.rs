//! SAML providers: identity providers whose metadata documents AWS keeps.
//!
//! A document is kept to the byte: it may be signed.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::actions::{Action, Key, Place, Touches, name_of_128};
use super::identity_provider::Provider;
use super::parts::{
    Tag, date, name_problem, normalization_problem, sdk_date, tags_argument, tags_problem,
};
use super::{Context, Entity, FromDump, JsonOnly, Kind, Reading, ResourceType, address, read_each};
use crate::aws::{Account, CallError, DumpError, Live, Page, Rank, Reason, Source};
use crate::file_name::Case;
use crate::policy_document::{Dialect, Document};
use crate::terraform::{Body, resource};

pub static KIND: Kind = Kind {
    name: PROVIDER.name,
    plural: PROVIDER.plural,
    folders: &[PROVIDER.folder],
    terraform_prefix: "iam_saml_provider",
    // AWS does not say whether it tells names apart by case.
    case: Case::Marked,
    do_keys_end_in_names: true,
    asked_by: None,
    detail_list: None,
    resource_types: &[ResourceType {
        name: "aws_iam_saml_provider",
        import_id: "ARN",
        identity: &["name"],
        written: &["name", "saml_metadata_document", "tags"],
        left_out: &[
            ("id", "the provider computes it"),
            ("tags_all", "the provider computes it from `tags`"),
        ],
        ..ResourceType::PLAIN
    }],
    permissions: &["iam:GetSAMLProvider", "iam:ListSAMLProviders"],
    named_permissions: &["iam:GetSAMLProvider"],
    read: |source| {
        Box::pin(async move {
            match source {
                Source::Live(live) => read_live(live).await,
                Source::Dump(dump) => PROVIDER.read_dump::<SamlProvider>(dump),
            }
        })
    },
    shelve,
    read_named: |live, keys| Box::pin(read_named(live, keys)),
    users: None,
    actions: &[
        Action::iam(
            &["DeleteSAMLProvider", "TagSAMLProvider", "UntagSAMLProvider", "UpdateSAMLProvider"],
            Touches::Named(&[Key {
                place: Place::Request(&["sAMLProviderArn"]),
                read: |arn, own| PROVIDER.in_record(arn, own),
            }]),
        ),
        Action::iam(
            &["CreateSAMLProvider"],
            Touches::Named(&[Key { place: Place::Request(&["name"]), read: name_of_128 }]),
        ),
    ],
    deeds: &[],
    parts: &[],
    parse: super::parse::<SamlProvider>,
};

const PROVIDER: Provider = Provider {
    resource: "saml-provider",
    name: "SAML provider",
    plural: "saml providers",
    folder: "saml_providers",
    shelf: "SAMLProvider",
    list: "SAMLProviderList",
    listed: "SAMLProviderListEntry",
    command: "aws iam get-saml-provider --saml-provider-arn",
};

/// How the file with the answer about a provider begins, in front of the provider's name.
const FILE: &str = "get-saml-provider.";

/// The answer of GetSAMLProvider, and the ARN, which it does not name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SamlProvider {
    #[serde(default)]
    arn: String,
    #[serde(default, rename = "SAMLProviderUUID", skip_serializing_if = "Option::is_none")]
    saml_provider_uuid: Option<String>,
    #[serde(rename = "SAMLMetadataDocument")]
    saml_metadata_document: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assertion_encryption_mode: Option<String>,
    /// None where a person wrote the provider and AWS has not made it yet.
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    create_date: Option<String>,
    #[serde(default, deserialize_with = "date", skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

impl SamlProvider {
    fn provider_name(&self) -> &str {
        PROVIDER.name_in(&self.arn).unwrap_or(&self.arn)
    }

    fn problem(&self) -> Option<String> {
        name_problem("SAML provider name", self.provider_name(), 128)
            .or_else(|| {
                let length = self.saml_metadata_document.len();
                (!(1_000..=10_000_000).contains(&length)).then(|| {
                    format!(
                        "the provider refuses its metadata document of {length} bytes: it takes \
                         1,000 to 10,000,000"
                    )
                })
            })
            .or_else(|| {
                normalization_problem("its metadata document", &self.saml_metadata_document)
            })
            .or_else(|| tags_problem(&self.tags))
    }
}

impl Entity for SamlProvider {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn name(&self) -> &str {
        self.provider_name()
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
        let name = self.provider_name();
        let at = address("aws_iam_saml_provider", name);
        let block = resource(&at)
            .attribute("name", name)
            .attribute("saml_metadata_document", self.saml_metadata_document.as_str())
            .optional("tags", tags_argument(&self.tags));
        let mut body = Body::default();
        body.import(&at, self.arn.clone(), block);
        body
    }
}

impl FromDump for SamlProvider {
    const WHAT: &'static str = PROVIDER.name;
    fn arn(&self) -> &str {
        &self.arn
    }
    fn name(&self) -> &str {
        self.provider_name()
    }
    fn complete(&mut self, path: &Path, account: Option<&Account>) {
        if let Some((account, name)) =
            account.zip(name_in_file(path)).filter(|_| self.arn.is_empty())
        {
            self.arn = PROVIDER.arn(account, name);
        }
    }
    fn normalize(&mut self) {
        self.tags.sort();
    }
}

/// The provider that the name of a file tells.
fn name_in_file(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?.strip_prefix(FILE)?.strip_suffix(".json")?;
    Some(name).filter(|name| !name.is_empty())
}

fn shelve(page: &mut Page) -> Result<(), DumpError> {
    PROVIDER.shelve_list(page)?;
    if page.has("SAMLMetadataDocument") {
        if !page.has("Arn") && name_in_file(page.path).is_none() {
            return Err(DumpError::NoName {
                path: page.path.to_owned(),
                what: PROVIDER.name,
                hint: "call the file, for example, `get-saml-provider.NAME.json`",
            });
        }
        page.put(PROVIDER.shelf, Rank::OfAccount, page.whole);
    }
    Ok(())
}

async fn read_live(live: &Live) -> Reading {
    let call = "iam:ListSAMLProviders";
    let answer = live.call(call, live.iam.list_saml_providers().send()).await;
    let listed = answer.and_then(|answer| {
        let providers = answer.saml_provider_list.unwrap_or_default();
        PROVIDER.names(call, providers.into_iter().map(|provider| provider.arn))
    });
    PROVIDER.read_live(live, listed, |name| async move { read_provider(live, &name).await }).await
}

async fn read_named(live: &Live, keys: &BTreeSet<String>) -> Reading {
    read_each(live, keys, |name| async move { read_provider(live, &name).await }).await
}

/// Reads one provider; `None` when there is none of that name.
async fn read_provider(live: &Live, name: &str) -> Result<Option<SamlProvider>, CallError> {
    let call = "iam:GetSAMLProvider";
    let arn = PROVIDER.arn(&live.account, name);
    let request = live.iam.get_saml_provider().saml_provider_arn(&arn);
    let answer = match live.call(call, request.send()).await {
        Ok(answer) => answer,
        Err(error) if error.reason == Reason::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let document = answer.saml_metadata_document;
    let mode = answer.assertion_encryption_mode;
    let mut provider = SamlProvider {
        arn,
        saml_provider_uuid: answer.saml_provider_uuid,
        saml_metadata_document: document.ok_or_else(|| CallError::empty(call))?,
        assertion_encryption_mode: mode.map(|mode| mode.as_str().to_owned()),
        create_date: sdk_date(answer.create_date.as_ref()),
        valid_until: sdk_date(answer.valid_until.as_ref()),
        tags: answer.tags.unwrap_or_default().into_iter().map(Tag::from).collect(),
    };
    provider.normalize();
    Ok(Some(provider))
}
