//! File names: one per entity, from its name alone, valid on Linux, macOS and Windows.
//!
//! The letters, digits and `_+=,.@-` of IAM names stand for themselves. Everything else is
//! percent-encoded, so a name is never a path. Two kinds of names are legal in IAM and mean
//! something else to a file system or to Terraform; they get a `%` that no encoding produces:
//! `con.json` is a device on Windows (`con%.json`), and Terraform merges `x_override.tf` into
//! other files (`x_override%.tf`). A name that would be too long for a file system is cut off, and
//! ends with a digest of the whole after `%=`.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};

/// Whether AWS tells two names apart by case alone. File systems often do not, so where it does,
/// capital letters are encoded. IAM's names are unique whatever their case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Ignored,
    Counts,
    /// It counts, and names are full of capital letters: they stand for themselves, and which ones
    /// they are stands behind `%_` once more, a bit for each letter: `Okta%_8`.
    Marked,
}

/// Bytes of an encoded name. File systems take 255, and a prefix and an extension go with it; names of
/// branches are made of it, too, and are shorter.
const LONGEST: usize = 160;
/// Bytes that are left of one that is cut off.
const KEPT: usize = 120;

/// The raw JSON file of an entity, relative to its folder: `deploy.json`.
pub fn json_file(name: &str, case: Case) -> String {
    json_file_of_stem(&encoded(name, case))
}

fn json_file_of_stem(stem: &str) -> String {
    let (first, rest) = match stem.find('.') {
        Some(dot) => stem.split_at(dot),
        None => (stem, ""),
    };
    let mark = if is_device(first) { "%" } else { "" };
    format!("{first}{mark}{rest}.json")
}

/// The raw JSON file of the entity that a Terraform file is named after, if it is named so.
pub fn json_file_beside(prefix: &str, terraform_file: &str) -> Option<String> {
    let stem = terraform_file.strip_prefix(prefix)?.strip_prefix('.')?.strip_suffix(".tf")?;
    let stem = match stem.strip_suffix('%') {
        Some(unmarked) if unmarked.ends_with("_override") => unmarked,
        _ => stem,
    };
    Some(json_file_of_stem(stem))
}

/// The Terraform file of an entity, relative to `terraform/`: `iam_role.deploy.tf`.
pub fn terraform_file(prefix: &str, name: &str, case: Case) -> String {
    let stem = encoded(name, case);
    let mark = if stem.ends_with("_override") { "%" } else { "" };
    format!("{prefix}.{stem}{mark}.tf")
}

fn encoded(name: &str, case: Case) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        let is_plain = match case {
            Case::Ignored | Case::Marked => byte.is_ascii_alphanumeric(),
            Case::Counts => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
        };
        if is_plain || b"_+=,.@-".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    if case == Case::Marked {
        out.push_str(&capitals(name));
    }
    if out.len() > LONGEST { cut_off(&out, name) } else { out }
}

/// Which letters of a name are capitals, as hexadecimal digits of four letters each.
fn capitals(name: &str) -> String {
    let letters: Vec<u8> = name.bytes().filter(u8::is_ascii_alphabetic).collect();
    let digit = |four: &[u8]| {
        let bits = (0..4).map(|at| four.get(at).is_some_and(u8::is_ascii_uppercase));
        bits.fold(0, |bits, is_capital| bits << 1 | u32::from(is_capital))
    };
    let digits: String = letters.chunks(4).map(|four| format!("{:x}", digit(four))).collect();
    match digits.trim_end_matches('0') {
        "" => String::new(),
        digits => format!("%_{digits}"),
    }
}

