//! The actions of AWS's APIs that change entities, as each kind lists them.
//!
//! A kind says which actions concern it and where their CloudTrail records name its entities;
//! [`crate::event`] looks records up in the lists of all kinds. An action may stand in several.

/// Actions that change entities of a kind in the same way.
pub struct Action {
    /// The first part of CloudTrail's `eventSource`: `iam`, `organizations`.
    pub service: &'static str,
    pub names: &'static [&'static str],
    pub touches: Touches,
    /// Whether the service reports it on its own and nobody calls it.
    pub is_reported: bool,
}

/// What an action does to entities of a kind.
#[derive(Clone, Copy)]
pub enum Touches {
    /// It changes those that its record names.
    Named(&'static [Key]),
    /// It may change any.
    All,
}

/// Where in a record an entity is named, and how.
#[derive(Clone, Copy)]
pub struct Key {
    pub place: Place,
    pub read: Read,
}

/// Makes a key of a [`crate::scope::Scope`] of a text of a record, which is empty where the record
/// has none, and the account in which the action happened.
pub type Read = fn(&str, Option<&str>) -> Found;

/// The members that lead to a key; none where the action alone tells it.
#[derive(Clone, Copy)]
pub enum Place {
    Request(&'static [&'static str]),
    Response(&'static [&'static str]),
}

/// What a text of a record names.
pub enum Found {
    Key(String),
    /// Nothing of the kind, for this reason.
    Foreign(&'static str),
    /// It cannot be told, so it may be any entity of the kind.
    Unclear,
}

impl Action {
    pub const fn iam(names: &'static [&'static str], touches: Touches) -> Action {
        Action { service: "iam", names, touches, is_reported: false }
    }

    pub const fn organizations(names: &'static [&'static str], touches: Touches) -> Action {
        Action { service: "organizations", names, touches, is_reported: false }
    }

    /// What Organizations reports on its own.
    pub const fn of_organizations(names: &'static [&'static str], touches: Touches) -> Action {
        Action { service: "organizations", names, touches, is_reported: true }
    }
}

impl Place {
    /// The member that leads to the key, of all members of request or response.
    pub fn path(self) -> &'static [&'static str] {
        match self {
            Place::Request(path) | Place::Response(path) => path,
        }
    }
}

/// Whether IAM takes this as a name: `[\w+=,.@-]`.
pub fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

/// A name of IAM of up to 64 characters as the key.
pub fn name_of_64(text: &str, _: Option<&str>) -> Found {
    if is_name(text, 64) { Found::Key(text.to_owned()) } else { Found::Unclear }
}

/// A name of IAM of up to 128 characters as the key.
pub fn name_of_128(text: &str, _: Option<&str>) -> Found {
    if is_name(text, 128) { Found::Key(text.to_owned()) } else { Found::Unclear }
}
