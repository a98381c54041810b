//! Pieces that several kinds are made of: tags, inline policies, attachments, checks on names.

use std::collections::BTreeMap;
use std::io;

use aws_sdk_iam::types as sdk;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::ser::{Formatter, PrettyFormatter};
use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::JsonOnly;
use crate::invisible::is_invisible;
use crate::policy_document::Document;
use crate::terraform::Expression;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    pub key: String,
    pub value: String,
}

/// A policy that is part of one role, user or group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InlinePolicy {
    pub policy_name: String,
    pub policy_document: Document,
}

/// A managed policy attached to a role, user or group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttachedPolicy {
    pub policy_name: String,
    pub policy_arn: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PermissionsBoundary {
    #[serde(deserialize_with = "boundary_type")]
    pub permissions_boundary_type: String,
    pub permissions_boundary_arn: String,
}

/// The API's model calls it otherwise than its answers.
fn usual_type(text: &str) -> String {
    text.strip_prefix("PermissionsBoundary").unwrap_or(text).to_owned()
}

fn boundary_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(usual_type(&String::deserialize(deserializer)?))
}

impl From<sdk::Tag> for Tag {
    fn from(tag: sdk::Tag) -> Tag {
        Tag { key: tag.key, value: tag.value }
    }
}

impl From<sdk::PolicyDetail> for InlinePolicy {
    fn from(policy: sdk::PolicyDetail) -> InlinePolicy {
        InlinePolicy {
            policy_name: policy.policy_name.unwrap_or_default(),
            policy_document: Document::from_text(&policy.policy_document.unwrap_or_default()),
        }
    }
}

impl From<sdk::AttachedPolicy> for AttachedPolicy {
    fn from(policy: sdk::AttachedPolicy) -> AttachedPolicy {
        AttachedPolicy {
            policy_name: policy.policy_name.unwrap_or_default(),
            policy_arn: policy.policy_arn.unwrap_or_default(),
        }
    }
}

impl From<sdk::AttachedPermissionsBoundary> for PermissionsBoundary {
    fn from(boundary: sdk::AttachedPermissionsBoundary) -> PermissionsBoundary {
        PermissionsBoundary {
            // The API's only value; the emulator and older answers leave it out.
            permissions_boundary_type: boundary
                .permissions_boundary_type
                .map_or_else(|| "Policy".to_owned(), |kind| usual_type(kind.as_str())),
            permissions_boundary_arn: boundary.permissions_boundary_arn.unwrap_or_default(),
        }
    }
}

/// The `tags` argument: sorted by key, without the `aws:` tags that the provider hides.
pub fn tags_argument(tags: &[Tag]) -> Option<Expression<'_>> {
    let tags: BTreeMap<&str, &str> = tags
        .iter()
        .filter(|tag| !tag.key.starts_with("aws:"))
        .map(|tag| (tag.key.as_str(), tag.value.as_str()))
        .collect();
    if tags.is_empty() {
        return None;
    }
    let entries = tags.into_iter().map(|(key, value)| (key.into(), Expression::from(value)));
    Some(Expression::Map(entries.collect()))
}

/// The `path` argument, which is left out where it is the provider's default.
pub fn non_default_path(path: &str) -> Option<&str> {
    Some(path).filter(|path| *path != "/")
}

/// A document as an argument; an entity is rendered only when all its documents are JSON.
///
/// Terraform normalizes what `jsonencode` is given. A document that would not survive that is
/// written as text with escapes, which is no pleasure to read and exact.
pub fn json_encode(document: &Document) -> Option<Expression<'_>> {
    match document {
        Document::Json(json) if json.is_nfc() => Some(Expression::JsonEncode(json)),
        Document::Json(json) => Some(Expression::from(json.ascii())),
        Document::Text { .. } => None,
    }
}

/// The tag by which something else says that it manages the entity.
pub fn managed_elsewhere(tags: &[Tag]) -> Option<JsonOnly> {
    let owner = tags.iter().find(|tag| {
        tag.key == "aws:cloudformation:stack-name"
            || (tag.key == "managed-by" && tag.value == "aws-iam-gitops")
    })?;
    Some(JsonOnly::ManagedElsewhere(format!("{} = {}", owner.key, owner.value)))
}

/// Why a list of tags cannot be a Terraform map: Terraform normalizes keys to NFC.
pub fn tags_problem(tags: &[Tag]) -> Option<String> {
    let mut keys: Vec<String> = tags.iter().map(|tag| tag.key.nfc().collect()).collect();
    keys.sort_unstable();
    keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| {
        format!("the tag key `{}` stands twice once Terraform has normalized it", pair[0])
    })
}

/// Why a text would not survive: Terraform normalizes all of them to NFC.
pub fn normalization_problem(what: &str, text: &str) -> Option<String> {
    (!is_nfc(text)).then(|| format!("Terraform would normalize {what}, and so change it"))
}

/// Why the provider refuses a name: it takes `[\w+=,.@-]`, up to a length.
pub fn name_problem(what: &str, name: &str, longest: usize) -> Option<String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (name.is_empty() || name.len() > longest || !name.chars().all(is_legal))
        .then(|| format!("the provider refuses the {what} `{name}`"))
}

/// Why a path would not survive: AWS's paths start and end with `/` and the provider takes up to
/// 512 characters.
pub fn path_problem(path: &str) -> Option<String> {
    let is_path = path.starts_with('/')
        && path.ends_with('/')
        && path.len() <= 512
        && path.bytes().all(|b| b.is_ascii_graphic());
    (!is_path).then(|| format!("`{path}` is not an IAM path"))
}

