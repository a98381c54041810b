//! Finds the word that was meant.

/// What is allowed, with the nearest word first where one is near.
pub fn allowed(word: &str, words: &[&str]) -> String {
    let list = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match nearest(word, words) {
        Some(nearest) => format!("did you mean `{nearest}`? Allowed are {list}"),
        None => format!("allowed are {list}"),
    }
}

/// The word that differs in few letters, if there is one.
pub fn nearest<'a>(word: &str, words: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase().replace(['-', ' '], "_");
    let limit = (word.chars().count() / 3).max(1);
    let distance = |candidate: &&str| distance(&word, &candidate.to_lowercase());
    words.iter().copied().filter(|word| distance(word) <= limit).min_by_key(distance)
}

/// How many letters to insert, remove or replace.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_word_is_found_and_a_far_one_is_not() {
        let words = ["roles", "policies", "organizations_policies"];
        for (word, meant) in [
            ("role", Some("roles")),
            ("Roles", Some("roles")),
            ("policy", None),
            ("polices", Some("policies")),
            ("organizations-policies", Some("organizations_policies")),
            ("organization_policies", Some("organizations_policies")),
            ("users", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &words), meant, "{word}");
        }
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
    }
}
