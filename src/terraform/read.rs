//! What a `.tf` or `.tf.json` file declares, and whether two `.tf` files say the same.
//!
//! Read so that an entity somebody already declares is not declared twice. Values other than
//! names and import IDs are not looked at here.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use hcl::Structure;
use hcl_edit::expr::{Expression, Traversal, TraversalOperator};
use hcl_edit::structure::{Block, Body};
use hcl_edit::visit::{Visit, visit_block, visit_traversal};
use memchr::memmem;
use serde_json::Value;

use super::Address;

/// The declarations of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declarations {
    /// Resources, each with its `name` argument where that is a literal.
    pub resources: Vec<(Address, Option<String>)>,
    /// Import blocks: target and, when it is a literal, ID.
    pub imports: Vec<(Address, Option<String>)>,
    /// Where `moved` blocks say that a resource was before.
    pub moved: Vec<Address>,
    /// The targets of `removed` blocks.
    pub removed: Vec<Address>,
    /// Whether the file holds `removed` blocks and nothing else.
    pub only_removed: bool,
    /// Whether a `terraform` block says which providers are required.
    pub has_required_providers: bool,
    /// Whether the AWS provider is configured without an alias.
    pub has_aws_provider: bool,
    /// Whether a `terraform` block says where the state is kept.
    pub has_backend: bool,
}

/// The blocks that say where the state is kept.
const BACKENDS: [&str; 2] = ["backend", "cloud"];

/// Reads the declarations of one file.
///
/// # Errors
///
/// A file that is not HCL; the message has line and column.
pub fn declarations(text: &str) -> Result<Declarations, hcl_edit::parser::Error> {
    let body: Body = text.strip_prefix('\u{feff}').unwrap_or(text).parse()?;
    let mut found = Declarations::default();
    let mut removed = 0;
    for block in body.blocks() {
        let labels: Vec<&str> = block.labels.iter().map(|label| label.as_str()).collect();
        let value = |name| block.body.get_attribute(name).map(|found| &found.value);
        let literal = |name| value(name).and_then(|value| value.as_str()).map(str::to_owned);
        match (block.ident.as_str(), labels.as_slice()) {
            ("resource", [resource_type, label]) => {
                let address = Address {
                    resource_type: Cow::Owned((*resource_type).to_owned()),
                    label: (*label).to_owned(),
                };
                found.resources.push((address, literal("name")));
            }
            ("import", []) => {
                if let Some(to) = value("to").and_then(address) {
                    found.imports.push((to, literal("id")));
                }
            }
            ("terraform", []) => {
                found.has_required_providers |= block.body.has_blocks("required_providers");
                found.has_backend |= BACKENDS.iter().any(|name| block.body.has_blocks(name));
            }
            ("provider", ["aws"]) => found.has_aws_provider |= value("alias").is_none(),
            ("moved", []) => found.moved.extend(value("from").and_then(address)),
            ("removed", []) => {
                removed += 1;
                found.removed.extend(value("from").and_then(address));
            }
            _ => {}
        }
    }
    found.only_removed = removed > 0 && removed == body.len();
    Ok(found)
}

/// Reads the declarations of a file in Terraform's JSON syntax.
///
/// # Errors
///
/// A file that is not JSON, or no object.
pub fn json_declarations(text: &str) -> serde_json::Result<Declarations> {
    let file: serde_json::Map<String, Value> = serde_json::from_str(text)?;
    let literal = |block: &Value, name: &str| {
        block
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.contains("${"))
            .map(str::to_owned)
    };
    let mut found = Declarations::default();
    for (resource_type, resources) in blocks(file.get("resource")).flat_map(members) {
        for (label, body) in blocks(Some(resources)).flat_map(members) {
            let address =
                Address { resource_type: Cow::Owned(resource_type.clone()), label: label.clone() };
            let name = blocks(Some(body)).find_map(|body| literal(body, "name"));
            found.resources.push((address, name));
        }
    }
    for block in blocks(file.get("import")) {
        let to = literal(block, "to");
        if let Some((resource_type, label)) = to.as_deref().and_then(|to| to.split_once('.')) {
            let address = Address {
                resource_type: Cow::Owned(resource_type.to_owned()),
                label: label.to_owned(),
            };
            found.imports.push((address, literal(block, "id")));
        }
    }
    found.has_required_providers =
        blocks(file.get("terraform")).any(|block| block.get("required_providers").is_some());
    found.has_backend = blocks(file.get("terraform"))
        .any(|block| BACKENDS.iter().any(|name| block.get(name).is_some()));
    found.has_aws_provider = blocks(file.get("provider"))
        .filter_map(|providers| providers.get("aws"))
        .flat_map(|provider| blocks(Some(provider)))
        .any(|provider| provider.get("alias").is_none());
    Ok(found)
}