fn cut_off(encoded: &str, name: &str) -> String {
    // What is encoded stays whole: `%2F`.
    let end = (KEPT - 2..=KEPT).find(|end| encoded.as_bytes()[*end] == b'%').unwrap_or(KEPT);
    let whole = digest(&SHA256, name.as_bytes());
    let whole: String = whole.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}%={whole}", &encoded[..end])
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
        assert_eq!(json_file("my.role@x+1=2,3", Case::Ignored), "my.role@x+1=2,3.json");
        assert_eq!(terraform_file("iam_role", "My-Role", Case::Ignored), "iam_role.My-Role.tf");
    }

    #[test]
    fn devices_and_override_files_are_marked() {
        assert_eq!(json_file("con", Case::Ignored), "con%.json");
        assert_eq!(json_file("NUL.foo", Case::Ignored), "NUL%.foo.json");
        assert_eq!(json_file("com1", Case::Ignored), "com1%.json");
        assert_eq!(json_file("com10", Case::Ignored), "com10.json");
        assert_eq!(
            terraform_file("iam_role", "x_override", Case::Ignored),
            "iam_role.x_override%.tf"
        );
        assert_eq!(terraform_file("iam_role", "override", Case::Ignored), "iam_role.override.tf");
    }

    #[test]
    fn where_case_counts_capital_letters_are_encoded() {
        assert_eq!(json_file("p-Ab", Case::Counts), "p-%41b.json");
        assert_eq!(terraform_file("t", "p-ab", Case::Counts), "t.p-ab.tf");
    }

    #[test]
    fn where_capital_letters_are_many_they_are_marked() {
        for (name, file) in [
            ("okta", "okta.json"),
            ("Okta", "Okta%_8.json"),
            ("oKTA-1.oK", "oKTA-1.oK%_74.json"),
            ("nul.X", "nul%.X%_1.json"),
        ] {
            assert_eq!(json_file(name, Case::Marked), file);
        }
    }

    #[test]
    fn a_long_name_is_cut_off_and_still_its_own() {
        let long = |last: &str| format!("{}{last}", "a/B".repeat(80));
        for case in [Case::Ignored, Case::Counts, Case::Marked] {
            let file = json_file(&long("x"), case);
            assert!(file.len() < 170 && file.starts_with("a%2F"), "{file}");
            assert!(!file.contains("%%") && !file.contains("%2%="), "{file}");
            assert_ne!(file, json_file(&long("y"), case));
            assert_ne!(file, json_file(&long("X"), case));
        }
    }

    #[test]
    fn a_name_is_never_a_path() {
        assert_eq!(json_file("../../etc/passwd", Case::Ignored), "..%2F..%2Fetc%2Fpasswd.json");
        assert_eq!(json_file("a\\b:c\n%", Case::Ignored), "a%5Cb%3Ac%0A%25.json");
    }

    proptest! {
        #[test]
        fn names_that_differ_have_files_that_differ(
            a in "[a-c_+=,.@%/-]{1,6}|(con|nul|aux)[.%]{0,2}|[a]_override%?",
            b in "[a-c_+=,.@%/-]{1,6}|(con|nul|aux)[.%]{0,2}|[a]_override%?",
        ) {
            prop_assert_eq!(json_file(&a, Case::Ignored) == json_file(&b, Case::Ignored), a == b);
            prop_assert_eq!(terraform_file("t", &a, Case::Ignored) == terraform_file("t", &b, Case::Ignored), a == b);
        }

        #[test]
        fn names_that_differ_in_case_have_files_that_differ_in_more(
            a in "[aB.%_-]{1,9}|con|[a]{3}_override", flips in any::<u16>(),
        ) {
            let flip = |(at, c): (usize, char)| match flips >> at & 1 {
                1 if c.is_ascii_lowercase() => c.to_ascii_uppercase(),
                1 => c.to_ascii_lowercase(),
                _ => c,
            };
            let b: String = a.chars().enumerate().map(flip).collect();
            for case in [Case::Counts, Case::Marked] {
                let file = |name: &str| json_file(name, case).to_lowercase();
                prop_assert_eq!(file(&a) == file(&b), a == b);
            }
        }

        #[test]
        fn terraform_files_lead_to_their_json(
            name in "[a-cX_+=,.@%/-]{1,6}|con|nul.x|[a]_override%?|[aX/]{100,170}",
        ) {
            for case in [Case::Ignored, Case::Counts, Case::Marked] {
                let terraform = terraform_file("t", &name, case);
                prop_assert_eq!(json_file_beside("t", &terraform), Some(json_file(&name, case)));
            }
        }

        #[test]
        fn file_names_are_valid_everywhere(name in ".{1,40}|[a-zA-Z0-9_+=,.@-]{1,128}|.{60,255}") {
            for file in [
                json_file(&name, Case::Ignored),
                json_file(&name, Case::Marked),
                terraform_file("iam_openid_connect_provider", &name, Case::Ignored),
            ] {
                prop_assert!(file.len() <= 255, "{}", file);
                prop_assert!(file.bytes().all(|b| b.is_ascii_graphic() && !b"/\\:*?\"<>|".contains(&b)), "{}", file);
                prop_assert!(!is_device(file.split('.').next().unwrap()), "{}", file);
                prop_assert!(!file.ends_with(['.', ' ', '~']) && !file.ends_with("_override.tf"));
            }
        }
    }
}
