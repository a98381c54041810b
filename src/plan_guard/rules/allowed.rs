//! What a plan may be about at all: what is exported and the rest of IAM, by one provider, and no
//! programs.

use super::{Case, Finding, Key, Rule};
use crate::plan_guard::plan::{Mode, ModuleConfiguration, ProviderConfiguration};
use crate::plan_guard::wildcard::matches;
use crate::resource::resource_type;
use crate::settings::guard::GuardSettings;

pub static RULE: Rule = Rule {
    name: "allowed",
    refuses: "resource types other than those that an export writes, with the kinds that `kinds` asks for, \
              and those of IAM without secrets in the state, data sources other than those that only look \
              at these, other providers than `hashicorp/aws`, arguments of its block that lead elsewhere \
              (`endpoints`, `assume_role`, credentials, …), provisioners, ephemeral resources, actions, \
              and modules whose source does not lie in the repository",
    keys: &[
        Key {
            name: "allowed_types",
            default: "none",
            meaning: "further types of resources and data sources, such as `aws_ram_*`",
        },
        Key {
            name: "allowed_provider_arguments",
            default: "none",
            meaning: "further arguments of a provider block, such as `assume_role`",
        },
        Key {
            name: "allowed_module_sources",
            default: "none",
            meaning: "further sources of modules, such as `git::https://github.com/example-org/*`",
        },
    ],
    check,
};

/// Besides what is exported: what of IAM people write themselves, as far as no secret of it ends up
/// in the state. Not `aws_iam_policy_attachment`: it takes the policy from everybody else, of which a
/// plan says nothing.
const TYPES: [&str; 8] = [
    "aws_iam_group_membership",
    "aws_iam_group_policies_exclusive",
    "aws_iam_group_policy_attachments_exclusive",
    "aws_iam_organizations_features",
    "aws_iam_security_token_service_preferences",
    "aws_iam_user_policies_exclusive",
    "aws_iam_user_policy_attachments_exclusive",
    "aws_iam_user_ssh_key",
];

/// Data sources that look at the account and change nothing.
const DATA_SOURCES: [&str; 11] = [
    "aws_arn",
    "aws_caller_identity",
    "aws_default_tags",
    "aws_iam_*",
    "aws_identitystore_*",
    "aws_organizations_*",
    "aws_partition",
    "aws_region",
    "aws_regions",
    "aws_service_principal",
    "aws_ssoadmin_*",
];

const PROVIDER: &str = "registry.terraform.io/hashicorp/aws";

/// Arguments that decide neither whose account is changed nor who is asked, and that hide nothing of
/// the plan, as `ignore_tags` would.
const PROVIDER_ARGUMENTS: [&str; 9] = [
    "allowed_account_ids",
    "default_tags",
    "forbidden_account_ids",
    "max_retries",
    "region",
    "retry_mode",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    "user_agent",
];

/// Whether resources of this type may be changed.
pub fn is_allowed_type(settings: &GuardSettings, name: &str) -> bool {
    let is_exported = resource_type(name)
        .is_some_and(|(kind, _)| kind.asked_by.is_none() || settings.kinds.contains(kind.plural));
    is_exported || TYPES.contains(&name) || is_added(settings, name)
}

fn is_added(settings: &GuardSettings, name: &str) -> bool {
    settings.allowed_types.iter().any(|glob| glob.is_match(name))
}

fn check(case: &Case) -> Vec<Finding> {
    let mut findings = changes(case);
    let configuration = &case.plan.configuration;
    let providers = configuration.provider_config.iter();
    findings.extend(providers.flat_map(|(key, provider)| provider_problems(case, key, provider)));
    for (address, source, module) in configuration.modules() {
        if !address.is_empty() && !is_own_module(case, &address, source) {
            let reason = format!("its source `{source}` does not lie in the repository");
            findings.push(Finding::at(&address, reason));
        }
        findings.extend(module_problems(case, &address, module));
    }
    findings.extend(case.plan.action_invocations.iter().map(|invocation| {
        Finding::at(&invocation.address, "it is an action of a provider, which may do anything")
    }));
    findings.extend(
        case.exported
            .hidden_provisioners
            .iter()
            .map(|file| Finding::of_plan(format!("a `removed` block in `{file}` runs a program"))),
    );
    findings
}

fn changes(case: &Case) -> Vec<Finding> {
    let mut findings = Vec::new();
    for change in case.plan.managed().filter(|change| change.is_effective()) {
        if !is_allowed_type(case.settings, &change.resource_type) {
            let reason = format!("`{}` is no resource type that is allowed", change.resource_type);
            findings.push(Finding::at(&change.address, reason));
        } else if change.provider_name != PROVIDER {
            let reason = format!("`{}` is no provider that is allowed", change.provider_name);
            findings.push(Finding::at(&change.address, reason));
        }
    }
    findings
}