/// What a file may be looked for by: the resources of AWS that it may declare or refer to, by
/// [`mention`], and the texts that it assigns, by [`literal`]. Everything that looks like one, so
/// that a file that names a resource is never missed.
pub fn mentions(content: &[u8]) -> Vec<u64> {
    let mut found: Vec<u64> = literals(content).map(|text| hash(LITERAL, text)).collect();
    if has_expressions(content) {
        found.push(EXPRESSIONS);
    }
    for start in memmem::find_iter(content, b"aws_") {
        let (resource_type, rest) = word(&content[start..]);
        let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
        let rest = match rest.strip_prefix(b".") {
            Some(rest) => rest,
            None => rest.trim_ascii_start(),
        };
        let (label, _) = word(rest.strip_prefix(b"\"").unwrap_or(rest));
        if !label.is_empty() {
            found.push(hash(resource_type, label));
        }
    }
    found
}

/// What [`mentions`] has of a resource.
pub fn mention(address: &Address) -> u64 {
    hash(address.resource_type.as_bytes(), address.label.as_bytes())
}

/// What [`mentions`] has of a text that an argument is set to. Of one with an escape it has the
/// spelling in the file; no name or ID of IAM or Organizations needs any.
pub fn literal(text: &str) -> u64 {
    hash(LITERAL, text.as_bytes())
}

/// In place of a resource's type; no word of a file is it.
const LITERAL: &[u8] = b"=";

/// What [`mentions`] has of a file that may name a resource by way of something else, or that others
/// may name theirs by: it has to be read to tell.
pub const EXPRESSIONS: u64 = u64::MAX;

/// Whether a file holds anything but what an export writes: blocks of resources, imports and
/// `removed`, with names written out and owners that are references.
fn has_expressions(content: &[u8]) -> bool {
    let is_ours = |line: &[u8]| {
        let line = line.trim_ascii_end();
        let value = |name: &str| {
            let rest = line.strip_prefix(b"  ")?.strip_prefix(name.as_bytes())?;
            let rest = rest.trim_ascii_start().strip_prefix(b"=")?;
            Some(rest.trim_ascii_start())
        };
        let is_text = |value: &[u8]| {
            let marker = memmem::find_iter(value, b"${").any(|at| at == 0 || value[at - 1] != b'$');
            value.starts_with(b"\"") && !marker
        };
        let is_reference = |value: &[u8]| value.starts_with(b"aws_");
        match line.first() {
            None => true,
            Some(b' ') => {
                value("name").is_none_or(is_text)
                    && value("id").is_none_or(is_text)
                    && ["role", "policy_id"].iter().all(|of| value(of).is_none_or(is_reference))
                    && ["for_each", "count", "provider"].iter().all(|of| value(of).is_none())
            }
            Some(_) => {
                line == b"}"
                    || [&b"import {"[..], b"removed {", b"resource \"aws_"]
                        .iter()
                        .any(|start| line.starts_with(start) && line.ends_with(b"{"))
            }
        }
    };
    !content.split(|byte| *byte == b'\n').all(is_ours)
}

/// The quoted texts right after an equals sign that nothing is inserted into.
fn literals(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memchr_iter(b'=', content).filter_map(|sign| {
        let blank = |byte: &u8| !matches!(byte, b' ' | b'\t');
        let value = &content[sign + 1..];
        let value = &value[value.iter().position(blank)?..];
        let text = value.strip_prefix(b"\"")?;
        let is_end = |end: &usize| {
            let escapes = text[..*end].iter().rev().take_while(|byte| **byte == b'\\');
            text[*end] == b'\n' || escapes.count() % 2 == 0
        };
        let end = memchr::memchr2_iter(b'"', b'\n', text).find(is_end)?;
        let is_literal = text[end] == b'"' && memmem::find(&text[..end], b"${").is_none();
        is_literal.then_some(&text[..end])
    })
}

/// The identifier that a text begins with, and the rest.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let is_end = |byte: &u8| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    text.split_at(text.iter().position(is_end).unwrap_or(text.len()))
}

fn hash(resource_type: &[u8], label: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (resource_type, label).hash(&mut hasher);
    hasher.finish()
}

