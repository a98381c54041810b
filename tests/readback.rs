//! What files say, read back: the real Terraform judges every value, and no text whatsoever makes
//! reading panic or point outside of the file.

use std::io::Write;
use std::process::{Command, Stdio};

use aws_iam_gitops::json::Json;
use aws_iam_gitops::terraform::evaluate::{Facts, Instances, Reference, Scope, TextFile};
use aws_iam_gitops::terraform::node::{Content, Node};
use aws_iam_gitops::terraform::source::SourceFile;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use unicode_normalization::is_nfc;

/// What the expressions below refer to.
const DECLARATIONS: &str = r#"
variable "text" {
  type    = string
  default = 5
}
variable "free" {
  default = { a = ["x", 1.50], "b" = null }
}
variable "assigned" {
  default = "default"
}
variable "names" {
  type    = set(string)
  default = ["b", "a", "b"]
}
locals {
  a      = "A"
  quote  = "say \"hi\" \\ ${local.a}"
  number = 1.50
  whole  = 3
  yes    = true
  nested = { list = [{ name = "n" }, "x"], "k-1" = { deep = local.a }, n = null }
  set    = toset(["b", "a", "b"])
  trust  = jsonencode({ Statement = [{ Effect = "Allow" }], Version = "2012-10-17", Tag = "<&>" })
  lines  = <<-EOT
    one
      two
  EOT
  chain  = "${local.a}-${local.number}"
}
"#;

const JSON_FILE: &str = "{\n  \"Version\": \"2012-10-17\",\n  \"n\": [1.0, \"e\u{301}\"]\n}\n";
const TEXT_FILE: &str = "${not} %{a} template\r\n\"quoted\"\n";

