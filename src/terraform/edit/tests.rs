//! Edits of hand-written files, one by one and at random.

mod alignment;
mod bodies;
mod garbage;
mod generate;
mod plain;
mod random;
mod reader;

use super::*;
use crate::json::Json;
use crate::policy_document::Dialect;
use crate::terraform::align::apply_keeping_alignment;
use crate::terraform::node::{Content, JsonText, Member, Node};
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

#[test]
fn text_in_a_heredoc_keeps_its_form() {
    check(
        "<<-EOT\n    one\n    two\n  EOT",
        "\"one\\n${x}\\n\"",
        Meaning::Plain,
        "<<-EOT\n    one\n    $${x}\n  EOT",
    );
    check("<<EOT\none\nEOT", "\"one\"", Meaning::Plain, "\"one\"");
    check("<<EOT\none\nEOT", "\"EOT\\n\"", Meaning::Plain, "\"EOT\\n\"");
}

#[test]
fn document_in_quotes_becomes_an_expression() {
    let quoted = r#""{\"Version\":\"v\",\"Statement\":[{\"Action\":\"$${x}\"}]}""#;
    check(quoted, r#"{"Version":"v","Statement":{"Action":["${x}"]}}"#, IAM, quoted);
    check(
        quoted,
        r#"{"Version":"w","Statement":{"Action":["${x}"]}}"#,
        IAM,
        "jsonencode({\n    Version = \"w\"\n    Statement = {\n      Action = [\"$${x}\"]\n    }\n  })",
    );
    let not_normal = r#"{"Id":"e\u0301"}"#;
    check("jsonencode({})", not_normal, IAM, r#""{\"Id\":\"e\\u0301\"}""#);
}

#[test]
fn one_value_becomes_a_list() {
    let written = |action: &str| {
        format!("jsonencode({{\n    Statement = {{\n      Action = {action} # why\n    }}\n  }})")
    };
    let actual = r#"{"Statement":[{"Action":["a","b"]}]}"#;
    check(&written("\"a\""), actual, IAM, &written("[\n        \"a\",\n        \"b\",\n      ]"));
    check(&written("[\"a\"]"), actual, IAM, &written("[\"a\", \"b\"]"));
    check(&written("[\"a\"]"), r#"{"Statement":{"Action":"a"}}"#, IAM, &written("[\"a\"]"));
    check(&written("[\"a\"]"), r#"{"Statement":{"Action":"a"}}"#, ORGANIZATIONS, &written("\"a\""));
}

#[test]
fn one_statement_becomes_two() {
    let one = "jsonencode({\n    Statement = {\n      Sid = \"a\" # c\n    }\n  })";
    let two = "jsonencode({\n    Statement = [{\n      Sid = \"a\" # c\n      }, {\n      Sid = \"b\"\n    }]\n  })";
    check(one, r#"{"Statement":[{"Sid":"a"},{"Sid":"b"}]}"#, IAM, two);
    check(
        two,
        r#"{"Statement":{"Sid":"a"}}"#,
        IAM,
        &one.replace("= {", "= [{").replace("    }\n  })", "    }]\n  })"),
    );
}

#[test]
fn order_counts_in_organizations_policies() {
    let list = |items: &str| format!("jsonencode({{ a = [{items}] }})");
    for (from, to, actual) in [
        ("1, 2, 3", "2, 3, 1", "2,3,1"),
        ("1, 2, 3", "3, 1, 2", "3,1,2"),
        ("1, 2, 3,", "2,", "2"),
        ("1, 2", "0, 1, 1, 2", "0,1,1,2"),
    ] {
        check(&list(from), &format!(r#"{{"a":[{actual}]}}"#), ORGANIZATIONS, &list(to));
    }
}

#[test]
fn unknown_part_that_did_not_change_stays() {
    let written = |rest: &str| {
        format!("jsonencode({{ Statement = [{{ Action = [\"a\"], Resource = [x.y, {rest}] }}] }})")
    };
    let document =
        |rest: &str| format!(r#"{{"Statement":[{{"Action":"a","Resource":[{rest}]}}]}}"#);
    let text = resource(&written("\"b\""));
    let base = document(r#""x1","b""#);
    let edit = |actual: &str| edited_from(&text, Some(&base), &document(actual), IAM);
    assert_eq!(edit(r#""b","x1""#), Ok(text.clone()));
    assert_eq!(edit(r#""x1","c""#), Ok(resource(&written("\"c\""))));
    assert_eq!(edit(r#""b""#), Ok(text.replace("x.y, ", "")));
    let blocked = edit(r#""b","x2""#).unwrap_err();
    assert_eq!(blocked.reason, Reason::Unknown);
    assert_eq!(&text[blocked.span], "x.y");
    let guessed = edited_from(&text, None, &document(r#""b","x2""#), IAM);
    assert_eq!(guessed, Ok(text));
}

#[test]
fn comment_of_a_statement_goes_with_it() {
    let statement = |sid: &str| format!("    {{ Sid = \"{sid}\" }},\n");
    let list = |inner: &str| format!("jsonencode({{\n    Statement = [\n  {inner}    ]\n  }})");
    let [a, b] = ["a", "b"].map(statement);
    let only_b = r#"{"Statement":[{"Sid":"b"}]}"#;
    let each = list(&format!("    # of a\n  {a}      # of b\n  {b}"));
    check(&each, only_b, IAM, &list(&format!("    # of b\n  {b}")));
    let both = list(&format!("    # of both\n  {a}  {b}"));
    check(&both, only_b, IAM, &list(&format!("    # of both\n  {b}")));
}

#[test]
fn what_is_known_by_way_of_something_else_is_replaced_or_not() {
    let text = "x";
    let node = |is_replaceable| Node {
        span: 0..1,
        content: Content::Computed { value: json(r#""{\"Id\":\"a\"}""#), is_replaceable },
    };
    let edit = |is_replaceable, actual: &str| {
        edit_value(text, &node(is_replaceable), None, &json(actual), IAM, &|_| None)
    };
    assert_eq!(edit(false, r#"{"Id":"a"}"#), Ok(Vec::new()));
    assert_eq!(edit(false, r#"{"Id":"b"}"#).unwrap_err().reason, Reason::MadeElsewhere);
    let splices = edit(true, r#"{"Id":"b"}"#).unwrap();
    assert_eq!(apply(text, &splices).unwrap(), "jsonencode({\n  Id = \"b\"\n})");
}

#[test]
fn file_of_its_own_is_edited_there() {
    let file = "{\n\t\"Id\": \"${a}\",\n\t\"Statement\": []\n}\n";
    let end = file.len() - 1;
    let id = file.find("\"${a}\"").unwrap();
    let key = |key: &str| {
        let at = file.find(&format!("\"{key}\"")).unwrap();
        at..at + key.len() + 2
    };
    let value = Node { span: id..id + 6, content: Content::Scalar(json("\"${a}\"")) };
    let list = file.find("[]").unwrap();
    let list = Node { span: list..list + 2, content: Content::List(Vec::new()) };
    let members = vec![
        Member { key: "Id".to_owned(), key_span: key("Id"), value },
        Member { key: "Statement".to_owned(), key_span: key("Statement"), value: list },
    ];
    let root = Box::new(Node { span: 0..end, content: Content::Object(members) });
    let text = JsonText { file: Some("trust.json".to_owned()), is_template: false, root };
    let node = Node { span: 4..23, content: Content::JsonText(text) };
    let actual = json(r#"{"Id":"${b}","Statement":[{"Sid":"s"}]}"#);
    let read = |path: &str| (path == "trust.json").then(|| file.to_owned());
    let splices = edit_value("x = file(\"trust.json\")", &node, None, &actual, IAM, &read).unwrap();
    assert!(splices.iter().all(|splice| splice.file.as_deref() == Some("trust.json")));
    assert_eq!(
        apply(file, &splices).unwrap(),
        "{\n\t\"Id\": \"${b}\",\n\t\"Statement\": [\n\t\t{\n\t\t\t\"Sid\": \"s\"\n\t\t}\n\t]\n}\n"
    );
    let missing = edit_value("", &node, None, &actual, IAM, &|_| None).unwrap_err();
    assert_eq!(missing.to_string(), "there is no file `trust.json`");
}

#[test]
fn splices_that_overlap_are_refused() {
    let splice = |span, text: &str| Splice { file: None, span, text: text.to_owned() };
    let apply = |splices: &[Splice]| apply("aébc", splices);
    assert_eq!(apply(&[splice(3..4, "x"), splice(0..1, ""), splice(3..3, "y")]).unwrap(), "éyxc");
    assert_eq!(apply(&[splice(0..3, ""), splice(1..4, "")]), Err(SpliceError::Overlap(1..4)));
    for span in [2..3, 4..9, 9..9] {
        assert_eq!(apply(&[splice(span.clone(), "")]), Err(SpliceError::Outside(span)));
    }
}

#[test]
fn new_objects_are_as_long_as_their_neighbours() {
    let list = |inner: &str| format!("jsonencode({{\n    Statement = [\n{inner}    ]\n  }})");
    let line = |sid: &str| format!("      {{ Sid = \"{sid}\", Action = [\"x\", \"y\"] }},\n");
    let actual = r#"{"Statement":[{"Sid":"a","Action":["x","y"]},{"Sid":"b","Action":["x","y"]}]}"#;
    check(&list(&line("a")), actual, IAM, &list(&(line("a") + &line("b"))));
    check(
        "{\n    a = { b = 1 }\n  }",
        r#"{"a":{"b":1},"c":{"d":[1,2]}}"#,
        Meaning::Plain,
        "{\n    a = { b = 1 }\n    c = { d = [1, 2] }\n  }",
    );
}
