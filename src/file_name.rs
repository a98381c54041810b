//! File names: one per entity, from its name alone, valid on Linux, macOS and Windows.
//!
//! The letters, digits and `_+=,.@-` of IAM names stand for themselves. Everything else is
//! percent-encoded, so a name is never a path. Two kinds of names are legal in IAM and mean
//! something else to a file system or to Terraform; they get a `%` that no encoding produces:
//! `con.json` is a device on Windows (`con%.json`), and Terraform merges `x_override.tf` into
//! other files (`x_override%.tf`).

use std::fmt::Write;

/// The raw JSON file of an entity, relative to its folder: `deploy.json`.
pub fn json_file(name: &str) -> String {
    let stem = encoded(name);
    let (first, rest) = match stem.find('.') {
        Some(dot) => stem.split_at(dot),
        None => (stem.as_str(), ""),
    };
    let mark = if is_device(first) { "%" } else { "" };
    format!("{first}{mark}{rest}.json")
}

/// The Terraform file of an entity, relative to `terraform/`: `iam_role.deploy.tf`.
pub fn terraform_file(prefix: &str, name: &str) -> String {
    let stem = encoded(name);
    let mark = if stem.ends_with("_override") { "%" } else { "" };
    format!("{prefix}.{stem}{mark}.tf")
}

/// The name as file systems take it. Names that AWS tells apart by case alone are none of IAM's:
/// its names are unique whatever their case.
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Names that Windows takes for a device, whatever extension follows.
fn is_device(stem: &str) -> bool {
    let stem = stem.to_ascii_lowercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
    };
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_names_stay_readable() {
        assert_eq!(json_file("my.role@x+1=2,3"), "my.role@x+1=2,3.json");
        assert_eq!(terraform_file("iam_role", "My-Role"), "iam_role.My-Role.tf");
    }

    #[test]
    fn devices_and_override_files_are_marked() {
        assert_eq!(json_file("con"), "con%.json");
        assert_eq!(json_file("NUL.foo"), "NUL%.foo.json");
        assert_eq!(json_file("com1"), "com1%.json");
        assert_eq!(json_file("com10"), "com10.json");
        assert_eq!(terraform_file("iam_role", "x_override"), "iam_role.x_override%.tf");
        assert_eq!(terraform_file("iam_role", "override"), "iam_role.override.tf");
    }

    #[test]
    fn a_name_is_never_a_path() {
        assert_eq!(json_file("../../etc/passwd"), "..%2F..%2Fetc%2Fpasswd.json");
        assert_eq!(json_file("a\\b:c\n%"), "a%5Cb%3Ac%0A%25.json");
    }

    proptest! {
        #[test]
        fn names_that_differ_have_files_that_differ(
            a in "[a-c_+=,.@%/-]{1,6}|(con|nul|aux)[.%]{0,2}|[a]_override%?",
            b in "[a-c_+=,.@%/-]{1,6}|(con|nul|aux)[.%]{0,2}|[a]_override%?",
        ) {
            prop_assert_eq!(json_file(&a) == json_file(&b), a == b);
            prop_assert_eq!(terraform_file("t", &a) == terraform_file("t", &b), a == b);
        }

        #[test]
        fn file_names_are_valid_everywhere(name in ".{1,40}|[a-zA-Z0-9_+=,.@-]{1,128}") {
            for file in [json_file(&name), terraform_file("iam_role", &name)] {
                prop_assert!(file.bytes().all(|b| b.is_ascii_graphic() && !b"/\\:*?\"<>|".contains(&b)), "{}", file);
                prop_assert!(!is_device(file.split('.').next().unwrap()), "{}", file);
                prop_assert!(!file.ends_with(['.', ' ', '~']) && !file.ends_with("_override.tf"));
            }
        }
    }
}