/// Expressions that must be known.
const KNOWN: &[&str] = &[
    // Scalars.
    "null",
    "true",
    "false",
    "0",
    "1",
    "1.0",
    "1.50",
    "1e3",
    "1E3",
    "1.5e-3",
    "12e+2",
    "-5",
    "- 5",
    "007",
    "0.1",
    "123456789012",
    "123456789012345678901234567890",
    "1e30",
    "0.000001",
    "-0.25",
    "(5)",
    "((\"x\"))",
    "!true",
    "!false",
    "-local.whole",
    "18446744073709551616",
    // Quoted strings.
    r#""""#,
    r#"" ""#,
    r#""a\nb\rc\td\"e\\f""#,
    r#""\u00e9\U0001F600\u0000""#,
    "\"e\u{301}\"",
    "\"\u{212b}\u{ac00}\"",
    "\"東京 🏳️‍🌈\"",
    r#""\u0065\u0301""#,
    r#""$""#,
    r#""%""#,
    r#""$$""#,
    r#""%%""#,
    r#""$ {a}""#,
    r#""100%""#,
    r#""$${a}""#,
    r#""%%{if}""#,
    r#""$$${a}""#,
    r#""$$$${a}""#,
    r#""$$$$${a}""#,
    r#""%%%{a}""#,
    r#""%%%%{a}""#,
    r#""%$${a}""#,
    r#""$%%{a}""#,
    r#""$%%%{a}""#,
    r#""%%{a}$${b}%%{c}""#,
    r#""$${%$${a}""#,
    r#""$${%%{$${""#,
    r#""$\\{a}""#,
    r#""\\$${a}""#,
    r#""\"$${a}\"""#,
    r#""arn:aws:s3:::b/$${aws:username}/*""#,
    r#""a$""#,
    r#""a$$""#,
    r#""a%%""#,
    r#""{}""#,
    r#""}{""#,
    r##""# no // comment /* */""##,
    "\"<>&\u{2028}\"",
    "\"\u{7f}\u{80}\"",
    "\"tab\there\"",
    // Templates.
    r#""${local.a}""#,
    r#""x${local.a}""#,
    r#""${local.a}x""#,
    r#""${local.a}${local.a}""#,
    r#""${local.a} $${b}""#,
    r#""$${%${local.a}""#,
    r#""$${%${local.a}%%{x}""#,
    r#""%%{x}${local.a}$${y}""#,
    r#""${local.a}$""#,
    r#""$ ${local.a}""#,
    r#""%${local.a}""#,
    r#""${local.a}%""#,
    r#""n=${local.number}""#,
    r#""n=${1.0}|${1e3}|${0.1}|${1e30}""#,
    r#""b=${local.yes}""#,
    r#""${local.number}""#,
    r#""${local.yes}""#,
    r#""${[1, "a"]}""#,
    r#""${{ a = 1 }}""#,
    r#""${null}""#,
    r#""${"inner ${"deep ${local.a}"}"}""#,
    r#""${ "a" }""#,
    r#""${local.quote}""#,
    r#""x${local.quote}""#,
    r#""${local.chain}/${local.chain}""#,
    r#""e${"\u0301"}""#,
    "\"${\n  local.a\n}\"",
    r#""${(local.a)}""#,
    r#""${-5}x""#,
    r#""${123456789012345678901234567890}!""#,
    r#""\n${local.a}\t$${c}\u00e9""#,
    // Heredocs.
    "<<EOT\nEOT",
    "<<EOT\na\nEOT",
    "<<EOT\n\nEOT",
    "<<EOT\n  a\n\tb\n\nEOT",
    "<<-EOT\na\nEOT",
    "<<-EOT\n    a\n  b\n      c\n    EOT",
    "<<-EOT\n\ta\n\t\tb\n    EOT",
    "<<EOT\n  a\n    EOT",
    "<<-EOT\n\n    a\n\n    b\n\n    EOT",
    "<<-EOT\n    a\n   \n    b\n    EOT",
    "<<-EOT\n    a\n       \n    b\n    EOT",
    "<<-EOT\n   \n    EOT",
    "<<-EOT\n\n    EOT",
    "<<-EOT\n    a  \n     b\n    EOT",
    "<<EOT\r\na\r\n b\r\nEOT",
    "<<-EOT\r\n  a\r\n\r\n   b\r\n  EOT",
    "<<EOT\n\\n \\\" \\u00e9 \"q\"\nEOT",
    "<<EOT\n$${a} %%{b} $$${c} $ % $$ %%\nEOT",
    "<<EOT\n${local.a}\nEOT",
    "<<EOT\nx ${local.a} y\n${local.number}\nEOT",
    "<<A-1\nx\nA-1",
    "<<-EOT\n    ${local.a}\n   b\n    EOT",
    "<<-EOT\n    a${local.a}\n  ${local.a}\n   z\n    EOT",
    "<<-EOT\n    ${\n      local.a\n    } x\n   z\n    EOT",
    "<<-EOT\n    $${a}\n      b\n    EOT",
    "<<EOT\nEOTa\n EOT2\naEOT\nEOT",
    "<<EOT\ne\u{301} 東京\nEOT",
    "<<-EOT\n\u{a0}\u{a0}a\n\u{a0}b\n  EOT",
    "<<-EOT\n  e\n  \u{301}x\n  EOT",
    "<<-EOT\n    one $${x}\n  two %%{y}\n    EOT",
    "<<EOT\n# comment\n// x /* y */\nEOT",
    "<<_\nx\n_",
    // Heredocs that are JSON.
    "<<EOT\n{}\nEOT",
    "<<EOT\n[]\nEOT",
    "<<EOT\n{\"a\": 1}\nEOT",
    "<<EOT\n  {\"a\": [1, 2.50, true, null, \"x\"], \"b\": {\"c\": \"\\u00e9\\n\\\"\\\\\\/\"}}\nEOT",
    "<<-EOT\n    {\n      \"a\": \"$${aws:username}\",\n      \"b\": \"%%{x} $ % $$\"\n    }\n    EOT",
    "<<EOT\n{\"$${k}\": \"e\u{301}\", \"l\": \"e\\u0301\"}\nEOT",
    "<<EOT\n{\"a\": \"${local.a}\", \"b\": \"x${local.a}y${local.number}\", \"c\": ${local.whole}}\nEOT",
    "<<EOT\n{\"a\": ${jsonencode([1, \"x\"])}, \"b\": [${local.yes}, ${jsonencode(local.nested)}]}\nEOT",
    "<<EOT\r\n{\r\n  \"a\": \"b\"\r\n}\r\nEOT",
    "<<EOT\n{\"a\": ${local.trust}}\nEOT",
    "<<EOT\n{\"${local.a}\": \"${local.a}\"}\nEOT",
    // Texts that nearly are.
    "<<EOT\n{\"a\": 1, \"a\": 2}\nEOT",
    "<<EOT\n{\"a\": 1,}\nEOT",
    "<<EOT\n{a: 1}\nEOT",
    "<<EOT\n{\"a\": \"${local.quote}\"}\nEOT",
    "<<EOT\n{} x\nEOT",
    "<<EOT\n\"text\"\nEOT",
    "<<EOT\n{\"a\": \"\\${local.a}\"}\nEOT",
    "<<EOT\n[1 2]\nEOT",
    "<<EOT\n{\"a\": \"b\nc\"}\nEOT",
    // Collections.
    "[]",
    "{}",
    "[1, \"a\", null, true]",
    "[[1], [[\"x\"]]]",
    "[\n  1,\n  2,\n]",
    "[\n  # c\n  1 // d\n]",
    "{ a = 1, b = \"x\" }",
    "{\n  a = 1\n  b : 2\n}",
    "{ \"a b\" = 1, 3 = 4, 1.50 = 2 }",
    "{ true = 1, null = 2, if = 3 }",
    "{ (local.a) = 1, \"${local.a}x\" = 2 }",
    "{ \"$${a}\" = 1, \"\\u00e9\" = 2 }",
    "{ a = { b = [{ c = null }] } }",
    "{ a-b = 1, é = 2 }",
    "{ \"e\u{301}\" = 1 }",
    "{ z = 1, a = 2, \"B\" = 3 }",
    // References.
    "local.a",
    "local.quote",
    "local.number",
    "local.nested",
    "local.nested.list[0].name",
    "local.nested[\"k-1\"].deep",
    "local.nested.k-1.deep",
    "local.nested[\"list\"][1]",
    "local.nested.list.1",
    "local.nested.n",
    "local.set",
    "local.trust",
    "local.lines",
    "local.chain",
    "var.text",
    "var.free",
    "var.free.a[1]",
    "var.assigned",
    "var.names",
    "path.module",
    "path.root",
    "{ x = local.nested }",
    "[local.a, var.text]",
    "[1, 2][1]",
    "{ a = \"x\" }.a",
    "{ a = \"x\" }[\"a\"]",
    // Functions.
    "jsonencode(null)",
    "jsonencode(\"a\")",
    "jsonencode([1.0, 1e3, 1.50, -5, 1e30])",
    "jsonencode({ b = 1, a = \"$${x}\", c = local.quote })",
    "jsonencode({ a = jsonencode({ z = 1, b = 2 }) })",
    "\"${jsonencode({ z = \"<>&\", b = [null, true] })}\"",
    "\"x${jsonencode({ z = 1.50, b = 2 })}\"",
    "jsonencode({ a = local.trust })",
    "jsonencode(local.nested)",
    "jsonencode({ a = <<EOT\n{ \"x\": 1 }\nEOT\n})",
    "\"x${local.trust}\"",
    "(jsonencode(({ a = (1) })))",
    "jsondecode(\"{\\\"a\\\": [1.50, null, \\\"x\\\"]}\")",
    "jsonencode(jsondecode(file(\"policy.json\")))",
    "jsondecode(local.trust).Version",
    "jsondecode(\"5\")",
    "jsondecode(\"\\\"e\\\\u0301\\\"\")",
    "file(\"policy.json\")",
    "file(\"${path.module}/policy.json\")",
    "file(\"./folder/text\")",
    "file(\"folder/text\")",
    "\"x${file(\"policy.json\")}\"",
    "trimspace(file(\"folder/text\"))",
    "trimspace(\" \\n a b \\t\")",
    "trimspace(\"\u{a0}x\u{2003}\")",
    "chomp(\"a\\r\\n\\n\")",
    "chomp(\"a\\n \")",
    "lower(\"AbC\")",
    "upper(\"aBc1\")",
    "join(\",\", [\"a\", \"b\"])",
    "join(\", \", [1, true, \"x\"])",
    "join(\"\", [])",
    "join(\"-\", [\"a\"], [\"b\", \"c\"])",
    "join(\",\", local.set)",
    "join(\",\", var.names)",
    "format(\"%s\", \"a\")",
    "format(\"%s-%d-%%\", local.a, 3)",
    "format(\"%s\", 1.50)",
    "format(\"%s %s\", true, 1e3)",
    "format(\"$${%s}\", \"x\")",
    "format(\"%d\", 1e3)",
    "format(\"none\")",
    "concat([\"a\"], [\"b\"])",
    "concat([1, \"a\"], [null])",
    "concat([], [])",
    "merge({ a = 1 }, { b = \"x\" })",
    "merge({ a = 1, b = 2 }, { a = \"x\" })",
    "merge()",
    "merge(local.nested, { n = 5 })",
    "toset([])",
    "toset([\"b\", \"a\", \"b\"])",
    "tolist([\"b\", \"a\"])",
    "tolist(toset([\"b\", \"a\"]))",
    "tolist([1, 2.50])",
    "tomap({ a = \"x\", b = \"y\" })",
    "tomap({})",
    "tostring(5)",
    "tostring(1.50)",
    "tostring(true)",
    "tostring(\"x\")",
    // Operators.
    "true ? \"a\" : \"b\"",
    "false ? \"a\" : \"b\"",
    "local.yes ? local.a : \"x\"",
    "true ? 1 : 2",
    "true ? [\"a\"] : []",
    "true ? { a = \"x\" } : { a = \"y\" }",
    "local.a == \"A\" ? \"yes\" : \"no\"",
    "true ? \"a\" : 1",
    "true ? \"a\" : null",
    "true ? { a = 1, b = \"x\" } : { a = 2, b = \"y\" }",
    "1 == 1.0",
    "1 == \"1\"",
    "null == null",
    "\"a\" == null",
    "\"a\" != \"b\"",
    "true == true",
    "-0 == 0",
    "true && false",
    "true || false",
    "local.a == \"A\" && local.yes",
    "1 != 2 || false",
    "!local.yes",
];

