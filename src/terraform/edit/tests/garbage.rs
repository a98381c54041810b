//! Inputs that make no sense must not do harm.

use proptest::prelude::*;

use crate::json::Json;
use crate::policy_document::Dialect;
use crate::terraform::Expression;
use crate::terraform::align::{align, apply_keeping_alignment, indent};
use crate::terraform::edit::{
    Meaning, Splice, append_blocks, apply, compare, edit_value, insert_attribute,
    insert_blocks_after, remove_attribute, remove_block,
};
use crate::terraform::node::{Content, JsonText, Member, Node};

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<u8>().prop_map(|n| Json::Number(n.to_string())),
        "[a-c\"${é\n]{0,4}".prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map("Statement|Sid|Action|Principal|a", inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn any_span() -> impl Strategy<Value = std::ops::Range<usize>> {
    (0_usize..50, 0_usize..50).prop_map(|(start, end)| start..end)
}

fn any_node() -> impl Strategy<Value = Node> {
    let leaf = (any_span(), any_json(), 0..4).prop_map(|(span, value, kind)| Node {
        span,
        content: match kind {
            0 => Content::Unknown,
            1 => Content::Scalar(value),
            2 => Content::Computed { value, is_replaceable: true },
            _ => Content::Computed { value, is_replaceable: false },
        },
    });
    leaf.prop_recursive(4, 16, 4, |inner| {
        let member = ("Statement|Sid|Action|a", any_span(), inner.clone())
            .prop_map(|(key, key_span, value)| Member { key, key_span, value });
        let content = prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Content::List),
            prop::collection::vec(member, 0..4).prop_map(Content::Object),
            inner.clone().prop_map(|inner| Content::JsonEncode(Box::new(inner))),
            (inner, any::<bool>(), any::<bool>()).prop_map(|(root, is_file, is_template)| {
                let file = is_file.then(|| "f".to_owned());
                Content::JsonText(JsonText { file, is_template, root: Box::new(root) })
            }),
        ];
        (any_span(), content).prop_map(|(span, content)| Node { span, content })
    })
}

fn any_meaning() -> impl Strategy<Value = Meaning> {
    prop_oneof![
        Just(Meaning::Plain),
        Just(Meaning::Document(Dialect::Iam)),
        Just(Meaning::Document(Dialect::Organizations)),
    ]
}

const HCL: &str = r#"([a =\[\]{}()",#/*$%\\<\-\r\n\té👩]|<<A|<<-A|A|\$\{|%\{|"|\n){0,50}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn blanks_of_any_text(text in HCL) {
        for set_blanks in [align, indent] {
            let once = set_blanks(&text).into_owned();
            let strip = |text: &str| {
                text.chars().filter(|c| !matches!(c, ' ' | '\t')).collect::<String>()
            };
            prop_assert_eq!(strip(&once), strip(&text));
        }
    }

    #[test]
    fn expressions_that_stand_anywhere(
        text in HCL,
        node in any_node(),
        base in prop::option::of(any_json()),
        actual in any_json(),
        meaning in any_meaning(),
    ) {
        compare(&node, &actual, meaning);
        let read = |_: &str| Some(text.clone());
        if let Ok(splices) = edit_value(&text, &node, base.as_ref(), &actual, meaning, &read) {
            let _ = apply(&text, &splices);
            let _ = apply_keeping_alignment(&text, &splices);
        }
    }

    #[test]
    fn blocks_that_stand_anywhere(text in HCL, span in any_span(), other in any_span()) {
        let attributes = [("a", other)];
        let value = Expression::from("x");
        let splices: Vec<Splice> = vec![
            insert_attribute(&text, span.clone(), &attributes, "b", &value, &["a", "b"]),
            insert_attribute(&text, span.clone(), &attributes, "b", &value, &[]),
            insert_attribute(&text, span.clone(), &[], "b", &value, &[]),
            remove_attribute(&text, span.clone()),
            remove_block(&text, span.clone()),
            insert_blocks_after(&text, span, "a {}\n"),
            append_blocks(&text, "a {}\n"),
        ];
        for splice in splices {
            let _ = apply_keeping_alignment(&text, &[splice]);
        }
    }
}