fn provider_problems(case: &Case, key: &str, provider: &ProviderConfiguration) -> Vec<Finding> {
    let address = format!("provider.{key}");
    if provider.full_name != PROVIDER {
        let reason = format!("`{}` is no provider that is allowed", provider.full_name);
        return vec![Finding::at(&address, reason)];
    }
    let is_allowed = |argument: &&String| {
        PROVIDER_ARGUMENTS.contains(&argument.as_str())
            || case.settings.allowed_provider_arguments.contains(*argument)
    };
    let others = provider.expressions.keys().filter(|argument| !is_allowed(argument));
    let reason = |argument| format!("its argument `{argument}` decides who is asked or as whom");
    others.map(|argument| Finding::at(&address, reason(argument))).collect()
}

fn is_own_module(case: &Case, address: &str, source: &str) -> bool {
    !case.exported.unread_modules.iter().any(|unread| unread == address)
        && (source.starts_with("./") || source.starts_with("../"))
        || case.settings.allowed_module_sources.iter().any(|glob| glob.is_match(source))
}

fn module_problems(case: &Case, address: &str, module: &ModuleConfiguration) -> Vec<Finding> {
    let dot = if address.is_empty() { "" } else { "." };
    let mut findings = Vec::new();
    for resource in &module.resources {
        let at = format!("{address}{dot}{}", resource.address);
        let kind = &resource.resource_type;
        let is_data = DATA_SOURCES.iter().any(|allowed| matches(allowed, kind));
        if resource.mode == Mode::Data && !is_data && !is_added(case.settings, kind) {
            let reason = format!("`{kind}` is no data source that is allowed");
            findings.push(Finding::at(&at, reason));
        }
        if resource.mode == Mode::Ephemeral {
            findings.push(Finding::at(&at, "ephemeral resources are not allowed"));
        }
        if !resource.provisioners.is_empty() {
            findings.push(Finding::at(&at, "it has a provisioner, which runs a program"));
        }
    }
    if !module.actions.is_empty() {
        let at = if address.is_empty() { "the root module" } else { address };
        findings.push(Finding::at(at, "it declares actions, which may do anything"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_passed, assert_refused, change, findings_with, plan};
    use super::*;
    use crate::plan_guard::exported::Exported;
    use globset::Glob;
    use serde_json::{Value, json};

    fn configured(configuration: Value) -> Value {
        let mut plan = plan([]);
        plan["configuration"] = configuration;
        plan
    }

    fn root(resource: Value) -> Value {
        configured(json!({ "root_module": { "resources": [resource] } }))
    }

    #[test]
    fn types_outside_the_list_are_refused_where_something_happens() {
        let create = |kind: &str| plan([change(kind, &["create"], Value::Null, json!({}))]);
        for allowed in [
            "aws_iam_role",
            "aws_organizations_policy",
            "aws_iam_user",
            "aws_iam_openid_connect_provider",
        ] {
            assert_passed(&RULE, &create(allowed));
        }
        for refused in [
            "aws_s3_bucket",
            "aws_iam_access_key",
            "terraform_data",
            "aws_iam_role_x",
            "aws_organizations_organization",
        ] {
            assert_refused(
                &RULE,
                &create(refused),
                &format!("{refused}.x: `{refused}` is no resource type"),
            );
        }
        let asked =
            GuardSettings { kinds: ["organizations accounts"].into(), ..GuardSettings::default() };
        assert!(is_allowed_type(&asked, "aws_organizations_account"));
        assert!(!is_allowed_type(&asked, "aws_organizations_organizational_unit"));
        assert_passed(&RULE, &plan([change("aws_s3_bucket", &["no-op"], json!({}), json!({}))]));
        assert_refused(
            &RULE,
            &plan([change("aws_s3_bucket", &["forget"], json!({}), Value::Null)]),
            "no resource type",
        );
    }

    #[test]
    fn other_providers_are_refused() {
        let mut other = change("aws_iam_role", &["create"], Value::Null, json!({}));
        other["provider_name"] = json!("registry.terraform.io/evil/aws");
        assert_refused(
            &RULE,
            &plan([other]),
            "aws_iam_role.x: `registry.terraform.io/evil/aws` is no provider",
        );
        let provider = |full_name: &str| {
            configured(
                json!({ "provider_config": { "aws": { "name": "aws", "full_name": full_name } } }),
            )
        };
        assert_passed(&RULE, &provider(PROVIDER));
        assert_refused(
            &RULE,
            &provider("registry.terraform.io/hashicorp/external"),
            "provider.aws: ",
        );
    }

    #[test]
    fn provider_arguments_that_lead_elsewhere_are_refused() {
        let with = |argument: &str| {
            configured(json!({ "provider_config": { "m:aws.x": {
                "full_name": PROVIDER, "expressions": { argument: {} },
            } } }))
        };
        for argument in PROVIDER_ARGUMENTS {
            assert_passed(&RULE, &with(argument));
        }
        for argument in
            ["endpoints", "assume_role", "access_key", "profile", "custom_ca_bundle", "http_proxy"]
        {
            assert_refused(
                &RULE,
                &with(argument),
                &format!("provider.m:aws.x: its argument `{argument}`"),
            );
        }
    }

    #[test]
    fn data_sources_outside_the_list_are_refused() {
        let data = |kind: &str| {
            root(json!({ "address": format!("data.{kind}.x"), "mode": "data", "type": kind }))
        };
        for allowed in
            ["aws_iam_policy_document", "aws_caller_identity", "aws_organizations_organization"]
        {
            assert_passed(&RULE, &data(allowed));
        }
        for refused in [
            "external",
            "http",
            "aws_lambda_invocation",
            "aws_secretsmanager_secret_version",
            "terraform_remote_state",
        ] {
            assert_refused(
                &RULE,
                &data(refused),
                &format!("data.{refused}.x: `{refused}` is no data source"),
            );
        }
    }

    #[test]
    fn managed_resources_are_judged_by_their_change() {
        assert_passed(
            &RULE,
            &root(
                json!({ "address": "aws_s3_bucket.x", "mode": "managed", "type": "aws_s3_bucket" }),
            ),
        );
    }

    #[test]
    fn programs_are_refused_in_every_module() {
        let provisioned = json!({
            "address": "aws_iam_role.x", "mode": "managed", "type": "aws_iam_role",
            "provisioners": [{ "type": "local-exec" }],
        });
        assert_refused(&RULE, &root(provisioned.clone()), "aws_iam_role.x: it has a provisioner");
        let nested = configured(json!({ "root_module": { "module_calls": { "a": {
            "source": "./a", "module": { "module_calls": { "b": {
                "source": "../b", "module": { "resources": [provisioned] },
            } } },
        } } } }));
        assert_refused(&RULE, &nested, "module.a.module.b.aws_iam_role.x: it has a provisioner");
        let ephemeral = json!({ "address": "ephemeral.x.y", "mode": "ephemeral", "type": "x" });
        assert_refused(&RULE, &root(ephemeral), "ephemeral.x.y: ephemeral resources");
        let mut hidden = Exported::default();
        hidden.hidden_provisioners.push("terraform/x.tf".to_owned());
        let found = findings_with(&RULE, &plan([]), &GuardSettings::default(), &hidden);
        assert_eq!(found, ["a `removed` block in `terraform/x.tf` runs a program"]);
    }

    #[test]
    fn actions_are_refused() {
        let mut invoked = plan([]);
        invoked["action_invocations"] = json!([{ "address": "action.aws_lambda_invoke.x" }]);
        assert_refused(&RULE, &invoked, "action.aws_lambda_invoke.x: it is an action");
        assert_refused(
            &RULE,
            &configured(json!({ "root_module": { "actions": [{}] } })),
            "the root module: it declares actions",
        );
        let nested = json!({ "root_module": { "module_calls": { "a": { "source": "./a", "module": { "actions": [{}] } } } } });
        assert_refused(&RULE, &configured(nested), "module.a: it declares actions");
    }

    #[test]
    fn modules_lie_in_the_repository() {
        let module = |source: &str| {
            configured(json!({ "root_module": { "module_calls": { "a": { "source": source } } } }))
        };
        assert_passed(&RULE, &module("./a"));
        assert_passed(&RULE, &module("../a"));
        for source in ["git::https://example.com/x", "hashicorp/consul/aws", "", ".evil/x"] {
            assert_refused(&RULE, &module(source), "module.a: its source");
        }
        let mut outside = Exported::default();
        outside.unread_modules.push("module.a".to_owned());
        let found = |source| {
            findings_with(&RULE, &module(source), &GuardSettings::default(), &outside).len()
        };
        assert_eq!(found("../../a"), 1);
        outside.unread_modules[0] = "module.b".to_owned();
        assert_eq!(
            findings_with(&RULE, &module("./a"), &GuardSettings::default(), &outside).len(),
            0
        );
    }

    #[test]
    fn settings_allow_more() {
        let glob = |text: &str| Glob::new(text).unwrap().compile_matcher();
        let settings = GuardSettings {
            allowed_types: vec![glob("aws_s3_*"), glob("http")],
            allowed_provider_arguments: ["assume_role".to_owned()].into(),
            allowed_module_sources: vec![glob("git::*")],
            ..GuardSettings::default()
        };
        let mut plan = plan([change("aws_s3_bucket", &["create"], Value::Null, json!({}))]);
        plan["configuration"] = json!({
            "provider_config": { "aws": { "full_name": PROVIDER, "expressions": { "assume_role": {} } } },
            "root_module": {
                "resources": [{ "address": "data.http.x", "mode": "data", "type": "http" }],
                "module_calls": { "a": { "source": "git::https://example.com/x" } },
            },
        });
        let exported = Exported::default();
        assert_eq!(findings_with(&RULE, &plan, &settings, &exported), Vec::<String>::new());
        assert_eq!(findings_with(&RULE, &plan, &GuardSettings::default(), &exported).len(), 4);
    }
}