/// Whether an expression of a file refers to one of these resources. A file that cannot be read as
/// HCL does if it holds the words.
pub fn refers(text: &str, addresses: &BTreeSet<Address>) -> bool {
    let mentioned = |address: &&Address| text.contains(&address.to_string());
    let wanted: BTreeSet<&Address> = addresses.iter().filter(mentioned).collect();
    if wanted.is_empty() {
        return false;
    }
    let Ok(body) = text.strip_prefix('\u{feff}').unwrap_or(text).parse::<Body>() else {
        return true;
    };
    let mut references = References { wanted, found: false };
    references.visit_body(&body);
    references.found
}

struct References<'a> {
    wanted: BTreeSet<&'a Address>,
    found: bool,
}

impl Visit for References<'_> {
    /// Blocks that say where a resource was need not find it there.
    fn visit_block(&mut self, block: &Block) {
        if !matches!(block.ident.as_str(), "moved" | "removed") {
            visit_block(self, block);
        }
    }

    fn visit_traversal(&mut self, traversal: &Traversal) {
        if let Expression::Variable(resource_type) = &traversal.expr
            && let Some(TraversalOperator::GetAttr(label)) =
                traversal.operators.first().map(|operator| operator.value())
        {
            self.found |= self.wanted.iter().any(|address| {
                address.resource_type == resource_type.as_str() && address.label == label.as_str()
            });
        }
        visit_traversal(self, traversal);
    }
}

/// In JSON syntax one block may stand without a list around it.
fn blocks(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice);
    list.unwrap_or(value.map(std::slice::from_ref).unwrap_or_default()).iter()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Whether two files differ in comments, white space, the spelling of strings, the order of