/// Expressions that may be unknown, but never anything else than what Terraform says.
const PERHAPS: &[&str] = &[
    "true ? { a = \"x\" } : { b = \"y\" }",
    "true ? { a = \"x\" } : {}",
    "true ? [\"a\"] : [\"b\", \"c\"]",
    "true ? [\"a\", \"b\"] : []",
    "true ? [1, \"x\"] : [2, null]",
    "true ? [1, \"x\"] : [2, \"y\"]",
    "true ? { a = 1, b = \"x\" } : { a = 2, b = null }",
    "true ? { a = [1], b = \"x\" } : { a = [2], b = null }",
    "true ? [{ a = 1, b = \"x\" }] : [{ a = 2, b = null }]",
    "true ? [{ a = \"x\" }, { a = \"y\" }] : [{ a = \"z\" }, { a = \"w\" }]",
    "true ? [[\"a\"], [1]] : [[\"b\"], [2]]",
    "true ? [[\"a\"], [\"b\"]] : [[], []]",
    "true ? [1, 2] : [\"a\", 2]",
    "true ? { a = {} } : { a = {} }",
    "tolist([{ a = 1 }, { a = 2 }])",
    "tolist([{ a = 1, b = \"x\" }, { a = 2, b = null }])",
    "tolist([[\"a\"], []])",
    "tolist([{ a = \"x\" }, { b = \"y\" }])",
    "tolist([[1, \"x\"], [2, \"y\"]])",
    "tomap({ a = [\"x\"], b = [] })",
    "tomap({ a = { n = \"x\" }, b = { m = \"y\" } })",
    "concat(tolist([{ a = \"x\" }]), tolist([{ b = \"y\" }]))",
    "concat(local.names_of, [\"b\"])",
    "merge(tomap({ a = \"x\" }), tomap({ b = \"1\" }))",
    "merge(tomap({ a = \"x\" }), { b = 1 })",
    "merge(tomap({ a = \"x\" }), tomap({ b = 1 }))",
    "concat(local.nested.list, [])[0].name == \"n\"",
    "true ? 1 : \"a\"",
    "false ? 1 : \"a\"",
    "true ? [1] : []",
    "true ? [1, \"a\"] : []",
    "true ? { a = 1 } : { b = \"x\" }",
    "true ? null : 1",
    "true ? 5 : null",
    "tolist([1, \"a\"])",
    "toset([1, 2, 10])",
    "tomap({ a = 1, b = \"x\" })",
    "concat(tolist([\"a\"]), tolist([1]))",
    "concat(local.nested.list, [1])",
    "concat(tolist([1]), [\"a\"])",
    "lower(\"ÄSS\")",
    "upper(\"ß\")",
    "format(\"%5s|%v|%q\", \"a\", 1, \"x\")",
    "format(\"%s\", [1])",
    "format(\"%05d\", 3)",
    "[for p in [1, 2] : p]",
    "{ for k, v in { a = 1 } : k => v }",
    "local.nested.list[*]",
    "[1, 2][*]",
    "[{ a = 1 }].*.a",
    "\"a ${~ local.a ~} b\"",
    "\"%{ if true }x%{ endif }\"",
    "<<EOT\n%{ for x in [1, 2] ~}\n${x}\n%{ endfor ~}\nEOT",
    "1 + 2",
    "5 % 2",
    "1 < 2",
    "-(-0)",
    "-0",
    "-0.0",
    "[] == []",
    "{ a = 1 } == { a = 1 }",
    "length([1])",
    "try(local.a, 1)",
    "coalesce(null, \"x\")",
    "replace(\"a-b\", \"-\", \"_\")",
    "split(\",\", \"a,b\")",
    "\"\\b\" == \"b\" ? 1 : 1",
    "join(\",\", [for x in [1] : x])",
    "concat([\"a\"]...)",
    "local.nested.list[1 - 1].name",
    "jsonencode(\"\\u0008\\u000c\")",
    "jsondecode(\"1e400\") == 1",
    "1.7976931348623157e308 == 1",
    "\"${1e-300}\" == \"\"",
    "tostring(null)",
    "local.set == toset([\"a\", \"b\"])",
    "0.1234567890123456789012345678901234567890123456789012345678901234567890",
    "file(\"../outside/file\") == \"\"",
    "true ? tolist([\"a\"]) : tolist([])",
    "merge({ a = 1 }, null)",
    "[1, 2][\"0\"]",
    "{ \"1\" = \"x\" }[1]",
    "jsonencode(toset([3, 1]))",
    "{ a = 1, a = 2 }.a",
    "{ a = 1, \"a\" = 2 }",
    "{ a = 1, (\"a\") = 2 }",
];

