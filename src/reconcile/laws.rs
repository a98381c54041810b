//! What holds for every base, desired and actual, whatever they are.
//!
//! The alphabets are small, so that states often agree in part.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::policy_document::Dialect;
use crate::terraform::node::{JsonText, Member};

/// What a file may say otherwise than a text does, and mean the same.
#[derive(Clone, Copy, Debug)]
enum Spelling {
    Literal,
    /// By way of a local value.
    Computed,
    /// `jsonencode`, where it is a document.
    Encoded,
    /// A heredoc, where it is a document.
    Heredoc,
}

const DOCUMENTS: &[(&str, &str, Meaning)] = &[
    ("aws_iam_role", "assume_role_policy", Meaning::Document(Dialect::Iam)),
    ("aws_iam_role_policy", "policy", Meaning::Document(Dialect::Iam)),
    ("aws_organizations_policy", "content", Meaning::Document(Dialect::Organizations)),
];

const IDENTITIES: &[(&str, &str)] = &[
    ("aws_iam_role", "deploy"),
    ("aws_iam_role_policy", "deploy:read"),
    ("aws_iam_role_policy", "deploy:write"),
    ("aws_iam_role_policy_attachment", "deploy/arn"),
    ("aws_organizations_policy", "p-1"),
];

fn meaning(resource_type: &str, name: &str) -> Meaning {
    let found =
        DOCUMENTS.iter().find(|(of, document, _)| (*of, *document) == (resource_type, name));
    found.map_or(Meaning::Plain, |(.., meaning)| *meaning)
}

fn json(text: &str) -> Json {
    Json::parse(text).expect("JSON")
}

fn statement() -> impl Strategy<Value = Json> {
    let texts = [
        r#"{"Effect":"Allow","Action":"a","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":["a"],"Resource":"*"}"#,
        r#"{"Resource":["*"],"Effect":"allow","Action":"a","Sid":""}"#,
        r#"{"Effect":"Allow","Action":["a","b"],"Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":["b","a"],"Resource":"*"}"#,
        r#"{"Effect":"Deny","Action":"a","Resource":"*","Condition":{"Bool":{"k":"true"}}}"#,
        r#"{"Effect":"Deny","Action":"a","Resource":"*","Condition":{"Bool":{"k":[true]}}}"#,
        r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"a"}"#,
        r#"{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:root"]},"Action":"a"}"#,
    ];
    select(texts.to_vec()).prop_map(json)
}

fn document() -> impl Strategy<Value = Json> {
    let statements = prop_oneof![
        statement(),
        proptest::collection::vec(statement(), 0..3).prop_map(Json::Array),
    ];
    (statements, any::<bool>()).prop_map(|(statements, is_swapped)| {
        let mut members = vec![
            ("Version".to_owned(), Json::String("2012-10-17".to_owned())),
            ("Statement".to_owned(), statements),
        ];
        if is_swapped {
            members.reverse();
        }
        Json::Object(members)
    })
}

fn plain() -> impl Strategy<Value = Json> {
    let texts = [
        r#""a""#,
        r#""b""#,
        "3600",
        "7200",
        "true",
        r#"["a"]"#,
        r#"["a","b"]"#,
        r#"["b","a"]"#,
        r#"{"k":"a"}"#,
        r#"{"k":"b"}"#,
        r#"{"k":"a","m":"b"}"#,
    ];
    select(texts.to_vec()).prop_map(json)
}

/// The arguments of a resource: some names are documents, the others plain.
fn known_arguments(resource_type: &'static str) -> BoxedStrategy<BTreeMap<String, Argument>> {
    let argument = |name: &'static str, value: BoxedStrategy<Json>| {
        let meaning = meaning(resource_type, name);
        proptest::option::weighted(0.7, value).prop_map(move |value| {
            value.map(|value| (name.to_owned(), Argument::Known { value, meaning }))
        })
    };
    let document = match DOCUMENTS.iter().find(|(of, ..)| *of == resource_type) {
        Some((_, name, _)) => argument(name, document().boxed()).boxed(),
        None => Just(None).boxed(),
    };
    let plain = ["description", "tags"].map(|name| argument(name, plain().boxed()));
    (document, plain)
        .prop_map(|(document, plain)| {
            document.into_iter().chain(plain.into_iter().flatten()).collect()
        })
        .boxed()
}