/// arguments, of keys and of blocks at most.
pub fn means_the_same(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    match (parsed(one), parsed(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// Whether two files consist of the same lines, but for their order and the columns that follow
/// from it. Of two files that mean the same, one then holds nothing that the other has not.
pub fn has_the_same_lines(one: &str, other: &str) -> bool {
    let lines = |text: &str| {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut lines: Vec<String> = text.lines().map(words).collect();
        lines.sort_unstable();
        lines
    };
    lines(one) == lines(other)
}

/// What a file says, with its blocks in one order.
fn parsed(text: &str) -> Option<hcl::Body> {
    let mut file = hcl::parse(text).ok()?;
    file.0.iter_mut().for_each(sort_arguments);
    file.0.sort_by_cached_key(|structure| match structure {
        Structure::Attribute(argument) => (argument.key.to_string(), String::new()),
        Structure::Block(block) => {
            let labels = block.labels.iter().map(|label| label.as_str());
            let target = block
                .body
                .attributes()
                .find(|argument| matches!(argument.key.as_str(), "to" | "from"));
            (
                std::iter::once(block.identifier.as_str())
                    .chain(labels)
                    .collect::<Vec<_>>()
                    .join(" "),
                target.map(|argument| argument.expr.to_string()).unwrap_or_default(),
            )
        }
    });
    Some(file)
}

/// Blocks within a block may be a list, whose order counts.
fn sort_arguments(structure: &mut Structure) {
    let Structure::Block(block) = structure else { return };
    let structures = &mut block.body.0;
    structures.iter_mut().for_each(sort_arguments);
    structures.sort_by_key(|structure| match structure {
        Structure::Attribute(argument) => Some(argument.key.to_string()),
        Structure::Block(_) => None,
    });
}

fn address(expression: &Expression) -> Option<Address> {
    let Expression::Traversal(traversal) = expression else { return None };
    let Expression::Variable(resource_type) = &traversal.expr else { return None };
    let [operator] = traversal.operators.as_slice() else { return None };
    let TraversalOperator::GetAttr(label) = operator.value() else { return None };
    Some(Address {
        resource_type: Cow::Owned(resource_type.as_str().to_owned()),
        label: label.as_str().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_resource_is_a_mention() {
        let address = Address::new("aws_iam_policy", "a-b".to_owned());
        for text in [
            "resource \"aws_iam_policy\" \"a-b\" {}",
            "resource  \"aws_iam_policy\"\t \"a-b\" {}",
            "resource aws_iam_policy a-b {}",
            "x = aws_iam_policy.a-b.arn",
            "to = aws_iam_policy.a-b",
            "\"${aws_iam_policy.a-b.arn}\"",
        ] {
            assert!(mentions(text.as_bytes()).contains(&mention(&address)), "{text}");
        }
        for text in ["aws_iam_policy.a-bc", "aws_iam_policy", "aws_iam_role.a-b", "aws_"] {
            assert!(!mentions(text.as_bytes()).contains(&mention(&address)), "{text}");
        }
    }

    #[test]
    fn text_that_is_assigned_is_a_mention() {
        let has = |text: &str| mentions(text.as_bytes()).contains(&literal("a-b"));
        for text in ["name = \"a-b\"", "id=\"a-b\" # c", "x = \"\\\"\"\ny\t=\t\"a-b\"\n"] {
            assert!(has(text), "{text}");
        }
        for text in [
            "name = \"a-bc\"",
            "name = [\"a-b\"]",
            "name = \"a-b${c}\"",
            "name = \"\\\"a-b\"",
            "name = \"a-b\n\"",
            "name =\n\"a-b\"",
            "# \"a-b\"",
            "name = \"a-b",
            "name = a-b",
        ] {
            assert!(!has(text), "{text}");
        }
    }

    #[test]
    fn file_of_an_export_has_no_expressions_and_a_persons_may() {
        let has = |text: &str| mentions(text.as_bytes()).contains(&EXPRESSIONS);
        let ours = "import {\n  to = aws_iam_role_policy.a\n  id = \"a:b\"\n}\n\n\
                    resource \"aws_iam_role_policy\" \"a\" {\n  role = aws_iam_role.a.name\n  \
                    name = \"a$${b}\"\n  policy = jsonencode({\n    count = \"${\"\n  })\n}\n\n\
                    removed {\n  from = aws_iam_role.b\n\n  lifecycle {\n    destroy = false\n  }\n}\n";
        assert!(!has(ours) && !has(&ours.replace('\n', "\r\n")));
        for (from, to) in [
            ("removed {", "locals {"),
            ("removed {", "data \"aws_iam_role\" \"x\" {"),
            ("\"a$${b}\"", "\"${local.a}b\""),
            ("\"a$${b}\"", "local.a"),
            ("\"a:b\"", "local.id"),
            ("aws_iam_role.a.name", "\"a\""),
            ("  policy = ", "  for_each = local.x\n  policy = "),
            ("\n}\n\nremoved", "\n}\n# mine\nremoved"),
        ] {
            let theirs = ours.replacen(from, to, 1);
            assert!(theirs != ours && has(&theirs), "{theirs}");
        }
    }

    #[test]
    fn expressions_refer_and_texts_do_not() {
        let address = |label: &str| Address::new("aws_iam_policy", label.to_owned());
        let wanted = BTreeSet::from([address("a")]);
        for text in [
            "x = aws_iam_policy.a.arn",
            "x = [for p in [1] : \"${aws_iam_policy.a.arn}/x\"]",
            "output \"x\" {\n  value = { k = aws_iam_policy.a }\n}",
            "depends_on = [aws_iam_policy.a]",
            "not HCL: aws_iam_policy.a",
        ] {
            assert!(refers(text, &wanted), "{text}");
        }
        for text in [
            "x = \"aws_iam_policy.a.arn\"",
            "# aws_iam_policy.a",
            "x = aws_iam_policy.a-b.arn",
            "x = data.aws_iam_policy.a.arn",
            "x = aws_iam_policy.b.arn",
            "moved {\n  from = aws_iam_policy.a\n  to = aws_iam_policy.b\n}",
        ] {
            assert!(!refers(text, &wanted), "{text}");
        }
    }

    #[test]
    fn resources_and_imports_are_found() {
        let found = declarations(
            "\u{feff}# c\nresource \"aws_iam_role\" \"a\" {\n  name = \"deploy\"\n}\n\
             import {\n  to = aws_iam_role.a\n  id = \"deploy\"\n}\nlocals {}\n",
        )
        .unwrap();
        let a = Address::new("aws_iam_role", "a".to_owned());
        assert_eq!(found.resources, [(a.clone(), Some("deploy".to_owned()))]);
        assert_eq!(found.imports, [(a, Some("deploy".to_owned()))]);
        assert!(!found.only_removed);
    }

    #[test]
    fn settings_of_the_module_are_found() {
        let found = declarations(
            "terraform {\n  required_providers {\n  }\n}\nprovider \"aws\" {\n  alias = \"x\"\n}\n",
        )
        .unwrap();
        assert!(found.has_required_providers && !found.has_aws_provider);
        assert!(declarations("provider \"aws\" {}\n").unwrap().has_aws_provider);
        assert!(!found.has_backend);
        for text in ["terraform {\n  backend \"s3\" {}\n}\n", "terraform {\n  cloud {}\n}\n"] {
            assert!(declarations(text).unwrap().has_backend);
        }
        for text in
            [r#"{"terraform": {"backend": {"s3": {}}}}"#, r#"{"terraform": [{"cloud": {}}]}"#]
        {
            assert!(json_declarations(text).unwrap().has_backend);
        }
    }

    #[test]
    fn file_of_removed_blocks_is_recognised() {
        let text =
            "removed {\n  from = aws_iam_role.a\n  lifecycle {\n    destroy = false\n  }\n}\n";
        assert!(declarations(text).unwrap().only_removed);
        assert!(!declarations("").unwrap().only_removed);
    }

    #[test]
    fn json_syntax_says_the_same() {
        let found = json_declarations(
            r#"{"//": "c", "resource": [{"aws_iam_role": {"a": {"name": "deploy"}, "b": [{"name": "${var.x}"}]}}],
                "import": {"to": "aws_iam_role.a", "id": "deploy"},
                "terraform": {"required_providers": {}}, "provider": {"aws": [{"alias": "x"}]}}"#,
        )
        .unwrap();
        let address = |label: &str| Address::new("aws_iam_role", label.to_owned());
        let name = || Some("deploy".to_owned());
        assert_eq!(found.resources, [(address("a"), name()), (address("b"), None)]);
        assert_eq!(found.imports, [(address("a"), name())]);
        assert!(found.has_required_providers && !found.has_aws_provider);
        assert!(json_declarations("[]").is_err());
    }

    #[test]
    fn comments_and_white_space_mean_nothing() {
        let one = "# a\nresource \"x\" \"y\" {\n  a = jsonencode({\n    B = \"\\u00e9$${c}\" # b\n    C = [1, 2]\n  })\n}\n";
        let other = "resource \"x\" \"y\" {\n\n  a   = jsonencode({ B : \"é$${c}\", C = [1, 2,] }) // c\n}\n";
        assert!(means_the_same(one, other));
        for (from, to) in [("1", "3"), ("$${c}", "${c}"), ("C =", "D ="), ("a =", "b =")] {
            assert!(!means_the_same(one, &one.replace(from, to)), "{from}");
        }
        assert!(!means_the_same(one, "}"));
    }

    #[test]
    fn broken_file_names_line_and_column() {
        let error = declarations("resource \"a\" \"b\" {\n  x = \n}\n").unwrap_err();
        assert_eq!(error.location().line(), 2);
    }

    const FILE: &str = "import {\n  to = t.a\n  id = \"a\"\n}\n\nimport {\n  to = t.b\n  id = \"b\"\n}\n\n\
                        resource \"t\" \"a\" {\n  name   = \"a\"\n  policy = jsonencode({\n    \
                        Version = \"v\"\n    \"a:b\" = [\"x\", \"$${y}\"]\n  })\n}\n";

    #[test]
    fn order_of_arguments_keys_and_blocks_does_not_count() {
        let other = "resource \"t\" \"a\" {\n  policy = jsonencode({ \"a:b\" = [\"x\", \"$${y}\"], \
                     Version = \"v\" })\n  name = \"a\"\n}\nimport {\n  id = \"b\"\n  to = t.b\n}\n\
                     import {\n  to = t.a\n  id = \"a\"\n}\n";
        assert!(means_the_same(FILE, other));
        assert!(!has_the_same_lines(FILE, other));
    }

    #[test]
    fn order_of_lists_and_of_nested_blocks_counts() {
        assert!(!means_the_same(FILE, &FILE.replace("\"x\", \"$${y}\"", "\"$${y}\", \"x\"")));
        let nested = "resource \"t\" \"a\" {\n  s {\n    x = 1\n  }\n  s {\n    x = 2\n  }\n}\n";
        let swapped =
            nested.replace("x = 1", "x = 3").replace("x = 2", "x = 1").replace("x = 3", "x = 2");
        assert!(!means_the_same(nested, &swapped));
    }

    #[test]
    fn same_lines_in_another_order_hold_nothing_else() {
        let one = "a = {\n  Sid    = \"x\"\n  Effect = \"y\"\n}\n";
        assert!(has_the_same_lines(one, "a = {\n  Effect = \"y\"\n  Sid = \"x\"\n}\n"));
        assert!(!has_the_same_lines(one, &one.replace("\"y\"", "\"y\" # z")));
        assert!(!has_the_same_lines(one, &format!("# z\n{one}")));
    }
}