#[test]
fn every_known_value_is_what_terraform_says() {
    let mut expressions: Vec<String> = KNOWN.iter().map(|text| (*text).to_owned()).collect();
    let known = expressions.len();
    expressions.extend(PERHAPS.iter().map(|text| (*text).to_owned()));
    expressions.extend(sample(400, written_text()));
    expressions.extend(sample(400, written_heredoc()));
    let values: Vec<Option<Node>> = expressions.iter().map(|text| evaluated(text)).collect();
    for (expression, value) in expressions.iter().zip(&values).take(known) {
        let is_known = value.as_ref().is_some_and(|node| node.value().is_some());
        assert!(is_known, "not known: {expression}");
    }
    // What is not known may be an error for Terraform.
    let judged: Vec<(&String, Json, Content)> = expressions
        .iter()
        .zip(values)
        .filter_map(|(expression, node)| {
            let node = node?;
            Some((expression, node.value()?, node.content))
        })
        // The way to here is `jsonencode`, which normalizes the `n` of a `\\n` with what follows it.
        .filter(|(_, value, _)| is_nfc(&value.to_string()))
        .collect();
    assert!(judged.len() > known + 500, "{} of {known} known", judged.len());
    let texts: Vec<&str> = judged.iter().map(|(text, ..)| text.as_str()).collect();
    for ((expression, value, content), truth) in judged.iter().zip(terraform_values(&texts)) {
        let is_document = matches!(content, Content::JsonEncode(_) | Content::JsonText(_));
        let same = if is_document {
            canonical(&document(value)) == canonical(&document(&truth))
        } else {
            canonical(value) == canonical(&truth)
        };
        assert!(same, "{expression}\n  Terraform: {truth}\n  here:      {value}");
    }
}