fn known() -> impl Strategy<Value = State> {
    let resources: Vec<_> = IDENTITIES
        .iter()
        .map(|(resource_type, id)| {
            let arguments = proptest::option::weighted(0.6, known_arguments(resource_type));
            let identity = ((*resource_type).to_owned(), (*id).to_owned());
            arguments.prop_map(move |arguments| {
                let arguments = arguments?;
                Some((identity.clone(), Resource { arguments, ..Resource::default() }))
            })
        })
        .collect();
    resources.prop_map(|resources| State {
        resources: resources.into_iter().flatten().collect(),
        ..State::default()
    })
}

fn spelling() -> impl Strategy<Value = Spelling> {
    use Spelling::{Computed, Encoded, Heredoc, Literal};
    select(&[Literal, Computed, Encoded, Heredoc])
}

fn node(content: Content) -> Node {
    Node { span: 0..0, content }
}

fn literal(value: &Json) -> Node {
    node(match value {
        Json::Array(items) => Content::List(items.iter().map(literal).collect()),
        Json::Object(members) => {
            let member = |(key, value): &(String, Json)| Member {
                key: key.clone(),
                key_span: 0..0,
                value: literal(value),
            };
            Content::Object(members.iter().map(member).collect())
        }
        scalar => Content::Scalar(scalar.clone()),
    })
}

/// As a file has the value.
fn read(value: &Json, meaning: Meaning, spelling: Spelling) -> Node {
    match (meaning, spelling) {
        (Meaning::Plain, Spelling::Computed) => {
            node(Content::Computed { value: value.clone(), is_replaceable: true })
        }
        (Meaning::Plain, _) => literal(value),
        (_, Spelling::Encoded) => node(Content::JsonEncode(Box::new(literal(value)))),
        (_, Spelling::Heredoc) => node(Content::JsonText(JsonText {
            file: None,
            is_template: false,
            root: Box::new(literal(value)),
        })),
        (_, Spelling::Literal) => node(Content::Scalar(Json::String(value.to_string()))),
        (_, Spelling::Computed) => {
            let value = Json::String(value.to_string());
            node(Content::Computed { value, is_replaceable: false })
        }
    }
}

/// The known state as files say it.
fn written(state: &State, spelling: Spelling) -> State {
    let mut state = state.clone();
    for argument in state.resources.values_mut().flat_map(|it| it.arguments.values_mut()) {
        if let Argument::Known { value, meaning } = argument {
            *argument = Argument::Read(read(value, *meaning, spelling));
        }
    }
    state
}

/// Replaces parts of what files say by what cannot be known. Bits say which.
fn blur(node: &mut Node, bits: &mut u64) {
    *bits = bits.rotate_right(3);
    if *bits & 7 == 0 {
        node.content = Content::Unknown;
        return;
    }
    match &mut node.content {
        Content::List(items) => items.iter_mut().for_each(|item| blur(item, bits)),
        Content::Object(members) => {
            members.iter_mut().for_each(|member| blur(&mut member.value, bits));
        }
        Content::JsonEncode(inner) => blur(inner, bits),
        _ => {}
    }
}

fn blurred(mut state: State, mut bits: u64) -> State {
    for argument in state.resources.values_mut().flat_map(|it| it.arguments.values_mut()) {
        if let Argument::Read(node) = argument {
            blur(node, &mut bits);
        }
    }
    if bits & 0x70 == 0 {
        state.covered.insert("aws_iam_role_policy".to_owned());
        state.resources.remove(&(IDENTITIES[1].0.to_owned(), IDENTITIES[1].1.to_owned()));
    }
    if bits & 0x700 == 0 {
        let first = state.resources.values_mut().next();
        first.into_iter().for_each(|it| it.ignored.extend(["description".to_owned()]));
    }
    state
}

/// Another wording of the same meaning.
fn reworded(state: &State) -> State {
    let mut state = state.clone();
    for argument in state.resources.values_mut().flat_map(|it| it.arguments.values_mut()) {
        if let Argument::Known { value, meaning: Meaning::Document(dialect) } = argument {
            *value = reworded_document(value, *dialect);
        }
    }
    state
}

