//! Policy documents as the rules look at them: statements with lists of texts, whatever form and
//! case they were written in.

use crate::json::Json;
use crate::policy_document::Document;

/// One statement of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    pub is_allow: bool,
    pub actions: Option<Vec<String>>,
    pub not_actions: Option<Vec<String>>,
    pub resources: Option<Vec<String>>,
    pub not_resources: Option<Vec<String>>,
    /// Kinds of principals in lower case, `*` for the bare one, each with who.
    pub principals: Option<Vec<(String, String)>>,
    pub has_not_principal: bool,
    pub conditions: Vec<Condition>,
}

/// One key of a condition; all of a statement's must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Operator and key in lower case.
    pub operator: String,
    pub key: String,
    /// One of these must match.
    pub values: Vec<String>,
}

/// The statements of a document.
///
/// # Errors
///
/// Why they cannot be told for sure: no JSON, a key twice, a statement that is none.
pub fn statements(text: &str) -> Result<Vec<Statement>, String> {
    let Document::Json(json) = Document::from_text(text) else {
        let problem = Document::from_text(text).problem().unwrap_or_default();
        return Err(problem);
    };
    let members = object(&json).ok_or("it is not a JSON object")?;
    let mut found = Vec::new();
    for (_, value) in members.iter().filter(|(key, _)| key.eq_ignore_ascii_case("Statement")) {
        match value {
            Json::Array(items) => {
                for item in items {
                    found.push(statement(item)?);
                }
            }
            single => found.push(statement(single)?),
        }
    }
    Ok(found)
}

fn statement(json: &Json) -> Result<Statement, String> {
    let members = object(json).ok_or("a statement of it is not an object")?;
    let mut statement = Statement::default();
    let mut seen: Vec<String> = Vec::new();
    for (key, value) in members {
        let key = key.to_lowercase();
        if seen.contains(&key) {
            return Err(format!("a statement of it has `{key}` twice"));
        }
        match key.as_str() {
            "effect" => statement.is_allow = effect(value)?,
            "action" => statement.actions = Some(texts(value)?),
            "notaction" => statement.not_actions = Some(texts(value)?),
            "resource" => statement.resources = Some(texts(value)?),
            "notresource" => statement.not_resources = Some(texts(value)?),
            "principal" => statement.principals = Some(principals(value)?),
            "notprincipal" => statement.has_not_principal = true,
            "condition" => statement.conditions = conditions(value)?,
            _ => {}
        }
        seen.push(key);
    }
    if !seen.iter().any(|key| key == "effect") {
        return Err("a statement of it has no `Effect`".to_owned());
    }
    Ok(statement)
}

fn effect(value: &Json) -> Result<bool, String> {
    match value {
        Json::String(text) if text.eq_ignore_ascii_case("Allow") => Ok(true),
        Json::String(text) if text.eq_ignore_ascii_case("Deny") => Ok(false),
        _ => Err("a statement of it neither allows nor denies".to_owned()),
    }
}

fn principals(value: &Json) -> Result<Vec<(String, String)>, String> {
    let Some(members) = object(value) else {
        return Ok(texts(value)?.into_iter().map(|who| ("*".to_owned(), who)).collect());
    };
    let mut found = Vec::new();
    for (kind, who) in members {
        found.extend(texts(who)?.into_iter().map(|who| (kind.to_lowercase(), who)));
    }
    Ok(found)
}

fn conditions(value: &Json) -> Result<Vec<Condition>, String> {
    let malformed = "a condition of it is not an object";
    let mut found = Vec::new();
    for (operator, keys) in object(value).ok_or(malformed)? {
        for (key, values) in object(keys).ok_or(malformed)? {
            found.push(Condition {
                operator: operator.to_lowercase(),
                key: key.to_lowercase(),
                values: texts(values)?,
            });
        }
    }
    Ok(found)
}

fn object(json: &Json) -> Option<&[(String, Json)]> {
    match json {
        Json::Object(members) => Some(members),
        _ => None,
    }
}

