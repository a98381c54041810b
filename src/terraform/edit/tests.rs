//! Edits of hand-written files, one by one and at random.

mod alignment;
mod bodies;
mod generate;
mod random;
mod reader;

use super::*;
use crate::json::Json;
use crate::policy_document::Dialect;
use crate::terraform::Expression;
use crate::terraform::align::apply_keeping_alignment;
use reader::read;

const IAM: Meaning = Meaning::Document(Dialect::Iam);
const ORGANIZATIONS: Meaning = Meaning::Document(Dialect::Organizations);

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// The file after its argument `x` is made to mean a value.
fn edited(text: &str, actual: &str, meaning: Meaning) -> String {
    edited_from(text, None, actual, meaning).unwrap()
}

fn edited_from(
    text: &str,
    base: Option<&str>,
    actual: &str,
    meaning: Meaning,
) -> Result<String, Blocked> {
    let node = &read(text).attribute("x").node.clone();
    let base = base.map(json);
    let splices = edit_value(text, node, base.as_ref(), &json(actual), meaning, &|_| None)?;
    Ok(apply_keeping_alignment(text, &splices).unwrap())
}

/// A resource whose argument `x` is this.
fn resource(x: &str) -> String {
    format!("resource \"t\" \"l\" {{\n  x = {x}\n}}\n")
}

fn check(x: &str, actual: &str, meaning: Meaning, expected: &str) {
    assert_eq!(edited(&resource(x), actual, meaning), resource(expected), "{actual}");
}

#[test]
fn scalar_is_replaced_alone() {
    let text = "resource \"t\" \"l\" {\n  name = \"a\" # who\n  x    = \"b\" # what\n}\n";
    assert_eq!(
        edited(text, "\"${c}\"", Meaning::Plain),
        text.replace("\"a\" ", "\"a\"     ").replace("\"b\"", "\"$${c}\"")
    );
    check("3600", "7200", Meaning::Plain, "7200");
    check("\"3600\"", "7200", Meaning::Plain, "\"7200\"");
    check("\"3600\"", "3600", Meaning::Plain, "\"3600\"");
}

#[test]
fn map_keeps_its_layout() {
    check(
        "{\n    a = 1 # one\n    # two\n    bcd = 2\n  }",
        r#"{"a":1,"bcd":3,"long.key":"x"}"#,
        Meaning::Plain,
        "{\n    a = 1 # one\n    # two\n    bcd        = 3\n    \"long.key\" = \"x\"\n  }",
    );
    check(
        "{ a = 1, b = 2 }",
        r#"{"a":1,"c":{"d":[1,2]},"b":2}"#,
        Meaning::Plain,
        "{ a = 1, c = { d = [1, 2] }, b = 2 }",
    );
    check("{ a = 1, b = 2 }", r#"{"b":2}"#, Meaning::Plain, "{ b = 2 }");
    check("{ a = 1, b = 2 }", r#"{"a":1}"#, Meaning::Plain, "{ a = 1 }");
    check("{ a = 1 }", "{}", Meaning::Plain, "{}");
    check("{}", r#"{"a":"b"}"#, Meaning::Plain, "{\n    a = \"b\"\n  }");
    check(
        "{\n    \"a\" : 1,\n  }",
        r#"{"a":1,"b":2}"#,
        Meaning::Plain,
        "{\n    \"a\" : 1,\n    \"b\" : 2,\n  }",
    );
}

#[test]
fn list_keeps_its_layout_and_comments() {
    let list = "jsonencode({\n    Statement = {\n      Action = [\n        # read\n        \"a\", # a\n        \"b\",\n        \"c\"  # c\n      ]\n    }\n  })";
    let expected =
        list.replace("\"a\", # a", "\"a\", # a\n        \"d\",").replace("        \"b\",\n", "");
    check(list, r#"{"Statement":{"Action":["c","a","d"]}}"#, IAM, &expected);
    let expected = list.replace("\"b\",\n        \"c\"  # c", "\"b\"");
    check(list, r#"{"Statement":{"Action":["b","a"]}}"#, IAM, &expected);
}