/// Why an ARN is not that of the entity: AWS makes it of path and name.
pub fn arn_mismatch(arn: &str, path: &str, name: &str) -> Option<String> {
    let is_own = arn.strip_suffix(name).is_some_and(|rest| rest.ends_with(path));
    (!is_own).then(|| format!("its ARN `{arn}` is not made of its path and name"))
}

/// Why the provider refuses an ARN as a permissions boundary or an attachment.
pub fn arn_problem(what: &str, arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_valid = match parts.as_slice() {
        ["arn", partition, _, _, account, resource] => {
            let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            partition.starts_with("aws")
                && (is_account || *account == "aws")
                && !resource.is_empty()
        }
        _ => false,
    };
    (!is_valid).then(|| format!("the provider refuses the {what} `{arn}`"))
}

/// Why the provider refuses a role's description: opening curly quotes, more than 1,000 bytes.
pub fn description_problem(text: &str) -> Option<String> {
    if let Some(quote) = text.chars().find(|c| matches!(c, '“' | '‘')) {
        return Some(format!("its description holds `{quote}`, which the provider refuses"));
    }
    (text.len() > 1000)
        .then(|| "its description is longer than the 1,000 bytes the provider takes".to_owned())
}

/// Why the provider refuses a document, with what the document is.
pub fn document_problem(what: &str, document: &Document) -> Option<String> {
    document.problem().map(|problem| format!("{what} is not what the provider takes: {problem}"))
}

/// A date as AWS's JSON has it (`2024-03-05T09:12:44+00:00`, or a space for the `T`), written
/// `2024-03-05T09:12:44Z`; what is no date stays as it is.
pub fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(|text| normal_date(&text)))
}

fn normal_date(text: &str) -> String {
    use aws_smithy_types::date_time::{DateTime, Format};
    let standard = match text.as_bytes().get(10) {
        Some(b' ') => format!("{}T{}", &text[..10], &text[11..]),
        _ => text.to_owned(),
    };
    DateTime::from_str(&standard, Format::DateTimeWithOffset)
        .and_then(|date| {
            DateTime::from_secs(date.secs())
                .fmt(Format::DateTime)
                .map_err(|_| unreachable!("a date that was parsed can be printed"))
        })
        .unwrap_or_else(|_| text.to_owned())
}

/// A date as the SDK has it, written like [`date`] does.
pub fn sdk_date(date: Option<&aws_smithy_types::DateTime>) -> Option<String> {
    use aws_smithy_types::date_time::{DateTime, Format};
    date.and_then(|date| DateTime::from_secs(date.secs()).fmt(Format::DateTime).ok())
}

/// serde_json's pretty printer, but for characters nobody sees: those are written `\uXXXX`, so
/// that a reviewer of a raw file is not misled by them.
pub struct Visible<'a>(PrettyFormatter<'a>);

impl Default for Visible<'_> {
    fn default() -> Self {
        Visible(PrettyFormatter::with_indent(b"  "))
    }
}

impl Formatter for Visible<'_> {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }
    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }
    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }
    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }
    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }
    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }
    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.is_ascii() && !fragment.contains('\x7f') {
            return writer.write_all(fragment.as_bytes());
        }
        // Read back, literal text counts as normalized: see `Document::from_text`.
        let is_plain = is_nfc(fragment)
            && fragment.chars().next().is_none_or(|first| canonical_combining_class(first) == 0);
        for c in fragment.chars() {
            if is_invisible(c) || !(is_plain || c.is_ascii()) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                writer.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag { key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn aws_tags_are_not_written_and_the_rest_is_sorted() {
        let tags = [tag("b", "2"), tag("aws:x", "1"), tag("a", "")];
        let Some(Expression::Map(entries)) = tags_argument(&tags) else { panic!("no map") };
        let keys: Vec<_> = entries.iter().map(|(key, _)| key.as_ref()).collect();
        assert_eq!(keys, ["a", "b"]);
        assert!(tags_argument(&[tag("aws:x", "1")]).is_none());
    }

    #[test]
    fn tag_keys_that_normalization_makes_equal_are_a_problem() {
        assert!(tags_problem(&[tag("\u{e9}", ""), tag("e\u{301}", "")]).is_some());
        assert!(tags_problem(&[tag("a", ""), tag("b", "")]).is_none());
    }

    #[test]
    fn owner_is_told_by_tag() {
        assert!(managed_elsewhere(&[tag("managed-by", "somebody")]).is_none());
        assert!(managed_elsewhere(&[tag("managed-by", "aws-iam-gitops")]).is_some());
        assert!(managed_elsewhere(&[tag("aws:cloudformation:stack-name", "s")]).is_some());
    }

    #[test]
    fn dates_have_one_spelling() {
        for text in
            ["2023-03-09 10:41:45+00:00", "2023-03-09T10:41:45Z", "2023-03-09T12:41:45.000+02:00"]
        {
            assert_eq!(normal_date(text), "2023-03-09T10:41:45Z");
        }
        assert_eq!(normal_date("yesterday"), "yesterday");
        assert_eq!(normal_date("東京東 京"), "東京東 京");
    }

    #[test]
    fn boundaries_that_the_provider_takes() {
        for arn in ["arn:aws:iam::aws:policy/x", "arn:aws-cn:iam::111122223333:policy/a/x"] {
            assert_eq!(arn_problem("policy", arn), None);
        }
        for arn in ["", "arn:aws:iam::1:policy/x", "policy/x", "arn:aws:iam::111122223333:"] {
            assert!(arn_problem("policy", arn).is_some(), "{arn}");
        }
    }

    #[test]
    fn invisible_characters_are_escaped_in_raw_json() {
        let text = super::super::pretty_json(&["a\u{202e}\u{7f}\u{e0001}é\n"]);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "[\n  \"a\\u202e\\u007f\\udb40\\udc01é\\n\"\n]\n"
        );
    }
}