#[test]
fn every_value_that_was_known_is_known_by_reference_too() {
    let mut expressions = Vec::new();
    for text in KNOWN {
        // A text of a document has its exact bytes only there.
        expressions.push(format!("{{ x = ({text}\n) }}.x"));
    }
    let values: Vec<Option<Node>> = expressions.iter().map(|text| evaluated(text)).collect();
    let judged: Vec<(&String, Json)> = expressions
        .iter()
        .zip(values)
        .filter_map(|(expression, node)| Some((expression, node?.value()?)))
        .collect();
    assert!(judged.len() * 10 > KNOWN.len() * 9, "{} of {}", judged.len(), KNOWN.len());
    let texts: Vec<&str> = judged.iter().map(|(text, ..)| text.as_str()).collect();
    for ((expression, value), truth) in judged.iter().zip(terraform_values(&texts)) {
        let same = canonical(value) == canonical(&truth);
        assert!(same, "{expression}\n  Terraform: {truth}\n  here:      {value}");
    }
}

/// The text of a quoted string as a person may write it, valid or not.
fn written_text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "$",
        "%",
        "{",
        "}",
        "$${",
        "%%{",
        "${local.a}",
        "${local.number}",
        "${\"q\"}",
        "\\n",
        "\\\"",
        "\\\\",
        "\\t",
        "\\u00e9",
        "é",
        "e\u{301}",
        "\u{301}",
        " ",
        "a",
        "~",
        "東",
        "\\U0001F600",
        "/*",
        "#",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..9)
        .prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn written_heredoc() -> impl Strategy<Value = String> {
    let pieces = vec![
        "$",
        "%",
        "{",
        "}",
        "$${",
        "%%{",
        "${local.a}",
        "${local.whole}",
        "\\n",
        "\"",
        "\\",
        "é",
        "\u{301}",
        " ",
        "  ",
        "\t",
        "a",
        "\n",
        "\n",
        "\n  ",
        "\n    ",
        "\r\n",
        "\n\t",
        "\u{a0}",
        ":",
        ",",
        "\"a\":",
        "[",
        "]",
        "1",
        "\n{\"a\": [\"$${b}\", ",
        "]}",
        "\n[\"x${local.a}\"]",
    ];
    let body = prop::collection::vec(prop::sample::select(pieces), 0..10);
    (any::<bool>(), body, "[ ]{0,3}").prop_map(|(is_indented, pieces, margin)| {
        let dash = if is_indented { "-" } else { "" };
        format!("<<{dash}EOT\n{}\n{margin}EOT", pieces.concat())
    })
}