/// A text or a list of them.
fn texts(value: &Json) -> Result<Vec<String>, String> {
    let text = |value: &Json| match value {
        Json::String(text) => Ok(text.clone()),
        Json::Number(text) => Ok(text.clone()),
        Json::Bool(value) => Ok(value.to_string()),
        _ => Err("it has a list or an object where a text should be".to_owned()),
    };
    match value {
        Json::Array(items) => items.iter().map(text).collect(),
        single => Ok(vec![text(single)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_cases_are_one() {
        let long = statements(
            r#"{"Statement":[{"Effect":"Allow","Action":["a:B"],"Resource":["*"],"NotResource":["r"],
            "NotAction":["n"],"Principal":{"AWS":["1"],"Federated":"f"},
            "Condition":{"StringEquals":{"aws:X":["y"]}}}]}"#,
        );
        let short = statements(
            r#"{"statement":{"EFFECT":"allow","action":"a:B","resource":"*","notResource":"r",
            "notaction":"n","principal":{"aws":1,"federated":["f"]},
            "condition":{"stringequals":{"AWS:x":"y"}}}}"#,
        );
        assert_eq!(long, short);
        let statement = &long.unwrap()[0];
        assert!(statement.is_allow && !statement.has_not_principal);
        assert_eq!(statement.actions, Some(vec!["a:B".to_owned()]));
        assert_eq!(statement.not_actions, Some(vec!["n".to_owned()]));
        assert_eq!(statement.resources, Some(vec!["*".to_owned()]));
        assert_eq!(statement.not_resources, Some(vec!["r".to_owned()]));
        let principals = [("aws", "1"), ("federated", "f")];
        let principals = principals.map(|(kind, who)| (kind.to_owned(), who.to_owned()));
        assert_eq!(statement.principals, Some(principals.to_vec()));
        let condition = &statement.conditions[0];
        assert_eq!(
            (condition.operator.as_str(), condition.key.as_str()),
            ("stringequals", "aws:x")
        );
        assert_eq!(condition.values, ["y"]);
    }

    #[test]
    fn bare_principals_and_booleans_are_texts() {
        let found = statements(
            r#"{"Statement":[{"Effect":"Deny","Principal":"*","Condition":{"Bool":{"k":true}}},
            {"Effect":"Allow","NotPrincipal":{"AWS":"x"}}]}"#,
        )
        .unwrap();
        assert!(!found[0].is_allow && found[1].is_allow && found[1].has_not_principal);
        assert_eq!(found[0].principals, Some(vec![("*".to_owned(), "*".to_owned())]));
        assert_eq!(found[0].conditions[0].values, ["true"]);
        assert_eq!(statements("{}"), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_told_is_an_error() {
        for (document, problem) in [
            ("nothing", "expected"),
            ("[]", "not a JSON object"),
            (r#"{"Statement":[1]}"#, "not an object"),
            (r#"{"Statement":[[]]}"#, "not an object"),
            (r#"{"Statement":{"Action":"*"}}"#, "no `Effect`"),
            (r#"{"Statement":{"Effect":"Permit"}}"#, "neither allows"),
            (r#"{"Statement":{"Effect":1}}"#, "neither allows"),
            (r#"{"Statement":{"Effect":"Deny","effect":"Allow"}}"#, "`effect` twice"),
            (r#"{"Statement":{"Effect":"Allow","Effect":"Allow"}}"#, "stands twice"),
            (r#"{"Statement":{"Effect":"Allow","Action":{"a":1}}}"#, "list or an object"),
            (r#"{"Statement":{"Effect":"Allow","Action":[["a"]]}}"#, "list or an object"),
            (r#"{"Statement":{"Effect":"Allow","Condition":"x"}}"#, "not an object"),
            (r#"{"Statement":{"Effect":"Allow","Condition":{"Bool":"x"}}}"#, "not an object"),
        ] {
            let error = statements(document).unwrap_err();
            assert!(error.contains(problem), "{document}: {error}");
        }
    }
}
