//! What the repository beside a plan says: the raw JSON of the export, and what the plan does not
//! tell of its source.
//!
//! A plan tells the references in an expression and not what is done with them, so whether an argument
//! is a bare reference comes from the source. Reading all that is the command's part.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::identity::Identity;

/// What the rules ask of the repository.
#[derive(Debug, Default)]
pub struct Exported {
    /// Resource type and import ID of all that an export writes, with the address it gives it.
    pub imports: HashMap<(String, String), String>,
    pub identities: Vec<Identity>,
    /// Documents of customer managed policies, by ARN.
    pub policies: HashMap<String, String>,
    /// By name in lower case.
    pub groups: HashMap<String, Held>,
    /// Trust policies of roles.
    pub trusts: Vec<String>,
    /// By ID.
    pub organizations: BTreeMap<String, Attached>,
    /// Arguments that are bare references, by resource and name.
    pub references: HashMap<(String, String), Reference>,
    /// Resources in which nothing stands that the plan could hide: no policies of their own, no
    /// blocks that come of an expression.
    pub plain: HashSet<String>,
    /// Files with a `removed` block that runs a program.
    pub hidden_provisioners: Vec<String>,
    /// Addresses of modules whose source does not lie in the repository.
    pub unread_modules: Vec<String>,
}

/// What somebody has: inline policies, and the ARNs of what is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub documents: Vec<String>,
    pub attached: Vec<String>,
}

/// An organizations policy and where it is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    pub policy_type: String,
    pub content: String,
    /// None: not known.
    pub targets: Option<Vec<String>>,
}

/// One attribute of another resource: `module.a.aws_iam_policy.x` and `arn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub resource: String,
    pub attribute: String,
}

impl Exported {
    /// The address that an export gives to what has this import ID.
    pub fn import(&self, resource_type: &str, id: &str) -> Option<&str> {
        self.imports.get(&(resource_type.to_owned(), id.to_owned())).map(String::as_str)
    }

    /// The document of a customer managed policy.
    pub fn policy(&self, arn: &str) -> Option<&str> {
        self.policies.get(arn).map(String::as_str)
    }

    /// What a group has.
    pub fn group(&self, name: &str) -> Option<&Held> {
        self.groups.get(&name.to_lowercase())
    }

    pub fn organizations_policy(&self, id: &str) -> Option<&Attached> {
        self.organizations.get(id)
    }

    /// What an argument refers to, if its source is a bare reference.
    pub fn reference(&self, resource: &str, argument: &str) -> Option<&Reference> {
        self.references.get(&(resource.to_owned(), argument.to_owned()))
    }

    /// Whether the source declares neither inline policies nor attachments in the resource itself.
    pub fn is_plain(&self, resource: &str) -> bool {
        self.plain.contains(resource)
    }
}

impl Reference {
    /// Reads `aws_iam_policy.x.arn`, with a key of its instance or without.
    pub fn parse(source: &str) -> Option<Reference> {
        let source = source.trim();
        let (source, attribute) = source.rsplit_once('.')?;
        let source = match source.split_once('[') {
            Some((resource, key)) if is_key(key.strip_suffix(']')?) => resource,
            Some(_) => return None,
            None => source,
        };
        let (resource_type, name) = source.split_once('.')?;
        let is_reference = resource_type.starts_with("aws_")
            && is_identifier(resource_type)
            && is_identifier(name)
            && is_identifier(attribute);
        is_reference
            .then(|| Reference { resource: source.to_owned(), attribute: attribute.to_owned() })
    }
}

fn is_key(key: &str) -> bool {
    matches!(key, "each.key" | "each.value" | "count.index")
        || key.bytes().all(|byte| byte.is_ascii_digit())
        || key
            .strip_prefix('"')
            .and_then(|key| key.strip_suffix('"'))
            .is_some_and(|key| !key.contains(['"', '\\', '$', '%']))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
impl Exported {
    /// For the tests of the rules.
    pub fn with_import(mut self, resource_type: &str, id: &str, address: &str) -> Exported {
        self.imports.insert((resource_type.to_owned(), id.to_owned()), address.to_owned());
        self
    }

    pub fn with_policy(mut self, arn: &str, document: &str) -> Exported {
        self.policies.insert(arn.to_owned(), document.to_owned());
        self
    }

    pub fn with_organizations_policy(mut self, id: &str, policy: Attached) -> Exported {
        self.organizations.insert(id.to_owned(), policy);
        self
    }

    pub fn with_group(mut self, name: &str, documents: &[&str], attached: &[&str]) -> Exported {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let held = Held { documents: owned(documents), attached: owned(attached) };
        self.groups.insert(name.to_lowercase(), held);
        self
    }

    pub fn with_trust(mut self, document: &str) -> Exported {
        self.trusts.push(document.to_owned());
        self
    }

    pub fn with_plain(mut self, resource: &str) -> Exported {
        self.plain.insert(resource.to_owned());
        self
    }

    pub fn with_reference(mut self, resource: &str, argument: &str, source: &str) -> Exported {
        let reference = Reference::parse(source).unwrap();
        self.references.insert((resource.to_owned(), argument.to_owned()), reference);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_references_are_told_from_expressions() {
        for source in [
            "aws_iam_policy.x.arn",
            "aws_iam_policy.x[0].arn",
            "aws_iam_policy.x[each.key].arn",
            "aws_iam_policy.x[\"a b\"].arn",
        ] {
            let found = Reference::parse(source).unwrap();
            assert_eq!(
                (found.resource.as_str(), found.attribute.as_str()),
                ("aws_iam_policy.x", "arn")
            );
        }
        for source in [
            "replace(aws_iam_policy.x.arn, \"a\", \"b\")",
            "\"${aws_iam_policy.x.arn}\"",
            "aws_iam_policy.x.arn == \"\" ? \"a\" : aws_iam_policy.y.arn",
            "data.aws_iam_policy.x.arn",
            "local.x.arn",
            "module.x.y.arn",
            "aws_iam_policy.x[local.key].arn",
            "aws_iam_policy.x[\"${local.key}\"].arn",
            "aws_iam_policy.x",
            "aws_iam_policy.x.y.arn",
            "aws_iam_policy.x[0]",
            "\"aws_iam_policy.x.arn\"",
        ] {
            assert_eq!(Reference::parse(source), None, "{source}");
        }
    }
}