fn reworded_document(document: &Json, dialect: Dialect) -> Json {
    let Json::Object(members) = document else { return document.clone() };
    let reversed = |json: &Json| match json {
        Json::Object(members) => Json::Object(members.iter().cloned().rev().collect()),
        Json::Array(items) => Json::Array(items.iter().cloned().rev().collect()),
        text => Json::Array(vec![text.clone()]),
    };
    let set = |json: &Json| match json {
        Json::Array(items) if items.len() == 1 => items[0].clone(),
        Json::Array(_) => reversed(json),
        single => Json::Array(vec![single.clone()]),
    };
    let statement = |json: &Json| match json {
        Json::Object(members) => {
            let member = |(key, value): &(String, Json)| {
                let value = match key.as_str() {
                    "Action" | "Resource" => set(value),
                    _ => value.clone(),
                };
                (key.clone(), value)
            };
            Json::Object(members.iter().map(member).rev().collect())
        }
        other => other.clone(),
    };
    let member = |(key, value): &(String, Json)| {
        let value = match (key.as_str(), dialect, value) {
            ("Statement", Dialect::Iam, Json::Array(items)) => {
                set(&Json::Array(items.iter().map(statement).collect()))
            }
            ("Statement", Dialect::Iam, one) => set(&statement(one)),
            _ => value.clone(),
        };
        (key.clone(), value)
    };
    Json::Object(members.iter().map(member).rev().collect())
}

/// Two states that often agree: the second has some resources of the first.
fn mixed(one: &State, other: &State, mut bits: u64) -> State {
    let mut state = State::default();
    for (resource_type, id) in IDENTITIES {
        let identity = ((*resource_type).to_owned(), (*id).to_owned());
        bits = bits.rotate_right(1);
        let from = if bits & 1 == 0 { one } else { other };
        let Some(resource) = from.resources.get(&identity) else { continue };
        let mut resource = resource.clone();
        bits = bits.rotate_right(1);
        // Only one argument of it, as a change in AWS's console would.
        if bits & 1 == 0
            && let Some(first) = one.resources.get(&identity)
            && let Some((name, value)) = first.arguments.iter().next()
        {
            resource.arguments.insert(name.clone(), value.clone());
        }
        state.resources.insert(identity, resource);
    }
    state
}

/// Base, desired (in a file's words) and actual; each may be absent.
fn three() -> impl Strategy<Value = (Option<State>, Option<State>, Option<State>)> {
    let present = || proptest::bool::weighted(0.9);
    let states = (known(), known(), known(), any::<[u64; 3]>());
    (states, spelling(), any::<bool>(), [present(), present(), present()]).prop_map(
        |((one, second, third, bits), spelling, is_blurred, is_there)| {
            let actual = mixed(&one, &second, bits[0]);
            let desired = match bits[1] % 4 {
                0 => one.clone(),
                1 => actual.clone(),
                2 => mixed(&one, &third, bits[1]),
                _ => mixed(&actual, &third, bits[1]),
            };
            let desired = written(&desired, spelling);
            let desired = if is_blurred { blurred(desired, bits[2]) } else { desired };
            let actual = if bits[2] % 3 == 0 { reworded(&one) } else { actual };
            let keep = |state, at: usize| is_there[at].then_some(state);
            (keep(one, 0), keep(desired, 1), keep(actual, 2))
        },
    )
}

fn is_known(state: &State) -> bool {
    let has_value = |argument: &Argument| match argument {
        Argument::Known { .. } => true,
        Argument::Read(node) => node.value().is_some(),
    };
    state.covered.is_empty()
        && state
            .resources
            .values()
            .all(|it| it.ignored.is_empty() && it.arguments.values().all(has_value))
}

