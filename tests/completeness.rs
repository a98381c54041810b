//! Every argument of the provider is either written or left out with a reason.

mod support;

use std::collections::BTreeSet;
use std::fs;

use aws_iam_gitops::resource::KINDS;
use serde_json::Value;
use support::python::project;

/// The arguments that a configuration may set, blocks included.
fn arguments(schema: &Value, resource_type: &str) -> BTreeSet<String> {
    let resource = &schema["resource_schemas"][resource_type];
    let attributes = resource["attributes"].as_object().expect("a resource type of the provider");
    let settable = attributes
        .iter()
        .filter(|(_, attribute)| attribute["optional"] == true || attribute["required"] == true);
    let blocks = resource["block_types"].as_object().expect("blocks");
    settable.map(|(name, _)| name).chain(blocks.keys()).cloned().collect()
}

/// The copy that the double of the provider serves, made by `tests/provider/make_schema.py`.
fn schema() -> Value {
    let path = project().join("tests/provider/schema.json");
    let text = fs::read_to_string(path).expect("the provider's schema");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn every_argument_is_written_or_left_out_with_a_reason() {
    let schema = schema();
    for resource_type in KINDS.iter().flat_map(|kind| kind.resource_types) {
        let left_out = resource_type.left_out.iter().map(|(name, reason)| {
            assert!(!reason.is_empty(), "{name}");
            *name
        });
        let listed: Vec<&str> = resource_type.written.iter().copied().chain(left_out).collect();
        let known: BTreeSet<String> = listed.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(known.len(), listed.len(), "{} lists one twice", resource_type.name);
        assert_eq!(known, arguments(&schema, resource_type.name), "{}", resource_type.name);
    }
}

/// Where a file does not give one of these, Terraform plans nothing, whatever AWS has. Which object it
/// is, and the provider's own region, are looked at elsewhere.
#[test]
fn what_the_provider_takes_from_aws_where_a_file_is_silent_is_listed() {
    let schema = schema();
    for of in KINDS.iter().flat_map(|kind| kind.resource_types) {
        let attributes = &schema["resource_schemas"][of.name]["attributes"];
        let is_left_to_aws = |name: &&str| {
            attributes[*name]["optional"] == true
                && attributes[*name]["computed"] == true
                && !of.identity.contains(name)
                && !of.of_provider.contains(name)
        };
        let left_to_aws: BTreeSet<_> = of.written.iter().copied().filter(is_left_to_aws).collect();
        assert_eq!(
            of.computed.iter().copied().collect::<BTreeSet<_>>(),
            left_to_aws,
            "{}",
            of.name
        );
    }
}
