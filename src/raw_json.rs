//! Files of raw JSON, read strictly: what is no entity is a fault that says where, never passed over.

use std::fmt::Write;

use crate::directory::Files;
use crate::invisible::visible;
use crate::resource::{Entity, Kind};

/// Why a file is not the raw JSON of its entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub fault: String,
}

impl Fault {
    /// ``` `roles/x.json` line 3 column 5: … ```
    pub fn at(&self, file: &str) -> String {
        let mut place = format!("`{}`", visible(file));
        for (what, number) in [("line", self.line), ("column", self.column)] {
            if let Some(number) = number {
                let _ = write!(place, " {what} {number}");
            }
        }
        format!("{place}: {}", self.fault)
    }
}

/// The files that hold raw JSON of a kind: `roles/deploy.json`.
///
/// # Errors
///
/// A folder cannot be listed.
pub fn paths(files: &dyn Files, kind: &Kind) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in kind.folders {
        let names = files.files(folder)?.into_iter().filter(|name| is_raw_json(name));
        found.extend(names.map(|name| format!("{folder}/{name}")));
    }
    Ok(found)
}

/// Whether a file in a kind's folder is raw JSON, by its name.
pub fn is_raw_json(name: &str) -> bool {
    name.ends_with(".json")
}

/// The entity that a file holds; `path` is where it lies in the layout of the repository.
///
/// # Errors
///
/// The text is not the JSON of such an entity, or of one whose file is another.
pub fn parse(kind: &Kind, path: &str, content: &[u8]) -> Result<Box<dyn Entity>, Fault> {
    let fault = |line, fault: String| Fault { line, column: None, fault };
    let text = std::str::from_utf8(content).map_err(|error| {
        let before = content[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        fault(Some(before + 1), "the text is not UTF-8".to_owned())
    })?;
    if let Some(problem) = no_object(text) {
        return Err(fault(Some(1), problem.to_owned()));
    }
    let entity = (kind.parse)(text).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message);
        let column = Some(error.column());
        Fault { column, ..fault(Some(error.line()), visible(message).into_owned()) }
    })?;
    let its_own = entity.json_path();
    if its_own != path {
        let (kind, name) = (kind.name, visible(entity.name()));
        let problem =
            format!("it holds the {kind} `{name}`, whose file is `{}`", visible(&its_own));
        return Err(fault(None, problem));
    }
    Ok(entity)
}

/// Why a text is not even an object, where the parser's words would not help.
fn no_object(text: &str) -> Option<&'static str> {
    match text.trim_start().chars().next() {
        None => Some("the file is empty: delete it, or write the entity's JSON"),
        Some('\u{feff}') => Some("the file begins with a byte order mark, which JSON may not"),
        Some('{') => None,
        Some(_) => Some("the file does not hold a JSON object, `{…}`"),
    }
}
