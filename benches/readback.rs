//! Reading back the files of 10,000 roles: finding every resource and import, evaluating every
//! argument, against the floor: parsing the same files with hcl-edit.
//!
//! Both run in turn, so that a machine whose speed drifts slows both. Fails above [`LIMIT`].

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_iam_gitops::json::Json;
use aws_iam_gitops::terraform::evaluate::Scope;
use aws_iam_gitops::terraform::node::Content;
use aws_iam_gitops::terraform::source::SourceFile;
use aws_iam_gitops::terraform::{Address, Body, Expression, format, resource};
use hcl_edit::structure::Body as ParsedBody;

const FILES: usize = 10_000;
const ROUNDS: usize = 7;

/// How many times the floor reading back may take.
const LIMIT: f64 = 2.0;

fn main() {
    let texts: Vec<String> = (0..FILES).map(file).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    println!("{FILES} files of {} bytes", bytes / FILES);

    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let ours = read_back(&texts);
        let floor = parse(&texts);
        println!("read back {ours:.2?}, floor {floor:.2?}");
        ratios.push(ours.as_secs_f64() / floor.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    let (least, most) = (ratios[0], ratios[ROUNDS - 1]);
    println!("read back / floor: median {median:.2}, {least:.2} to {most:.2}");
    assert!(median <= LIMIT, "reading back takes {median:.2} times the floor, more than {LIMIT}");
}

/// Parses all files, keeping them, and evaluates every argument of every resource and import.
fn read_back(texts: &[String]) -> Duration {
    let texts = texts.to_vec();
    let start = Instant::now();
    let parse = |(index, text)| SourceFile::parse(&format!("terraform/{index}.tf"), text);
    let files: Vec<SourceFile> =
        texts.into_iter().enumerate().map(parse).collect::<Result<_, _>>().expect("files parse");
    let scope = Scope::new(&files);
    let (mut resources, mut values, mut imports) = (0, 0, 0);
    for file in &files {
        for resource in file.resources() {
            resources += 1;
            for attribute in resource.block.attributes() {
                let node = scope.node(attribute.value);
                assert!(node.content != Content::Unknown, "{}", attribute.value.source());
                values += 1;
                black_box(node);
            }
        }
        for import in file.imports() {
            black_box(import.id.map(|id| scope.node(id)));
            imports += usize::from(import.to.is_some());
        }
    }
    let took = start.elapsed();
    assert_eq!((resources, imports, values), (3 * FILES, 3 * FILES, 9 * FILES));
    took
}

fn parse(texts: &[String]) -> Duration {
    let start = Instant::now();
    let bodies: Vec<ParsedBody> =
        texts.iter().map(|text| text.parse().expect("files parse")).collect();
    let took = start.elapsed();
    black_box(bodies);
    took
}

/// A role with an inline policy and an attachment, in the layout in which we write it.
fn file(index: usize) -> String {
    let name = format!("service-{index}");
    let trust = document(
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":
           "ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    );
    let policy = document(&format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Read","Effect":"Allow","Action":[
           "s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::bucket-{index}",
           "arn:aws:s3:::bucket-{index}/${{aws:username}}/*"],"Condition":{{"Bool":
           {{"aws:SecureTransport":"true"}}}}}}]}}"#
    ));
    let role = Address::new("aws_iam_role", name.clone());
    let inline = Address::new("aws_iam_role_policy", format!("{name}_read"));
    let attachment = Address::new("aws_iam_role_policy_attachment", format!("{name}_audit"));
    let audit = "arn:aws:iam::aws:policy/SecurityAudit";
    let tags = vec![("team".into(), Expression::from("platform"))];
    let mut body = Body::default();
    body.import(
        &role,
        name.clone(),
        resource(&role)
            .attribute("name", name.clone())
            .attribute("assume_role_policy", Expression::JsonEncode(&trust))
            .attribute("max_session_duration", Expression::Number(7200))
            .attribute("tags", Expression::Map(tags)),
    );
    body.import(
        &inline,
        format!("{name}:read"),
        resource(&inline)
            .attribute("role", role.attribute("name"))
            .attribute("name", "read")
            .attribute("policy", Expression::JsonEncode(&policy)),
    );
    body.import(
        &attachment,
        format!("{name}/{audit}"),
        resource(&attachment)
            .attribute("role", role.attribute("name"))
            .attribute("policy_arn", audit.to_owned()),
    );
    format::file(&body)
}

fn document(text: &str) -> Json {
    Json::parse(text).expect("a document")
}
