//! The real Terraform judges what the printer prints: any text comes back as that text, any
//! document as that document, and `terraform fmt` finds nothing to do.

mod support;

use aws_iam_gitops::json::Json;
use aws_iam_gitops::terraform::{Expression, format};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use unicode_normalization::UnicodeNormalization;

/// Text as hostile as AWS allows and then some: markers, quotes, controls, any Unicode.
fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "${", "%{", "$", "%", "{", "}", "$${", "%%{", "\\", "\"", "\n", "\r\n", "\t", "\0",
            "\u{1b}[31m", "${a}", "%{if true}", "~", "${~", "<<EOT", "/*", "#", "\\u0041", "//",
            "\u{202e}", "\u{200b}", "e\u{301}", "é", "東京", "🏳️‍🌈", "\u{2028}", "\u{feff}",
        ]).prop_map(str::to_owned),
        2 => "[a-zA-Z0-9 :/*.-]{0,6}",
        1 => ".{0,4}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        prop::sample::select(vec![
            "0",
            "-5",
            "5",
            "1e3",
            "1.5",
            "0.1",
            "123456789012",
            "-0.25",
            "123456789012345678901234567890",
            "12E+2"
        ])
        .prop_map(|n| Json::Number(n.to_owned())),
        hostile_text().prop_map(Json::String),
    ];
    let key = prop_oneof![
        hostile_text(),
        prop::sample::select(vec![
            "for", "if", "in", "null", "true", "Sid", "aws:x", "1", "a-b", "-", "東京", ""
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map(key.clone(), inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// A fixed seed: the same cases on every machine, new ones by changing the number.
fn sample<T: std::fmt::Debug>(count: usize, strategy: impl Strategy<Value = T>) -> Vec<T> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[29; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
}

fn normalized(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(text.nfc().collect()),
        Value::Array(items) => items.iter().map(normalized).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.nfc().collect::<String>(), normalized(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Number(number) => serde_json::json!(number.as_f64()),
        other => other.clone(),
    }
}

#[test]
fn any_text_comes_back_as_that_text() {
    let mut texts = sample(2_000, hostile_text());
    // The published crates print the first two of these as live templates.
    texts.extend(
        ["${%${abspath(path.module)}", "${a} $${b}", "$$${", "%%%{", "", "$", "${"]
            .map(str::to_owned),
    );
    let printed: Vec<_> =
        texts.iter().map(|text| format::expression(&Expression::from(text.as_str()))).collect();
    for ((text, printed), value) in texts.iter().zip(&printed).zip(support::evaluate(&printed)) {
        assert_eq!(value, text.nfc().collect::<String>(), "printed as {printed}");
    }
}

#[test]
fn any_document_comes_back_as_that_document() {
    let documents: Vec<_> = sample(600, document())
        .into_iter()
        .map(|json| Json::Object(vec![("Statement".to_owned(), json)]))
        .filter(|json| {
            aws_iam_gitops::policy_document::Document::Json(json.clone()).problem().is_none()
        })
        .collect();
    assert!(documents.len() > 500);
    let printed: Vec<_> =
        documents.iter().map(|json| format::expression(&Expression::JsonEncode(json))).collect();
    for (json, value) in documents.iter().zip(support::evaluate(&printed)) {
        let evaluated: serde_json::Value =
            serde_json::from_str(value.as_str().expect("text")).expect("JSON");
        let expected = serde_json::from_str(&json.to_string()).expect("JSON");
        assert_eq!(normalized(&evaluated), normalized(&expected));
    }
}

#[test]
fn fmt_finds_nothing_to_do() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (index, json) in sample(400, document()).iter().enumerate() {
        let mut body = aws_iam_gitops::terraform::Body::default();
        body.blocks.push(
            aws_iam_gitops::terraform::Block::new(
                "resource",
                vec!["a".into(), format!("r{index}")],
            )
            .attribute("x", "1")
            .attribute("document", Expression::JsonEncode(json))
            .attribute("long_name", Expression::Number(1))
            .ignore_changes(&["tags", "tags_all"]),
        );
        std::fs::write(folder.path().join(format!("{index}.tf")), format::file(&body))
            .expect("write");
    }
    support::assert_formatted(folder.path());
}
