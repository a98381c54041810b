//! What a `.tf` file declares: the resources and import blocks that stand in it.
//!
//! Read so that an entity somebody already declares is not declared twice. Values other than
//! import IDs are not evaluated here.

use std::borrow::Cow;

use hcl_edit::expr::{Expression, TraversalOperator};
use hcl_edit::structure::Body;

use super::Address;

/// The declarations of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declarations {
    /// Resources, each with its `name` argument where that is a literal.
    pub resources: Vec<(Address, Option<String>)>,
    /// Import blocks: target and, when it is a literal, ID.
    pub imports: Vec<(Address, Option<String>)>,
    /// Whether the file holds `removed` blocks and nothing else.
    pub only_removed: bool,
    /// Whether a `terraform` block says which providers are required.
    pub has_required_providers: bool,
    /// Whether the AWS provider is configured without an alias.
    pub has_aws_provider: bool,
}

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
            }
            ("provider", ["aws"]) => found.has_aws_provider |= value("alias").is_none(),
            ("removed", []) => removed += 1,
            _ => {}
        }
    }
    found.only_removed = removed > 0 && removed == body.len();
    Ok(found)
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
    }

    #[test]
    fn file_of_removed_blocks_is_recognised() {
        let text =
            "removed {\n  from = aws_iam_role.a\n  lifecycle {\n    destroy = false\n  }\n}\n";
        assert!(declarations(text).unwrap().only_removed);
        assert!(!declarations("").unwrap().only_removed);
    }

    #[test]
    fn broken_file_names_line_and_column() {
        let error = declarations("resource \"a\" \"b\" {\n  x = \n}\n").unwrap_err();
        assert_eq!(error.location().line(), 2);
    }
}