/// A fixed seed: the same cases on every machine, new ones by changing the number.
fn sample<T: std::fmt::Debug>(count: usize, strategy: impl Strategy<Value = T>) -> Vec<T> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[31; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
}

/// What is read back of an expression; `None` if it cannot be read.
fn evaluated(expression: &str) -> Option<Node> {
    let declarations = SourceFile::parse("main.tf", DECLARATIONS.to_owned()).expect("declarations");
    let assigned = SourceFile::parse("terraform.tfvars", "assigned = \"assigned\"\n".to_owned());
    let assigned = [assigned.expect("variables")];
    let text = format!("locals {{\n  value = {expression}\n}}\n");
    let file = SourceFile::parse("value.tf", text).ok()?;
    let files = [declarations, file];
    let reader = |path: &str| {
        let text = match path {
            "policy.json" => JSON_FILE,
            "folder/text" => TEXT_FILE,
            _ => return None,
        };
        Some(TextFile { path: format!("terraform/{path}"), text: text.to_owned() })
    };
    let scope = Scope::new(&files).with_variable_files(&assigned).with_reader(&reader);
    let value = files[1].locals().next()?.value;
    let node = scope.node(value);
    check(&node, files[1].text());
    Some(node)
}

/// What the real Terraform makes of expressions, in one process.
fn terraform_values(expressions: &[&str]) -> Vec<Json> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    let mut module = DECLARATIONS.to_owned() + "locals {\n";
    for (index, expression) in expressions.iter().enumerate() {
        module += &format!("  v{index} = {expression}\n");
    }
    module += "  all = [";
    for index in 0..expressions.len() {
        module += &format!("jsonencode(local.v{index}), ");
    }
    module += "]\n}\n";
    write("main.tf", &module);
    write("terraform.tfvars", "assigned = \"assigned\"\n");
    write("policy.json", JSON_FILE);
    write("folder/text", TEXT_FILE);
    let mut console = Command::new("terraform")
        .arg("console")
        .current_dir(folder.path())
        .env("CHECKPOINT_DISABLE", "1")
        .env_remove("TF_CLI_CONFIG_FILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("these tests need the program `terraform` 1.5 or newer on the PATH");
    let mut input = console.stdin.take().expect("stdin");
    input.write_all(b"base64encode(jsonencode(local.all))\n").expect("write");
    drop(input);
    let output = console.wait_with_output().expect("terraform runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}{stderr}");
    let all = String::from_utf8(base64_decoded(stdout.trim().trim_matches('"'))).expect("UTF-8");
    let Ok(Json::Array(values)) = Json::parse(&all) else { panic!("no list: {all}") };
    assert_eq!(values.len(), expressions.len());
    values.iter().map(document).collect()
}