fn is_same(one: Option<&State>, other: Option<&State>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.matches(other) != Match::Differs,
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// What Terraform may make of what files say: what they do not tell it takes from elsewhere.
fn applied(desired: &State, before: Option<&State>) -> State {
    let mut state = State::default();
    for (identity, resource) in &desired.resources {
        let had = before.and_then(|before| before.resources.get(identity));
        let mut arguments = BTreeMap::new();
        for (name, argument) in &resource.arguments {
            let Argument::Read(node) = argument else { continue };
            let meaning = meaning(&identity.0, name);
            let value = match (meaning, &node.content) {
                (Meaning::Document(_), Content::JsonEncode(inner)) => filled(inner),
                (Meaning::Document(_), Content::JsonText(text)) => filled(&text.root),
                (Meaning::Document(_), Content::Unknown) => json("{}"),
                (Meaning::Document(_), _) => {
                    json(&node.value().map_or_else(String::new, |it| match it {
                        Json::String(text) => text,
                        other => other.to_string(),
                    }))
                }
                (Meaning::Plain | Meaning::Set, _) => filled(node),
            };
            arguments.insert(name.clone(), Argument::Known { value, meaning });
        }
        for name in &resource.ignored {
            match had.and_then(|had| had.arguments.get(name)) {
                Some(argument) => arguments.insert(name.clone(), argument.clone()),
                None => arguments.remove(name),
            };
        }
        state.resources.insert(identity.clone(), Resource { arguments, ..Resource::default() });
    }
    state
}

fn filled(node: &Node) -> Json {
    match &node.content {
        Content::Unknown => Json::String("told elsewhere".to_owned()),
        Content::List(items) => Json::Array(items.iter().map(filled).collect()),
        Content::Object(members) => {
            Json::Object(members.iter().map(|it| (it.key.clone(), filled(&it.value))).collect())
        }
        _ => node.value().expect("nothing in it is unknown"),
    }
}

/// Base and desired as a run leaves them: what it writes is what AWS has.
fn after(
    verdict: Verdict,
    base: Option<State>,
    desired: Option<State>,
    actual: &Option<State>,
) -> (Option<State>, Option<State>) {
    match verdict {
        Verdict::Unchanged | Verdict::Pending | Verdict::Conflicting => (base, desired),
        Verdict::Converged => (actual.clone(), desired),
        Verdict::Drifted => {
            let desired = actual.as_ref().map(|actual| written(actual, Spelling::Encoded));
            (actual.clone(), desired)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_edit_is_never_written_over((base, desired, actual) in three()) {
        let verdict = reconcile(base.as_ref(), desired.as_ref(), actual.as_ref());
        if verdict == Verdict::Drifted {
            prop_assert!(is_same(base.as_ref(), desired.as_ref()), "a person changed it");
            prop_assert!(!is_same(base.as_ref(), actual.as_ref()), "AWS did not change");
            prop_assert!(!is_same(actual.as_ref(), desired.as_ref()), "the files say so already");
        }
        if !is_same(base.as_ref(), desired.as_ref()) {
            let is_kept = matches!(verdict, Verdict::Pending | Verdict::Conflicting);
            prop_assert!(is_kept || is_same(actual.as_ref(), desired.as_ref()), "{verdict:?}");
        }
    }

    #[test]
    fn a_verdict_says_which_states_are_the_same((base, desired, actual) in three()) {
        let (base, desired, actual) = (base.as_ref(), desired.as_ref(), actual.as_ref());
        let verdict = reconcile(base, desired, actual);
        let is_lost = verdict == Verdict::Conflicting && is_same(actual, desired);
        if desired.is_none_or(is_known) {
            prop_assert!(!is_lost, "all is known, and nothing can be lost");
        }
        if !is_lost {
            let is = (is_same(actual, base), is_same(desired, base), is_same(actual, desired));
            prop_assert_eq!(verdict == Verdict::Unchanged, is.0 && is.2);
            prop_assert_eq!(verdict == Verdict::Converged, !is.0 && is.2);
            prop_assert_eq!(verdict == Verdict::Pending, is.0 && !is.2);
        }
    }

    #[test]
    fn twice_is_once((base, desired, actual) in three()) {
        let verdict = reconcile(base.as_ref(), desired.as_ref(), actual.as_ref());
        let (base, desired) = after(verdict, base, desired, &actual);
        let again = reconcile(base.as_ref(), desired.as_ref(), actual.as_ref());
        let expected = match verdict {
            Verdict::Drifted | Verdict::Converged => Verdict::Unchanged,
            stays => stays,
        };
        prop_assert_eq!(again, expected);
        let (base, desired) = after(again, base, desired, &actual);
        prop_assert_eq!(reconcile(base.as_ref(), desired.as_ref(), actual.as_ref()), again);
    }

    #[test]
    fn after_an_apply_all_is_still((base, desired, actual) in three()) {
        let applied = desired.as_ref().map(|desired| applied(desired, actual.as_ref()));
        let verdict = reconcile(base.as_ref(), desired.as_ref(), applied.as_ref());
        if desired.as_ref().is_none_or(is_known) {
            prop_assert!(matches!(verdict, Verdict::Unchanged | Verdict::Converged), "{verdict:?}");
        } else {
            prop_assert!(!matches!(verdict, Verdict::Pending | Verdict::Drifted), "{verdict:?}");
        }
        // Once the raw JSON is written, by the run or by whoever decides the conflict.
        let verdict = reconcile(applied.as_ref(), desired.as_ref(), applied.as_ref());
        prop_assert_eq!(verdict, Verdict::Unchanged);
    }

    #[test]
    fn after_an_accept_all_is_still((base, _, actual) in three(), spelling in spelling()) {
        let accepted = actual.as_ref().map(|actual| written(actual, spelling));
        let verdict = reconcile(base.as_ref(), accepted.as_ref(), actual.as_ref());
        prop_assert!(matches!(verdict, Verdict::Unchanged | Verdict::Converged), "{verdict:?}");
        let verdict = reconcile(actual.as_ref(), accepted.as_ref(), actual.as_ref());
        prop_assert_eq!(verdict, Verdict::Unchanged);
    }

    #[test]
    fn absence_is_a_state_like_any_other(state in known(), spelling in spelling()) {
        let file = written(&state, spelling);
        let (state, file) = (Some(&state), Some(&file));
        prop_assert_eq!(reconcile(None, None, None), Verdict::Unchanged);
        prop_assert_eq!(reconcile(None, None, state), Verdict::Drifted);
        prop_assert_eq!(reconcile(None, file, None), Verdict::Pending);
        prop_assert_eq!(reconcile(None, file, state), Verdict::Converged);
        prop_assert_eq!(reconcile(state, None, state), Verdict::Pending);
        prop_assert_eq!(reconcile(state, None, None), Verdict::Converged);
        prop_assert_eq!(reconcile(state, file, None), Verdict::Drifted);
        prop_assert_eq!(reconcile(state, file, state), Verdict::Unchanged);
    }

    #[test]
    fn how_it_is_worded_does_not_matter(
        (base, desired, actual) in three(),
        is_reworded in any::<[bool; 2]>(),
        spelling in spelling(),
    ) {
        let verdict = reconcile(base.as_ref(), desired.as_ref(), actual.as_ref());
        let say = |state: &Option<State>, is_other: bool| match is_other {
            true => state.as_ref().map(reworded),
            false => state.clone(),
        };
        let (base, actual) = (say(&base, is_reworded[0]), say(&actual, is_reworded[1]));
        prop_assert_eq!(reconcile(base.as_ref(), desired.as_ref(), actual.as_ref()), verdict);
        // The same in other words of a file, and as an untouched file says it.
        if let (Some(base), Some(actual)) = (&base, &actual) {
            let words = [written(base, spelling), reworded(base), base.clone()];
            let verdicts = words.map(|word| reconcile(Some(base), Some(&word), Some(actual)));
            prop_assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
        }
    }

    #[test]
    fn what_is_read_back_means_what_it_was_written_from(
        one in document(), other in document(), spelling in spelling(),
    ) {
        for dialect in [Dialect::Iam, Dialect::Organizations] {
            let meaning = Meaning::Document(dialect);
            let known = |value: &Json| Argument::Known { value: value.clone(), meaning };
            let file = Argument::Read(read(&one, meaning, spelling));
            prop_assert_eq!(match_arguments(Some(&known(&one)), Some(&file)), Match::Same);
            prop_assert_eq!(
                match_arguments(Some(&known(&other)), Some(&file)),
                match_arguments(Some(&known(&other)), Some(&known(&one)))
            );
            let reworded = reworded_document(&one, dialect);
            prop_assert_eq!(match_arguments(Some(&known(&reworded)), Some(&file)), Match::Same);
        }
    }
}

#[test]
fn every_verdict_is_met_often() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut counts = BTreeMap::new();
    for _ in 0..2_000 {
        let (base, desired, actual) = three().new_tree(&mut runner).expect("states").current();
        let verdict = reconcile(base.as_ref(), desired.as_ref(), actual.as_ref());
        let is_partly = desired.is_some_and(|it| !is_known(&it));
        *counts.entry(format!("{verdict:?}, {is_partly}")).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 10, "{counts:?}");
    assert!(counts.values().all(|count| *count >= 20), "{counts:?}");
}