fn base64_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

/// The JSON in a text.
fn document(text: &Json) -> Json {
    let Json::String(text) = text else { panic!("no text: {text}") };
    Json::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Members by key, numbers by value.
fn canonical(value: &Json) -> Json {
    match value {
        Json::Number(number) => {
            let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
            let exponent: i32 = exponent.parse().expect("an exponent");
            let (sign, digits) = match digits.strip_prefix('-') {
                Some(digits) => ("-", digits),
                None => ("", digits),
            };
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            let exponent = exponent - i32::try_from(fraction.len()).expect("short");
            let all = format!("{whole}{fraction}");
            let significant = all.trim_start_matches('0').trim_end_matches('0');
            let zeros = all.trim_start_matches('0').len() - significant.len();
            let exponent = if significant.is_empty() {
                0
            } else {
                exponent + i32::try_from(zeros).expect("short")
            };
            Json::Number(format!("{sign}{significant}e{exponent}"))
        }
        Json::Array(items) => Json::Array(items.iter().map(canonical).collect()),
        Json::Object(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(key, value)| (key.clone(), canonical(value))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Json::Object(members)
        }
        other => other.clone(),
    }
}

/// Every place must be in the text, and every part within the whole.
fn check(node: &Node, text: &str) {
    assert!(text.get(node.span.clone()).is_some(), "{:?} in {text}", node.span);
    let within = |inner: &Node| {
        assert!(
            node.span.start <= inner.span.start && inner.span.end <= node.span.end,
            "{:?} in {:?} of {text}",
            inner.span,
            node.span
        );
        check(inner, text);
    };
    match &node.content {
        Content::List(items) => items.iter().for_each(within),
        Content::Object(members) => {
            for member in members {
                assert!(text.get(member.key_span.clone()).is_some());
                assert!(member.key_span.end <= member.value.span.start);
                within(&member.value);
            }
        }
        Content::JsonEncode(inner) => within(inner),
        Content::JsonText(json) if json.file.is_none() => within(&json.root),
        _ => {}
    }
}

/// Reads everything there is in a file.
fn read_all(text: &str) {
    let Ok(file) = SourceFile::parse("terraform/x.tf", text.to_owned()) else { return };
    let reader =
        |path: &str| Some(TextFile { path: path.to_owned(), text: "[\"x\", {}]".to_owned() });
    let resolver = |reference: &Reference<'_, '_>| {
        reference.argument("name").map(|name| format!("arn:{name}"))
    };
    let files = [file];
    let file = &files[0];
    let facts =
        Facts { account_id: Some("111122223333".to_owned()), partition: Some("aws".to_owned()) };
    let scope = Scope::new(&files)
        .with_variable_files(&files)
        .with_facts(facts)
        .with_reader(&reader)
        .with_resolver(&resolver);
    for resource in file.resources().chain(file.data_sources()) {
        resource.ignored_changes();
        assert!(text.get(resource.block.body_span()).is_some());
        assert!(text.get(resource.block.span()).is_some());
        let mut blocks = vec![resource.block];
        let instances = scope.instances(resource.block);
        while let Some(block) = blocks.pop() {
            blocks.extend(block.blocks());
            for attribute in block.attributes() {
                assert!(text.get(attribute.span.clone()).is_some());
                file.position(attribute.span.start);
                check(&scope.node(attribute.value), text);
                if let Instances::Known(instances) = &instances {
                    for (_, bindings) in instances.iter().take(3) {
                        check(&scope.node_with(attribute.value, bindings), text);
                    }
                }
            }
        }
    }
    for import in file.imports() {
        if let Some(id) = import.id {
            check(&scope.node(id), text);
        }
    }
    for local in file.locals().chain(file.attributes()) {
        check(&scope.node(local.value), text);
    }
    assert!(file.moved().count() + file.removed().count() <= text.len());
}

/// One of everything.
const FILE: &str = r#"# c
import {
  to = aws_iam_role.deploy["x"]
  id = "deploy-${local.a}"
}
resource "aws_iam_role" "deploy" {
  for_each = toset(["x", "é"])
  name = "deploy-${each.key}" # d
  tags = { team = var.team, (local.a) = each.value, "k" : data.aws_caller_identity.me.account_id }
  assume_role_policy = jsonencode({
    Statement = [{ Effect = "Allow", Action = ["sts:AssumeRole"], "a:b" = "$${x}%%{y}" }]
  })
  lifecycle {
    ignore_changes = [tags["x"], description]
  }
  inline_policy {
    name   = "p"
    policy = data.aws_iam_policy_document.d.json
  }
}
resource "aws_iam_policy" "p" {
  policy = <<-EOT
    {
      "Resource": "arn:${local.a}:$${aws:username}", "x": ${jsonencode(local.b)}, "y": ["é"]
    }
  EOT
  path = aws_iam_role.deploy["x"].arn
  description = true ? "a" : file("${path.module}/x")
}
data "aws_iam_policy_document" "d" {
  statement {
    actions   = ["s3:Get*", "a:b"]
    resources = ["*", aws_iam_policy.p.arn]
    principals {
      type        = "AWS"
      identifiers = [local.a]
    }
    condition {
      test     = "Bool"
      variable = "aws:x"
      values   = ["&{y}"]
    }
  }
}
locals {
  a = format("%s-%d", "a", 5)
  b = [local.a, local.c, -1.50]
  c = { d = local.b, e = merge({}, { f = null }) }
}
variable "team" {
  default = "platform"
}
moved {
  from = aws_iam_role.a
  to   = aws_iam_role.b[0]
}
removed {
  from = aws_iam_role.c
  lifecycle {
    destroy = false
  }
}
"#;

/// The file with pieces cut out, doubled or put elsewhere.
fn mutated() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0_usize..12, any::<prop::sample::Index>(), 0..4);
    prop::collection::vec(change, 1..4).prop_map(|changes| {
        let mut characters: Vec<char> = FILE.chars().collect();
        for (at, length, other, kind) in changes {
            let start = at.index(characters.len());
            let end = (start + length).min(characters.len());
            let piece = characters[start..end].to_vec();
            if kind < 2 {
                characters.drain(start..end);
            }
            if kind > 0 {
                let to = other.index(characters.len() + 1);
                characters.splice(to..to, piece);
            }
        }
        characters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_mutated_file_is_too_much(text in mutated()) {
        read_all(&text);
        read_all(&format!("\u{feff}{}", text.replace('\n', "\r\n")));
    }

    #[test]
    fn no_expression_is_too_much(text in written_heredoc(), other in written_text()) {
        read_all(&format!("locals {{\n  a = {text}\n  b = [{other}, local.a]\n}}\n"));
    }

    #[test]
    fn no_text_is_too_much(text in r#"[a-z_."'{}\[\]()=<>$%\\~\-0-9\n\r é,:#/*]{0,60}"#) {
        read_all(&text);
        read_all(&format!("locals {{\n  a = {text}\n}}\n"));
        read_all(&format!("locals {{\n  a = <<EOT\n{text}\nEOT\n}}\n"));
    }
}

#[test]
fn the_whole_file_is_read() {
    read_all(FILE);
    assert!(SourceFile::parse("x.tf", FILE.to_owned()).is_ok());
}
